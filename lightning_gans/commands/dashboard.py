"""Compare models in Weights & Biases, or have it search for the best settings of one."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import yaml

from lightning_gans import messages
from lightning_gans.dashboards.measures import check_measure, chosen
from lightning_gans.dashboards.sweeps import Method, Parameter, Sweep
from lightning_gans.dashboards.views import Comparison
from lightning_gans.errors import InputError
from lightning_gans.whole_files import write_whole


def main(args: list[str]) -> None:
    """``lightning dashboard wandb`` compares models, ``lightning dashboard sweep`` writes a search; ``--help`` behind each."""
    parser = argparse.ArgumentParser("lightning dashboard", description=main.__doc__, allow_abbrev=False)
    below = parser.add_subparsers(dest="what", required=True, metavar="{wandb,sweep}")
    views = below.add_parser("wandb", description=_views.__doc__, help="a workspace and a report", allow_abbrev=False)
    views.add_argument("--project", required=True, help="of the runs")
    views.add_argument("--entity", default="", help="user or team that owns it (default: your own)")
    views.add_argument("--dataset", metavar="NAME", help="whose runs are compared (default: all of the project)")
    views.add_argument("--metric", nargs="+", action="extend", metavar="NAME", help="measures (default: those of --runs)")
    views.add_argument("--runs", type=Path, default=Path("runs"), help="folder of runs here that say what was measured")
    views.add_argument("--offline", action="store_true", help="send nothing, write what would be sent")
    views.add_argument("--out", type=Path, metavar="FILE", help="JSON of what is sent (offline: dashboard.json)")
    sweep = below.add_parser("sweep", description=_sweep.__doc__, help="a file for wandb sweep", allow_abbrev=False)
    sweep.add_argument("--metric", required=True, metavar="NAME", help="measure to make as good as can be")
    many = {"nargs": "+", "action": "extend", "required": True}
    sweep.add_argument("--parameter", **many, metavar="KEY=VALUES", help="a,b,c or LOW..HIGH or log:LOW..HIGH")  # type: ignore[arg-type]
    sweep.add_argument("--method", choices=get_args(Method), help="default: grid for values alone, else bayes")
    sweep.add_argument("--runs", type=int, metavar="N", help="at most (default: until it is stopped)")
    sweep.add_argument("--hyperband", type=int, metavar="N", help="end runs that are worse than others after N measurements")
    sweep.add_argument("--project", help="of the runs")
    sweep.add_argument("--entity", help="user or team that owns it")
    sweep.add_argument("--out", type=Path, default=Path("sweep.yaml"), metavar="FILE", help="(default: %(default)s)")
    given, options = parser.parse_known_args(args)
    if given.what == "sweep":
        _sweep(given, options)
    elif options:
        views.error(f"unrecognized arguments: {' '.join(options)}")
    else:
        _views(given)


def _views(given: Any) -> None:
    """Make a workspace and a report that compare the models on a dataset, and print where they are.

    A section a measure, with its floor and the best, then samples, losses, pace and the runs; seeds of a config go together.
    """
    measures = chosen(given.metric, given.runs, given.dataset)
    entity = given.entity if given.offline else given.entity or _own_entity()
    wanted = Comparison(given.project, entity, given.dataset, measures)
    content = json.dumps(wanted.content(), indent=1)
    if given.offline or given.out:
        _write(given.out or Path("dashboard.json"), content + "\n")
    if not given.offline:
        with _logged_in():
            for view in (wanted.workspace(), wanted.report()):
                print(view.save().url)


def _sweep(given: Any, options: list[str]) -> None:
    """Write a sweep of W&B that runs ``lightning fit`` with the options given here and the settings that it deals out.

    The goal is the metric's own direction; W&B takes the best of each run.
    """
    check_measure(given.metric)
    parameters = tuple(map(Parameter.read, given.parameter))
    wanted = Sweep(tuple(options), given.metric, parameters, given.method, given.runs, given.hyperband)
    where = {name: value for name in ("project", "entity") if (value := getattr(given, name))}
    _write(given.out, yaml.safe_dump({**where, **wanted.content()}, sort_keys=False))
    print(f"wandb sweep {shlex.quote(str(given.out))}   # it names the agent, which as many processes as wanted may run")


def _own_entity() -> str:
    """The user who is logged in."""
    import wandb

    with _logged_in():
        if own := wandb.Api().default_entity:
            return str(own)
    raise InputError("W&B does not say whose the project is; give --entity")


@contextmanager
def _logged_in() -> Iterator[None]:
    """What W&B refuses in the block becomes an ``InputError``."""
    import wandb

    try:
        yield
    except wandb.errors.Error as error:
        said = messages.first_sentence(error).rstrip(".")
        raise InputError(f"W&B takes nothing ({said}); log in by wandb login, or write it to a file by --offline") from error


def _write(file: Path, text: str) -> None:
    """Write a text, folders and all, and say so.

    Raises:
        InputError: it cannot be written there.
    """
    try:
        write_whole(file, text.encode())
    except OSError as error:
        raise InputError(f"{file} cannot be written ({error.strerror}); set --out elsewhere") from error
    print(f"written to {file}")
