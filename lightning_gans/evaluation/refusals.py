"""What an evaluation cannot do, said before anything trains."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.utilities.rank_zero import rank_zero_warn

from lightning_gans.errors import InputError
from lightning_gans.evaluation import records
from lightning_gans.evaluation.colours import classes_for, labels_for
from lightning_gans.evaluation.features import FeatureNetwork
from lightning_gans.evaluation.real import RealImages
from lightning_gans.protocols import encodes


def check_network(network: FeatureNetwork, metrics: Collection[str], data: RealImages) -> None:
    """Refuse metrics that these features do not allow."""
    if "fid" in metrics and network.key != "fid":
        raise InputError(
            f"evaluation.metrics asks for fid, but the distance in these features is {network.key}; ask for fd, "
            "or give the genuine Inception weights"
        )
    if "is" in metrics and getattr(network, "fc", 0) is None:
        raise InputError("evaluation.metrics has is, which needs features: inception (layer 2048); leave it out")
    if "mode_score" in metrics:
        _check_classes(network, data)


def _check_classes(network: FeatureNetwork, data: RealImages) -> None:
    """Refuse a MODE score without labels, or by a network that tells other classes apart."""
    labels = labels_for(network, data, "train")
    if labels is None or labels.dim() != 1:
        raise InputError(f"evaluation.metrics has mode_score, which needs a class for every image of {data.name}; leave it out")
    classes = len(classes_for(network, data)) or int(labels.max()) + 1
    if getattr(network, "fc", 0) is None or network.logits(torch.zeros(1, network.dim)).shape[1] != classes:
        raise InputError(
            f"evaluation.metrics has mode_score, which needs a classifier of the {classes} classes of {data.name}; "
            "set evaluation.features to classifier"
        )


def check_numbers(metrics: Collection[str], num_samples: int, num_real: int) -> None:
    """Refuse too few samples for what is computed of their features."""
    neighbours = 6 if "prdc" in metrics else 2
    needed = {"num_samples": (num_samples, max(neighbours, 10 if "is" in metrics else 2)), "num_real": (num_real, neighbours)}
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


def say_what_is_left_out(metrics: Collection[str], model: Any, data: Any, measurable: bool) -> None:
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
        left = {*metrics} - {"modes", "diversity"}
    else:
        left = set() if encodes(model) else {*metrics} & {"reconstruction"}
    if left:
        why = "the data are points" if points else "the model does not encode"
        rank_zero_warn(f"evaluation.metrics: {', '.join(sorted(left))} is not measured, for {why}")
