"""Train one config with several seeds; say mean and standard deviation."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from rich.console import Console

from lightning_gans.runs.engines import add_options, run_by
from lightning_gans.runs.experiment import Experiment, parse_seeds
from lightning_gans.runs.ledger import read_runs
from lightning_gans.runs.run import Run
from lightning_gans.runs.summary import summary


def main(args: list[str]) -> None:
    """``lightning seeds --config FILE --seeds 0..7 [--jobs N] [--out FOLDER] [any other option of lightning fit]``.

    Runs what is missing, adds a line a finished run to FOLDER/runs.jsonl, and prints mean ± standard deviation over the seeds.
    """
    parser = argparse.ArgumentParser("lightning seeds", description=main.__doc__, allow_abbrev=False)
    parser.add_argument("--seeds", nargs="+", required=True, metavar="SEED", help="0..7 or 0,1,2 or 0 1 2")
    parser.add_argument("--out", type=Path, help="folder of the runs and their records (default: runs/seeds/MODEL_DATASET)")
    add_options(parser)
    given, options = parser.parse_known_args(args)
    seeds, experiment = parse_seeds(given.seeds), Experiment.resolve(options)
    out = given.out or Path("runs", "seeds", experiment.name)
    wanted = [Run(experiment, seed, out) for seed in seeds]
    if given.print_commands:
        missing = [run for run in wanted if not run.is_recorded()]
        for run in missing:
            print(shlex.join(["lightning", "seeds", *options, "--seeds", str(run.seed), "--out", str(out)]))
        return
    try:
        failed = run_by(given, wanted)
    except KeyboardInterrupt:
        sys.exit("Interrupted; the same command goes on where this one was.")
    runs = read_runs(out)
    rows = [runs[experiment.hash, seed] for seed in seeds if (experiment.hash, seed) in runs]
    said = [f"{experiment.name}, config {experiment.hash}: {len(rows)} of {len(seeds)} seeds, in {out}"]
    if len({str(row["code"]) for row in rows}) > 1:
        said.append(f"These runs were made with different versions of the code; see code in {out / 'runs.jsonl'}.")
    if others := sorted({config for config, _ in runs if config != experiment.hash}):
        said.append(f"Left out: runs of other configs, {', '.join(others)}; see config.yaml in the folders of these names.")
    console = Console()
    console.print("\n".join(said), markup=False, highlight=False, soft_wrap=True)
    if rows:
        console.print(summary(rows))
    if failed:
        sys.exit(1)
