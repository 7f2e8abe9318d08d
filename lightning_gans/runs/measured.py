"""What was measured while runs trained, and which runs differ in their seeds alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from lightning_gans.errors import InputError
from lightning_gans.evaluation.records import is_better, is_measure
from lightning_gans.figures.plots import Curve
from lightning_gans.runs.hashing import config_hash
from lightning_gans.runs.ledger import read_lines
from lightning_gans.runs.summary import mean_std

RECORDS = "evaluation.jsonl"
_COUNTS = {"step", "seed", "noise_seed", "n_real", "num_samples", "devices", "seconds"}
_NO_MEASURE = _COUNTS | {"classifier_error", "extraction_shift"}
_UNITS = {"kl": "nats", "entropy": "nats", "reconstruction_mse": "images in [-1, 1]"}


@dataclass(frozen=True)
class Measured:
    """What was measured while a run trained.

    Args:
        folder: of the run.
        model: its class.
        dataset: its name.
        seed: of the run.
        config: what tells configs apart; runs that agree in it differ in their seed alone.
        measured: values by measure and step, in the order of the steps.
    """

    folder: Path
    model: str
    dataset: str
    seed: int
    config: str
    measured: Mapping[str, Mapping[int, float]]

    @property
    def place(self) -> str:
        """The folder, as it is said to the reader."""
        return str(self.folder)


_Run = TypeVar("_Run", bound=Measured)


def read_run(path: Path) -> Measured:
    """The run that wrote a folder.

    Raises:
        InputError: there is none, or nothing was measured while it trained; says which there are.
    """
    folder = path.parent if path.name == RECORDS else path
    rows = [row for row in read_lines(folder / RECORDS) if row.get("stage") == "fit"]
    if not rows:
        below = sorted(str(file.parent) for file in folder.rglob(RECORDS) if file.parent != folder)
        there = f"; below it there are {', '.join(below[:8])}{' and more' if len(below) > 8 else ''}" if below else ""
        what = "nothing was measured in training" if (folder / RECORDS).is_file() else f"there is no {RECORDS}"
        raise InputError(f"{what} in {folder}{there or '; give the folder of a run with evaluation.every_n_steps set'}")
    last, config = rows[-1], folder / "config.yaml"
    known = config_hash(yaml.safe_load(config.read_text())) if config.is_file() else str(folder.resolve())
    return Measured(folder, last["model"], last["dataset"], last["seed"], known, by_step(rows))


def by_step(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[int, float]]:
    """Values by measure and step, of the lines that were written while a run trained."""
    measured: dict[str, dict[int, float]] = {}
    for row in rows:
        for name, values in measured.items():  # a run that goes on from a checkpoint writes what followed that once more
            measured[name] = {step: value for step, value in values.items() if step < row["step"]}
        for name, value in row.items():
            if isinstance(value, int | float) and not isinstance(value, bool) and name not in _NO_MEASURE:
                measured.setdefault(name, {})[row["step"]] = value
    return {name: values for name, values in measured.items() if values}


def by_config(runs: Iterable[_Run]) -> list[list[_Run]]:
    """The runs of each line, in the order of the first of each: several seeds of one config go together."""
    lines: list[list[_Run]] = []
    for run in runs:
        for line in lines:
            if run.config == line[0].config and run.seed not in {other.seed for other in line}:
                line.append(run)
                break
        else:
            lines.append([run])
    return lines


def default_names(lines: Sequence[Sequence[Measured]]) -> list[str]:
    """Model and dataset; where two lines agree in these the folder, too."""
    plain = [f"{line[0].model} on {line[0].dataset}" for line in lines]
    names = []
    for line, name in zip(lines, plain, strict=True):
        which = f", {line[0].place}" if plain.count(name) > 1 else ""
        names.append(f"{name}{which}")
    return names


def seeds_of(line: Sequence[Measured]) -> str:
    """How many runs a line shows."""
    return f"mean ± standard deviation of {len(line)} seeds" if len(line) > 1 else f"seed {line[0].seed}"


def curves_of(metric: str, names: Sequence[str], lines: Sequence[Sequence[Measured]]) -> list[Curve]:
    """A measure over the steps that all runs of a line have, for each line that has measured it."""
    curves = []
    for name, line in zip(names, lines, strict=True):
        each = [run.measured[metric] for run in line if metric in run.measured]
        steps = sorted(set.intersection(*map(set, each))) if each else []
        if steps:
            values = [mean_std([measured[step] for measured in each]) for step in steps]
            std = [spread for _, spread in values] if len(each) > 1 else None
            curves.append(Curve(name, steps, [mean for mean, _ in values], std))
    return curves


def label_of(metric: str) -> str:
    """Its name, unit and direction, as far as they are known."""
    plain = metric.removesuffix("_ema")
    aside: list[Any] = [_UNITS.get(plain)]
    if is_measure(plain) and not plain.endswith("_std"):
        aside.append("higher is better" if is_better(plain, 1, 0) else "lower is better")
    said = ", ".join(filter(None, aside))
    return f"{metric} ({said})" if said else metric
