"""Train a finished run again: does the same come out?"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lightning_gans.errors import InputError
from lightning_gans.runs.ledger import read_runs
from lightning_gans.runs.lines import ASIDE
from lightning_gans.runs.run import Run
from lightning_gans.tables.cells import Estimate
from lightning_gans.tables.sorting import Sorted
from lightning_gans.tables.table import Cell

# Where these agree the last bit should
_SAME = ("device", "threads", "versions", "precision", "devices")


def verify(cells: Sequence[Cell], found: Sorted, out: Path, train: Callable[[list[Run]], int]) -> tuple[bool, str]:
    """Train one of the finished runs again, chosen at random, and compare what was measured at its end.

    Args:
        cells: rows and budget.
        found: their finished runs.
        out: the folder of runs; the new one goes to a folder aside.
        train: trains runs; says how many failed.

    Returns:
        Whether it is the same, and a sentence.

    Raises:
        InputError: there is no finished run.
    """
    finished = [(cell, line) for cell in cells for seed, line in found.rows[cell.row.name].items() if cell.takes(seed)]
    if not finished:
        raise InputError("there is no finished run to verify; leave out --verify to train some")
    cell, line = random.choice(finished)
    shutil.rmtree(out / ASIDE, ignore_errors=True)
    run = Run(cell.experiment, line["seed"], out / ASIDE, cell.row.name)
    if train([run]):
        return False, f"{run} could not be trained again"
    others = [other for seed, other in found.rows[cell.row.name].items() if seed != line["seed"]]
    return compare(str(run), line, read_runs(out / ASIDE)[run.key], others)


def compare(name: str, before: dict[str, Any], now: dict[str, Any], others: Sequence[dict[str, Any]] = ()) -> tuple[bool, str]:
    """Whether two runs of one config and seed are the same, and a sentence.

    To the last bit where machine and versions are the same; elsewhere each measure must be within the 95 % interval of the
    row's seeds, which takes two of them.

    Args:
        name: what the sentence begins with.
        before: the record of the run that was there.
        now: that of the new one.
        others: records of the row's other seeds.
    """
    old, new = ({key: one["value"] for key, one in line["results"]["last"].items()} for line in (before, now))
    both = [key for key in old if key in new]
    if not both:
        return False, f"{name}: the two runs have no measure in common"
    unlike = [key for key in both if old[key] != new[key]]
    if not unlike:
        return True, f"{name} is the same to the last bit in {len(both)} measures: {', '.join(both)}"
    said = ", ".join(f"{key} {old[key]:.6g} and now {new[key]:.6g}" for key in unlike)
    elsewhere = [key for key in _SAME if before.get(key) != now.get(key)]
    if not elsewhere:
        return False, f"{name} differs on the same kind of machine: {said}"
    where = f"on other terms ({', '.join(elsewhere)})"
    outside = [key for key in unlike if not _within(new[key], [old[key], *_values(key, others)])]
    if outside:
        return False, f"{name} differs {where}, and {', '.join(outside)} not within the interval of the row's seeds: {said}"
    return True, f"{name} differs {where}, but is within the interval of the row's seeds: {said}"


def _values(key: str, lines: Sequence[dict[str, Any]]) -> list[float]:
    return [line["results"]["last"][key]["value"] for line in lines if key in line["results"]["last"]]


def _within(value: float, values: Sequence[float]) -> bool:
    interval = Estimate.of(values)
    return interval.low <= value <= interval.high
