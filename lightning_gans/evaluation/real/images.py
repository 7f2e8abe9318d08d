"""The real images that samples are compared with, and their statistics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from torch import Tensor
from tqdm import tqdm

from lightning_gans.evaluation.features.find import FeatureNetwork, describe_network
from lightning_gans.evaluation.features.frechet import FeatureSums, Gaussian, frechet_distance
from lightning_gans.evaluation.real.statistics import real_statistics
from lightning_gans.evaluation.samples.quantise import quantise
from lightning_gans.evaluation.samples.ranks import gather_rows, place, together
from lightning_gans.protocols import Condition
from lightning_gans.randomness import keyed_generator

_BOTH_WAYS = 256  # images


class RealImages(Protocol):
    """What the real data must say of itself; ``Images`` does."""

    name: str
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    centres: Tensor | None
    std: float | None

    @property
    def splits(self) -> tuple[str, ...]: ...
    def size(self, split: str) -> int: ...
    def real(self, split: str, rows: Tensor | None = None) -> Tensor: ...
    def labels(self, split: str) -> Tensor | None: ...
    def conditions(self, split: str, rows: Tensor) -> Condition | None: ...
    def fingerprint(self, split: str) -> str: ...


@dataclass
class RealSet:
    """Some real images, always the same ones, and what a network sees in them; computed once.

    Args:
        data: the real samples.
        split: that they are of.
        num_real: how many, at most.
        network: to extract features with.
        keeps_features: keep the features too, and not their statistics alone.
        batch_size: images that the network is given at a time.
        cache: folder for statistics, ``None`` to keep none.
        reference: the network in full precision, where ``network`` is in 16 bits: how far they differ is measured once, said,
            and kept as ``shift``, a Fréchet distance of the same images.

    Attributes:
        features: float32 ``(N, D)`` on the processor, after ``statistics`` where they are kept.
    """

    data: RealImages
    split: str = "test"
    num_real: int = 10_000
    network: FeatureNetwork | None = None
    keeps_features: bool = False
    batch_size: int = 100
    cache: Path | None = None
    reference: FeatureNetwork | None = None
    shift: float | None = field(default=None, init=False)
    features: Tensor | None = field(default=None, init=False)
    _statistics: Gaussian | None = field(default=None, init=False)

    @property
    def rows(self) -> Tensor:
        """The real samples that are compared with, by number: all, or some drawn once and for all."""
        size = self.data.size(self.split)
        if self.num_real >= size:
            return torch.arange(size)
        drawn = torch.randperm(size, generator=keyed_generator("real", self.split, self.num_real))
        return drawn[: self.num_real].sort().values

    def statistics(self, device: torch.device) -> Gaussian:
        """Of the features; must be called on all ranks."""
        network = self.network
        assert network is not None

        def compute() -> Gaussian:
            sums = FeatureSums(network.dim, device=device)
            kept = []
            with together():
                for rows in self.batches():
                    features = network(quantise(self.data.real(self.split, rows).to(device)))
                    sums.update(features)
                    kept += [features.cpu()] if self.keeps_features else []
            sums.all_reduce()
            if self.keeps_features:
                self.features = gather_rows(torch.cat(kept) if kept else torch.zeros(0, network.dim), device)
            return sums.gaussian()

        if self.reference is not None:
            self._measure_shift(self.reference.to(device), device)
            self.reference = None
        if self._statistics is None:
            if self.keeps_features or self.cache is None:
                self._statistics = compute()
            else:
                self._statistics = real_statistics(self.describe(), self.cache, compute)
        return self._statistics

    def _measure_shift(self, reference: FeatureNetwork, device: torch.device) -> None:
        """Extract a few real images both ways, on every rank alike."""
        assert self.network is not None
        images = quantise(self.data.real(self.split, self.rows[:_BOTH_WAYS]).to(device))
        both = (FeatureSums(self.network.dim, device=device), FeatureSums(self.network.dim, device=device))
        for batch in images.split(self.batch_size):
            for sums, network in zip(both, (reference, self.network), strict=True):
                sums.update(network(batch))
        self.shift = frechet_distance(both[0].gaussian(), both[1].gaussian())
        rank_zero_info(
            f"{getattr(self.network, 'precision', '16-bit')} extraction moves {len(images)} real images by {self.shift:.3g} "
            f"in {self.network.key}; a distance that is not far above that wants precision fp32"
        )

    def batches(self) -> Iterator[Tensor]:
        """This rank's share of the real samples, a batch at a time."""
        rank, world = place()
        batches = [rows for rows in self.rows.tensor_split(world)[rank].split(self.batch_size) if len(rows)]
        yield from tqdm(batches, "measuring real images", delay=5, leave=False, disable=rank > 0)

    def describe(self) -> dict[str, Any]:
        """All that the statistics of real images depend on, in plain types."""
        network = self.network
        return {
            "data": self.data.fingerprint(self.split),
            "split": self.split,
            "n_real": len(self.rows),
            **({} if network is None else describe_network(network)),
        }
