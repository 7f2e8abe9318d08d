"""Draw measures of several runs over their training steps."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lightning_gans.commands._pictures import save_and_say
from lightning_gans.errors import InputError
from lightning_gans.evaluation.records import is_better, is_measure
from lightning_gans.figures import plots
from lightning_gans.runs.hashing import config_hash
from lightning_gans.runs.ledger import read_lines
from lightning_gans.runs.summary import mean_std

_RECORDS = "evaluation.jsonl"
_COUNTS = {"step", "seed", "noise_seed", "n_real", "num_samples", "devices", "seconds"}
_NO_MEASURE = _COUNTS | {"classifier_error", "extraction_shift"}
_UNITS = {"kl": "nats", "entropy": "nats", "reconstruction_mse": "images in [-1, 1]"}


@dataclass(frozen=True)
class Run:
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


def main(args: list[str]) -> None:
    """``lightning curves RUN [RUN ...] --metric NAME [NAME ...]``: a line a run, a panel a measure.

    Several seeds of one config are one line, their mean, in a band of one standard deviation to either side.
    """
    parser = argparse.ArgumentParser("lightning curves", description=main.__doc__, allow_abbrev=False)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help=f"folder with {_RECORDS}, as runs/NAME/version_0")
    parser.add_argument("--metric", nargs="+", action="extend", required=True, metavar="NAME", help="as in these files")
    parser.add_argument("--names", nargs="+", metavar="NAME", help="of the lines, in the order of the runs")
    parser.add_argument("--out", type=Path, default=Path("curves.png"), metavar="FILE", help="PNG (default: %(default)s)")
    given = parser.parse_args(args)
    metrics = list(dict.fromkeys(given.metric))
    lines = by_config([read_run(path) for path in dict.fromkeys(given.runs)])
    _refuse_missing([run for line in lines for run in line], metrics)
    names = default_names(lines) if given.names is None else given.names
    if len(set(names)) != len(lines):
        folders = "; ".join(" and ".join(str(run.folder) for run in line) for line in lines)
        raise InputError(f"--names must be different and as many as there are lines, {len(lines)}: {folders}")
    names = [f"{name}, {seeds_of(line)}" for name, line in zip(names, lines, strict=True)]
    figure = plots.curves([(_label(metric), _curves(metric, names, lines)) for metric in metrics])
    save_and_say(figure, given.out)


def read_run(path: Path) -> Run:
    """The run that wrote a folder.

    Raises:
        InputError: there is none, or nothing was measured while it trained; says which there are.
    """
    folder = path.parent if path.name == _RECORDS else path
    rows = [row for row in read_lines(folder / _RECORDS) if row.get("stage") == "fit"]
    if not rows:
        below = sorted(str(file.parent) for file in folder.rglob(_RECORDS) if file.parent != folder)
        there = f"; below it there are {', '.join(below[:8])}{' and more' if len(below) > 8 else ''}" if below else ""
        what = "nothing was measured in training" if (folder / _RECORDS).is_file() else f"there is no {_RECORDS}"
        raise InputError(f"{what} in {folder}{there or '; give the folder of a run with evaluation.every_n_steps set'}")
    measured: dict[str, dict[int, float]] = {}
    for row in rows:
        for name, values in measured.items():  # a run that goes on from a checkpoint writes what followed that once more
            measured[name] = {step: value for step, value in values.items() if step < row["step"]}
        for name, value in row.items():
            if isinstance(value, int | float) and not isinstance(value, bool) and name not in _NO_MEASURE:
                measured.setdefault(name, {})[row["step"]] = value
    last, config = rows[-1], folder / "config.yaml"
    known = config_hash(yaml.safe_load(config.read_text())) if config.is_file() else str(folder.resolve())
    return Run(folder, last["model"], last["dataset"], last["seed"], known, {k: v for k, v in measured.items() if v})


def by_config(runs: Sequence[Run]) -> list[list[Run]]:
    """The runs of each line, in the order of the first of each: several seeds of one config go together."""
    lines: list[list[Run]] = []
    for run in runs:
        for line in lines:
            if run.config == line[0].config and run.seed not in {other.seed for other in line}:
                line.append(run)
                break
        else:
            lines.append([run])
    return lines


def default_names(lines: Sequence[Sequence[Run]]) -> list[str]:
    """Model and dataset; where two lines agree in these the folder, too."""
    plain = [f"{line[0].model} on {line[0].dataset}" for line in lines]
    names = []
    for line, name in zip(lines, plain, strict=True):
        which = f", {line[0].folder}" if plain.count(name) > 1 else ""
        names.append(f"{name}{which}")
    return names


def seeds_of(line: Sequence[Run]) -> str:
    """How many runs a line shows."""
    return f"mean ± standard deviation of {len(line)} seeds" if len(line) > 1 else f"seed {line[0].seed}"


def _refuse_missing(runs: Sequence[Run], metrics: Sequence[str]) -> None:
    for metric in metrics:
        if not any(metric in run.measured for run in runs):
            there = ", ".join(dict.fromkeys(name for run in runs for name in run.measured))
            raise InputError(f"no run has measured {metric}; there are {there or 'no measures at all'}")
    for run in runs:
        if not {*metrics} & {*run.measured}:
            raise InputError(f"{run.folder} has not measured {' or '.join(metrics)}; it has {', '.join(run.measured)}")


def _curves(metric: str, names: Sequence[str], lines: Sequence[Sequence[Run]]) -> list[plots.Curve]:
    curves = []
    for name, line in zip(names, lines, strict=True):
        each = [run.measured[metric] for run in line if metric in run.measured]
        steps = sorted(set.intersection(*map(set, each))) if each else []
        if steps:
            values = [mean_std([measured[step] for measured in each]) for step in steps]
            std = [spread for _, spread in values] if len(each) > 1 else None
            curves.append(plots.Curve(name, steps, [mean for mean, _ in values], std))
    return curves


def _label(metric: str) -> str:
    plain = metric.removesuffix("_ema")
    aside: list[Any] = [_UNITS.get(plain)]
    if is_measure(plain) and not plain.endswith("_std"):
        aside.append("higher is better" if is_better(plain, 1, 0) else "lower is better")
    said = ", ".join(filter(None, aside))
    return f"{metric} ({said})" if said else metric
