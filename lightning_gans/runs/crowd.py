"""How many runs at a time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Hashable, Mapping

_WORTH = 1.1  # times as fast together, for one more to stay


class Crowd:
    """As many runs at a time as help: those that are there are timed before and after one more joins.

    Each is compared with itself, for a step of one model takes longer than a step of another.

    Args:
        most: runs at a time, at best.
        grows: begin with one and add more, instead of ``most`` from the start.
        seconds: that the runs are timed for; a run says every hundred steps or so how far it is.
    """

    def __init__(self, most: int, grows: bool = False, seconds: float = 60.0) -> None:
        self.most, self.seconds = most, seconds
        self.grows = grows and most > 1
        self.allowed = 1 if grows else most
        self._first: dict[Hashable, int] = {}
        self._began = 0.0
        self._before: dict[Hashable, float] = {}

    def look(self, steps: Mapping[Hashable, int], now: float | None = None) -> None:
        """Decide on ``allowed`` anew.

        Args:
            steps: that each of the running ones has done.
            now: in seconds, of the clock if ``None``.
        """
        now = time.monotonic() if now is None else now
        if not self.grows or len(steps) < self.allowed or not all(steps.values()):
            self._first = {}
            return
        if steps.keys() != self._first.keys():
            if not self._before.keys() < steps.keys():  # one has ended: what was timed with it does not compare
                self._before = {}
            self._first, self._began = dict(steps), now
        elif now - self._began >= self.seconds:
            self._decide({run: (steps[run] - self._first[run]) / (now - self._began) for run in steps})
            self._first = {}

    def _decide(self, rates: Mapping[Hashable, float]) -> None:
        slowed = [rates[run] / rate for run, rate in self._before.items() if rate]
        if slowed and statistics.fmean(slowed) * len(rates) < _WORTH * (len(rates) - 1):
            self.allowed, self.grows = len(rates) - 1, False
        elif len(rates) < self.most:
            self.allowed, self._before = len(rates) + 1, dict(rates)
        else:
            self.grows = False
