"""What a measurement leaves behind: a line in evaluation.jsonl, the best and the last in evaluation.json, a table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from lightning_gans import __version__
from lightning_gans.evaluation.choices import METRICS

_SUMMARY = "evaluation.json"
_HIGHER = {word for metric in METRICS.values() for word in metric.higher}
_LOWER = {word for metric in METRICS.values() for word in metric.lower}
_ASIDE = {"std", "size", "halved"}  # what nobody would choose a checkpoint by


def is_better(name: str, value: float, than: float) -> bool:
    """Whether a measure has improved."""
    base = name.removeprefix("reconstruction_")
    return value > than if _begins(base, _HIGHER) else value < than


def is_measure(name: str) -> bool:
    """Whether it is the name of what is measured here."""
    return _begins(name.removeprefix("eval/"), _HIGHER | _LOWER)


def _begins(name: str, words: Iterable[str]) -> bool:
    return any(name == word or name.startswith(f"{word}_") for word in words)


def begin(folder: Path, checkpoint: str | Path | None, step: int) -> None:
    """Take over the best of the run that is resumed, up to its step, and of no other run."""
    stored: dict[str, Any] = {}
    for place in [] if checkpoint is None else Path(checkpoint).parents[:2]:
        if not stored and (place / _SUMMARY).is_file():
            stored = json.loads((place / _SUMMARY).read_text())
    kept = {name: one for name, one in stored.get("best", {}).items() if one["step"] <= step}
    (folder / _SUMMARY).unlink(missing_ok=True)
    if kept:
        folder.mkdir(parents=True, exist_ok=True)
        _write_summary(folder, {"best": kept, "last": {}})


def write_record(folder: Path, record: Mapping[str, Any], scores: Mapping[str, float]) -> None:
    """Add a measurement to the run's files.

    Args:
        folder: of the run.
        record: what was measured, and how; ``stage`` and ``step`` are needed.
        scores: the numbers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "evaluation.jsonl", "a") as file:
        file.write(json.dumps({**record, **scores}) + "\n")
    if record["stage"] == "fit" and scores:
        summary = folder / _SUMMARY
        before = json.loads(summary.read_text()) if summary.is_file() else {}
        _write_summary(folder, best_and_last(before, record["step"], scores))


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
    table.add_column("measure")
    table.add_column("value", justify="right")
    if floor:
        table.add_column(floor_name, justify="right")
    for name, value in scores.items():
        table.add_row(*_cells([name], [value, *([floor.get(name)] if floor else [])]))
    Console().print(table)


def _cells(names: Iterable[str], values: Iterable[float | None]) -> Iterable[str]:
    yield from names
    for value in values:
        yield "" if value is None else f"{value:g}" if abs(value) >= 2 else f"{value:z.3f}"


def versions() -> dict[str, str]:
    """Of everything that the numbers come from."""
    names = ("torchvision", "lightning", "torchmetrics", "torch-fidelity")
    return {"lightning-gans": __version__, "torch": torch.__version__, **{name: version(name) for name in names}}
