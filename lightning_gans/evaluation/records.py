"""What a measurement leaves behind: a line in evaluation.jsonl, the best and the last in evaluation.json, a table."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from rich.console import Console
from rich.table import Table

from lightning_gans import __version__
from lightning_gans.evaluation.choices import METRICS

_SUMMARY, _RECORDS = "evaluation.json", "evaluation.jsonl"
# A best measured with another seed of training or in other precision is one all the same
_NEVER_MIND = {"seed", "extraction_shift"}
_HIGHER = {word for metric in METRICS.values() for word in metric.higher}
_LOWER = {word for metric in METRICS.values() for word in metric.lower}
_ASIDE = {"std", "size", "halved"}


def is_higher_better(name: str) -> bool:
    """Which way a measure improves, by its name as it is kept or logged."""
    return _begins(name.removeprefix("eval/").removeprefix("reconstruction_"), _HIGHER)


def is_better(name: str, value: float, than: float) -> bool:
    """Whether a measure has improved."""
    return value > than if is_higher_better(name) else value < than


def is_measure(name: str) -> bool:
    """Whether it is the name of what is measured here."""
    return _begins(name.removeprefix("eval/"), _HIGHER | _LOWER)


def words() -> list[str]:
    """What names of measures begin with."""
    return sorted(_HIGHER | _LOWER)


def is_chosen_by(name: str) -> bool:
    """Whether it is a measure that anybody would choose a checkpoint by, and not one of its parts or spreads."""
    return is_measure(name) and not _ASIDE & {*name.split("_")}


def name_of_floor(name: str, floor: Container[str]) -> str | None:
    """The measure whose floor is that of a measure, which may be of averaged weights; ``None`` where none is known."""
    return next((each for each in (name, name.removesuffix("_ema")) if each in floor), None)


def floor_of(name: str, floor: Mapping[str, float]) -> float | None:
    """What a perfect sampler would get in a measure, where that is known."""
    known = name_of_floor(name, floor)
    return None if known is None else floor[known]


def _begins(name: str, words: Iterable[str]) -> bool:
    return any(name == word or name.startswith(f"{word}_") for word in words)


def begin(folder: Path, checkpoint: str | Path | None, step: int, how: Mapping[str, Any]) -> None:
    """Take over the best of the run that is resumed, up to its step, and of no other run.

    Args:
        folder: of the run that begins.
        checkpoint: that it goes on from, ``None`` for none.
        step: of that.
        how: measures are taken now; where they were taken otherwise before, or of other data, nothing is taken over.
    """
    stored: dict[str, Any] = {}
    before: dict[str, Any] = {}
    for place in [] if checkpoint is None else Path(checkpoint).parents[:2]:
        if not stored and (place / _SUMMARY).is_file():
            stored, before = json.loads((place / _SUMMARY).read_text()), _last_record(place)
    kept = {name: one for name, one in stored.get("best", {}).items() if one["step"] <= step}
    others = [key for key in how if key in before and key not in _NEVER_MIND and before[key] != how[key]]
    if kept and others:
        said = ", ".join(f"{key} {before[key]} and not {how[key]}" for key in others)
        rank_zero_warn(f"the best so far is left behind, for it was measured with {said}")
        kept = {}
    (folder / _SUMMARY).unlink(missing_ok=True)
    if kept:
        folder.mkdir(parents=True, exist_ok=True)
        _write_summary(folder, {"best": kept, "last": {}})


def _last_record(folder: Path) -> dict[str, Any]:
    """What was measured last while a run trained, empty for nothing that can be read."""
    file = folder / _RECORDS
    for line in reversed(file.read_text().splitlines() if file.is_file() else []):
        with suppress(ValueError):  # it was killed while it wrote
            row: dict[str, Any] = json.loads(line)
            if row.get("stage") == "fit":
                return row
    return {}


def line(step: int, scores: Mapping[str, float]) -> str:
    """A measurement in one line."""
    shown = {name: value for name, value in scores.items() if not _ASIDE & {*name.split("_")}}
    return f"step {step}: " + ", ".join(f"{name} {_shown(value)}" for name, value in shown.items())


def write_record(folder: Path, record: Mapping[str, Any], scores: Mapping[str, float]) -> dict[str, Any]:
    """Add a measurement to the run's files.

    Args:
        folder: of the run.
        record: what was measured, and how; ``stage`` and ``step`` are needed.
        scores: the numbers.

    Returns:
        The best and the last of the run where it is being trained, else nothing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / _RECORDS, "a") as file:
        file.write(json.dumps({**record, **scores}) + "\n")
    if record["stage"] == "fit" and scores:
        summary = folder / _SUMMARY
        before = json.loads(summary.read_text()) if summary.is_file() else {}
        results = best_and_last(before, record["step"], scores)
        _write_summary(folder, results)
        return results
    return {}


def _write_summary(folder: Path, content: Mapping[str, Any]) -> None:
    scratch = folder / f"{_SUMMARY}.tmp"
    scratch.write_text(json.dumps(content, indent=1))
    scratch.replace(folder / _SUMMARY)


def best_and_last(before: Mapping[str, Any], step: int, scores: Mapping[str, float]) -> dict[str, Any]:
    """``{"best": {name: {"value", "step"}}, "last": {...}}`` after one more measurement."""
    best = dict(before.get("best", {}))
    for name, value in scores.items():
        if not _ASIDE & {*name.split("_")} and (name not in best or is_better(name, value, best[name]["value"])):
            best[name] = {"value": value, "step": step}
    return {"best": best, "last": {name: {"value": value, "step": step} for name, value in scores.items()}}


def show(title: str, scores: Mapping[str, float], floor: Mapping[str, float], floor_name: str) -> None:
    """Print the numbers, beside the best that can be hoped for where that is known."""
    table = Table(title=title)
    table.add_column("measure", overflow="fold")
    table.add_column("value", justify="right", no_wrap=True)
    if floor:
        table.add_column(floor_name, justify="right", overflow="fold")
    for name, value in scores.items():
        table.add_row(*_cells([name], [value, *([floor_of(name, floor)] if floor else [])]))
    Console().print(table)


def _cells(names: Iterable[str], values: Iterable[float | None]) -> Iterable[str]:
    yield from names
    for value in values:
        yield "" if value is None else _shown(value)


def _shown(value: float) -> str:
    return f"{value:g}" if abs(value) >= 2 else f"{value:z.3f}"


def versions() -> dict[str, str]:
    """Of everything that the numbers come from."""
    names = ("torchvision", "lightning", "torchmetrics", "torch-fidelity")
    return {"lightning-gans": __version__, "torch": torch.__version__, **{name: version(name) for name in names}}
