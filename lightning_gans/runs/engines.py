"""Where runs are trained: as processes of this machine, or as jobs of a cluster; and the options of a command for that."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_gans.errors import InputError
from lightning_gans.runs.experiment import Experiment
from lightning_gans.runs.progress import Progress
from lightning_gans.runs.run import Run
from lightning_gans.runs.runner import AUTO, run_missing

_POLL = 1.0
_TRIES = 5
_LOGS = "submitit"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Of how runs are trained."""
    parser.add_argument("--jobs", type=_jobs, default=1, help="runs at a time, or auto for as many as help (default: 1)")
    parser.add_argument("--engine", choices=("local", "submitit"), default="local", help="processes here, or jobs of a cluster")
    parser.add_argument(
        "--engine-options", nargs="+", default=[], metavar="NAME=VALUE", help="of submitit: timeout_min=240 slurm_partition=gpu"
    )
    parser.add_argument(
        "--print-commands", action="store_true", help="train nothing, print a command for each missing run, for any other queue"
    )


def run_by(given: argparse.Namespace, runs: Sequence[Run]) -> int:
    """Train what is missing of ``runs`` as the command line has it.

    Returns:
        How many failed.

    Raises:
        InputError: an option does not fit, or submitit is not installed.
    """
    if given.engine == "local":
        if given.engine_options:
            raise InputError("--engine-options are for --engine submitit; leave them out")
        return run_missing(runs, given.jobs)
    return run_by_submitit(runs, given.jobs or len(runs), _parameters(given.engine_options))


def run_by_submitit(runs: Sequence[Run], jobs: int, parameters: Mapping[str, Any], cluster: str | None = None) -> int:
    """Train what is missing as jobs of SLURM, or of this machine where there is no SLURM, ``jobs`` at a time.

    A job that is preempted is queued again by submitit, one that dies is submitted again; both go on from the last checkpoint.

    Args:
        runs: what is to be there in the end; their folder must be one that all machines see.
        jobs: at a time.
        parameters: of submitit's ``update_parameters``.
        cluster: ``slurm`` or ``local``; what there is if ``None``.

    Returns:
        How many failed.
    """
    try:
        import submitit
    except ImportError as error:
        raise InputError("--engine submitit needs the package submitit; pip install 'lightning-gans[submitit]'") from error
    missing = [run for run in runs if not run.is_recorded()]
    waiting, tries, failed = list(missing), {run.key: 0 for run in missing}, 0
    at_work: list[tuple[Run, Any]] = []
    with Progress(len(runs), len(runs) - len(missing)) as progress:
        while waiting or at_work:
            while waiting and len(at_work) < jobs:
                run = waiting.pop(0)
                executor = submitit.AutoExecutor(run.out.resolve() / _LOGS, cluster=cluster)
                executor.update_parameters(name=f"{run.experiment.name}_{run.seed}", **{"timeout_min": 1440, **parameters})
                tries[run.key] += 1
                job = executor.submit(Job(run.experiment, run.seed, run.out.resolve(), run.label))
                progress.say(f"{run} is job {job.job_id}")
                at_work.append((run, job))
            time.sleep(_POLL)
            for run, job in [pair for pair in at_work if pair[1].done()]:
                at_work.remove((run, job))
                if run.is_recorded():
                    progress.say(f"{run} has finished: {run.said()}")
                elif tries[run.key] < _TRIES and _died(job):
                    progress.say(f"{run} died and is submitted again")
                    waiting.append(run)
                    continue
                else:
                    failed += 1
                    progress.say(f"{run} failed; see {job.paths.stderr}")
                progress.advance()
            progress.look([run for run, _ in at_work])
    return failed


@dataclass
class Job:
    """One run, as a job that may be killed and started again anywhere."""

    experiment: Experiment
    seed: int
    out: Path
    label: str

    def __call__(self) -> int:
        """How many runs failed: 0 or 1."""
        return run_missing([Run(self.experiment, self.seed, self.out, self.label)])

    def checkpoint(self) -> Any:
        """What submitit is to queue when the job is preempted: the same, which goes on from its last checkpoint."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)


def _died(job: Any) -> bool:
    """Whether a job came to no result of its own."""
    try:
        job.result()
    except Exception:  # of submitit's many; all say that there is no result
        return True
    return False


def _parameters(words: Sequence[str]) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals):
            raise InputError(f"--engine-options has {word!r}, but must be like timeout_min=240")
        parameters[name] = int(value) if value.isdigit() else value
    return parameters


def _jobs(word: str) -> int:
    if word == "auto":
        return AUTO
    if not word.isdigit() or not int(word):
        raise InputError(f"--jobs is {word}, but must be a number above 0, or auto")
    return int(word)
