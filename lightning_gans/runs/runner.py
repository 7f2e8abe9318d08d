"""The processes: one ``lightning fit`` a seed, some at a time, on this machine."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence

from lightning_gans.errors import InputError
from lightning_gans.runs.crowd import Crowd
from lightning_gans.runs.progress import Progress
from lightning_gans.runs.run import Run

_POLL = 0.1
AUTO = 0
"""As many runs at a time as help."""


def run_missing(runs: Sequence[Run], jobs: int = 1) -> int:
    """Train every run that its folder has no record of, ``jobs`` at a time, and record them.

    A run that another process is training is waited for. One that was killed goes on from its last checkpoint. The
    processor's cores are shared out evenly, unless $OMP_NUM_THREADS says how many threads a run has; of several graphics cards
    each run has one, if there is more than one job.

    Args:
        runs: what is to be there in the end.
        jobs: ``AUTO`` for as many as help, found out by measuring.

    Returns:
        How many runs failed; what they said last has been shown.

    Raises:
        InputError: ``jobs`` is negative, or the folder cannot be written.
    """
    if jobs < 0:
        raise InputError(f"--jobs is {jobs}, but must be a number above 0, or auto")
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    missing = [run for run in runs if not run.is_recorded()]
    crowd = Crowd(most=min(jobs or cores, max(1, len(missing))), grows=jobs == AUTO)
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, cores // crowd.most))
    cards = _cards() if crowd.most > 1 else []
    environment = {**os.environ, "OMP_NUM_THREADS": threads}
    with Progress(len(runs), len(runs) - len(missing)) as progress:
        return _Runner(missing, crowd, environment, cards, progress).run()


class _Runner:
    def __init__(
        self, runs: Sequence[Run], crowd: Crowd, environment: Mapping[str, str], cards: list[str], progress: Progress
    ) -> None:
        self.waiting, self.running = deque(runs), list[Run]()
        self.crowd, self.environment, self.cards, self.progress = crowd, environment, cards, progress
        self.elsewhere: set[tuple[str, int]] = set()
        self.failed = 0

    def run(self) -> int:
        try:
            while self.waiting or self.running:
                for _ in range(len(self.waiting)):
                    if len(self.running) >= self.crowd.allowed:
                        break
                    self._begin(self.waiting.popleft())
                time.sleep(_POLL)
                for run in [run for run in self.running if run.process.poll() is not None]:
                    self.running.remove(run)
                    self._end(run)
                self.progress.look(self.running)
                self.crowd.look({run.key: run.progress()[0] for run in self.running} if self.crowd.grows else {})
        finally:
            for run in self.running:
                run.process.terminate()
            for run in self.running:
                run.process.wait()
                run.release()
        return self.failed

    def _begin(self, run: Run) -> None:
        if not run.claim():
            if run.key not in self.elsewhere:
                self.elsewhere.add(run.key)
                self.progress.say(f"{run} is being trained by another process, which is waited for")
            self.waiting.append(run)
        elif run.is_recorded():  # by somebody else, meanwhile
            run.release()
            self.progress.advance()
        else:
            self._start(run)

    def _start(self, run: Run) -> None:
        run.start({**self.environment, **self._card()})
        self.running.append(run)
        self.progress.say(f"{run} goes on from {run.checkpoint}" if run.checkpoint else f"{run} starts")

    def _card(self) -> dict[str, str]:
        """The graphics card that the fewest runs are on, where there are several."""
        if len(self.cards) < 2:
            return {}
        taken = Counter(run.environment.get("CUDA_VISIBLE_DEVICES") for run in self.running)
        return {"CUDA_VISIBLE_DEVICES": min(self.cards, key=lambda card: taken[card])}

    def _end(self, run: Run) -> None:
        if run.goes_on():
            self.progress.say(f"{run} was killed")
            self._start(run)
            return
        if run.process.returncode or not run.has_finished():
            self.failed += 1
            self.progress.say(run.complaint())
        elif run.record():
            self.progress.say(f"{run} has finished: {run.said()}")
        else:
            self._start(run)
            return
        run.release()
        self.progress.advance()


def _cards() -> list[str]:
    """The graphics cards that this process may use, as $CUDA_VISIBLE_DEVICES names them."""
    if (given := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [card for card in given.split(",") if card]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]
