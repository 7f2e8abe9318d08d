"""The best and the last of every measure, a row a group of runs that differ in their seeds alone."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightning_gans.evaluation.records import is_better, is_higher_better, is_measure
from lightning_gans.report.published import Published
from lightning_gans.report.reading import Run
from lightning_gans.runs.measured import by_config, default_names
from lightning_gans.runs.summary import show_mean_std

_HOW = {
    "num_samples": "{} samples",
    "n_real": "{} real samples",
    "split": "of {}",
    "protocol": "counting rule {}",
    "features": "features {}",
    "layer": "layer {}",
    "sha256": "of SHA-256 {}",
    "extraction_precision": "in {}",
    "classifier": "classifier {}",
    "classifier_sha256": "of SHA-256 {}",
    "weights": "{} weights",
}


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seeds alone.

    Args:
        number: its place, by which it is drawn.
        name: model and dataset, with the folder where these do not tell it apart.
        runs: at least one.
    """

    number: int
    name: str
    runs: Sequence[Run]

    @property
    def count(self) -> str:
        """How many seeds, in words."""
        return f"{len(self.runs)} seeds" if len(self.runs) > 1 else "one seed"


@dataclass(frozen=True)
class Cell:
    """A measure of a row.

    Args:
        last: at the end, mean ± standard deviation over seeds; empty for none.
        best: at each run's best; empty for none, or where it has no direction.
        at: the step or steps of that.
        last_wins: whether no other group has a better last one.
        best_wins: likewise.
    """

    last: str = ""
    best: str = ""
    at: str = ""
    last_wins: bool = False
    best_wins: bool = False


@dataclass(frozen=True)
class Row:
    """A row of a table; ``group`` is none for what was published and for perfect samplers."""

    name: str
    aside: str
    cells: Sequence[Cell]
    group: int | None = None


@dataclass(frozen=True)
class Table:
    """The measures on a dataset.

    Args:
        dataset: by name.
        measures: name and direction: ``higher is better``, ``lower is better`` or nothing.
        rows: of groups and what goes beside them.
        notes: sentences that go below.
    """

    dataset: str
    measures: Sequence[tuple[str, str]]
    rows: Sequence[Row]
    notes: Sequence[str]


def groups_of(runs: Sequence[Run]) -> list[Group]:
    """In the order of the first run of each."""
    lines = by_config(runs)
    return [Group(n, name, line) for n, (name, line) in enumerate(zip(default_names(lines), lines, strict=True))]


def tables(groups: Sequence[Group], published_of: Callable[[Run], list[Published]]) -> list[Table]:
    """A table a dataset, of the groups that have measured anything on it."""
    measured = [group for group in groups if any(run.last_record for run in group.runs)]
    datasets = dict.fromkeys(group.runs[0].dataset for group in measured)
    return [_table(name, [g for g in measured if g.runs[0].dataset == name], published_of) for name in datasets]


def _table(dataset: str, groups: Sequence[Group], published_of: Callable[[Run], list[Published]]) -> Table:
    results = {group.number: [found for run in group.runs if (found := run.results)["last"]] for group in groups}
    names = list(dict.fromkeys(name for each in results.values() for result in each for name in result["best"]))
    others, alike = _how(groups)
    winners = {when: {name: _winner(results, name, when) if alike else None for name in names} for when in ("last", "best")}
    rows, notes = [], [*others]
    for group in groups:
        cells = [_cell(name, results[group.number], winners) for name in names]
        rows.append(Row(group.name, group.count, cells, group.number))
        for other in published_of(group.runs[0]):
            if set(other.values) & set(names):
                rows.append(Row(f"published, {other.name}", other.source, [Cell(other.values.get(name, "")) for name in names]))
                notes.append(_beside(group, other))
        notes += _unfinished(group)
    rows += [Row(name, aside, [Cell(floor.get(name, "")) for name in names]) for name, aside, floor in _floors(groups)]
    return Table(dataset, [(name, _direction(name)) for name in names], rows, notes)


def _direction(name: str) -> str:
    if not is_measure(name):
        return ""
    return "higher is better" if is_higher_better(name) else "lower is better"


def _cell(name: str, results: Sequence[Mapping[str, Any]], winners: Mapping[str, Mapping[str, float | None]]) -> Cell:
    found = {when: [result[when][name] for result in results if name in result[when]] for when in ("last", "best")}
    values = {when: [one["value"] for one in each] for when, each in found.items()}
    wins = {when: bool(each) and statistics.fmean(each) == winners[when][name] for when, each in values.items()}
    few = f" ({len(values['last'])} of {len(results)})" if 0 < len(values["last"]) < len(results) else ""
    steps = sorted({one["step"] for one in found["best"]})
    at = "" if not steps else f"{steps[0]:,}" if len(steps) == 1 else f"{steps[0]:,} to {steps[-1]:,}"
    best = show_mean_std(values["best"]) if _direction(name) else ""
    return Cell(f"{show_mean_std(values['last'])}{few}", best, at, wins["last"], wins["best"])


def _winner(results: Mapping[int, Sequence[Mapping[str, Any]]], name: str, when: str) -> float | None:
    """The best mean of the groups; none of a single group, or where there is no direction."""
    means = []
    for each in results.values():
        values = [result[when][name]["value"] for result in each if name in result[when]]
        means += [statistics.fmean(values)] if values else []
    if len(means) < 2 or not _direction(name):
        return None
    best = means[0]
    for mean in means[1:]:
        best = mean if is_better(name, mean, best) else best
    return best


def _how(groups: Sequence[Group]) -> tuple[list[str], bool]:
    """How it was measured, in sentences, and whether that is the same for all."""
    records = [run.last_record for group in groups for run in group.runs if run.last_record]
    values = {key: list(dict.fromkeys(str(record[key]) for record in records if record.get(key) is not None)) for key in _HOW}
    said = {key: _HOW[key].format(" or ".join(map(_short, each))) for key, each in values.items() if each}
    if unlike := [said[key] for key, each in values.items() if len(each) > 1]:
        return [f"The groups are not measured alike, so that none is in bold: {', '.join(unlike)}."], False
    return [f"Measured by {', '.join(said.values()).replace(', of ', ' of ')}."] if said else [], True


def _short(value: str) -> str:
    return value[:12] if len(value) == 64 else f"{int(value):,}" if value.isdigit() else value


def _unfinished(group: Group) -> Iterator[str]:
    for run in group.runs:
        status, planned = run.state.get("status"), run.state.get("steps_planned")
        if run.state and status != "finished":
            of = f" of {planned:,}" if isinstance(planned, int) else ""
            how = "has not ended" if status == "running" else f"has {status}" if status == "failed" else f"was {status}"
            yield f"{group.name}, seed {run.seed}, {how}: step {run.steps:,}{of}."


def _beside(group: Group, other: Published) -> str:
    said = f"{group.name} beside {other.name} of {other.source} ({other.command})"
    few = ", ".join(other.otherwise[:4]) + (f" and {len(other.otherwise) - 4} more" if len(other.otherwise) > 4 else "")
    return f"{said}: {f'otherwise {few}' if few else 'all settings are those of the row'}."


def _floors(groups: Sequence[Group]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Name, how many samples, numbers of each perfect sampler that the records know."""
    known = []
    for record in (run.last_record for group in groups for run in group.runs):
        floor = record.get("floor")
        if isinstance(floor, Mapping) and floor and floor not in known:
            known.append(floor)
            count = record.get("num_samples")
            aside = f"{count:,} samples" if isinstance(count, int) else ""
            numbers = {name: f"{value:.5g}" for name, value in floor.items() if isinstance(value, int | float)}
            yield str(record.get("floor_is", "perfect sampler")), aside, numbers
