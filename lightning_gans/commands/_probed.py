"""What a probe looks at: a model and its data, and the numbers that it comes to."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from lightning_gans import checks
from lightning_gans.data import Images
from lightning_gans.errors import InputError
from lightning_gans.evaluation.probes.classification import pooled_features
from lightning_gans.evaluation.probes.estimate import Estimate
from lightning_gans.evaluation.real.validation import validation_rows
from lightning_gans.evaluation.samples.drawing import BLOCK, samples
from lightning_gans.protocols import Condition, Generates, encodes, shows_features, to_device

GRID = 4
"""Maps of features are pooled to so many rows and columns."""
_STATISTICS_BATCH = 128  # images, as in DCGAN's code


@dataclass(frozen=True)
class Measure:
    """A number, what stands after its plus-minus, and of how many values it is the mean."""

    name: str
    value: float
    spread: float | None = None
    spread_is: str = ""
    n: int | None = None

    @classmethod
    def of(cls, name: str, estimate: Estimate, spread_is: str = "standard error") -> Measure:
        """A mean with its ``standard error``, ``std`` or ``1.96 std``."""
        spread = {"standard error": estimate.standard_error, "std": estimate.std, "1.96 std": estimate.spread}[spread_is]
        return cls(name, estimate.mean, spread, spread_is, estimate.n)

    def record(self) -> dict[str, float | int]:
        """By name, for a line of JSON."""
        aside = {} if self.spread is None else {f"{self.name}_{self.spread_is.replace(' ', '_')}": self.spread}
        return {self.name: self.value, **aside, **({} if self.n is None else {f"{self.name}_n": self.n})}


@dataclass
class Probed:
    """A model, its data, and what the command line says of the probe."""

    model: Any
    data: Images
    given: argparse.Namespace
    trained_on: str = ""
    protocol: str = ""
    seen: str = ""

    def labels(self, split: str) -> np.ndarray:
        """``(N,)``."""
        labels = self.data.labels(split)
        classes = 0 if labels is None else len(labels.unique())
        if labels is None or classes < 2:
            raise InputError(f"{self.given.kind} needs labels of several classes, but {self.data.name} ({split}) has {classes}")
        return labels.cpu().numpy()

    def features(self, split: str, grid: int | None = GRID, rows: Tensor | None = None) -> Tensor:
        """``(N, D)``: the latents, or the named layers with maps pooled to ``grid`` x ``grid``; of all samples, or some."""
        self._check_features()
        layers = self.given.layers
        pooled = "whole" if grid is None else f"pooled to {grid}x{grid}"
        self.seen = f"{', '.join(layers)}, {pooled}" if layers else "latents"
        rows = torch.arange(self.data.size(split)) if rows is None else rows
        blocks = zip(self.images(split, rows), rows.split(BLOCK), strict=True)
        return torch.cat([self._see(split, *block, grid) for block in blocks])

    def recompute_statistics(self) -> None:
        """Have batch norm normalise by the training set, as it is normalised in batches of about 128 (DCGAN's code for SVHN).

        Running averages of the training are lost.
        """
        self._check_features()
        rows = torch.arange(self.data.size("train"))
        with fresh_statistics(self.model):
            for images, of in zip(self.images("train", rows), rows.split(BLOCK), strict=True):
                parts = -(-len(of) // _STATISTICS_BATCH)
                for part in zip(images.chunk(parts), of.chunk(parts), strict=True):
                    self._see("train", *part, None)

    def _see(self, split: str, images: Tensor, rows: Tensor, grid: int | None) -> Tensor:
        """``(N, D)``: what is probed of some images of a split, with their numbers."""
        if self.given.layers:
            return pooled_features(self.model, images, self.given.layers, grid)
        return self.model.encode(images, self.conditions(split, rows)).flatten(1).float().cpu()

    def _check_features(self) -> None:
        model, layers = self.model, self.given.layers
        if not (shows_features if layers else encodes)(model):
            lacks = "method features to show layers with" if layers else "encoder"
            other = (encodes if layers else shows_features)(model)
            instead = f"; {'leave --layers out' if layers else 'name layers with --layers'}" if other else ""
            raise InputError(f"{type(model).__name__} has no {lacks}, which {self.given.kind} needs{instead}")

    def images(self, split: str, rows: Tensor | None = None) -> Iterator[Tensor]:
        """Samples of a split, all or some by number, a block at a time, on the model's device."""
        blocks = (torch.arange(self.data.size(split)) if rows is None else rows).split(BLOCK)
        for block in tqdm(blocks, f"{split} samples", delay=5, leave=False):
            yield self.data.real(split, block).to(self.model.device, self.model.dtype)

    def samples(self, split: str, count: int) -> Iterator[Tensor]:
        """So many generated samples, a block at a time; a conditional model is given what travels with the split."""
        if not isinstance(self.model, Generates):
            raise InputError(f"{type(self.model).__name__} generates nothing; {self.given.kind} needs a generator")

        def condition(numbers: Tensor) -> Condition | None:
            return self.conditions(split, numbers % self.data.size(split))

        checks.fits_memory(f"--num_samples {count:,}", count * 4 * math.prod(self.data.shape))
        blocks = samples(self.model, count, self.given.seed, condition=condition)
        return iter(tqdm(blocks, "generated samples", -(-count // BLOCK), delay=5, leave=False))

    def conditions(self, split: str, rows: Tensor) -> Condition | None:
        """What travels with samples of a split by number, on the model's device."""
        return to_device(self.data.conditions(split, rows), self.model.device)

    @property
    def validation(self) -> tuple[str, Tensor]:
        """The split and the numbers of the samples for validation: those held out, else the last of the training set."""
        return validation_rows(self.data)

    def drawn_from(self) -> tuple[np.ndarray, np.ndarray]:
        """Labels of the training samples that are not for validation, and of those that are; both have every class."""
        split, rows = self.validation
        train, held = self.labels("train"), self.labels(split)[rows.numpy()]
        train = train[: -len(rows)] if split == "train" else train
        if missing := {*train.tolist()} ^ {*held.tolist()}:
            what = f"class {min(missing)} is missing in the {len(held)} training samples for validation, or in the others"
            raise InputError(f"{what}; give another --data.held_out, a number of samples that are drawn at random")
        return train, held


@contextmanager
def fresh_statistics(model: nn.Module) -> Iterator[None]:
    """Within the block batch norm normalises by the batch; after it by the means of the statistics of all these batches.

    Raises:
        InputError: no batch norm with running averages was met.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    layers = [layer for layer in layers if layer.track_running_stats]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # a plain mean
        layer.train()
    yield
    for layer in layers:
        layer.eval()
    if not any(int(layer.num_batches_tracked or 0) for layer in layers):
        raise InputError("no batch norm is on the way to these features; leave --recompute_statistics out")
