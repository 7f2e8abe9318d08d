"""The processes: one ``lightning fit`` a seed, some at a time, on this machine."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lightning_gans.errors import InputError
from lightning_gans.runs import ledger
from lightning_gans.runs.experiment import Experiment

_POLL = 0.1
_SHOWN = 8
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def run_missing(out: Path, experiments: Sequence[Experiment], seeds: Sequence[int], jobs: int = 1) -> int:
    """Train every experiment with every seed that ``out`` has no record of, ``jobs`` at a time, and record them.

    The processor's cores are shared out evenly, unless $OMP_NUM_THREADS says how many threads a run has.

    Returns:
        How many runs failed; what they said last has been shown.

    Raises:
        InputError: if ``jobs`` is not positive, or another process is at work in ``out``.
    """
    if jobs < 1:
        raise InputError(f"--jobs is {jobs}, but must be a number above 0")
    with ledger.locked(out) as lock:
        done = ledger.read_runs(out)
        for experiment in experiments:
            (out / experiment.hash).mkdir(exist_ok=True)
            _replace(out / experiment.hash / "config.yaml", yaml.safe_dump(experiment.config, sort_keys=False))
        wanted = [Run(experiment, seed, out) for experiment in experiments for seed in seeds]
        missing = [run for run in wanted if (run.experiment.hash, run.seed) not in done]
        cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
        threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, cores // min(jobs, max(1, len(missing)))))
        return _run_all(missing, jobs, {**os.environ, "OMP_NUM_THREADS": threads}, lock)


def _run_all(runs: Sequence[Run], jobs: int, environment: dict[str, str], lock: int) -> int:
    waiting, running, failed = deque(runs), list[Run](), 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("runs"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("training", total=len(runs))
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    running.append(waiting.popleft())
                    running[-1].start(environment, lock)
                names = ", ".join(f"{run.experiment.name} seed {run.seed}" for run in running)
                progress.update(bar, description=names)
                time.sleep(_POLL)
                for run in [run for run in running if run.process.poll() is not None]:
                    running.remove(run)
                    if run.process.returncode or not run.has_finished():
                        failed += 1
                        progress.console.print(run.complaint(), markup=False, highlight=False)
                    elif run.record() is False:
                        waiting.append(run)
                        continue
                    progress.advance(bar)
        finally:
            for run in running:
                run.process.terminate()
            for run in running:
                run.process.wait()
    return failed


@dataclass
class Run:
    """One seed of an experiment, in ``OUT/HASH/seedN``."""

    experiment: Experiment
    seed: int
    out: Path
    process: subprocess.Popen[bytes] = field(init=False, repr=False)
    checkpoint: Path | None = field(init=False, default=None)
    only_measures: bool = field(init=False, default=False)

    @property
    def folder(self) -> Path:
        """Where all of it is written."""
        return self.out / self.experiment.hash / f"seed{self.seed}"

    def start(self, environment: dict[str, str], lock: int) -> None:
        """Go on from the last checkpoint, or anew where there is none; or only measure that checkpoint."""
        self.checkpoint = last_checkpoint(self.folder)
        self._seconds_before = self._seconds_to(self.checkpoint) if self.checkpoint else 0.0
        if self.checkpoint is None:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._started, self._threads = time.time(), int(environment["OMP_NUM_THREADS"].partition(",")[0])
        _replace(self.folder / "attempt.json", json.dumps({"started": self._started, "seconds_before": self._seconds_before}))
        stage = "validate" if self.only_measures else "fit"
        command = self.experiment.arguments(self.seed, self.folder, self.checkpoint, stage)
        with open(self.folder / "log.txt", "ab") as log:
            self.process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(lock,),  # where a run outlives this process, nobody starts it a second time
                preexec_fn=_die_with_parent if _LIBC else None,
            )

    def has_finished(self) -> bool:
        """Whether its training came to its end, and was not stopped on the way by somebody whom its status does not name."""
        rows = [row for file in _by_age(self.folder, "run.json")[-1:] for row in ledger.read_lines(file)]
        return bool(rows) and rows[-1].get("status") == "finished"

    def record(self) -> bool:
        """Add the finished run to the records; ``False`` if it has to be started again.

        That is where it was interrupted between its last checkpoint and its last measurement, which a run that has nothing
        left to train does not make up for: the checkpoint is measured, or, where that gives nothing, the run repeated.
        """
        results = ledger.read_results(self.folder)
        if self.checkpoint is not None and self.checkpoint == last_checkpoint(self.folder):  # there was nothing left to train
            step = _step(self.checkpoint)
            if all(measured["step"] < step for measured in results["last"].values()):
                late = self._measured_late(step)
                if not late and not self.only_measures:
                    self.only_measures = True
                    return False
                self.only_measures = False
                if not late and results["last"]:
                    shutil.rmtree(self.folder)
                    return False
                results = _with_late(results, step, late)
        measured = [row for file in _by_age(self.folder, "evaluation.jsonl") for row in ledger.read_lines(file)]
        device = str(measured[-1]["device"]) if measured else None
        row: dict[str, Any] = {
            "config": self.experiment.hash,
            "seed": self.seed,
            "model": self.experiment.model,
            "dataset": self.experiment.dataset,
            "code": ledger.code_version(),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(self._seconds_before + time.time() - self._started, 1),
            "device": device and device_name(device),
            "devices": measured[-1]["devices"] if measured else None,
            "threads": self._threads,
            "folder": str(self.folder.relative_to(self.out)),
            "results": results,
        }
        ledger.append_run(self.out, row)
        return True

    def _measured_late(self, step: int) -> dict[str, float]:
        """What ``lightning validate`` found in the checkpoint of the last step."""
        from lightning_gans.evaluation.records import is_measure

        rows = [row for file in _by_age(self.folder, "evaluation.jsonl") for row in ledger.read_lines(file)]
        of_last = [row for row in rows if row.get("stage") == "validate" and row.get("step") == step]
        return {name: value for row in of_last for name, value in row.items() if is_measure(name)}

    def complaint(self) -> str:
        """That it failed, and the last of what it said."""
        log = self.folder / "log.txt"
        lines = log.read_text(errors="replace").rstrip().splitlines()[-_SHOWN:]
        status = self.process.returncode
        how = f"failed with status {status}" if status else "ended before its last step"
        what = f"{self.experiment.name} seed {self.seed} {how}; the end of {log}:"
        return "\n".join([what, *(f"  {line}" for line in lines)])

    def _seconds_to(self, checkpoint: Path) -> float:
        """What training took up to a checkpoint, without what was lost after it."""
        attempt = self.folder / "attempt.json"
        if not attempt.is_file():
            return 0.0
        before = json.loads(attempt.read_text())
        return float(before["seconds_before"] + max(0.0, checkpoint.stat().st_mtime - before["started"]))


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint below a folder that is whole; a zip file that was torn has no directory at its end."""
    return next((file for file in reversed(_by_age(folder, "*.ckpt")) if zipfile.is_zipfile(file)), None)


def device_name(device: str) -> str:
    """The graphics card's name for ``cuda:N``, else the processor's."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.get_device_name(device)
    info = Path("/proc/cpuinfo")
    match = re.search(r"model name\s*: (.+)", info.read_text()) if info.is_file() else None
    return match[1] if match else platform.processor() or platform.machine()


def _step(checkpoint: Path) -> int:
    import torch

    return int(torch.load(checkpoint, map_location="cpu", mmap=True, weights_only=True)["global_step"])


def _with_late(results: dict[str, Any], step: int, late: dict[str, float]) -> dict[str, Any]:
    from lightning_gans.evaluation.records import best_and_last

    return best_and_last(results, step, late) if late else results


def _by_age(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.rglob(pattern), key=lambda file: file.stat().st_mtime_ns)


def _replace(file: Path, text: str) -> None:
    scratch = file.with_suffix(".tmp")
    scratch.write_text(text)
    scratch.replace(file)


def _die_with_parent() -> None:
    assert _LIBC is not None
    _LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
