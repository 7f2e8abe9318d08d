"""Samples with noise that is the same each time; points over the true centres of the modes."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from torch import Tensor

from lightning_gans.figures import plots
from lightning_gans.figures.subject import COLUMNS, Subject, draw_times, in_frame, not_in_plane, scatter

PLACE = 0
EACH_TIME = CHANGES = True


def draw(subject: Subject) -> Figure:
    """A grid of images as square as it can be, or a plane of points."""
    title = f"{subject.kind_of_samples} of {subject.name}"
    if subject.points:
        return scatter(subject, [(title, subject.samples)])
    return plots.grids([(title, subject.samples, max(1, round(len(subject.samples) ** 0.5)))])


def keep(subject: Subject) -> Tensor:
    """The first few images, or all points."""
    return subject.samples if subject.points else subject.samples[:COLUMNS]


def frame(subject: Subject) -> Tensor:
    """As many of the images as a frame has room for, or all points."""
    return subject.samples if subject.points else plots.to_bytes(subject.samples[: in_frame(subject)])


def keeps(subject: Subject) -> bool:
    """Not of latents that come from images: they are those of others each time."""
    return not subject.from_images


def over_training(subject: Subject, times: Sequence[tuple[str, Tensor]]) -> Figure:
    """Samples of the same noise at several times."""
    return draw_times(subject, times, f"{subject.kind_of_samples} of {subject.model_and_data}")


def why_not(subject: Subject) -> str | None:
    """What the model or its data lack."""
    return not_in_plane(subject)
