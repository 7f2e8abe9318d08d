"""Ways between latents, and between test images."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lightning_gans.figures import plots
from lightning_gans.figures.subject import COLUMNS, Subject, Way, not_in_plane
from lightning_gans.priors import straight_way
from lightning_gans.protocols import encodes
from lightning_gans.randomness import keyed_generator

PLACE = 2
_NAMES: dict[Way, str] = {"prior": "as the prior leads", "linear": "straight"}


def draw(subject: Subject) -> Figure:
    """Ways between latents of the prior, by default as it leads them; where the model encodes also between test images.

    These are straight by default (AEGAN, Fig. 1; ALI, section 4.2), and put back where the prior is on a surface. The last of
    them goes from an image to its mirror image. Conditions are those of the left end.
    """
    prior, count = subject.model.prior, max(2, subject.num_images // (2 * COLUMNS))
    starts, goals = subject.rows(2 * count).chunk(2)
    a, b = subject.to_model(prior.sample(2 * count, keyed_generator("interpolations", subject.seed))).chunk(2)
    by_prior, straight = subject.path or "prior", subject.path or "linear"
    made = _between(subject, a, b, COLUMNS, starts, by_prior).flatten(0, 1)
    panels = [(f"between latents of the prior, {_NAMES[by_prior]}, {subject.name}", made, COLUMNS)]
    if not encodes(subject.model) or subject.data is None:
        return plots.grids(panels)
    first, last = subject.real(starts), subject.real(goals)
    last[-1] = first[-1].flip(-1)
    noise = subject.noise  # both ends draw of one stream: an image and its mirror image have noise of their own
    a, b = (subject.model.encode(images, subject.conditions(starts), **noise) for images in (first, last))
    ends = [images.float().cpu()[:, None] for images in (first, last)]
    ways = torch.cat([ends[0], _between(subject, a, b, COLUMNS - 2, starts, straight), ends[1]], dim=1)
    ends_of = "draws of the posteriors of test images" if subject.draws else "test images"
    title = (
        f"between {ends_of} (first and last column, as they are), {_NAMES[straight]}, {subject.name}; the last row: "
        "to the mirror image"
    )
    return plots.grids([*panels, (title, ways.flatten(0, 1), COLUMNS)])


def why_not(subject: Subject) -> str | None:
    """What the model or its data lack."""
    return not_in_plane(subject) or ("samples are points and no images" if subject.points else None)


def _between(subject: Subject, a: Tensor, b: Tensor, steps: int, rows: Tensor, path: Way) -> Tensor:
    """``(N, steps, C, H, W)``: what the ways from ``a`` to ``b`` are decoded to."""
    prior = subject.model.prior
    ways = prior.interpolate(a, b, steps) if path == "prior" else straight_way(a, b, steps)
    if path == "linear" and hasattr(prior, "project"):
        ways = prior.project(ways.flatten(0, 1)).view_as(ways)
    ways = ways.transpose(0, 1)
    return subject.decode(ways.flatten(0, 1), rows.repeat_interleave(steps)).unflatten(0, (len(a), steps))
