"""A table as its file has it: rows, columns, budgets, and what was published."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from lightning_gans.config_files import read_config
from lightning_gans.errors import InputError
from lightning_gans.packaged import find_config
from lightning_gans.runs.experiment import Experiment
from lightning_gans.suggestions import near
from lightning_gans.tables.column import Column
from lightning_gans.tables.search import Search, changed

FULL = "full"
"""The budget of the config itself."""

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Budget:
    """How long every row is trained.

    Args:
        about: in a sentence, for the reader of the table.
        options: settings of all rows.
        rows: settings of single rows, by their names.
        only: whether no other rows are trained under it.
        compares: whether what comes of it is set against the published numbers.
    """

    about: str
    options: Mapping[str, Any] = field(default_factory=dict)
    rows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    only: bool = False
    compares: bool = True


@dataclass(frozen=True)
class Row:
    """A config with options, and what was published of it.

    Args:
        name: in the table.
        config: by name, ``None`` for what is not built yet.
        options: settings that differ from it.
        published: mean and standard deviation by measure, or how many of how many; either may be missing.
        remark: what is to be known of this row.
        search: settings that are drawn anew for every run, none for runs that differ by their seeds alone.
    """

    name: str
    config: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    published: Mapping[str, Any] = field(default_factory=dict)
    remark: str = ""
    search: Search | None = None


@dataclass(frozen=True)
class Table:
    """A table of a paper.

    Args:
        name: of its file.
        title: what it is about.
        source: paper and number.
        columns: what is measured.
        rows: by name.
        budgets: ``full`` and others, by name; full is what the configs say.
        options: settings of all rows.
        published_runs: how many were published, in words; empty where nothing is said.
        protocol: how it is measured.
        remarks: on what is alike and what is not.
        reference: a dataset of points with known centres, whose exact draws end the table as the best that there is.
    """

    name: str
    title: str
    source: str
    columns: tuple[Column, ...]
    rows: Mapping[str, Row]
    budgets: Mapping[str, Budget]
    options: Mapping[str, Any] = field(default_factory=dict)
    published_runs: str = ""
    protocol: str = ""
    remarks: tuple[str, ...] = ()
    reference: str | None = None

    def pick(self, names: list[str]) -> list[Row]:
        """The rows of these names, all for none.

        Raises:
            InputError: there is no such row.
        """
        for name in names:
            if name not in self.rows:
                raise InputError(f"{self.name} has no row {name}{near(name, self.rows)}; it has {', '.join(self.rows)}")
        return [row for row in self.rows.values() if not names or row.name in names]

    def budget(self, name: str) -> Budget:
        """By its name.

        Raises:
            InputError: there is none.
        """
        if name not in self.budgets:
            raise InputError(f"{self.name} has no budget {name}{near(name, self.budgets)}; it has {', '.join(self.budgets)}")
        return self.budgets[name]

    def cells(self, budget: str, rows: Iterable[Row], extra: Sequence[str] = ()) -> list[Cell]:
        """What can be trained of some rows under a budget; of a row that searches one for every draw.

        Args:
            budget: by name.
            rows: of the table.
            extra: options on which no result depends.

        Raises:
            InputError: there is no such budget.
        """
        found = self.budget(budget)
        taken = [row for row in rows if row.config is not None and (row.name in found.rows or not found.only)]
        draws = [(row, seed) for row in taken for seed in (range(row.search.runs) if row.search else [None])]
        return [Cell(self, row, budget, tuple(extra), seed) for row, seed in draws]


@dataclass(frozen=True)
class Cell:
    """A row under a budget: what ``lightning fit`` is to train, and which of its settings the table or the config names.

    Args:
        table: that it belongs to.
        row: of the table.
        budget: by name.
        extra: options on which no result depends.
        seed: of the only run that it is of, where settings are drawn for every run; none for any.
    """

    table: Table
    row: Row
    budget: str
    extra: tuple[str, ...] = ()
    seed: int | None = None

    @cached_property
    def options(self) -> list[str]:
        """Of ``lightning fit``."""
        budget = self.table.budget(self.budget)
        settings = {**self.table.options, **self.row.options, **budget.options, **budget.rows.get(self.row.name, {})}
        settings |= self.drawn
        return [f"--config={self.row.config}", *(f"--{name}={_word(value)}" for name, value in settings.items()), *self.extra]

    def takes(self, seed: int) -> bool:
        """Whether a run of ``seed`` can be of this."""
        return self.seed in (None, seed)

    @cached_property
    def experiment(self) -> Experiment:
        """What the options come to.

        Raises:
            InputError: the row is not built yet, or its file is wrong.
        """
        if self.row.config is None:
            raise InputError(f"{self.row.name} of {self.table.name} is not built yet")
        if not self.drawn:
            return Experiment.resolve(self.options)
        return Experiment(tuple(self.options), changed(self._before_draws.config, self.drawn))

    @property
    def drawn(self) -> dict[str, float]:
        """The settings that are drawn for its run."""
        return {} if self.row.search is None or self.seed is None else self.row.search.options(self.seed)

    @property
    def _before_draws(self) -> Experiment:
        alike = replace(self, seed=None)
        return _resolved(tuple(alike.options))

    @cached_property
    def named(self) -> set[str]:
        """Paths of the settings that do not stand at their default by themselves."""
        assert self.row.config is not None
        config = read_config(Path(find_config(self.row.config)))
        return {path for path, _ in flat(config)} | {option[2:].partition("=")[0] for option in self.options}


@cache
def _resolved(options: tuple[str, ...]) -> Experiment:
    return Experiment.resolve(options)


def flat(settings: Any, path: str = "") -> list[tuple[str, Any]]:
    """Settings by their paths, as the command line has them: ``model.encoder.widths``."""
    if isinstance(settings, Mapping) and settings:
        return [
            pair
            for name, value in settings.items()
            for pair in flat(value, path if name in ("init_args", "class_path") else f"{path}.{name}".removeprefix("."))
        ]
    return [(path, settings)]


def table_names() -> list[str]:
    """Of all tables that there are."""
    return sorted(file.stem for file in _FOLDER.glob("*.yaml"))


def load_table(name: str) -> Table:
    """The table of a name, or of a YAML file.

    Raises:
        InputError: there is none, or something in it is none of a table's.
    """
    file = Path(name) if name.endswith(".yaml") else _FOLDER / f"{name}.yaml"
    if name not in table_names() and not file.is_file():
        raise InputError(f"there is no table {name}{near(name, table_names())}; there are {', '.join(table_names())}")
    content = read_config(file)
    try:
        return _table(file.stem, _with_runs(content))
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise InputError(f"{file} is no table: {error}; see the tables in {_FOLDER}") from error


def _with_runs(content: dict[str, Any]) -> dict[str, Any]:
    """A file's content; where it says whose runs it shows, with the rows, options and budgets of that table."""
    if "runs" not in content:
        return content
    base = read_config(_FOLDER / f"{content['runs']}.yaml")
    theirs = {
        name: {key: row[key] for key in ("config", "options", "search") if key in row} for name, row in base["rows"].items()
    }
    rows = {name: row | content.get("rows", {}).get(name, {}) for name, row in theirs.items()}
    mine = {key: value for key, value in content.items() if key != "runs"}
    return {"options": base.get("options", {}), "budgets": base["budgets"], **mine, "rows": rows}


def _table(name: str, content: dict[str, Any]) -> Table:
    columns = tuple(Column(key, **(given or {})) for key, given in content.pop("columns").items())
    budgets = {each: Budget(**given) for each, given in content.pop("budgets").items()}
    rows = {each: _row(each, given or {}) for each, given in content.pop("rows").items()}
    if FULL not in budgets:
        raise KeyError(f"there is no budget {FULL}")
    for budget in budgets.values():
        if unknown := budget.rows.keys() - rows.keys():
            raise KeyError(f"a budget is for {', '.join(sorted(unknown))}, which is no row")
    for row in rows.values():
        if unknown := row.published.keys() - {column.key for column in columns}:
            raise KeyError(f"{row.name} has published {', '.join(sorted(unknown))}, which is no column")
    return Table(name, columns=columns, budgets=budgets, rows=rows, remarks=tuple(content.pop("remarks", ())), **content)


def _row(name: str, content: dict[str, Any]) -> Row:
    search = Search.of(content["search"]) if "search" in content else None
    return Row(name, **(content | {"search": search}))


def _word(value: Any) -> str:
    """A setting on a command line."""
    return value if isinstance(value, str) else json.dumps(value)
