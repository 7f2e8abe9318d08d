"""Sweeps of Weights & Biases, whose agents run ``lightning fit`` with the settings that it deals out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from lightning_gans import checks
from lightning_gans.errors import InputError
from lightning_gans.evaluation import records
from lightning_gans.evaluation.choices import METRICS, chosen
from lightning_gans.evaluation.metrics.base import Metric
from lightning_gans.runs.experiment import resolved
from lightning_gans.tables.search import Draw

Method = Literal["grid", "random", "bayes"]

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"(log:)?({_NUMBER})\.\.({_NUMBER})")
_FORMS = "KEY=a,b,c or KEY=LOW..HIGH or KEY=log:LOW..HIGH"


@dataclass(frozen=True)
class Parameter:
    """A setting that a sweep deals out.

    Args:
        key: its path, as ``lightning fit`` has it.
        values: the only ones, where there is no range.
        low: lower bound of a range.
        high: upper bound.
        log: whether the range is uniform in the logarithm.
    """

    key: str
    values: tuple[Any, ...] = ()
    low: int | float | None = None
    high: int | float | None = None
    log: bool = False

    @classmethod
    def read(cls, text: str) -> Parameter:
        """From ``KEY=a,b,c``, ``KEY=LOW..HIGH`` or ``KEY=log:LOW..HIGH``.

        Raises:
            InputError: it is none of these, or no such range.
        """
        key, _, given = text.partition("=")
        key = key.removeprefix("--").strip()
        if not key or not given.strip():
            raise InputError(f"--parameter has {text!r}, but must be like {_FORMS}")
        if match := _RANGE.fullmatch(given.strip()):
            low, high, log = _number(match[2]), _number(match[3]), bool(match[1])
            try:
                Draw([key], low, high, log)
            except ValueError as error:
                above = " above zero" if log else ""
                raise InputError(f"--parameter {key} runs from {low} to {high}; give a range that rises{above}") from error
            return cls(key, low=low, high=high, log=log)
        values = _values(key, given)
        if any(value is None for value in values):
            raise InputError(f"--parameter {key} has null, which W&B hands on as a word; make that a run of its own")
        return cls(key, values)

    @property
    def is_range(self) -> bool:
        """Whether there are no single values."""
        return self.low is not None

    @property
    def examples(self) -> tuple[Any, ...]:
        """All values, or the ends of the range."""
        return (self.low, self.high) if self.is_range else self.values

    def entry(self) -> dict[str, Any]:
        """As the file of a sweep has it."""
        if not self.is_range:
            return {"values": [*self.values]}
        whole = isinstance(self.low, int) and isinstance(self.high, int)
        linear, in_log = ("int_uniform", "q_log_uniform_values") if whole else ("uniform", "log_uniform_values")
        return {"distribution": in_log if self.log else linear, "min": self.low, "max": self.high}


@dataclass(frozen=True)
class Sweep:
    """What is searched for, and by what.

    Args:
        options: of ``lightning fit``, the same for every run.
        metric: the measure whose best is to be as good as can be.
        parameters: what is dealt out.
        method: ``grid`` tries every combination of values, ``random`` draws, ``bayes`` draws where it may be better; none is
            ``grid`` for values alone, else ``bayes``.
        runs: how many there are at most; none for no end.
        hyperband: measurements after which a run that is worse than others may be ended, and at three, nine times as many;
            none ends no run.
    """

    options: tuple[str, ...]
    metric: str
    parameters: tuple[Parameter, ...]
    method: Method | None = None
    runs: int | None = None
    hyperband: int | None = None

    def content(self) -> dict[str, Any]:
        """What ``wandb sweep`` reads.

        Raises:
            InputError: ``lightning fit`` refuses a setting, does not measure the metric, or the method does not fit.
        """
        checks.positive(**{name: n for name, n in (("--runs", self.runs), ("--hyperband", self.hyperband)) if n is not None})
        keys = [parameter.key for parameter in self.parameters]
        if twice := next((key for key in keys if keys.count(key) > 1), None):
            raise InputError(f"--parameter {twice} is there twice; give all its values at once")
        ranges = [parameter.key for parameter in self.parameters if parameter.is_range]
        method = self.method or ("bayes" if ranges else "grid")
        if method == "grid" and ranges:
            raise InputError(f"--method grid needs values, but {ranges[0]} is a range; give some as {ranges[0]}=a,b,c")
        config = self._tried_out()
        ended = {"early_terminate": {"type": "hyperband", "min_iter": self.hyperband}} if self.hyperband else {}
        goal = "maximize" if records.is_higher_better(self.metric) else "minimize"
        return {
            "program": "lightning",  # W&B wants one, though the command below takes its place
            "method": method,
            "metric": {"name": f"eval/{self.metric}", "goal": goal},
            "parameters": {parameter.key: parameter.entry() for parameter in self.parameters},
            **ended,
            **({"run_cap": self.runs} if self.runs else {}),
            "command": ["${env}", "${interpreter}", "-m", "lightning_gans", "fit", *self.options, *_logger(config), "${args}"],
        }

    def _tried_out(self) -> dict[str, Any]:
        """What ``lightning fit`` makes of it, so that what would be refused in every run is refused now.

        Every value is tried, beside one of each other parameter: to try one alone takes as long.
        """
        config: dict[str, Any] = {}
        for number in range(max(len(parameter.examples) for parameter in self.parameters)):
            dealt = {each.key: each.examples[min(number, len(each.examples) - 1)] for each in self.parameters}
            config = resolved([*self.options, *(f"--{key}={value}" for key, value in dealt.items())])  # as an agent gives it
            if number == 0:
                self._check_measured(config["evaluation"])
        return config

    def _check_measured(self, evaluation: Mapping[str, Any]) -> None:
        names = evaluation["metrics"]
        taken = [metric for metric in chosen(names if names is not None else ["modes"]) if _word_of(metric, self.metric)]
        if not taken:
            which = next(name for name, metric in METRICS.items() if _word_of(metric, self.metric))
            raise InputError(f"these runs do not measure {self.metric}; give --evaluation.metrics '[{which}]' as well")
        features = str(evaluation["features"])
        behind = self.metric.removesuffix("_ema").removeprefix(_word_of(taken[0], self.metric))
        theirs = features.startswith("inception") if "inception" in behind or not behind else features != "inception"
        if taken[0].needs_network and records.is_chosen_by(self.metric) and not theirs:
            raise InputError(f"these runs measure by {features}, which {self.metric} is not; see evaluation.features")
        if self.hyperband and not evaluation["every_n_steps"]:
            raise InputError("--hyperband compares runs on the way; give --evaluation.every_n_steps as well")


def _word_of(metric: type[Metric], name: str) -> str:
    """What the name of a measure begins with where a metric gives it, else nothing."""
    words = (*metric.higher, *metric.lower)
    return max((word for word in words if name == word or name.startswith(f"{word}_")), key=len, default="")


def _logger(config: Mapping[str, Any]) -> Sequence[str]:
    """The option that has runs log to W&B, where the config does not say so itself."""
    given = config["trainer"]["logger"]
    if "WandbLogger" in json.dumps(given):
        return []
    if given not in (None, True):
        raise InputError("the runs of a sweep log to W&B; leave trainer.logger out, or make WandbLogger one of them")
    return ["--trainer.logger=WandbLogger"]


def _number(text: str) -> int | float:
    return int(text) if re.fullmatch(r"[-+]?\d+", text) else float(text)


def _values(key: str, given: str) -> tuple[Any, ...]:
    """Values as YAML has them, in which 1e-4 is a number here."""
    try:
        found = yaml.safe_load(f"[{given}]")
    except yaml.YAMLError as error:
        raise InputError(f"--parameter {key} has {given!r}, but must be like {_FORMS}") from error
    return tuple(float(one) if isinstance(one, str) and re.fullmatch(_NUMBER, one) else one for one in found)
