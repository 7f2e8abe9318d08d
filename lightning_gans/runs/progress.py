"""All runs in one view: a bar over the runs, and one for each that is being trained."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from lightning_gans.runs.run import Run

_EVERY = 1.0


class Progress:
    """A view of many runs, for use in a ``with`` block; where there is no terminal, only what is said is printed.

    Args:
        total: runs that there are to be.
        done: those that are there.
    """

    def __init__(self, total: int, done: int) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[said]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        self._bars = Bars(*columns, console=Console(stderr=True), transient=True)
        self._all = self._bars.add_task("runs", total=total, completed=done, said=f"{done} of {total}")
        self._of_runs: dict[tuple[str, int], TaskID] = {}
        self._looked = 0.0

    def __enter__(self) -> Progress:
        self._bars.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._bars.stop()

    def say(self, what: str) -> None:
        """A line above the bars."""
        self._bars.console.print(what, markup=False, highlight=False, soft_wrap=True)

    def advance(self) -> None:
        """One run more is there, or has failed."""
        task = self._bars.tasks[0]
        self._bars.update(self._all, advance=1, said=f"{task.completed + 1:.0f} of {task.total:.0f}")

    def look(self, running: Sequence[Run]) -> None:
        """Show how far the running ones are, once a second."""
        if time.monotonic() - self._looked < _EVERY or not self._bars.console.is_terminal:
            return
        self._looked = time.monotonic()
        for key in self._of_runs.keys() - {run.key for run in running}:
            self._bars.remove_task(self._of_runs.pop(key))
        for run in running:
            step, total = run.progress()
            if run.key not in self._of_runs:
                self._of_runs[run.key] = self._bars.add_task(str(run), total=None, said="")
            said = f"{step:,} of {total:,} steps" if total else f"{step:,} steps"
            self._bars.update(self._of_runs[run.key], completed=step, total=total, said=said)
