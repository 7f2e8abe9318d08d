"""Where a model puts test samples among the draws of its prior."""

from __future__ import annotations

import textwrap

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lightning_gans.figures import plots
from lightning_gans.figures.conditions import class_names
from lightning_gans.figures.subject import Subject, no_data, no_encoder
from lightning_gans.labelled_priors import Labelled
from lightning_gans.randomness import keyed_generator

EACH_TIME = True
_WIDTH = 70  # of a title, in letters


def draw(subject: Subject) -> Figure:
    """Codes of test samples by class, beside as many draws of the prior on the same axes (Makhzani et al. 2015, Fig. 1, 2).

    Draws are coloured by component, where the prior has components.
    """
    data, rows = subject.data, subject.rows(min(subject.num_points, subject.data.size("test")))
    codes, labels = subject.encode(rows, **subject.noise).float().cpu(), subject.labels(rows)
    drawn, of = _draws(subject, len(rows))
    limit = 1.05 * plots.reach(codes, drawn)
    figure = plots.latent_square(2, (-limit, limit))
    kind = "draws of the posteriors" if subject.draws else "codes"
    by_class, by_component = ("" if each is None else f" by {what}" for each, what in ((labels, "class"), (of, "component")))
    of_prior = [] if of is None else [*map(str, range(subject.model.prior.components))]
    shown = (
        (codes, labels, class_names(data)),
        (drawn, of, of_prior),
    )
    titles = f"{kind} of {len(rows)} test samples{by_class}, {subject.name}", f"as many draws of the prior{by_component}"
    for axes, points, title in zip(figure.axes, shown, titles, strict=True):
        plots.draw_classes(axes, *points)
        axes.set_title(textwrap.fill(title, _WIDTH), fontsize=10)
    return figure


def why_not(subject: Subject) -> str | None:
    """What the model or its data lack."""
    if (problem := no_encoder(subject) or no_data(subject)) is not None:
        return problem
    dim = subject.model.prior.dim
    return None if dim == 2 else f"latents of {type(subject.model).__name__} have {dim} numbers, and a plane of codes needs 2"


def _draws(subject: Subject, count: int) -> tuple[Tensor, Tensor | None]:
    """Latents of the prior ``(count, 2)``, and the component of each where there are any."""
    prior, generator = subject.model.prior, keyed_generator("codes", subject.seed)
    if not isinstance(prior, Labelled):
        return prior.sample(count, generator).float().cpu(), None
    of = torch.randint(prior.components, (count,), generator=generator)
    return prior.sample(count, generator, of), of
