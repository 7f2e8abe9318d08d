"""How samples and real images compare where both are of the same label or caption."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from lightning_gans.data.source import decode_caption
from lightning_gans.errors import InputError
from lightning_gans.evaluation.features.colours import colours_asked
from lightning_gans.evaluation.features.frechet import FeatureSums, Gaussian, frechet_distance
from lightning_gans.evaluation.metrics.base import Block, FeatureMetric, captions_in, labels_in
from lightning_gans.evaluation.metrics.diversity import diversity
from lightning_gans.protocols import Condition


class _Intra(FeatureMetric):
    """A mean over groups of samples that were asked for alike; those with too few samples or real images are left out.

    A group is a colour in captions, where the features are of a classifier of colours; else a label; else a caption.

    Attributes:
        least: samples, and real images, of a group that counts.
    """

    compares_features = True
    needs_labels_or_captions = True
    least: int

    def reset(self, device: torch.device) -> None:
        super().reset(device)
        real = self.comparison.real
        named = self._named(real.data.conditions(real.split, real.rows))
        self._numbers = {group: number for number, group in enumerate(dict.fromkeys(filter(None, named)))}
        self._real = self._numbered(named)

    def update(self, block: Block) -> None:
        numbers = self._numbered(self._named(block.asked_for))
        # In a column of their own, so that they are gathered with the features
        self._stored.append(torch.cat([block.stored_features, numbers[:, None].float()], 1))

    def compute(self) -> Mapping[str, float]:
        self._stored = self._stored or [torch.zeros(0, self.comparison.network.dim + 1)]
        return super().compute()

    def groups(self, features: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Features of real images and of samples, where there are enough of both.

        Raises:
            InputError: there is no such group.
        """
        generated, numbers = features[:, :-1], features[:, -1].long()
        counts = [of[of >= 0].bincount(minlength=len(self._numbers)) for of in (numbers, self._real)]
        enough = (torch.minimum(*counts) >= self.least).nonzero().flatten().tolist()
        if not enough:
            raise InputError(
                f"no label or caption has {self.least} samples and real images, which {self.name} needs; raise num_samples "
                "and num_real, or leave it out"
            )
        for number in enough:
            yield self.real_features[self._real == number], generated[numbers == number]

    def _numbered(self, named: list[str | None]) -> Tensor:
        """The groups' numbers ``(N,)``, -1 for those that no real image is of."""
        return torch.tensor([self._numbers.get(group or "", -1) for group in named], dtype=torch.int64)

    def _named(self, condition: Condition | None) -> list[str | None]:
        """The group of each sample, ``None`` for those of none."""
        noun, captions = getattr(self.comparison.network, "colour_of", None), captions_in(condition)
        labels = labels_in(condition)
        if captions is not None and (noun is not None or labels is None):
            return [*map(decode_caption, captions.tolist())] if noun is None else colours_asked(captions, noun)
        assert labels is not None
        return [f"label {label}" for label in labels.tolist()]


class IntraFD(_Intra):
    """The Fréchet distance between samples and real images of the same label or colour, mean over these that have 100 of
    both (Miyato and Koyama, 2018): it sees what is not as it was asked for.
    """

    name = "intra_fd"
    lower = ("intra_fd",)
    least = 100

    def score(self, features: Tensor) -> dict[str, float]:
        found = [frechet_distance(_gaussian(real), _gaussian(generated)) for real, generated in self.groups(features)]
        return {"intra_fd": sum(found) / len(found)}


class IntraDiversity(_Intra):
    """The mean distance between samples of the same label, colour or caption, over that between such real images: 0 where
    the noise changes nothing.
    """

    name = "intra_diversity"
    higher = ("intra_diversity",)
    least = 10

    def score(self, features: Tensor) -> dict[str, float]:
        pairs = [(diversity(real), diversity(generated)) for real, generated in self.groups(features)]
        of_real, of_generated = (sum(values) for values in zip(*pairs, strict=True))
        if not of_real:
            raise InputError("all real samples of a label or caption are the same, so that none is more diverse; leave it out")
        return {"intra_diversity": of_generated / of_real}


def _gaussian(features: Tensor) -> Gaussian:
    sums = FeatureSums(features.shape[1], features.double().mean(0))
    sums.update(features)
    return sums.gaussian()
