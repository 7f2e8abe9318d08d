"""What two latent numbers are decoded to, and where test images are encoded to."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lightning_gans.evaluation.counts.mixture import nearest_mode
from lightning_gans.figures import plots
from lightning_gans.figures.subject import BATCH, Subject, not_in_plane
from lightning_gans.protocols import encodes
from lightning_gans.randomness import keyed_generator

PLACE = 3
_MAP_SIDE = {"points": 256, "labels": 100, "images": 15, "large images": 10}


def draw(subject: Subject) -> Figure:
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
    has_encoder = encodes(subject.model) and subject.data is not None
    figure = plots.latent_square(1 + (subject.classifier is not None) + has_encoder, (low, high))
    axes = iter(figure.axes)
    side = _MAP_SIDE["images"] if subject.shape[-1] < 48 else _MAP_SIDE["large images"]
    decoded = _decode_square(subject, (low, high), side).unflatten(0, (side, side))
    plots.draw_decoded(next(axes), decoded, f"Images that latents are decoded to, {subject.name}")
    if subject.classifier is not None:
        side = _MAP_SIDE["labels"]
        images = plots.to_bytes(_decode_square(subject, (low, high), side))
        logits = torch.cat([subject.classifier(part.to(subject.model.device)).cpu() for part in images.split(BATCH)])
        names = classes or [str(number) for number in range(logits.shape[1])]
        title = "Classifier's label of the decoded image"
        plots.draw_regions(next(axes), logits.argmax(dim=1).view(side, side), names, title)
    if has_encoder:
        rows = subject.rows(min(subject.num_points, subject.data.size("test")))
        labels = subject.labels(rows)
        title = f"Latents of {len(rows)} test images{'' if labels is None else ' by class'} (dashed: the square)"
        plots.draw_codes(next(axes), subject.encode(rows), labels, classes, title)
    return figure


def why_not(subject: Subject) -> str | None:
    """What the model or its data lack."""
    model = subject.model
    if (problem := not_in_plane(subject)) is not None:
        return problem
    if model.prior.dim != 2:
        return f"latents of {type(model).__name__} have {model.prior.dim} numbers, and a map needs 2"
    return "the data has no modes" if subject.points and getattr(subject.data, "centres", None) is None else None


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
