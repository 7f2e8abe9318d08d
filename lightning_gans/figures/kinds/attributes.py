"""Visual attribute vectors: what test images become as an attribute is added to their latents."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from lightning.fabric.utilities import move_data_to_device
from matplotlib.figure import Figure
from torch import Tensor

from lightning_gans.errors import InputError
from lightning_gans.figures import plots
from lightning_gans.figures.subject import BATCH, Subject, no_data, no_encoder
from lightning_gans.randomness import keyed_generator

_TRAIN_IMAGES = 10_000
_FEWEST = 5  # images with an attribute, and without: the mean of fewer is theirs, and not the attribute's
# The 18 of VAE/GAN's authors
CELEBA = (
    *("Bald", "Bangs", "Black_Hair", "Blond_Hair", "Bushy_Eyebrows", "Eyeglasses", "Gray_Hair", "Heavy_Makeup"),
    *("High_Cheekbones", "Male", "Mustache", "Pale_Skin", "Rosy_Cheeks", "Smiling", "Straight_Hair", "Wavy_Hair"),
    *("Wearing_Lipstick", "Young"),
)


def draw(subject: Subject, strength: float = 1.0, attributes: Sequence[str] | None = None) -> Figure:
    """Some test images, their reconstructions, and these with one attribute vector each added to the latent (VAE/GAN).

    Args:
        subject: of a model that encodes, and data with attributes.
        strength: how often a vector is added; -1 takes the attribute away.
        attributes: names of the columns; none for those of VAE/GAN's authors, as far as the data has them, else the first 18.

    Raises:
        InputError: the data has no such attribute, or too few images with it or without it to take a mean of.
    """
    names, vectors = chosen_vectors(subject, attributes)
    rows = subject.rows(max(2, subject.num_images // 8))
    z = subject.encode(rows)
    shown = [subject.real(rows).float().cpu(), subject.decode(z, rows)]
    shown += [subject.decode(z + strength * vector.to(z), rows) for vector in vectors]
    title = (
        f"test images, as they are, reconstructed by {subject.name}, and with {strength:g} x (mean latent of "
        f"{min(_TRAIN_IMAGES, subject.data.size('train'))} training images with the attribute - mean without it) added"
    )
    columns = ["image", "reconstruction", *(name.replace("_", " ") for name in names)]
    return plots.table(torch.stack(shown, dim=1), columns, title)


def why_not(subject: Subject) -> str | None:
    """What the model or its data lack."""
    if (problem := no_encoder(subject) or no_data(subject)) is not None:
        return problem
    has_them = "attributes" in getattr(subject.data, "condition_kinds", {})
    return None if has_them and not subject.points else "the data has no attributes, or data.condition is another"


def attribute_vectors(subject: Subject) -> tuple[Tensor, Tensor]:
    """For each attribute of the data the mean latent of training images that have it, less that of those without.

    Returns:
        The vectors ``(A, dim)``, of up to 10,000 training images, and how many of these have each attribute and how many do
        not ``(A, 2)``; the vector of an attribute that all have, or none, is not a number.
    """
    data = subject.data
    order = torch.randperm(data.size("train"), generator=keyed_generator("training images", data.size("train")))
    latents, present = [], []
    for rows in order[:_TRAIN_IMAGES].split(BATCH):
        conditions = data.conditions("train", rows)
        has = conditions["attributes"] if isinstance(conditions, dict) else conditions
        images = subject.to_model(data.real("train", rows))
        latents.append(subject.model.encode(images, move_data_to_device(conditions, subject.model.device)).double().cpu())
        present.append(has.double().cpu())
    z, has = torch.cat(latents), torch.cat(present)
    counts = torch.stack([has.sum(dim=0), (1 - has).sum(dim=0)], dim=1)
    return has.T @ z / counts[:, :1] - (1 - has).T @ z / counts[:, 1:], counts.long()


def chosen_vectors(subject: Subject, wanted: Sequence[str] | None = None) -> tuple[list[str], Tensor]:
    """The attributes to show, by default those that ``draw`` has, and their vectors ``(A, dim)``.

    Raises:
        InputError: as ``draw`` has it.
    """
    there = list(subject.data.attributes)
    if unknown := [name for name in wanted or () if name not in there]:
        raise InputError(f"{subject.data.name} has no attribute {unknown[0]}; it has {', '.join(there)}")
    vectors, counts = attribute_vectors(subject)
    few = [name for name, count in zip(there, counts, strict=True) if int(count.min()) < _FEWEST]
    usual = [name for name in CELEBA if name in there] or there[: len(CELEBA)]
    names = list(wanted) if wanted else [name for name in usual if name not in few]
    if lacking := [name for name in names or usual if name in few]:
        raise InputError(
            f"fewer than {_FEWEST} of the training images have, or have not, the attribute {', '.join(lacking)}; "
            "leave it out or take more images"
        )
    return names, vectors[[there.index(name) for name in names]]
