"""What pictures are drawn of, and what several kinds of them share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lightning_gans.figures import plots
from lightning_gans.figures.conditions import Chosen
from lightning_gans.labelled_priors import Categorical
from lightning_gans.protocols import Condition, encodes, to_device
from lightning_gans.randomness import keyed_generator

Way = Literal["linear", "prior"]
Without = Literal["latent", "label"]
BATCH = 250  # samples that a network is given at a time
COLUMNS = 10  # images in a row
_FRAME_SIDE, _FRAME_BYTES = 5, 128 * 1024  # images in a row of a film's frame, and what all of them may take of the disk


@dataclass
class Subject:
    """What is drawn, and how much of it.

    Args:
        model: a module that ``Generates``, in evaluation mode.
        data: as ``lightning_gans.Images`` after ``setup``, ``None`` where there is none.
        step: training batches that the model has seen, for titles.
        seed: of the noise.
        num_images: images in a grid.
        num_points: points in a scatter plot, samples behind a density.
        classifier: gives logits ``(N, classes)`` of uint8 images ``(N, C, H, W)``.
        weights: the generator's ``raw`` ones, or their average (``ema``), for titles.
        chosen: what samples are made under; none for what travels with test samples.
        path: of all ways between latents; none for the prior's between its draws, and straight ones between test images.
        draw: whether the codes of test samples are draws of a stochastic encoder, and not its means.
        without: what is left out of samples under several conditions.
        terms: what latent arithmetic adds and takes away.
        along: whether samples are moved along the sum of these, or from a text to another.
        text: captions to make samples of.
    """

    model: Any
    data: Any = None
    step: int | None = None
    seed: int = 0
    num_images: int = 64
    num_points: int = 2000
    classifier: Callable[[Tensor], Tensor] | None = None
    weights: str = "raw"
    chosen: Chosen | None = None
    path: Way | None = None
    draw: bool = False
    without: Without | None = None
    terms: str | None = None
    along: bool = False
    text: Sequence[str] = ()

    @property
    def name(self) -> str:
        """Such as "GAAN on mnist, step 5000"."""
        step = "" if self.step is None else f", step {self.step}"
        averaged = ", averaged weights" if self.weights == "ema" else ""
        return f"{self.model_and_data}{step}{averaged}{f', under {self.chosen.text}' if self.chosen else ''}"

    @property
    def model_and_data(self) -> str:
        """Such as "GAAN on mnist"."""
        dataset = getattr(self.data, "name", None)
        return type(self.model).__name__ + (f" on {dataset}" if dataset else "")

    @property
    def kind_of_samples(self) -> str:
        """What its samples are, for titles."""
        return "reconstructed training samples" if self.from_images else "samples"

    @property
    def from_images(self) -> bool:
        """Whether the prior's latents come from training images, others each time."""
        return getattr(self.model.prior, "empirical", False)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""
        return tuple(self._make(1).shape[1:]) if self.data is None else self.data.shape

    @property
    def points(self) -> bool:
        """Whether samples are points and not images."""
        return len(self.shape) == 1

    @cached_property
    def samples(self) -> Tensor:
        """The same noise each time: ``num_images`` images, or ``num_points`` points."""
        return self._make(self.num_points if self.points else self.num_images)

    @property
    def latents(self) -> Tensor:
        """Those of ``samples`` ``(N, dim)``, which a model draws of its prior by the same generator."""
        return self.model.prior.sample(len(self.samples), self.generator)

    @property
    def generator(self) -> torch.Generator:
        """The stream that the latents of ``samples`` are drawn of, from its beginning."""
        return keyed_generator("pictures", self.seed)

    def _make(self, n: int) -> Tensor:
        rows = self.rows(n)
        return self.model.sample(n, self._wanted(rows, _turns(rows)), generator=self.generator).float().cpu()

    def rows(self, n: int) -> Tensor:
        """Numbers of ``n`` test samples, the same each time, in no order: datasets may be sorted by class."""
        size = n if self.data is None else self.data.size("test")
        return torch.randperm(size, generator=keyed_generator("test samples", size))[torch.arange(n) % size]

    def real(self, rows: Tensor) -> Tensor:
        """Test samples by number, where the model is."""
        return self.to_model(self.data.real("test", rows))

    def labels(self, rows: Tensor) -> Tensor | None:
        """Classes of test samples by number, on the processor; none where the data has none."""
        labels = self.data.labels("test")
        return None if labels is None else labels.cpu()[rows]

    def conditions(self, rows: Tensor) -> Condition | None:
        """What travels with test samples by number, where the model is."""
        return None if self.data is None else to_device(self.data.conditions("test", rows), self.model.device)

    def _wanted(self, rows: Tensor, turns: Tensor) -> Condition | None:
        """What samples are made under: that of test samples by number, or what was chosen, by turns."""
        return self.conditions(rows) if self.chosen is None else to_device(self.chosen.of(turns), self.model.device)

    def to_model(self, x: Tensor) -> Tensor:
        """``x`` on the model's device and in the precision of its parameters."""
        return x.to(self.model.device, self.model.dtype)

    @cached_property
    def draws(self) -> bool:
        """Whether codes are draws indeed: they were asked for, and the encoder is not the same whatever the noise."""
        if not self.draw or no_encoder(self) or no_data(self):
            return False
        image, condition = self.real(first := self.rows(1)), self.conditions(first)
        drawn = self.model.encode(image, condition, generator=keyed_generator("posterior", self.seed))
        return not torch.equal(drawn, self.model.encode(image, condition))

    @property
    def noise(self) -> dict[str, Any]:
        """What a model's ``encode`` is given besides: for draws a generator, the same each time, for means nothing."""
        return {"generator": keyed_generator("posterior", self.seed)} if self.draws else {}

    def encode(self, rows: Tensor, **noise: Any) -> Tensor:
        """Latents ``(N, dim)`` of test samples by number, under what travels with them; means, or with ``noise`` draws."""
        parts = rows.split(BATCH)
        return torch.cat([self.model.encode(self.real(part), self.conditions(part), **noise) for part in parts])

    def decode(self, z: Tensor, rows: Tensor) -> Tensor:
        """What latents are decoded to, float32 on the processor.

        Each under the condition of a test sample by number, or under those that were chosen, in turn; latents of the same
        test sample that follow each other have one turn.
        """
        parts = zip(self.to_model(z).split(BATCH), rows.split(BATCH), _turns(rows).split(BATCH), strict=True)
        return torch.cat([self.model.decode(part, self._wanted(*of)).float().cpu() for part, *of in parts])

    def decode_under(self, z: Tensor, conditions: Tensor) -> Tensor:
        """What latents are decoded to, each under a condition of its own."""
        return replace(self, chosen=Chosen("", conditions)).decode(z, torch.arange(len(conditions)))

    def reconstruct(self, rows: Tensor) -> Tensor:
        """Test samples by number, encoded and decoded."""
        return self.decode(self.encode(rows, **self.noise), rows)


def _turns(rows: Tensor) -> Tensor:
    """``(N,)``: counts from 0, and on where a row is another than the one before."""
    return rows.unique_consecutive(return_inverse=True)[1]


def no_encoder(subject: Subject) -> str | None:
    """Why nothing can be encoded, ``None`` where it can."""
    return None if encodes(subject.model) else f"{type(subject.model).__name__} has no encoder"


def no_data(subject: Subject) -> str | None:
    """Why there are no test samples, ``None`` where there are."""
    return "there is no data module" if subject.data is None else None


def category_of(prior: Any) -> str | None:
    """The name of a latent's first part of classes, ``None`` where it has none beside others."""
    parts = getattr(prior, "parts", {})
    return next((name for name, part in parts.items() if isinstance(part, Categorical) and len(parts) > 1), None)


def no_category(subject: Subject) -> str | None:
    """Why latents have no classes to go through, ``None`` where they have."""
    if category_of(subject.model.prior) is None:
        name = type(subject.model).__name__
        return f"latents of {name} have no part of classes beside others, as a Product with a Categorical has"
    return "samples are points and no images" if subject.points else None


def not_in_plane(subject: Subject) -> str | None:
    """Why samples cannot be shown, ``None`` where they are images or points of two numbers."""
    if subject.points and subject.shape != (2,):
        return f"points of {subject.shape[0]} numbers are not drawn in the plane"
    return None


def in_frame(subject: Subject) -> int:
    """How many images a frame of a film has: a square of 25, or of fewer large ones."""
    side = math.isqrt(_FRAME_BYTES // math.prod(subject.shape))
    return max(1, min(_FRAME_SIDE, side)) ** 2


def scatter(subject: Subject, panels: Sequence[tuple[str, Tensor]]) -> Figure:
    """Points ``(N, 2)``, a panel for each (title, points), over the true centres of the modes where there are any."""
    centres, extent = getattr(subject.data, "centres", None), getattr(subject.data, "extent", None)
    return plots.scatter(panels, centres, extent or float(panels[-1][1].abs().max()))


def draw_times(subject: Subject, times: Sequence[tuple[str, Tensor]], what: str) -> Figure:
    """A row of images, or a panel of points, for each (title, samples), below what they all are."""
    if subject.points:
        figure = scatter(subject, times)
        figure.suptitle(what, fontsize=10)
        return figure
    (first, *others) = [(title, samples[:COLUMNS], COLUMNS) for title, samples in times]
    return plots.grids([(f"{what}: {first[0]}", *first[1:]), *others])
