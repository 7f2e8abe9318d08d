"""Settings that are drawn at random for every run of a row, as a search of hyper-parameters has them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

from lightning_gans.randomness import keyed_seed


@dataclass(frozen=True)
class Draw:
    """One number, for one or several settings.

    Args:
        settings: their paths, as ``lightning fit`` has them.
        low: lower bound.
        high: upper bound.
        log: whether its logarithm is uniform, and not the number itself.
    """

    settings: Sequence[str]
    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not (0 if self.log else -math.inf) < self.low < self.high < math.inf:
            raise ValueError(f"a number is drawn between {self.low} and {self.high}, which is no such range")

    def value(self, random: np.random.Generator) -> float:
        """A draw, to four digits: that can be read, and is what the run is given."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        drawn = float(random.uniform(low, high))
        return float(f"{math.exp(drawn) if self.log else drawn:.4g}")


@dataclass(frozen=True)
class Search:
    """The draws of a row; its run of seed N has the N-th of each, whatever the row.

    Args:
        runs: how many there are: seeds from 0.
        draws: what is drawn.
    """

    runs: int
    draws: tuple[Draw, ...]

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Search:
        """As a table's file has it."""
        return cls(int(content["runs"]), tuple(Draw(**draw) for draw in content["draws"]))

    def options(self, seed: int) -> dict[str, float]:
        """Settings of the run of a seed, by their paths."""
        values = [
            draw.value(np.random.default_rng(keyed_seed("search", number, seed))) for number, draw in enumerate(self.draws)
        ]
        return {path: value for draw, value in zip(self.draws, values, strict=True) for path in draw.settings}


def changed(config: dict[str, Any], options: Mapping[str, float]) -> dict[str, Any]:
    """A copy of what ``lightning fit`` makes of its options, with some settings by their paths: parsing it anew is slow.

    Raises:
        KeyError: it has no such setting.
    """
    copy = deepcopy(config)
    for path, value in options.items():
        *way, last = path.split(".")
        place: Any = copy
        for name in way:
            place = place[name]
            place = place.get("init_args", place)  # a class's settings
        if last not in place:
            raise KeyError(f"there is no setting {path} to draw")
        place[last] = value
    return copy
