"""What to measure and how, and the evaluator that comes of it for some data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from lightning_gans import checks
from lightning_gans.errors import InputError
from lightning_gans.evaluation import refusals
from lightning_gans.evaluation.choices import METRICS, MetricName, chosen
from lightning_gans.evaluation.counts.mixture import ModeCount, Protocol
from lightning_gans.evaluation.features.classifiers import Classifier
from lightning_gans.evaluation.features.find import FeatureNetwork, counting_classifier, find_network, must_be_trained
from lightning_gans.evaluation.features.inception import Precision
from lightning_gans.evaluation.measure import Evaluator
from lightning_gans.evaluation.metrics.base import Metric
from lightning_gans.evaluation.real.images import RealImages, RealSet

_NUM_SAMPLES = 10_000  # where no paper's protocol says another number


@dataclass(frozen=True)
class Settings:
    """What ``Evaluation`` and ``evaluate`` are told; they describe each setting.

    Raises:
        InputError: a setting does not fit.
    """

    metrics: list[MetricName] | None = None
    features: str = "inception"
    weights_path: str | None = None
    download: bool = False
    precision: Precision = "fp32"
    modes: Protocol | None = "gaan"
    num_samples: int | None = None
    num_real: int | None = None
    real: Literal["test", "train", "valid"] = "test"
    batch_size: int = 100
    seed: int = 0
    cache_dir: str | None = None

    def __post_init__(self) -> None:
        if self.modes is not None:
            ModeCount(torch.zeros(1, 2), 1.0, self.modes)  # refuses an unknown protocol now and not after training
        counts = {"num_samples": self.num_samples, "num_real": self.num_real, "batch_size": self.batch_size}
        checks.positive(**{name: value for name, value in counts.items() if value is not None})
        chosen(self.metrics or ())

    def trains_first(self, data: RealImages) -> bool:
        """Whether an ``evaluator`` takes the training of a classifier that is not there yet."""
        metrics = chosen(self.metrics or ())
        wanted = {one.classified_as(data.name) for one in metrics if one.needs_classifier}
        if self.features == "classifier" and any(one.needs_network for one in metrics):
            wanted.add(data.name)
        return len(data.shape) > 1 and any(must_be_trained(self.features, name, _root(data)) for name in wanted)

    def evaluator(self, data: RealImages) -> Evaluator:
        """What measures any model against ``data``.

        Raises:
            InputError: a network that the metrics need is missing, or they cannot be taken of these data.
        """
        data.size(self.real)  # refuses a split that there is not
        points = len(data.shape) == 1
        refusals.check_labels(chosen(self.metrics or ()), data, self.real)
        default: list[MetricName] = ["modes"] if points else []
        names = default if self.metrics is None else self.metrics
        metrics = chosen(names)
        num_samples = self.num_samples or published_samples(data)
        num_real = self.num_real or num_samples
        network = reference = classifier = None
        if not points:
            network, reference = self._networks(metrics, data)
            classifier = self._classifier(metrics, data, network)
        kept = math.prod(data.shape) if points else 0
        if network is not None and any(metric.compares_features for metric in metrics):
            kept = network.dim
        checks.fits_memory(f"evaluation.num_samples {num_samples:,}", num_samples * 4 * max(kept, 2))
        if network is not None:
            refusals.check_numbers(metrics, num_samples, min(num_real, data.size(self.real)))
        cache = Path(self.cache_dir) if self.cache_dir else _root(data) / "statistics"
        real = RealSet(data, self.real, num_real, network, batch_size=self.batch_size, cache=cache, reference=reference)
        return Evaluator(real, tuple(names), classifier, self.modes, num_samples, self.seed)

    def _networks(self, metrics: list[type[Metric]], data: RealImages) -> tuple[FeatureNetwork | None, FeatureNetwork | None]:
        """That of the features, and the same in full precision where it is in 16 bits."""
        comparing = [metric for metric in metrics if metric.needs_network]
        if not comparing:
            return None, None
        weights = self.weights_path, self.download
        network = find_network(self.features, data.name, _root(data), self.precision, *weights)
        reference = None
        if getattr(network, "precision", "fp32") in ("fp16", "bf16"):
            reference = find_network(self.features, data.name, _root(data), "fp32", *weights)
        for metric in comparing:
            if (problem := metric.why_not(network, data)) is not None:
                raise InputError(problem)
        return network, reference

    def _classifier(self, metrics: list[type[Metric]], data: RealImages, network: FeatureNetwork | None) -> Classifier | None:
        """That of the classes."""
        dataset = next((metric.classified_as(data.name) for metric in metrics if metric.needs_classifier), None)
        if dataset is None:
            return None
        classifier = counting_classifier(self.features, dataset, _root(data))
        same = isinstance(network, Classifier) and network.identity == classifier.identity
        return network if isinstance(network, Classifier) and same else classifier  # images go through one network once


def published_samples(data: RealImages) -> int:
    """How many samples papers take on a dataset, whichever metrics are asked for, so that all of them can be compared."""
    return max(filter(None, (metric.published_samples(data) for metric in METRICS.values())), default=_NUM_SAMPLES)


def _root(data: RealImages) -> Path:
    return Path(getattr(data, "root", "data"))
