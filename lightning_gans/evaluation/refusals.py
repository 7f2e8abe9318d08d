"""What an evaluation cannot do, said before anything trains."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.utilities.rank_zero import rank_zero_warn

from lightning_gans.errors import InputError
from lightning_gans.evaluation import records
from lightning_gans.evaluation.metrics.base import Metric
from lightning_gans.protocols import encodes


def check_numbers(metrics: Collection[type[Metric]], num_samples: int, num_real: int) -> None:
    """Refuse too few samples for what is computed of their features."""
    least_samples = max(metric.least_samples for metric in metrics)
    needed = {"num_samples": (num_samples, least_samples), "num_real": (num_real, max(one.least_real for one in metrics))}
    for name, (number, least) in needed.items():
        if number < least:
            raise InputError(f"evaluation.{name} is {number}, but these metrics need {least}; raise it")


def check_monitors(trainer: Trainer) -> None:
    """Refuse callbacks that wait for a measure which is taken at the end only."""
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        name = getattr(callback, "monitor", None)
        if name and records.is_measure(name):
            raise InputError(
                f"{type(callback).__name__} monitors {name}, which is measured at the end only; set evaluation.every_n_steps"
            )


def say_what_is_left_out(metrics: Collection[type[Metric]], model: Any, data: Any, measurable: bool) -> None:
    """Warn of metrics that do not apply."""
    if not metrics:
        return
    if not measurable:
        rank_zero_warn(
            "evaluation.metrics are not measured: that takes a model with prior, decode and sample, and data that says of "
            "itself what lightning_gans.Images does"
        )
        return
    points = len(data.shape) == 1
    if points:
        left = [metric.name for metric in metrics if not metric.measures_points]
    else:
        left = [metric.name for metric in metrics if metric.needs_encoder and not encodes(model)]
    if left:
        why = "the data are points" if points else "the model does not encode"
        rank_zero_warn(f"evaluation.metrics: {', '.join(sorted(left))} is not measured, for {why}")
