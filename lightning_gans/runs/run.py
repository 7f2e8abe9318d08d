"""One seed of an experiment: its process, the claim on it, how far it is, and the line that is kept of it."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightning_gans.runs import ledger
from lightning_gans.runs.experiment import Experiment
from lightning_gans.runs.lines import by_age, changes, last_step, make_line

_SHOWN = 8
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(eq=False)
class Run:
    """One seed of an experiment, in ``OUT/HASH/seedN``.

    Args:
        experiment: what is trained.
        seed: of the training.
        out: the folder that records are kept in.
        label: what it is called on the screen; model and dataset if empty.
    """

    experiment: Experiment
    seed: int
    out: Path
    label: str = ""
    process: subprocess.Popen[bytes] = field(init=False, repr=False)
    checkpoint: Path | None = field(init=False, default=None)
    only_measures: bool = field(init=False, default=False)
    environment: dict[str, str] = field(init=False, default_factory=dict, repr=False)
    _claim: int | None = field(init=False, default=None, repr=False)
    _killed_at: list[int] = field(init=False, default_factory=list, repr=False)

    def __str__(self) -> str:
        return f"{self.label or self.experiment.name} seed {self.seed}"

    @property
    def key(self) -> tuple[str, int]:
        """Config and seed, by which records are known."""
        return self.experiment.hash, self.seed

    @property
    def folder(self) -> Path:
        """Where all of it is written."""
        return self.out / self.experiment.hash / f"seed{self.seed}"

    def is_recorded(self) -> bool:
        """Whether there is a line of it."""
        return self.key in ledger.read_runs(self.out)

    def claim(self) -> bool:
        """Keep other processes from training it, until ``release`` or the end of this process and of the run's own."""
        self._claim = ledger.claim(self.folder.with_suffix(".lock"))
        return self._claim is not None

    def release(self) -> None:
        """Let others have it."""
        if self._claim is not None:
            os.close(self._claim)
            self._claim = None

    def start(self, environment: Mapping[str, str]) -> None:
        """Go on from the last checkpoint, or anew where there is none; or only measure that checkpoint."""
        assert self._claim is not None
        replace(self.folder.parent / "config.yaml", self.experiment.text())
        self.environment = dict(environment)
        self.checkpoint = last_checkpoint(self.folder)
        self._seconds_before = self._seconds_to(self.checkpoint) if self.checkpoint else 0.0
        if self.checkpoint is None:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._started = time.time()
        replace(self.folder / "attempt.json", json.dumps({"started": self._started, "seconds_before": self._seconds_before}))
        stage = "validate" if self.only_measures else "fit"
        command = self.experiment.arguments(self.seed, self.folder, self.checkpoint, stage)
        with open(self.folder / "log.txt", "ab") as log:
            self.process = subprocess.Popen(
                command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(self._claim,),  # where a run outlives this process, nobody starts it a second time
                preexec_fn=_die_with_parent if _LIBC else None,
            )

    def progress(self) -> tuple[int, int | None]:
        """Steps done, and those of the whole run where that is known."""
        total = self._last_state().get("steps_planned")
        return max(last_step(self.folder), _step_in_name(self.checkpoint)), total

    def has_finished(self) -> bool:
        """Whether its training came to its end, and was not stopped on the way by somebody whom its status does not name."""
        return self._last_state().get("status") == "finished"

    def goes_on(self) -> bool:
        """Whether it was killed, which is no fault of its own, and starting it again may bring it further."""
        if self.process.returncode != -signal.SIGKILL:
            return False
        checkpoint = last_checkpoint(self.folder)
        self._killed_at.append(checkpoint.stat().st_mtime_ns if checkpoint else 0)
        return self._killed_at.count(self._killed_at[-1]) < 3

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
        threads = int(self.environment["OMP_NUM_THREADS"].partition(",")[0])
        seconds = round(self._seconds_before + time.time() - self._started, 1)
        where = {"seed": self.seed, "seconds": seconds, "threads": threads, "folder": str(self.folder.relative_to(self.out))}
        measured, changed = self._measurements(), changes(self.folder)
        ledger.append_run(self.out, make_line(self.experiment, self._last_state(), measured, changed, results, **where))
        return True

    def said(self) -> str:
        """The last measures, in a line."""
        measures = {name: one["value"] for name, one in ledger.read_results(self.folder)["last"].items()}
        return ", ".join(f"{name} {value:.4g}" for name, value in list(measures.items())[:4])

    def complaint(self) -> str:
        """That it failed, and the last of what it said."""
        log = self.folder / "log.txt"
        lines = log.read_text(errors="replace").rstrip().splitlines()[-_SHOWN:]
        status = self.process.returncode
        how = f"failed with status {status}" if status else "ended before its last step"
        return "\n".join([f"{self} {how}; the end of {log}:", *(f"  {line}" for line in lines)])

    def _last_state(self) -> dict[str, Any]:
        """What the run said of itself last."""
        rows = [row for file in by_age(self.folder, "run.json")[-1:] for row in ledger.read_lines(file)]
        return rows[-1] if rows else {}

    def _measurements(self) -> list[dict[str, Any]]:
        return [row for file in by_age(self.folder, "evaluation.jsonl") for row in ledger.read_lines(file)]

    def _measured_late(self, step: int) -> dict[str, float]:
        """What ``lightning validate`` found in the checkpoint of the last step."""
        from lightning_gans.evaluation.records import is_measure

        of_last = [row for row in self._measurements() if row.get("stage") == "validate" and row.get("step") == step]
        return {name: value for row in of_last for name, value in row.items() if is_measure(name)}

    def _seconds_to(self, checkpoint: Path) -> float:
        """What training took up to a checkpoint, without what was lost after it."""
        attempt = self.folder / "attempt.json"
        if not attempt.is_file():
            return 0.0
        before = json.loads(attempt.read_text())
        return float(before["seconds_before"] + max(0.0, checkpoint.stat().st_mtime - before["started"]))


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint below a folder that is whole; a zip file that was torn has no directory at its end."""
    return next((file for file in reversed(by_age(folder, "*.ckpt")) if zipfile.is_zipfile(file)), None)


def replace(file: Path, text: str) -> None:
    """Write a file so that nobody sees half of it, whoever else writes the same."""
    scratch = file.with_suffix(f".{os.getpid()}.tmp")
    scratch.write_text(text)
    scratch.replace(file)


def _step_in_name(checkpoint: Path | None) -> int:
    match = re.search(r"step=(\d+)", checkpoint.resolve().name) if checkpoint else None
    return int(match[1]) if match else 0


def _step(checkpoint: Path) -> int:
    import torch

    return int(torch.load(checkpoint, map_location="cpu", mmap=True, weights_only=True)["global_step"])


def _with_late(results: dict[str, Any], step: int, late: dict[str, float]) -> dict[str, Any]:
    from lightning_gans.evaluation.records import best_and_last

    return best_and_last(results, step, late) if late else results


def _die_with_parent() -> None:
    assert _LIBC is not None
    _LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
