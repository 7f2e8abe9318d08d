"""How long the runs of a table will take, by those that are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lightning_gans.runs.run import Run
from lightning_gans.tables.table import Cell


def estimate(missing: Sequence[tuple[Cell, Run]], lines: Sequence[Mapping[str, Any]], jobs: int) -> list[str]:
    """A sentence for each row with missing runs, and one for all.

    Args:
        missing: what is to be run.
        lines: finished runs of any budget; the newest of a row's config counts.
        jobs: runs at a time.
    """
    said, total, unknown = [], 0.0, False
    for name in dict.fromkeys(cell.row.name for cell, _ in missing):
        cells = [(cell, run) for cell, run in missing if cell.row.name == name]
        cell = cells[0][0]
        rate = _steps_per_second(cell, lines)
        steps = _steps(cell, lines)
        count = f"{len(cells)} run{'s' if len(cells) > 1 else ''}"
        if rate is None or steps is None:
            unknown = True
            said.append(f"{name}: {count}; how long one takes is known after the first")
            continue
        seconds = sum(max(0, steps - run.progress()[0]) / rate[0] for _, run in cells)
        total += seconds
        each = f", {duration(steps / rate[0])} each" if len(cells) > 1 else ""
        said.append(f"{name}: {count} of {steps:,} steps{each}, {duration(seconds)} at {rate[0]:.3g} steps/s ({rate[1]})")
    at_once = max(1, min(jobs or 1, len(missing)))
    summed = f"{'at least ' if unknown else ''}{duration(total / at_once)}" if total else "unknown yet"
    return [*said, f"{len(missing)} run{'s' if len(missing) > 1 else ''}, {at_once} at a time: {summed}"]


def duration(seconds: float) -> str:
    """``3 h 20 min``, ``4 min`` or ``12 s``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _of_row(cell: Cell, lines: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Runs of the row's model on its data, those of its very settings last."""
    ours = cell.experiment
    alike = [line for line in lines if (line["model"], line["dataset"]) == (ours.model, ours.dataset) and line.get("seconds")]
    return sorted(alike, key=lambda line: (line["config"] == ours.hash, _model_equals(line, cell), line["finished"]))


def _model_equals(line: Mapping[str, Any], cell: Cell) -> bool:
    return bool(line["settings"]["model"] == cell.experiment.config["model"])


def _steps_per_second(cell: Cell, lines: Sequence[Mapping[str, Any]]) -> tuple[float, str] | None:
    for line in reversed(_of_row(cell, lines)):
        if line.get("steps"):
            return line["steps"] / line["seconds"], str(line["device"])
    return None


def _steps(cell: Cell, lines: Sequence[Mapping[str, Any]]) -> int | None:
    """By the config where it says so, else by what an epoch had in another run."""
    trainer = cell.experiment.config["trainer"]
    if (trainer["max_steps"] or -1) > 0:
        return int(trainer["max_steps"])
    for line in reversed(_of_row(cell, lines)):
        epochs = line["settings"]["trainer"]["max_epochs"]
        if epochs and epochs > 0 and line.get("steps"):
            return round(line["steps"] * trainer["max_epochs"] / epochs)
    return None
