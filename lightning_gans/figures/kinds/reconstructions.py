"""Test samples beside what a model makes of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lightning_gans.figures import plots
from lightning_gans.figures.subject import COLUMNS, Subject, draw_times, in_frame, no_data, no_encoder, not_in_plane, scatter

PLACE = 1
EACH_TIME = CHANGES = True


def draw(subject: Subject) -> Figure:
    """Test images in pairs, as they are and reconstructed; points in two panels.

    ALI's (section 4.1) are by a draw of the posterior and not by its mean, for which ``draw`` of the pictures asks.
    """
    rows = subject.rows(subject.num_points if subject.points else max(1, subject.num_images // 2))
    real, again = subject.real(rows).float().cpu(), subject.reconstruct(rows)
    by, error = subject.name + _by_draw(subject), f"mean squared error {float((again - real).square().mean()):.3g}"
    if subject.points:
        return scatter(subject, [("test points", real), (f"reconstructed by {by},\n{error}", again)])
    title = f"pairs of a test image (left) and its reconstruction (right) by {by}; {error} in [-1, 1]"
    return plots.grids([(title, torch.cat([real, again], dim=-1), 4)])


def keep(subject: Subject) -> Tensor:
    """The same few test images each time, reconstructed; of points ``num_points``."""
    return subject.reconstruct(_kept(subject))


def frame(subject: Subject) -> Tensor:
    """Pairs of a test image and its reconstruction, as many as a frame has room for; of points the reconstructions alone."""
    if subject.points:
        return keep(subject)
    rows = subject.rows(in_frame(subject))
    return plots.to_bytes(torch.cat([subject.real(rows).float().cpu(), subject.reconstruct(rows)], dim=-1))


def over_training(subject: Subject, times: Sequence[tuple[str, Tensor]]) -> Figure:
    """The same test samples as they are and as they were reconstructed at each time (SAE, section 6.2)."""
    real = subject.real(_kept(subject)).float().cpu()
    as_they_are = "test points" if subject.points else "test images, as they are"
    what = f"reconstructions by {subject.model_and_data}{_by_draw(subject)}"
    return draw_times(subject, [(as_they_are, real), *times], what)


def why_not(subject: Subject) -> str | None:
    """What the model or its data lack."""
    return no_encoder(subject) or no_data(subject) or not_in_plane(subject)


def _by_draw(subject: Subject) -> str:
    return ", by a draw of the posterior" if subject.draws else ""


def _kept(subject: Subject) -> Tensor:
    return subject.rows(subject.num_points if subject.points else COLUMNS)
