"""What was published of the configs that runs are of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from lightning_gans.config_files import read_config
from lightning_gans.errors import InputError
from lightning_gans.packaged import find_config
from lightning_gans.report.reading import Run
from lightning_gans.runs.hashing import settings_of
from lightning_gans.tables.cells import published_text
from lightning_gans.tables.column import Column
from lightning_gans.tables.sorting import differences
from lightning_gans.tables.table import FULL, Row, Table, load_table, table_names

# A run may be shorter or measured otherwise and is set beside the numbers all the same, with a word on it
_MAY_DIFFER = ("trainer.", "evaluation.", "model.compile")


@dataclass(frozen=True)
class Published:
    """A row of a paper's table.

    Args:
        name: of table and row.
        source: paper and number.
        values: as printed, by measure; mean and, where it was printed, standard deviation.
        otherwise: what the run has otherwise than the row, each as ``trainer.max_steps 800 and not -1``.
        command: that shows the table.
    """

    name: str
    source: str
    values: Mapping[str, str]
    otherwise: tuple[str, ...]
    command: str


def published_of(run: Run) -> list[Published]:
    """The rows whose model and data are those of a run, of all tables that come with the package."""
    if not run.settings:
        return []
    found = []
    line = {"config": run.config, "seed": run.seed, "settings": settings_of(run.settings)}
    for table in _tables():
        for row in table.rows.values():
            values = {c.measure: _text(c, row.published[c.key]) for c in table.columns if c.has_best and c.key in row.published}
            if not values or row.search is not None:
                continue
            with suppress(InputError, OSError):  # a row that needs what is not there
                other = [differences(line, cell) for cell in table.cells(FULL, [row])] if _may_be(row, run) else []
                if other and all(path.startswith(_MAY_DIFFER) for path in other[0]):
                    said = tuple(other[0].values())
                    found.append(Published(row.name, table.source, values, said, f"lightning table {table.name} --show"))
    return _merged(found)


def _merged(found: Sequence[Published]) -> list[Published]:
    """Rows of one name and the same numbers, as of a table and a figure of a paper, in one."""
    merged: list[Published] = []
    for one in found:
        for number, other in enumerate(merged):
            alike = all(one.values[measure] == other.values[measure] for measure in one.values.keys() & other.values.keys())
            if alike and (one.name, one.otherwise) == (other.name, other.otherwise):
                known = other.source.split(", ")
                source = ", ".join([*known, *(part for part in one.source.split(", ") if part not in known)])
                values = {**one.values, **other.values}
                merged[number] = replace(other, source=source, values=values, command=f"{other.command}; {one.command}")
                break
        else:
            merged.append(one)
    return merged


def _may_be(row: Row, run: Run) -> bool:
    """Whether model and data have the same names: to resolve all the configs would take long."""
    if row.config is None or run.model not in f"{row.options.get('model', '')} {_text_of(row.config)}":
        return False
    model, dataset = _named(row.config)
    model, dataset = row.options.get("model", model), row.options.get("data.dataset", dataset)
    return str(model).rpartition(".")[2] == run.model and Path(str(dataset)).stem == Path(run.dataset).stem


@cache
def _tables() -> list[Table]:
    return [load_table(name) for name in table_names()]


@cache
def _text_of(config: str) -> str:
    """To be looked into before all of it is parsed, which takes a hundred times as long."""
    return Path(find_config(config)).read_text()


@cache
def _named(config: str) -> tuple[Any, Any]:
    """Class and dataset."""
    settings = read_config(Path(find_config(config)))
    model, data = settings.get("model"), settings.get("data") or {}
    return model.get("class_path") if isinstance(model, dict) else model, data.get("dataset")


def _text(column: Column, published: Any) -> str:
    """In the unit of the records."""
    if column.times == 1 or isinstance(published, str):
        return published_text(column, published)
    digits = column.digits + max(0, round(math.log10(column.times)))
    numbers = published if isinstance(published, list) else [published]
    return " ± ".join(f"{number / column.times:.{digits}f}" for number in numbers)
