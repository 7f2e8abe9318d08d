"""What an evaluation cannot do, said before anything trains."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.utilities.rank_zero import rank_zero_warn

from lightning_gans.errors import InputError
from lightning_gans.evaluation import records
from lightning_gans.evaluation.metrics.base import Metric, takes_captions, takes_labels, takes_labels_or_captions
from lightning_gans.protocols import classifies, encodes


def check_numbers(metrics: Collection[type[Metric]], num_samples: int, num_real: int) -> None:
    """Refuse too few samples for what is computed of their features."""
    least_samples = max(metric.least_samples for metric in metrics)
    needed = {"num_samples": (num_samples, least_samples), "num_real": (num_real, max(one.least_real for one in metrics))}
    for name, (number, least) in needed.items():
        if number < least:
            raise InputError(f"evaluation.{name} is {number}, but these metrics need {least}; raise it")


def check_labels(metrics: Collection[type[Metric]], data: Any, split: str) -> None:
    """Refuse data without labels for what is measured by these."""
    for metric in metrics:
        if metric.needs_classes and data.labels(split) is None:
            raise InputError(f"evaluation.metrics names {metric.name}, but {data.name} has no labels; leave it out")


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
    left = {
        "the data are points": [points and not metric.measures_points for metric in metrics],
        "the model does not encode": [not points and metric.needs_encoder and not encodes(model) for metric in metrics],
        "the model does not classify": [metric.needs_classes and not classifies(model) for metric in metrics],
        "no labels are asked of the model": [metric.needs_labels and not takes_labels(model, data) for metric in metrics],
        "no captions are asked of the model": [metric.needs_captions and not takes_captions(model, data) for metric in metrics],
        "neither labels nor captions are asked of the model": [
            metric.needs_labels_or_captions and not takes_labels_or_captions(model, data) for metric in metrics
        ],
    }
    for why, those in left.items():
        if names := [metric.name for metric, is_left in zip(metrics, those, strict=True) if is_left]:
            rank_zero_warn(f"evaluation.metrics: {', '.join(sorted(names))} is not measured, for {why}")
