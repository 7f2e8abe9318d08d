"""Which finished runs stand in a table: those of exactly a row's settings; of the others, what differs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lightning_gans.runs.hashing import settings_of
from lightning_gans.runs.lines import Unfinished
from lightning_gans.tables.table import Cell, flat

_SAID = 3  # differences


@dataclass
class Sorted:
    """Runs by their places.

    Args:
        rows: of each row the finished runs of its settings, by seed.
        apart: other finished runs, each with what sets it apart from the nearest row.
        unfinished: a sentence for each run that has not come to its end.
    """

    rows: dict[str, dict[int, dict[str, Any]]]
    apart: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)


def sort(cells: Sequence[Cell], lines: Iterable[Mapping[str, Any]], unfinished: Iterable[Unfinished] = ()) -> Sorted:
    """Put runs in their places.

    Args:
        cells: the rows of a table under a budget.
        lines: finished runs; of several of one row and seed the first one counts.
        unfinished: those that are begun.
    """
    found = Sorted({cell.row.name: {} for cell in cells})
    datasets, others = {cell.experiment.dataset for cell in cells}, 0
    for line in lines:
        cell = next((cell for cell in cells if belongs(line, cell)), None)
        if cell is not None:
            found.rows[cell.row.name].setdefault(line["seed"], dict(line))
        elif line["dataset"] in datasets:
            found.apart.append(_apart(line, cells))
        else:
            others += 1
    if others:
        found.apart.append(f"{others} run{'s' if others > 1 else ''} of other datasets")
    for run in unfinished:
        like = {"config": run.experiment.hash, "settings": settings_of(run.experiment.config), "seed": run.seed}
        cell = next((cell for cell in cells if belongs(like, cell)), None)
        if cell is not None:
            found.unfinished.append(f"{cell.row.name} seed {run.seed} is unfinished, at step {run.step:,}: {run.folder}")
    return found


def belongs(line: Mapping[str, Any], cell: Cell) -> bool:
    """Whether a run has exactly the settings of a row.

    A setting that came into the code later counts as being at its default, where the row does not name it.
    """
    if not cell.takes(line["seed"]):
        return False
    return line["config"] == cell.experiment.hash or not differences(line, cell)


def differences(line: Mapping[str, Any], cell: Cell) -> dict[str, str]:
    """What a run has otherwise, ``lambda_r 0.1 and not 0``, by the path of the setting."""
    theirs, ours = (dict(flat(settings)) for settings in (line["settings"], settings_of(cell.experiment.config)))
    said = {}
    for path in dict.fromkeys([*ours, *theirs]):
        if path not in theirs and path not in cell.named:
            continue
        if theirs.get(path) != ours.get(path):
            said[path] = f"{path} {_short(theirs.get(path))} and not {_short(ours.get(path))}"
    return said


def _apart(line: Mapping[str, Any], cells: Sequence[Cell]) -> str:
    by_row = {cell.row.name: differences(line, cell) for cell in cells if cell.takes(line["seed"])}
    if not by_row:
        return f"{line['model']} on {line['dataset']}, seed {line['seed']}, is of no draw of the rows"
    near = min(by_row, key=lambda name: len(by_row[name]))
    said = [*by_row[near].values()]
    more = f" and {len(said) - _SAID} more" if len(said) > _SAID else ""
    numbers = [(column, column.value(line)) for column in cells[0].table.columns]
    has = "".join(f" {column.title} {value:.{column.digits}f}," for column, value in numbers if value is not None)
    what = f"{line['model']} on {line['dataset']}, seed {line['seed']},"
    return f"{what}{f' with{has}' if has else ''} is not {near}: {', '.join(said[:_SAID])}{more}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
