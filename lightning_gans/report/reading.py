"""What the folders of runs hold, as far as it can be read."""

from __future__ import annotations

import csv
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lightning_gans.config_files import read_config
from lightning_gans.errors import InputError
from lightning_gans.evaluation.records import best_and_last
from lightning_gans.running.place import RECORD
from lightning_gans.runs.hashing import config_hash
from lightning_gans.runs.ledger import read_lines
from lightning_gans.runs.lines import ASIDE
from lightning_gans.runs.measured import RECORDS, Measured, by_step

_FILES = (RECORD, "config.yaml", "metrics.csv", RECORDS)
LOSS = "loss/"


@dataclass(frozen=True)
class Run(Measured):
    """What a run has left; losses are among what was measured.

    Args:
        shown: the folder, without what all runs of the report have in common.
        state: what it says of itself, empty where nothing can be read.
        settings: its config, likewise.
        last_record: its last measurement and how that was taken, likewise.
        steps: that it has come to.
        seconds: that it took, of all runs that it goes on from; none where it does not say.
        problems: a sentence for each part that is left out.
        before: the run of this report that it goes on from.
    """

    shown: str = ""
    state: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    last_record: Mapping[str, Any] = field(default_factory=dict)
    steps: int = 0
    seconds: float | None = None
    problems: tuple[str, ...] = ()
    before: Run | None = None

    @property
    def place(self) -> str:
        return self.shown

    @property
    def way(self) -> list[Run]:
        """The runs that it goes on from, the first of them first, and itself."""
        return [*(self.before.way if self.before else []), self]

    @property
    def results(self) -> dict[str, dict[str, Any]]:
        """``{"best": {name: {"value", "step"}}, "last": {...}}`` of its measures, without losses."""
        found: dict[str, dict[str, Any]] = {"best": {}, "last": {}}
        measures = {name: values for name, values in self.measured.items() if not name.startswith(LOSS)}
        for step in sorted({step for values in measures.values() for step in values}):
            scores = {name: values[step] for name, values in measures.items() if math.isfinite(values.get(step, math.nan))}
            found = best_and_last(found, step, scores)
        return found


def read_runs(paths: Sequence[Path]) -> tuple[list[Run], list[str]]:
    """The runs of folders, or of all folders below these, and a sentence for each that is left out.

    Raises:
        InputError: there is no such folder, no run in it, or none with anything to show.
    """
    folders = list(dict.fromkeys(folder for path in paths for folder in _folders(path)))
    common = Path(os.path.commonpath([str(folder.parent.absolute()) for folder in folders]))
    runs, left_out = [], []
    for folder in folders:
        try:
            runs.append(_read(folder, str(folder.absolute().relative_to(common))))
        except InputError as error:
            left_out.append(str(error))
    if not runs:
        more = f", and {len(left_out) - 1} more are no better" if len(left_out) > 1 else ""
        raise InputError(f"{left_out[0]}{more}; give a folder of a run that has trained")
    return _gone_on(runs), left_out


def _folders(path: Path) -> list[Path]:
    """Of the runs that are meant by a path."""
    if not path.exists():
        raise InputError(f"there is no folder {path}; give that of a run, as runs/NAME/version_0, or one above such")
    if not path.is_dir():
        raise InputError(f"{path} is no folder; give that of a run, as runs/NAME/version_0, or one above such")
    if any((path / name).is_file() for name in _FILES):
        return [path]
    found = {file.parent for name in (RECORD, RECORDS) for file in path.rglob(name) if ASIDE not in file.parts}
    if not found:
        raise InputError(f"there is no run in {path} or below it; give a folder that lightning fit has written")
    return sorted(found, key=_as_counted)


def _as_counted(folder: Path) -> list[str | int]:
    """For an order in which version_2 comes before version_10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", str(folder))]


def _read(folder: Path, shown: str) -> Run:
    """A run; what is damaged is left out.

    Raises:
        InputError: nothing is left.
    """
    problems: list[str] = []
    state = _part(problems, "what the run says of itself is", folder / RECORD, _state) or {}
    settings = _part(problems, "its settings are", folder / "config.yaml", _settings) or {}
    rows = _part(problems, "its measures are", folder / RECORDS, lambda file: _rows(file, problems)) or []
    losses: dict[str, dict[int, float]]
    losses, reached = _part(problems, "its losses are", folder / "metrics.csv", _losses) or ({}, 0)
    last = rows[-1] if rows else {}
    steps = state["step"] if isinstance(state.get("step"), int) else max(reached, last.get("step", 0))
    if not steps or not (rows or losses or [*folder.glob("pictures/*.png")]):
        raise InputError(f"{shown} is left out: {'; '.join(problems) or 'it has not trained a step'}")
    model, data = settings.get("model"), settings.get("data")
    class_path = model.get("class_path") if isinstance(model, Mapping) else model
    dataset = data.get("dataset") if isinstance(data, Mapping) else None
    seed = settings.get("seed_everything", last.get("seed"))
    return Run(
        folder=folder,
        model=str(last.get("model") or state.get("model") or str(class_path or "a model").rpartition(".")[2]),
        dataset=str(last.get("dataset") or state.get("dataset") or dataset or "its data"),
        seed=seed if isinstance(seed, int) else 0,
        config=config_hash(settings) if settings else str(folder.resolve()),
        measured=by_step(rows) | losses,
        shown=shown,
        state=state,
        settings=settings,
        last_record=last,
        steps=steps,
        seconds=state["seconds"] if isinstance(state.get("seconds"), int | float) else None,
        problems=tuple(problems),
    )


def _part(problems: list[str], what: str, file: Path, read: Any) -> Any:
    """What a file holds; where it is missing nothing, where it is damaged nothing and a sentence."""
    if not file.is_file():
        return None
    try:
        return read(file)
    except (InputError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, csv.Error) as error:
        why = " ".join(str(error).replace(str(file), file.name).split())
        problems.append(f"{what} left out, for {file.name} is damaged ({why})")
        return None


def _state(file: Path) -> dict[str, Any]:
    state = json.loads(file.read_text())
    if not isinstance(state, dict):
        raise ValueError("it holds no settings by name")
    return state


def _settings(file: Path) -> dict[str, Any]:
    settings = read_config(file)
    for name in ("trainer", "data", "evaluation"):
        if not isinstance(settings.get(name) or {}, Mapping):
            raise ValueError(f"{name} holds no settings by name")
    return settings


def _rows(file: Path, problems: list[str]) -> list[dict[str, Any]]:
    """The measurements of training, in the order in which they were written."""
    lines = [line for line in file.read_bytes().splitlines() if line.strip()]
    rows = [row for row in read_lines(file) if "stage" in row and type(row.get("step")) is int]
    if lines and not rows:
        raise ValueError("no line of it can be read")
    if missing := len(lines) - len(rows):
        problems.append(f"{missing} of {len(lines)} lines of {file.name} cannot be read and are left out")
    return [row for row in rows if row["stage"] == "fit"]


def _losses(file: Path) -> tuple[dict[str, dict[int, float]], int]:
    """Losses by name and step, and the last step."""
    losses: dict[str, dict[int, float]] = {}
    step = 0
    with open(file, newline="", encoding="utf-8") as opened:
        reader = csv.DictReader(opened)
        if "step" not in (reader.fieldnames or []):
            raise ValueError("it has no column step")
        for row in reader:
            step = int(row["step"] or step)
            for name, value in row.items():
                if name and name.startswith(LOSS) and value:
                    losses.setdefault(name, {})[step] = float(value)
    return losses, step


def _gone_on(runs: list[Run]) -> list[Run]:
    """Runs with those that they go on from joined to them; these no longer count on their own."""
    joined: dict[Path, Run] = {run.folder: run for run in runs}
    for run in sorted(runs, key=lambda run: run.steps):
        went_on_from = run.state.get("went_on_from")
        if not isinstance(went_on_from, str):
            continue
        # By name beside it: all of it may have been moved since
        beside = [run.folder.parent / folder.name for folder in Path(went_on_from).parents[:2]]
        before = next((joined[folder] for folder in beside if folder in joined and folder != run.folder), None)
        if before is None or before.steps > run.steps:
            continue
        del joined[before.folder]
        both = {name: _joined(before.measured.get(name, {}), values) for name, values in run.measured.items()}
        seconds = None if None in (run.seconds, before.seconds) else (run.seconds or 0) + (before.seconds or 0)
        joined[run.folder] = replace(run, measured=both, seconds=seconds, before=before)
    return [joined[run.folder] for run in runs if run.folder in joined]


def _joined(before: Mapping[int, float], now: Mapping[int, float]) -> dict[int, float]:
    return {**{step: value for step, value in before.items() if step < min(now)}, **now}
