"""A finished run as one line of JSON: how it is made, and where there are some."""

from __future__ import annotations

import csv
import json
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lightning_gans.config_files import read_config
from lightning_gans.errors import InputError
from lightning_gans.packaged import results_folder
from lightning_gans.runs import ledger
from lightning_gans.runs.experiment import Experiment
from lightning_gans.runs.hashing import settings_of

_POINTS = 50  # of a curve
_CHANGE = "change/"
_NEEDED = {"config", "seed", "model", "dataset", "steps", "seconds", "finished", "results", "curves", "settings"}  # of a line
ASIDE = "verify"
"""A folder of runs that count for nothing, among those that do."""


def make_line(
    experiment: Experiment,
    state: Mapping[str, Any],
    measured: list[dict[str, Any]],
    changed: list[dict[str, Any]],
    results: dict[str, Any],
    **more: Any,
) -> dict[str, Any]:
    """The record of a finished run.

    Args:
        experiment: what was trained.
        state: what the run said of itself, its ``run.json``.
        measured: its ``evaluation.jsonl``.
        changed: how much its fixed samples changed.
        results: its measures at the end and at their best.
        **more: ``seed``, ``seconds``, ``threads`` and ``folder``.
    """
    device = state.get("device") or (str(measured[-1]["device"]) if measured else None)
    return {
        "config": experiment.hash,
        "model": experiment.model,
        "dataset": experiment.dataset,
        "steps": state.get("step"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "code": state.get("code") or ledger.code_version(),
        **{name: state.get(name) for name in ("versions", "devices", "precision", "protocol")},
        "device": device and device_name(device),
        **more,
        "results": results,
        "curves": [points for rows in (measured, changed) if len(points := curve(rows)) > 1],
        "settings": settings_of(experiment.config),
    }


def curve(measured: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Measures while training by their steps, at most fifty evenly chosen, the last among them, to five digits."""
    from lightning_gans.evaluation.records import is_chosen_by

    def kept_of(name: str) -> bool:
        return is_chosen_by(name) or name.startswith(_CHANGE)

    rows = list({row["step"]: row for row in measured if row.get("stage") == "fit" and "step" in row}.values())
    kept = rows[:: -max(1, -(-len(rows) // _POINTS))][::-1]
    names = [name for name in (kept[-1] if kept else {}) if kept_of(name) and all(name in row for row in kept)]
    return {"step": [row["step"] for row in kept], **{name: [float(f"{row[name]:.5g}") for row in kept] for name in names}}


def changes(folder: Path) -> list[dict[str, Any]]:
    """How much fixed samples and reconstructions changed, as rows of measures, from a run's ``metrics.csv`` files."""
    by_step: dict[int, dict[str, Any]] = {}
    for metrics in by_age(folder, "metrics.csv"):
        with open(metrics, newline="") as file:
            for row in csv.DictReader(file):
                found = {name: float(value) for name, value in row.items() if name and name.startswith(_CHANGE) and value}
                if found:
                    step = int(row["step"])
                    by_step.setdefault(step, {"stage": "fit", "step": step}).update(found)
    return [by_step[step] for step in sorted(by_step)]


def device_name(device: str) -> str:
    """The graphics card's name for ``cuda:N``, else the processor's."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.get_device_name(device)
    info = Path("/proc/cpuinfo")
    match = re.search(r"model name\s*: (.+)", info.read_text()) if info.is_file() else None
    return match[1] if match else platform.processor() or platform.machine()


@dataclass(frozen=True)
class Unfinished:
    """A run that was begun and has not come to its end, or is still being trained."""

    experiment: Experiment
    seed: int
    step: int
    folder: Path


def packaged_lines() -> list[dict[str, Any]]:
    """The finished runs that come with the package."""
    return [line for file in sorted(results_folder().glob("*.jsonl")) for line in ledger.read_lines(file)]


@dataclass
class Below:
    """What there is below a folder.

    Args:
        finished: lines of runs that have come to their end.
        unfinished: the others.
        unreadable: a sentence for each file that is none of ours, or damaged.
    """

    finished: list[dict[str, Any]] = field(default_factory=list)
    unfinished: list[Unfinished] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


def lines_below(out: Path) -> Below:
    """Runs below a folder, those of ``lightning fit`` as well as those of a runner."""
    found = Below()
    for file in _files(out, "runs.jsonl"):
        lines = ledger.read_lines(file)
        found.finished += [line for line in lines if line.keys() >= _NEEDED]
        if strange := sum(not line.keys() >= _NEEDED for line in lines):
            found.unreadable.append(f"{strange} of {len(lines)} lines of {file} are none of this version")
    recorded = {(line["config"], line["seed"]) for line in found.finished}
    unfinished: dict[tuple[str, int], Unfinished] = {}
    for file in _files(out, "run.json"):
        folder = file.parent
        try:
            config, state = read_config(folder / "config.yaml"), json.loads(file.read_text())
            experiment, seed = Experiment((), config), int(config["seed_everything"])
            key, finished = (experiment.hash, seed), state["status"] == "finished" and not _is_of_runner(folder, out)
            if finished and key not in recorded:
                recorded.add(key)
                more = {"seed": seed, "seconds": state.get("seconds"), "threads": state.get("threads"), "folder": str(folder)}
                measured, results = ledger.read_lines(folder / "evaluation.jsonl"), ledger.read_results(folder)
                found.finished.append(make_line(experiment, state, measured, changes(folder), results, **more))
            unfinished[key] = Unfinished(experiment, seed, last_step(folder), folder)
        except (InputError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            found.unreadable.append(f"{folder} is no run that can be read ({type(error).__name__}: {error})")
    found.unfinished = [run for key, run in unfinished.items() if key not in recorded]
    return found


def last_step(folder: Path) -> int:
    """Of the newest ``metrics.csv`` below a folder, as far as it is written."""
    for file in by_age(folder, "metrics.csv")[-1:]:
        try:
            with open(file, "rb") as opened:
                column = opened.readline().decode().strip().split(",").index("step")
                opened.seek(max(opened.tell(), file.stat().st_size - 4096))  # its last line
                return int(opened.read().decode().splitlines()[-1].split(",")[column])
        except (OSError, ValueError, IndexError):  # nothing is written yet
            continue
    return 0


def by_age(folder: Path, pattern: str) -> list[Path]:
    """Files below a folder, the oldest first."""
    return sorted(folder.rglob(pattern), key=lambda file: file.stat().st_mtime_ns)


def _files(out: Path, name: str) -> list[Path]:
    return [file for file in sorted(out.rglob(name)) if ASIDE not in file.parts]


def _is_of_runner(folder: Path, out: Path) -> bool:
    return any((above / "attempt.json").is_file() for above in folder.parents if above.is_relative_to(out))
