"""What is made of latents that lead through all of the prior."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure

from lightning_gans.figures import plots
from lightning_gans.figures.subject import Subject

_STEPS, _STEPS_OF_LARGE = 20, 10  # in a row; images are large from 48 pixels on


def draw(subject: Subject) -> Figure:
    """What equally likely stretches of the prior are decoded to.

    A normal or uniform prior of two numbers is a square at equal percentiles, the first number by column, the second by row,
    upwards (Kingma and Welling 2014, appendix A; Makhzani et al. 2015, Fig. 2). A prior of components has a row each, along its
    main axis or its stretch of the curve, outwards. A conditional model is given the condition of the first test image.
    """
    ways = subject.model.prior.manifold(_steps(subject))
    z = torch.stack([*ways.values()])
    made = subject.decode(z.flatten(0, 1), torch.zeros(z.shape[:2].numel(), dtype=torch.long)).unflatten(0, z.shape[:2])
    return plots.table(made, [], f"what latents all over the prior are decoded to, {subject.name}", [*ways])


def why_not(subject: Subject) -> str | None:
    """What the model or its data lack."""
    if subject.points:
        return "samples are points and no images"
    prior = subject.model.prior
    if getattr(prior, "manifold", lambda steps: {})(1):
        return None
    return f"nothing leads through all latents of {type(subject.model).__name__}: {prior!r} is no plane and has no components"


def _steps(subject: Subject) -> int:
    return _STEPS if subject.shape[-1] < 48 else _STEPS_OF_LARGE
