"""How good samples are: one function behind the callback, the command and a script of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Literal, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from tqdm import tqdm

from lightning_gans.errors import InputError
from lightning_gans.evaluation import feature_metrics
from lightning_gans.evaluation.classes import ClassCoverage, StackedClassCoverage, perfect_sampler
from lightning_gans.evaluation.classifiers import Classifier
from lightning_gans.evaluation.colours import classes_for, labels_for
from lightning_gans.evaluation.frechet import FeatureSums, Gaussian, frechet_distance
from lightning_gans.evaluation.inception import quantise, to_uint8
from lightning_gans.evaluation.modes import ModeCount, perfect_mixture
from lightning_gans.evaluation.modes import Protocol as ModeProtocol
from lightning_gans.evaluation.ranks import gather_rows, place, together
from lightning_gans.evaluation.real import RealSet
from lightning_gans.evaluation.sampling import BLOCK, evaluating, samples
from lightning_gans.protocols import Generates, encodes
from lightning_gans.randomness import keyed_generator
from lightning_gans.strategy import world_size

MetricName = Literal["fid", "fd", "kid", "is", "mode_score", "prdc", "diversity", "modes", "reconstruction"]


@dataclass
class Evaluator:
    """Measures samplers against one set of real data; networks and real statistics are kept between measurements.

    Args:
        real: the real samples, and the network to compare features in for all but ``modes`` and ``reconstruction``;
            none for points, whose ``diversity`` is that of their coordinates.
        metrics: what to measure.
        classifier: to count the classes of images with.
        modes: the counting protocol for points.
        num_samples: generated samples.
        seed: of the samples' noise.
    """

    real: RealSet
    metrics: tuple[MetricName, ...]
    classifier: Classifier | None = None
    modes: ModeProtocol | None = "gaan"
    num_samples: int = 10_000
    seed: int = 0
    _floor: dict[str, float] | None = field(default=None, init=False)
    _real_diversity: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.data, self.network = self.real.data, self.real.network
        self.real.keeps_features = bool({"kid", "is", "mode_score", "prdc", "diversity"} & {*self.metrics})

    def measure(self, model: Generates) -> dict[str, float]:
        """Every number; must be called on all ranks, which all get the same.

        Raises:
            InputError: the samples are no images: NaN, of another range, all of one colour.
        """
        assert isinstance(model, nn.Module)
        device = next(model.parameters()).device
        for network in (self.network, self.classifier):
            if network is not None:
                cast(Any, network).to(device)
        if len(self.data.shape) == 1:
            found = self._measure_points(model, device)
        else:
            found = self._compare(model, device) if {*self.metrics} - {"reconstruction"} else {}
            if "reconstruction" in self.metrics and encodes(model):
                found |= self._reconstruct(model, device)
        if getattr(model.prior, "empirical", False):  # a latent that comes from an image is no sample
            found = {name if name.startswith("reconstruction") else f"reconstruction_{name}": v for name, v in found.items()}
        return found

    @property
    def floor(self) -> dict[str, float]:
        """What a perfect sampler would get, for the measures that have such a value."""
        if self._floor is None:
            self._floor = {}
            if "modes" in self.metrics and self.data.centres is not None and self.data.std and self.modes:
                draws = perfect_mixture(self.data.centres, self.data.std, self.modes, self.num_samples)
                self._floor = {name: fmean(one[name] for one in draws) for name in draws[0]}
            elif "modes" in self.metrics and (classes := classes_for(self.classifier, self.data)):
                law = self._label_counts(self.classifier, self.real.split) if self._counts_colours else None
                self._floor = perfect_sampler(len(classes), self.num_samples, law)
        return self._floor

    @property
    def floor_is(self) -> str:
        """Whose ``floor`` that is: of classes that are about even, a uniform sampler's."""
        return "perfect sampler" if len(self.data.shape) == 1 or self._counts_colours else "uniform sampler"

    @property
    def _counts_colours(self) -> bool:
        return self.classifier is not None and self.classifier.colour_of is not None

    def _measure_points(self, model: Generates, device: torch.device) -> dict[str, float]:
        count = None
        if "modes" in self.metrics and self.modes is not None and self.data.centres is not None and self.data.std is not None:
            count = ModeCount(self.data.centres, self.data.std, self.modes).to(device)
        if count is None and "diversity" not in self.metrics:
            return {}
        kept: list[Tensor] = []
        with evaluating(cast(nn.Module, model)):
            for some in self._samples(model, device):
                kept += [some.cpu()] if "diversity" in self.metrics else []
                if count is not None:
                    count.update(some)
        found = {} if count is None else {name: float(value) for name, value in count.compute().items()}
        if "diversity" in self.metrics:
            fake = gather_rows(torch.cat(kept) if kept else torch.zeros(0, *self.data.shape), device)
            found["diversity"] = self._diversity(self.data.real(self.real.split, self.real.rows), fake)
        return found

    def _diversity(self, real: Tensor, fake: Tensor) -> float:
        """Of generated samples, in that of the real ones."""
        if self._real_diversity is None:
            self._real_diversity = feature_metrics.diversity(real)
        if not self._real_diversity:
            raise InputError("all real samples are the same, so that there is no diversity to compare with; leave it out")
        return feature_metrics.diversity(fake) / self._real_diversity

    def condition(self, numbers: Tensor) -> Tensor | None:
        """What the samples of some numbers are conditioned on: what travels with the real ones, in an order of its own.

        For data may be sorted by class, and the number of samples no multiple of that of the real ones.
        """
        rows = self.real.rows
        order = torch.randperm(len(rows), generator=keyed_generator("conditions", len(rows)))
        return self.data.conditions(self.real.split, rows[order[numbers % len(rows)]])

    def _samples(self, model: Generates, device: torch.device) -> Iterator[Tensor]:
        """This rank's share of the samples; a conditional model is given what travels with the real ones."""

        def condition(numbers: Tensor) -> Tensor | None:
            found = self.condition(numbers)
            return None if found is None else found.to(device)

        blocks = samples(model, self.num_samples, self.seed, *place(), condition)
        total = -(-self.num_samples // (BLOCK * world_size()))
        return iter(tqdm(blocks, "measuring samples", total, delay=5, leave=False, disable=place()[0] > 0))

    def _compare(self, model: Generates, device: torch.device) -> dict[str, float]:
        real = self.real.statistics(device) if self.network is not None else None
        sums = None if real is None or self.network is None else FeatureSums(self.network.dim, real.mean, device)
        coverage = self._coverage(device)
        kept: list[Tensor] = []
        with together(), evaluating(cast(nn.Module, model)):
            for images in self._samples(model, device):
                quantised = to_uint8(images)
                self._check_shape(quantised)
                features = None if self.network is None else self._features(quantised)
                if features is not None and sums is not None:
                    sums.update(features)
                    kept += [features.cpu()] if self.real.keeps_features else []
                if coverage is not None:
                    coverage.update(self._classify(quantised, features))
        found = {} if coverage is None else {name: float(value) for name, value in coverage.compute().items()}
        if sums is None or real is None:
            return found
        return found | self._distances(real, sums, kept, device)

    def _distances(self, real: Gaussian, sums: FeatureSums, kept: list[Tensor], device: torch.device) -> dict[str, float]:
        assert self.network is not None
        found: dict[str, float] = {}
        sums.all_reduce()
        if {"fid", "fd"} & {*self.metrics}:
            found[self.network.key] = frechet_distance(real, sums.gaussian())
        if not self.real.keeps_features:
            return found
        fake = gather_rows(torch.cat(kept) if kept else torch.zeros(0, self.network.dim), device)
        assert self.real.features is not None
        suffix = "" if self.network.key == "fid" else f"_{self.network.key.removeprefix('fd_')}"
        if "kid" in self.metrics:
            found |= feature_metrics.kid(self.real.features, fake)
        if "is" in self.metrics:
            found |= feature_metrics.inception_score(self.network.logits(fake.to(device)).cpu())
        if "mode_score" in self.metrics:
            counts = self._label_counts(self.network, "train")
            assert counts is not None
            found |= feature_metrics.mode_score(self.network.logits(fake.to(device)).cpu(), counts)
        if "prdc" in self.metrics:
            found |= feature_metrics.prdc(self.real.features.to(device), fake.to(device))
        if "diversity" in self.metrics:
            found["diversity"] = self._diversity(self.real.features.to(device), fake.to(device))
        return {name if name == self.network.key else f"{name}{suffix}": value for name, value in found.items()}

    def _label_counts(self, network: object, split: str) -> Tensor | None:
        """Of real images, class by class ``(K,)``, where they have the classes that a network tells apart."""
        labels = labels_for(network, self.data, split)
        return None if labels is None else torch.bincount(labels.cpu(), minlength=len(classes_for(network, self.data)))

    def _features(self, images: Tensor) -> Tensor:
        assert self.network is not None
        return torch.cat([self.network(some) for some in images.split(self.real.batch_size)])

    def _check_shape(self, images: Tensor) -> None:
        if tuple(images.shape[1:]) != self.data.shape:
            raise InputError(
                f"the generator gives images {tuple(images.shape[1:])}, but {self.data.name} has {self.data.shape}"
            )

    def _coverage(self, device: torch.device) -> ClassCoverage | None:
        if "modes" not in self.metrics or self.classifier is None:
            return None
        if self.data.name == "mnist1k":
            return StackedClassCoverage().to(device)
        reference = self._label_counts(self.classifier, self.real.split)
        return ClassCoverage(len(classes_for(self.classifier, self.data)), reference).to(device)

    def _classify(self, images: Tensor, features: Tensor | None) -> Tensor:
        classifier = self.classifier
        assert classifier is not None
        one_network = classifier is self.network
        if features is not None and one_network:
            return classifier.logits(features)
        stacked = self.data.name == "mnist1k"
        digits = images.flatten(0, 1)[:, None] if stacked else images
        logits = torch.cat([classifier.logits(classifier(some)) for some in digits.split(self.real.batch_size)])
        return logits.unflatten(0, (len(images), -1)) if stacked else logits

    def _reconstruct(self, model: Any, device: torch.device) -> dict[str, float]:
        """Mean squared error in [-1, 1]; distance and Fréchet distance in features, where there is a network."""
        real = None if self.network is None else self.real.statistics(device)
        sums = None if real is None or self.network is None else FeatureSums(self.network.dim, real.mean, device)
        totals = torch.zeros(3, dtype=torch.float64, device=device)
        with together(), evaluating(model):
            for rows in self.real.batches():
                images = self.data.real(self.real.split, rows).to(device, next(model.parameters()).dtype)
                condition = self.data.conditions(self.real.split, rows)
                condition = None if condition is None else condition.to(device)
                again = model.decode(model.encode(images, condition), condition)
                quantised = to_uint8(again)
                self._check_shape(quantised)
                error = (again.float() - images.float()).square().mean().double() * len(rows)
                distance = totals.new_zeros(())
                if sums is not None:
                    reconstructed = self._features(quantised)
                    before, after = (nn.functional.normalize(f) for f in (self._features(quantise(images)), reconstructed))
                    distance = (before - after).square().sum().double()
                    sums.update(reconstructed)
                totals += torch.stack([error, distance, error.new_tensor(len(rows))])
        if world_size() > 1:
            dist.all_reduce(totals)
        found = {"reconstruction_mse": float(totals[0] / totals[2])}
        if sums is not None and real is not None and self.network is not None:
            sums.all_reduce()
            found[f"reconstruction_distance_{self.network.name}"] = float(totals[1] / totals[2])
            found[f"reconstruction_{self.network.key}"] = frechet_distance(real, sums.gaussian())
        return found
