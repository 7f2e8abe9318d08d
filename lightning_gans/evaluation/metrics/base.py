"""What a metric is, and what it is given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor

from lightning_gans.evaluation.counts.mixture import Protocol as ModeProtocol
from lightning_gans.evaluation.features.classifiers import Classifier
from lightning_gans.evaluation.features.colours import classes_for, labels_for
from lightning_gans.evaluation.features.find import FeatureNetwork
from lightning_gans.evaluation.real.images import RealImages, RealSet
from lightning_gans.evaluation.samples.ranks import gather_rows
from lightning_gans.protocols import Condition, classifies, encodes

_MNIST_1K = "mnist1k"


@dataclass(frozen=True)
class Comparison:
    """What samples are compared with, and by what.

    Args:
        real: the real samples, and the network to compare features in; none for points.
        classifier: to count the classes of images with.
        protocol: by which the modes of points are counted.
        num_samples: generated samples.
    """

    real: RealSet
    classifier: Classifier | None = None
    protocol: ModeProtocol | None = "gaan"
    num_samples: int = 10_000

    @property
    def data(self) -> RealImages:
        """The real side's dataset."""
        return self.real.data

    @property
    def network(self) -> FeatureNetwork:
        """The one to compare features in, where a metric needs it."""
        assert self.real.network is not None
        return self.real.network

    @property
    def of_points(self) -> bool:
        """Whether samples are points and not images."""
        return len(self.data.shape) == 1

    def features(self, images: Tensor) -> Tensor:
        """Float32 ``(N, D)`` of uint8 images ``(N, C, H, W)``."""
        return torch.cat([self.network(batch) for batch in images.split(self.real.batch_size)])

    def label_counts(self, network: object, split: str) -> Tensor | None:
        """Of real images, class by class ``(K,)``, where they have the classes that a network tells apart."""
        labels = labels_for(network, self.data, split)
        return None if labels is None else torch.bincount(labels.cpu(), minlength=len(classes_for(network, self.data)))


@dataclass(eq=False)
class Block:
    """A few samples of this rank, and their features, which are computed when first asked for and once for all metrics.

    Args:
        samples: points ``(N, 2)`` in data units, or uint8 images ``(N, C, H, W)``.
        comparison: has the network.
        unrounded: the images as the model gave them, in [-1, 1].
        originals: what they are reconstructions of, real images in [-1, 1], if they are.
        classified: the model's logits of real samples ``(N, K)``, and their labels, int64 ``(N,)``, if it classifies them.
        for_validation: whether the samples are those for validation, and not of the split.
        asked_for: what generated samples were drawn under, for models that take it.
    """

    samples: Tensor
    comparison: Comparison
    unrounded: Tensor | None = None
    originals: Tensor | None = None
    classified: tuple[Tensor, Tensor] | None = None
    for_validation: bool = False
    asked_for: Condition | None = None

    @cached_property
    def features(self) -> Tensor:
        """Float32 ``(N, D)`` on the samples' device."""
        return self.comparison.features(self.samples)

    @cached_property
    def stored_features(self) -> Tensor:
        """The same on the processor."""
        return self.features.cpu()

    @cached_property
    def logits(self) -> Tensor:
        """Of the classifier of the classes: of images ``(N, K)``, or of their three digits ``(N, 3, 10)``."""
        comparison, classifier = self.comparison, self.comparison.classifier
        assert classifier is not None
        is_of_features = classifier is comparison.real.network
        if is_of_features:  # so that images go through it once
            return classifier.logits(self.features)
        stacked = has_stacked_digits(comparison.data)
        images = self.samples.flatten(0, 1)[:, None] if stacked else self.samples
        logits = torch.cat([classifier.logits(classifier(batch)) for batch in images.split(comparison.real.batch_size)])
        return logits.unflatten(0, (len(self.samples), -1)) if stacked else logits


class Metric(ABC):
    """One measure of samples. A file in this folder with a named subclass is a metric; nothing else need know of it.

    A measurement is ``reset``, ``update`` with every block of this rank's samples, and ``compute`` on all ranks, which all get
    the same. The first paragraph of the docstring is its help.

    Attributes:
        name: in the option ``evaluation.metrics``.
        higher: first words of the names of what it logs, where more is better.
        lower: the same where less is better.
        measures_points: whether it also measures points.
        needs_network: whether images are compared in a network's features.
        compares_features: whether with each of the real features, and not with their statistics alone.
        needs_classifier: whether images are put into classes, by the classifier of ``classified_as``.
        needs_encoder: whether its blocks are of reconstructions of the real images, and not of samples.
        needs_classes: whether its blocks are of real samples that the model itself classifies.
        needs_labels: whether its samples must be drawn by label, which is what is asked for.
        needs_captions: whether its samples must be drawn by caption.
        needs_labels_or_captions: whether by either.
        needs_validation: whether it is given blocks of the samples for validation before those.
        least_samples: generated samples that it takes at least, in features.
        least_real: real samples that it takes at least, in features.
    """

    name: ClassVar[str]
    higher: ClassVar[tuple[str, ...]] = ()
    lower: ClassVar[tuple[str, ...]] = ()
    measures_points: ClassVar[bool] = False
    needs_network: ClassVar[bool] = False
    compares_features: ClassVar[bool] = False
    needs_classifier: ClassVar[bool] = False
    needs_encoder: ClassVar[bool] = False
    needs_classes: ClassVar[bool] = False
    needs_labels: ClassVar[bool] = False
    needs_captions: ClassVar[bool] = False
    needs_labels_or_captions: ClassVar[bool] = False
    needs_validation: ClassVar[bool] = False
    least_samples: ClassVar[int] = 2
    least_real: ClassVar[int] = 2

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison

    @classmethod
    def published_samples(cls, data: RealImages) -> int | None:
        """How many samples the papers take on a dataset, if they agree on a number."""
        return None

    @classmethod
    def classified_as(cls, dataset: str) -> str:
        """The dataset whose classifier tells the classes of a dataset apart: of three digits in an image that of one."""
        return "mnist" if dataset == _MNIST_1K else dataset

    @classmethod
    def why_not(cls, network: FeatureNetwork, data: RealImages) -> str | None:
        """The sentence that refuses, before anything trains, a network or data that it cannot be taken with, if they are so."""
        return None

    def applies(self, model: Any) -> bool:
        """Whether there is something to measure of this model and this data."""
        if self.comparison.of_points and not self.measures_points:
            return False
        if self.needs_network and not self.comparison.of_points and self.comparison.real.network is None:
            return False
        if self.needs_labels and not takes_labels(model, self.comparison.data):
            return False
        if self.needs_captions and not takes_captions(model, self.comparison.data):
            return False
        if self.needs_labels_or_captions and not takes_labels_or_captions(model, self.comparison.data):
            return False
        return not (self.needs_encoder and not encodes(model)) and not (self.needs_classes and not classifies(model))

    @abstractmethod
    def reset(self, device: torch.device) -> None:
        """Begin a measurement of samples on a device; on all ranks."""

    @abstractmethod
    def update(self, block: Block) -> None:
        """Take some samples in."""

    @abstractmethod
    def compute(self) -> Mapping[str, float]:
        """The numbers by name; on all ranks, with samples on each or not."""

    def floor(self) -> dict[str, float]:
        """What a perfect sampler gets on average, for the numbers where that is known."""
        return {}

    @property
    def floor_is(self) -> str:
        """Whose scores ``floor`` gives."""
        return "perfect sampler"


class FeatureMetric(Metric):
    """A function of the features of all samples: ``score`` is all that is left to say."""

    needs_network = True

    def reset(self, device: torch.device) -> None:
        self.device = device
        self._stored: list[Tensor] = []
        self.comparison.real.statistics(device)  # which also extracts the real features, where a metric compares them

    def update(self, block: Block) -> None:
        self._stored.append(block.stored_features)

    def compute(self) -> Mapping[str, float]:
        stored = torch.cat(self._stored) if self._stored else torch.zeros(0, self.comparison.network.dim)
        self._stored = []
        return self.named(self.score(gather_rows(stored, self.device)))

    @abstractmethod
    def score(self, features: Tensor) -> Mapping[str, float]:
        """The numbers, by names without the network's, of the features ``(N, D)`` of all ranks' samples, on the processor."""

    @property
    def real_features(self) -> Tensor:
        """Those of the real samples ``(M, D)``, on the processor."""
        assert self.compares_features
        assert self.comparison.real.features is not None
        return self.comparison.real.features

    def logits(self, features: Tensor) -> Tensor:
        """The network's class scores ``(N, K)``, on the processor."""
        return self.comparison.network.logits(features.to(self.device)).cpu()

    def named(self, scores: Mapping[str, float]) -> dict[str, float]:
        """With the network's name behind, unless it is the genuine one of the FID."""
        key = self.comparison.network.key
        suffix = "" if key == "fid" else f"_{key.removeprefix('fd_')}"
        return {f"{name}{suffix}": value for name, value in scores.items()}


def has_stacked_digits(data: RealImages) -> bool:
    """Whether the classes of an image are those of three digits in it."""
    return data.name == _MNIST_1K


def labels_in(condition: Condition | None) -> Tensor | None:
    """The labels ``(N,)`` in what travels with samples, ``None`` where there are none."""
    found = condition.get("labels") if isinstance(condition, dict) else condition
    whole = found is not None and found.dim() == 1 and not found.is_floating_point()
    return found if whole else None


def takes_labels(model: Any, data: RealImages) -> bool:
    """Whether samples of a model are drawn by label: it takes what travels with the data, and that has labels."""
    return _is_given(model, data, labels_in)


def captions_in(condition: Condition | None) -> Tensor | None:
    """The captions ``(N, L)`` in what travels with samples, ``None`` where there are none."""
    found = condition.get("captions") if isinstance(condition, dict) else condition
    of_bytes = found is not None and found.dim() == 2 and found.dtype == torch.int64
    return found if of_bytes else None


def takes_captions(model: Any, data: RealImages) -> bool:
    """Whether samples of a model are drawn by caption: it takes what travels with the data, and that has captions."""
    return _is_given(model, data, captions_in)


def takes_labels_or_captions(model: Any, data: RealImages) -> bool:
    """Whether they are drawn by either."""
    return takes_labels(model, data) or takes_captions(model, data)


def _is_given(model: Any, data: RealImages, found_in: Callable[[Condition | None], Tensor | None]) -> bool:
    """Whether a model takes what travels with the data, and something is found in that."""
    return getattr(model, "conditional", False) and found_in(data.conditions(data.splits[0], torch.arange(1))) is not None
