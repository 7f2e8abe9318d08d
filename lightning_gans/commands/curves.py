"""Draw measures of several runs over their training steps."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from lightning_gans.commands._pictures import save_and_say
from lightning_gans.errors import InputError
from lightning_gans.figures import plots
from lightning_gans.runs.measured import RECORDS, Measured, by_config, curves_of, default_names, label_of, read_run, seeds_of


def main(args: list[str]) -> None:
    """``lightning curves RUN [RUN ...] --metric NAME [NAME ...]``: a line a run, a panel a measure.

    Several seeds of one config are one line, their mean, in a band of one standard deviation to either side.
    """
    parser = argparse.ArgumentParser("lightning curves", description=main.__doc__, allow_abbrev=False)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help=f"folder with {RECORDS}, as runs/NAME/version_0")
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
    figure = plots.curves([(label_of(metric), curves_of(metric, names, lines)) for metric in metrics])
    save_and_say(figure, given.out)


def _refuse_missing(runs: Sequence[Measured], metrics: Sequence[str]) -> None:
    for metric in metrics:
        if not any(metric in run.measured for run in runs):
            there = ", ".join(dict.fromkeys(name for run in runs for name in run.measured))
            raise InputError(f"no run has measured {metric}; there are {there or 'no measures at all'}")
    for run in runs:
        if not {*metrics} & {*run.measured}:
            raise InputError(f"{run.folder} has not measured {' or '.join(metrics)}; it has {', '.join(run.measured)}")
