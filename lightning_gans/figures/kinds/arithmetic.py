"""Sums of concepts, each the mean latent of a few samples."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lightning_gans.errors import InputError
from lightning_gans.figures import plots
from lightning_gans.figures.subject import Subject
from lightning_gans.protocols import encodes
from lightning_gans.randomness import keyed_generator

OPTIONS = ("terms", "along")
_OF_ATTRIBUTES = 3  # test images
_SIDE, _NOISE = 3, 0.25  # of the square around the result
_MOVED, _STEPS = 4, 8
_SIGNS = {"+": 1.0, "-": -1.0}


@dataclass(frozen=True)
class Term:
    """A concept that is added or taken away.

    Args:
        sign: ``+`` or ``-``.
        text: as it was asked for.
        images: that it is taken of ``(N, C, H, W)``.
        latents: theirs ``(N, dim)``.
    """

    sign: str
    text: str
    images: Tensor
    latents: Tensor

    @property
    def mean(self) -> Tensor:
        """``(dim,)``."""
        return self.latents.mean(0)


def draw(subject: Subject) -> Figure:
    """Latent arithmetic (Radford et al. 2016, section 6.3.2): a term a column, samples above, what their mean gives below.

    Beside them is what the sum of the means is decoded to, in the middle of nine; the others have uniform noise of 0.25 besides
    (Fig. 7). ``along``: what the first four samples become that are moved along the sum, from it taken away to it added, in
    eight steps (Fig. 8). Latents are put back where the prior is on a surface; conditions are those of the first test sample.

    Raises:
        InputError: there are no such samples or test images.
    """
    assert subject.terms is not None
    terms = _read(subject, subject.terms)
    total = torch.stack([_SIGNS[term.sign] * term.mean for term in terms]).sum(0)
    return _moved(subject, total) if subject.along else _summed(subject, terms, total)


def why_not(subject: Subject) -> str | None:
    """What the model, its data or what was asked for lack."""
    name, prior = type(subject.model).__name__, subject.model.prior
    if subject.terms is None:
        return 'latent arithmetic needs terms, such as --terms "3,5,9 - 1,2,4 + 7,8,20"'
    if subject.from_images:
        return f"latents of {name} are those of training images, others each time"
    if (shape := tuple(prior.sample(1).shape[1:])) != (prior.dim,):
        return f"latents of {name} are {shape} and no row of numbers to add"
    return "samples are points and no images" if subject.points else None


def _summed(subject: Subject, terms: list[Term], total: Tensor) -> Figure:
    noise = torch.rand(_SIDE**2, len(total), generator=keyed_generator("arithmetic", subject.seed)) * 2 * _NOISE - _NOISE
    noise[_SIDE**2 // 2] = 0
    made = _decode(subject, torch.cat([torch.stack([term.mean for term in terms]), total + noise]))
    tall = max(_SIDE, *(len(term.images) for term in terms))
    shown = torch.ones(tall + 1, len(terms) + _SIDE, *made.shape[1:])
    for column, term in enumerate(terms):
        shown[: len(term.images), column] = term.images
    shown[-1, : len(terms)] = made[: len(terms)]
    shown[:_SIDE, len(terms) :] = made[len(terms) :].unflatten(0, (_SIDE, _SIDE))
    names = [f"{term.sign} {term.text}" if number or term.sign == "-" else term.text for number, term in enumerate(terms)]
    title = (
        f"latent arithmetic, {subject.name}: samples by term, what their mean latent is decoded to below, and the sum in the "
        f"middle of {_SIDE}x{_SIDE}, around it with uniform noise of {_NOISE:g}"
    )
    return plots.table(shown, [*names, "", "= sum", ""], title, [*["sample"] * tall, "mean"])


def _moved(subject: Subject, total: Tensor) -> Figure:
    t = torch.linspace(-1, 1, _STEPS + 1)
    z = subject.latents[:_MOVED].to(total)
    made = _decode(subject, (z[:, None] + t[:, None] * total).flatten(0, 1))
    title = f"the first samples of {subject.name}, moved by so much of {subject.terms} in their latents"
    return plots.table(made.unflatten(0, (len(z), -1)), [f"{by:+g}" if by else "0" for by in t.tolist()], title)


def _decode(subject: Subject, z: Tensor) -> Tensor:
    return subject.decode(subject.model.prior.project(z), torch.zeros(len(z), dtype=torch.long))


def _read(subject: Subject, text: str) -> list[Term]:
    """The terms between signs that stand alone."""
    first, *others = re.split(r"\s+([+-])\s+", text.strip())
    return [_term(subject, sign, of) for sign, of in zip(["+", *others[::2]], [first, *others[1::2]], strict=True)]


def _term(subject: Subject, sign: str, text: str) -> Term:
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() for word in words):
        rows = _with_attributes(subject, words)
        return Term(sign, text, subject.real(rows).float().cpu(), subject.encode(rows).float().cpu())
    numbers, there = [int(word) for word in words], len(subject.samples)
    if max(numbers) >= there:
        raise InputError(
            f"--terms names sample {max(numbers)}, but those of the picture are 0 to {there - 1}; "
            "name others, or raise --num_images"
        )
    return Term(sign, text, subject.samples[numbers], subject.latents[numbers].float().cpu())


def _with_attributes(subject: Subject, words: list[str]) -> Tensor:
    """The numbers of three test images that have some attributes, and others not."""
    data, said = subject.data, ",".join(words)
    how = "a term is numbers of samples, as 3,5,9, or attributes, as Smiling,Male=0; + and - stand between spaces"
    if not encodes(subject.model) or "attributes" not in getattr(data, "condition_kinds", {}):
        lacking = "the data has no attributes" if encodes(subject.model) else f"{type(subject.model).__name__} has no encoder"
        raise InputError(f"--terms has {said!r}, which is no number, and {lacking}; {how}")
    order = subject.rows(data.size("test"))
    conditions = data.conditions("test", order)
    has = conditions["attributes"] if isinstance(conditions, dict) else conditions
    names, fits = list(data.attributes), torch.ones(len(order), dtype=torch.bool)
    for word in words:
        name, _, value = (part.strip() for part in word.partition("="))
        if name not in names or value not in ("", "0", "1"):
            raise InputError(f"--terms has {word!r}, but {data.name} has the attributes {', '.join(names)}; {how}")
        fits &= (has[:, names.index(name)] == (value != "0")).cpu()
    if int(fits.sum()) < _OF_ATTRIBUTES:
        raise InputError(
            f"{int(fits.sum())} of the test images of {data.name} are {said}, and {_OF_ATTRIBUTES} are needed; ask for less"
        )
    return order[fits][:_OF_ATTRIBUTES]
