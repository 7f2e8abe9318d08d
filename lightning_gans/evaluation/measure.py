"""How good samples are: one function behind the callback, the command and a script of one's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import torch
from torch import Tensor, nn
from tqdm import tqdm

from lightning_gans.checkpoints import finite
from lightning_gans.errors import InputError
from lightning_gans.evaluation.choices import MetricName, chosen
from lightning_gans.evaluation.counts.mixture import Protocol as ModeProtocol
from lightning_gans.evaluation.features.classifiers import Classifier
from lightning_gans.evaluation.metrics.base import Block, Comparison, Metric
from lightning_gans.evaluation.real.images import RealSet
from lightning_gans.evaluation.real.validation import validation_rows
from lightning_gans.evaluation.samples.drawing import BLOCK, conditioned_samples, evaluating
from lightning_gans.evaluation.samples.quantise import to_uint8
from lightning_gans.evaluation.samples.ranks import place, together
from lightning_gans.protocols import Condition, Generates, to_device
from lightning_gans.randomness import keyed_generator
from lightning_gans.strategy import world_size


@dataclass
class Evaluator:
    """Measures samplers against one set of real data; networks and real statistics are kept between measurements.

    Args:
        real: the real samples, and the network to compare features in for the metrics that need one; none for points.
        metrics: what to measure.
        classifier: to count the classes of images with.
        modes: the counting protocol for points.
        num_samples: generated samples.
        seed: of the samples' noise.

    Raises:
        InputError: there is no such metric.
    """

    real: RealSet
    metrics: tuple[MetricName, ...]
    classifier: Classifier | None = None
    modes: ModeProtocol | None = "gaan"
    num_samples: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        self.data, self.network = self.real.data, self.real.network
        self._comparison = Comparison(self.real, self.classifier, self.modes, self.num_samples)
        self._measures = [metric(self._comparison) for metric in chosen(self.metrics)]
        self.real.keeps_features = any(metric.compares_features for metric in self._measures)

    def measure(self, model: Generates) -> dict[str, float]:
        """Every number; must be called on all ranks, which all get the same.

        Raises:
            InputError: weights are NaN, or the samples are no images: NaN, of another range, all of one colour.
        """
        assert isinstance(model, nn.Module)
        finite(dict(model.named_parameters()))
        device = next(model.parameters()).device
        for network in (self.network, self.classifier):
            if network is not None:
                cast(Any, network).to(device)
        scores: dict[str, float] = {}
        for blocks in (self._generated, self._reconstructed, self._classified):
            metrics = [one for one in self._measures if self._blocks_of(one) == blocks and one.applies(model)]
            if metrics:
                scores |= _take(metrics, blocks(model, device), model, device)
        if getattr(model.prior, "empirical", False):  # a latent that comes from an image is no sample
            known = ("reconstruction", "classify", "clustering")
            scores = {n if n.startswith(known) else f"reconstruction_{n}": value for n, value in scores.items()}
        return scores

    @cached_property
    def floor(self) -> dict[str, float]:
        """What a perfect sampler would get, for the measures that have such a value."""
        return {name: value for floor in self._floors.values() for name, value in floor.items()}

    @property
    def floor_is(self) -> str:
        """Whose ``floor`` that is."""
        return ", ".join(self._floors)

    @cached_property
    def _floors(self) -> dict[str, dict[str, float]]:
        """By whose they are."""
        floors: dict[str, dict[str, float]] = {}
        for metric in self._measures:
            if floor := metric.floor():
                floors.setdefault(metric.floor_is, {}).update(floor)
        return floors

    def condition(self, numbers: Tensor) -> Condition | None:
        """What the samples of some numbers are conditioned on: what travels with the real ones, in an order of its own.

        For data may be sorted by class, and the number of samples no multiple of that of the real ones.
        """
        rows = self.real.rows
        order = torch.randperm(len(rows), generator=keyed_generator("conditions", len(rows)))
        return self.data.conditions(self.real.split, rows[order[numbers % len(rows)]])

    def _generated(self, model: Any, device: torch.device) -> Iterator[Block]:
        """This rank's share of the samples; a conditional model is given what travels with the real ones."""

        def condition(numbers: Tensor) -> Condition | None:
            return to_device(self.condition(numbers), device)

        drawn = conditioned_samples(model, self.num_samples, self.seed, *place(), condition)
        total = -(-self.num_samples // (BLOCK * world_size()))
        for block, under in tqdm(drawn, "measuring samples", total, delay=5, leave=False, disable=place()[0] > 0):
            made = block if self._comparison.of_points else self._as_bytes(block)
            yield Block(made, self._comparison, asked_for=under)

    def _reconstructed(self, model: Any, device: torch.device) -> Iterator[Block]:
        """This rank's share of the real images, as the model gives them back under their own conditions."""
        for rows in self.real.batches():
            images = self.data.real(self.real.split, rows).to(device, next(model.parameters()).dtype)
            condition = to_device(self.data.conditions(self.real.split, rows), device)
            again = model.decode(model.encode(images, condition), condition)
            yield Block(self._as_bytes(again), self._comparison, again, images)

    def _classified(self, model: Any, device: torch.device) -> Iterator[Block]:
        """This rank's share of all real samples of the split, however many others are compared with, as the model sees them.

        Before them those for validation, where a metric needs them.
        """
        parts = [(self.real.split, torch.arange(self.data.size(self.real.split)), False)]
        if any(metric.needs_validation for metric in self._measures):
            parts.insert(0, (*validation_rows(self.data), True))
        rank, world = place()
        for split, all_rows, for_validation in parts:
            labels = self.data.labels(split)
            assert labels is not None
            for rows in filter(len, all_rows.tensor_split(world)[rank].split(BLOCK)):
                images = self.data.real(split, rows).to(device, next(model.parameters()).dtype)
                classified = model.classify(images), labels[rows].to(device)
                yield Block(images, self._comparison, classified=classified, for_validation=for_validation)

    def _blocks_of(self, metric: Metric) -> Any:
        if metric.needs_classes:
            return self._classified
        return self._reconstructed if metric.needs_encoder else self._generated

    def _as_bytes(self, images: Tensor) -> Tensor:
        quantised = to_uint8(images)
        if tuple(quantised.shape[1:]) != self.data.shape:
            raise InputError(
                f"the generator gives images {tuple(quantised.shape[1:])}, but {self.data.name} has {self.data.shape}"
            )
        return quantised


def _take(metrics: list[Metric], blocks: Iterable[Block], model: nn.Module, device: torch.device) -> dict[str, float]:
    """The numbers of several metrics, all of the same blocks."""
    for metric in metrics:
        metric.reset(device)
    with together(), evaluating(model):
        for block in blocks:
            for metric in metrics:
                if metric.needs_validation or not block.for_validation:
                    metric.update(block)
    return {name: value for metric in metrics for name, value in metric.compute().items()}
