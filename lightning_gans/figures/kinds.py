"""What pictures there are of a model: one function a kind, behind the callback and ``lightning figure`` alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lightning_gans.errors import InputError
from lightning_gans.evaluation.densities import density_kl_1d
from lightning_gans.evaluation.modes import nearest_mode
from lightning_gans.figures import plots
from lightning_gans.protocols import Encodes, Generates
from lightning_gans.randomness import keyed_generator

_STEPS = 10
_BATCH = 250
_MAP_SIDE = {"points": 256, "labels": 100, "images": 15, "large images": 10}


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
    """

    model: Any
    data: Any = None
    step: int | None = None
    seed: int = 0
    num_images: int = 64
    num_points: int = 2000
    classifier: Callable[[Tensor], Tensor] | None = None

    @property
    def name(self) -> str:
        """Such as "GAAN, step 5000"."""
        return type(self.model).__name__ + ("" if self.step is None else f", step {self.step}")

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

    def _make(self, n: int) -> Tensor:
        generator = keyed_generator("pictures", self.seed)
        return self.model.sample(n, self.conditions(self.rows(n)), generator=generator).float().cpu()

    def rows(self, n: int) -> Tensor:
        """Numbers of ``n`` test samples, the same each time, in no order: datasets may be sorted by class."""
        size = n if self.data is None else self.data.size("test")
        return torch.randperm(size, generator=keyed_generator("test samples", size))[torch.arange(n) % size]

    def real(self, rows: Tensor) -> Tensor:
        """Test samples by number, where the model is."""
        return self.to_model(self.data.real("test", rows))

    def conditions(self, rows: Tensor) -> Tensor | None:
        """What travels with test samples by number, where the model is."""
        found = None if self.data is None else self.data.conditions("test", rows)
        return None if found is None else found.to(self.model.device)

    def to_model(self, x: Tensor) -> Tensor:
        """``x`` on the model's device and in the precision of its parameters."""
        return x.to(self.model.device, self.model.dtype)

    def encode(self, rows: Tensor) -> Tensor:
        """Latents ``(N, dim)`` of test samples by number."""
        return torch.cat([self.model.encode(self.real(some), self.conditions(some)) for some in rows.split(_BATCH)])

    def decode(self, z: Tensor, rows: Tensor) -> Tensor:
        """What latents are decoded to, float32 on the processor, each under the condition of a test sample by number."""
        pairs = zip(self.to_model(z).split(_BATCH), rows.split(_BATCH), strict=True)
        return torch.cat([self.model.decode(some, self.conditions(row)).float().cpu() for some, row in pairs])

    def reconstruct(self, rows: Tensor) -> Tensor:
        """Test samples by number, encoded and decoded."""
        return self.decode(self.encode(rows), rows)


def samples(subject: Subject) -> Figure:
    """Samples with noise that is the same each time; points over the true centres of the modes."""
    title = f"samples of {subject.name}"
    if subject.points:
        return samples_over_training(subject, [(title, subject.samples)])
    return plots.grids([(title, subject.samples, max(1, round(len(subject.samples) ** 0.5)))])


def samples_over_training(subject: Subject, stages: Sequence[tuple[str, Tensor]]) -> Figure:
    """Samples of the same noise at several stages (title, ``Subject.samples``), of images the first few."""
    if not subject.points:
        return plots.grids([(title, made[:_STEPS], _STEPS) for title, made in stages])
    centres, extent = getattr(subject.data, "centres", None), getattr(subject.data, "extent", None)
    return plots.scatter(stages, centres, extent or float(stages[-1][1].abs().max()))


def reconstructions(subject: Subject) -> Figure:
    """Test images in pairs, as they are and reconstructed; points in two panels."""
    rows = subject.rows(subject.num_points if subject.points else max(1, subject.num_images // 2))
    real, again = subject.real(rows).float().cpu(), subject.reconstruct(rows)
    error = f"mean squared error {float((again - real).square().mean()):.3g}"
    if subject.points:
        panels = [("test points", real), (f"reconstructed by {subject.name},\n{error}", again)]
        return plots.scatter(panels, subject.data.centres, subject.data.extent)
    title = f"pairs of a test image (left) and its reconstruction (right) by {subject.name}; {error} in [-1, 1]"
    return plots.grids([(title, torch.cat([real, again], dim=-1), 4)])


def interpolations(subject: Subject) -> Figure:
    """Ways between latents as the prior leads them; where the model encodes also between test images.

    The last of these goes from an image to its mirror image. Conditions are those of the left end.
    """
    prior, count = subject.model.prior, max(2, subject.num_images // (2 * _STEPS))
    starts, goals = subject.rows(2 * count).chunk(2)
    a, b = subject.to_model(prior.sample(2 * count, keyed_generator("interpolations", subject.seed))).chunk(2)
    panels = [(f"between latents of the prior, {subject.name}", _between(subject, a, b, _STEPS, starts).flatten(0, 1), _STEPS)]
    if not isinstance(subject.model, Encodes) or subject.data is None:
        return plots.grids(panels)
    first, last = subject.real(starts), subject.real(goals)
    last[-1] = first[-1].flip(-1)
    a, b = (subject.model.encode(images, subject.conditions(starts)) for images in (first, last))
    ends = [images.float().cpu()[:, None] for images in (first, last)]
    ways = torch.cat([ends[0], _between(subject, a, b, _STEPS - 2, starts), ends[1]], dim=1)
    title = "between test images (first and last column, as they are); the last row: to the mirror image"
    return plots.grids([*panels, (title, ways.flatten(0, 1), _STEPS)])


def latent_map(subject: Subject) -> Figure:
    """The plane of two latent numbers, over the 99.8 % of the prior's draws in the middle.

    For points the mode that each latent is mapped to. For images (GAAN, Fig. 1 and 2) what latents are decoded to, with a
    classifier the label of that, and where the model encodes the latents of test images by class. A conditional model is
    given the condition of the first test image.
    """
    drawn = subject.model.prior.sample(10_000, keyed_generator("latent map", subject.seed))
    low, high = (float(f"{bound:.2g}") for bound in drawn.float().quantile(torch.tensor([0.001, 0.999])).tolist())
    if subject.points:
        return _map_by_mode(subject, (low, high))
    classes = subject.data.classes if subject.data is not None else ()
    encodes = isinstance(subject.model, Encodes) and subject.data is not None
    figure = plots.latent_square(1 + (subject.classifier is not None) + encodes, (low, high))
    axes = iter(figure.axes)
    side = _MAP_SIDE["images"] if subject.shape[-1] < 48 else _MAP_SIDE["large images"]
    decoded = _decode_square(subject, (low, high), side).unflatten(0, (side, side))
    plots.draw_decoded(next(axes), decoded, f"Images that latents are decoded to, {subject.name}")
    if subject.classifier is not None:
        side = _MAP_SIDE["labels"]
        images = plots.to_bytes(_decode_square(subject, (low, high), side))
        logits = torch.cat([subject.classifier(some.to(subject.model.device)).cpu() for some in images.split(_BATCH)])
        names = classes or [str(number) for number in range(logits.shape[1])]
        title = "Classifier's label of the decoded image"
        plots.draw_regions(next(axes), logits.argmax(dim=1).view(side, side), names, title)
    if encodes:
        rows, labels = subject.rows(min(subject.num_points, subject.data.size("test"))), subject.data.labels("test")
        title = f"Latents of {len(rows)} test images{'' if labels is None else ' by class'} (dashed: the square)"
        plots.draw_codes(next(axes), subject.encode(rows), None if labels is None else labels.cpu()[rows], classes, title)
    return figure


def density(subject: Subject) -> Figure:
    """The density on the line that the mean of each sample's dimensions has, beside that of the data (GAAN, Fig. 4)."""
    rows = subject.rows(min(subject.num_points, subject.data.size("test")))
    z = subject.model.prior.sample(subject.num_points, keyed_generator("density", subject.seed))
    made = subject.decode(z, subject.rows(len(z)))
    real = subject.real(rows).float().cpu()
    found = density_kl_1d(real, made)
    values = [("test data", real, found.real), (f"samples of {subject.name}", made, found.fake)]
    unit = "value, data units" if subject.points else "mean of an image's pixels, which are in [-1, 1]"
    title = f"KL(samples || test data) = {found.kl:.3g} nats\n{len(made)} samples, {len(real)} of the test data"
    return plots.densities(found.grid, [(name, x.flatten(1).mean(1), curve) for name, x, curve in values], unit, title)


KINDS: dict[str, Callable[[Subject], Figure]] = {
    kind.__name__: kind for kind in (samples, reconstructions, interpolations, latent_map, density)
}


def why_not(kind: str, subject: Subject) -> str | None:
    """What a model or its data lack for a picture, ``None`` where nothing."""
    model, data = subject.model, subject.data
    if not isinstance(model, Generates):
        return f"{type(model).__name__} makes no samples"
    if kind == "reconstructions" and not isinstance(model, Encodes):
        return f"{type(model).__name__} has no encoder"
    if kind in ("reconstructions", "density") and data is None:
        return "there is no data module"
    if kind == "density":
        return "samples have more than one number and are no images" if subject.points and subject.shape != (1,) else None
    if subject.points and subject.shape != (2,):
        return f"points of {subject.shape[0]} numbers are not drawn in the plane"
    if kind == "interpolations" and subject.points:
        return "samples are points and no images"
    if kind != "latent_map":
        return None
    if model.prior.dim != 2:
        return f"latents of {type(model).__name__} have {model.prior.dim} numbers, and a map needs 2"
    return "the data has no modes" if subject.points and getattr(data, "centres", None) is None else None


def draw(kind: str, subject: Subject) -> Figure:
    """A picture of a kind.

    Raises:
        InputError: there is no such kind, or not of this model; says which there are.
    """
    problem = f"there is no such kind of picture as {kind}" if kind not in KINDS else why_not(kind, subject)
    if problem is not None:
        there = [name for name in KINDS if why_not(name, subject) is None]
        raise InputError(f"{problem}; {subject.name} has {', '.join(there) or 'no pictures'}")
    return KINDS[kind](subject)


def _between(subject: Subject, a: Tensor, b: Tensor, steps: int, rows: Tensor) -> Tensor:
    """``(N, steps, C, H, W)``: what the ways from ``a`` to ``b`` are decoded to."""
    ways = subject.model.prior.interpolate(a, b, steps).transpose(0, 1)
    return subject.decode(ways.flatten(0, 1), rows.repeat_interleave(steps)).unflatten(0, (len(a), steps))


def _decode_square(subject: Subject, bounds: tuple[float, float], side: int) -> Tensor:
    """What the middles of ``side * side`` cells are decoded to, rows along the second latent number."""
    low, high = bounds
    middles = low + (torch.arange(side) + 0.5) / side * (high - low)
    z = torch.cartesian_prod(middles, middles).flip(1)
    return subject.decode(z, torch.zeros(len(z), dtype=torch.long))


def _map_by_mode(subject: Subject, bounds: tuple[float, float]) -> Figure:
    side, data = _MAP_SIDE["points"], subject.data
    regions = nearest_mode(_decode_square(subject, bounds, side), data.centres.cpu(), 3 * data.std).view(side, side)
    lost = (regions < 0).float().mean()
    title = f"Mode that each latent is mapped to, {subject.name}\n(white: {lost:.0%} more than 3 standard deviations from all)"
    figure = plots.latent_square(1, bounds)
    plots.draw_regions(figure.axes[0], regions, [str(number) for number in range(len(data.centres))], title)
    return figure
