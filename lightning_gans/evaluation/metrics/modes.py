"""How many of the modes of points, or classes of images, there are among samples."""

from __future__ import annotations

from statistics import fmean
from typing import Any

import torch

from lightning_gans.evaluation.counts.classes import ClassCoverage, StackedClassCoverage, perfect_sampler
from lightning_gans.evaluation.counts.mixture import ModeCount, perfect_mixture
from lightning_gans.evaluation.features.colours import classes_for
from lightning_gans.evaluation.metrics.base import Block, Metric, has_stacked_digits
from lightning_gans.evaluation.real.images import RealImages


class Modes(Metric):
    """The modes of points, by their centres and the protocol of ``modes``; the classes of images, by the classifier of their
    dataset, as counts and as a divergence from even ones.

    GAAN (Tran et al. 2018) takes 2,000 samples of points. Of MNIST-1K, whose three digits in one image are a class (Metz et al.
    2017), Unrolled GAN and GAAN take 25,600, VEEGAN and PacGAN 26,000: the number moves modes and KL alike.
    """

    name = "modes"
    higher = ("modes", "registered", "entropy")
    lower = ("kl", "tv", "squared_distance")
    measures_points = True
    needs_classifier = True

    @classmethod
    def published_samples(cls, data: RealImages) -> int | None:
        if len(data.shape) == 1:
            return 2_000
        return 25_600 if has_stacked_digits(data) else None

    def applies(self, model: Any) -> bool:
        if not self.comparison.of_points:
            return self.comparison.classifier is not None
        return self.comparison.protocol is not None and self._has_modes

    @property
    def _has_modes(self) -> bool:
        return self.comparison.data.centres is not None and self.comparison.data.std is not None

    def reset(self, device: torch.device) -> None:
        self._count: ModeCount | ClassCoverage = self._counter().to(device)

    def _counter(self) -> ModeCount | ClassCoverage:
        data, protocol, classifier = self.comparison.data, self.comparison.protocol, self.comparison.classifier
        if self.comparison.of_points:
            assert data.centres is not None
            assert data.std is not None
            assert protocol is not None
            return ModeCount(data.centres, data.std, protocol)
        if has_stacked_digits(data):
            return StackedClassCoverage()
        reference = self.comparison.label_counts(classifier, self.comparison.real.split)
        return ClassCoverage(len(classes_for(classifier, data)), reference)

    def update(self, block: Block) -> None:
        self._count.update(block.samples if self.comparison.of_points else block.logits)

    def compute(self) -> dict[str, float]:
        return {name: float(value) for name, value in self._count.compute().items()}

    def floor(self) -> dict[str, float]:
        data, protocol, n = self.comparison.data, self.comparison.protocol, self.comparison.num_samples
        if data.centres is not None and data.std and protocol:
            draws = perfect_mixture(data.centres, data.std, protocol, n)
            return {name: fmean(one[name] for one in draws) for name in draws[0]}
        classifier = self.comparison.classifier
        if not (classes := classes_for(classifier, data)):
            return {}
        law = self.comparison.label_counts(classifier, self.comparison.real.split) if self._counts_colours else None
        return perfect_sampler(len(classes), n, law)

    @property
    def floor_is(self) -> str:
        """Of classes that are about even, a uniform sampler's."""
        return "perfect sampler" if self.comparison.of_points or self._counts_colours else "uniform sampler"

    @property
    def _counts_colours(self) -> bool:
        return self.comparison.classifier is not None and self.comparison.classifier.colour_of is not None
