"""What is left of test images as noise is added to their latents on a surface."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure

from lightning_gans.figures import plots
from lightning_gans.figures.subject import COLUMNS, Subject, no_data, no_encoder
from lightning_gans.priors import Prior
from lightning_gans.randomness import keyed_generator

# Lengths of the whole noise beside latents of unit length: 1 turns a latent by about 45 degrees.
_LENGTHS = (0.0, 0.125, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)


def draw(subject: Subject) -> Figure:
    """Rows of a test image, its reconstruction, and what its latent with ever more noise is decoded to.

    Semantic blurring itself is noise in training (SAE, section 3.4: ``sigma``); this shows what a model has learnt of it,
    trained with or without. The noise of a row is the same in all of its columns but for its length; sums are put back on the
    prior's surface.
    """
    rows = subject.rows(COLUMNS)
    real, latents = subject.real(rows).float().cpu(), subject.encode(rows).float().cpu()
    noise = torch.randn(latents.shape, generator=keyed_generator("blurring", subject.seed)) / latents.shape[1] ** 0.5
    project = subject.model.prior.project
    decoded = [subject.decode(project(latents + length * noise), rows) for length in _LENGTHS]
    table = torch.stack([real, *decoded], dim=1).flatten(0, 1)
    sizes = ", ".join(f"{length:g}" for length in _LENGTHS)
    sigma = f"sigma is that over the root of {latents.shape[1]}"
    title = f"test images, and what {subject.name} makes of their latents with noise of length {sizes} ({sigma})"
    return plots.grids([(title, table, 1 + len(_LENGTHS))])


def why_not(subject: Subject) -> str | None:
    """What the model or its data lack."""
    if subject.points:
        return "samples are points and no images"
    if getattr(type(subject.model.prior), "project", Prior.project) is Prior.project:
        return f"latents of {type(subject.model).__name__} lie on no surface that noise could be put back on"
    return no_encoder(subject) or no_data(subject)
