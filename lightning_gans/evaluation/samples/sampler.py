"""Anything that draws samples, in the form of a model."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from lightning_gans.errors import InputError
from lightning_gans.evaluation.samples.arrays import as_tensor
from lightning_gans.evaluation.samples.quantise import warn_if_dark
from lightning_gans.protocols import Condition, Generates

_NOISE = ("condition", "generator")


def as_model(sampler: Any, device: torch.device | str) -> Generates:
    """A sampler as what it is, if it is a model, else as one that can do no more than sample.

    Args:
        sampler: a model, what has a method ``sample(n, condition, generator)`` of which the last two may be missing, or a
            function of ``n`` or of ``(n, generator)``.
        device: where its samples are put, if it has no weights.

    Raises:
        InputError: it is none of these.
    """
    module = isinstance(sampler, nn.Module)
    weight = next(sampler.parameters(), None) if module else None
    if weight is not None and isinstance(sampler, Generates):
        return sampler
    if module and not hasattr(sampler, "sample"):
        raise InputError(
            f"{type(sampler).__name__} is a network without a method sample; "
            "give a function such as lambda n, generator: network(torch.randn(n, 64, generator=generator))"
        )
    if not callable(getattr(sampler, "sample", sampler)):
        raise InputError(f"the sampler is {type(sampler).__name__}, but must have a method sample or be a function of n")
    return cast(Generates, _Sampler(sampler, device if weight is None else weight.device))


class _Sampler(nn.Module):
    """What can do no more than draw samples, in the form of a model."""

    def __init__(self, sampler: Any, device: torch.device | str) -> None:
        super().__init__()
        self.prior = getattr(sampler, "prior", None)
        self.anchor = nn.Parameter(torch.zeros((), device=device), requires_grad=False)  # says where to compare
        self.sampler = sampler
        self.judged = False
        self.draw: Callable[..., Any] = getattr(sampler, "sample", sampler)
        try:
            taken = inspect.signature(self.draw).parameters
        except ValueError:  # of some functions written in C
            taken = {}  # type: ignore[assignment]
        self.keywords = [name for name in _NOISE if name in taken]
        self.conditional = "condition" in self.keywords
        needed = [name for name, one in taken.items() if one.default is one.empty and one.kind == one.POSITIONAL_OR_KEYWORD]
        self.second = len(needed) == 2 and needed[1] not in _NOISE  # a generator by another name

    def sample(self, n: int, condition: Condition | None, generator: torch.Generator) -> Tensor:
        torch.manual_seed(generator.initial_seed())  # for samplers that take no generator; put back after the measurement
        noise: dict[str, Any] = {"condition": condition, "generator": generator}
        images = self.draw(n, *([generator] if self.second else []), **{name: noise[name] for name in self.keywords})
        images = as_tensor(images) if isinstance(images, np.ndarray | list) else images
        if not isinstance(images, Tensor) or not images.dim() or len(images) != n:
            what = f"a tensor {tuple(images.shape)}" if isinstance(images, Tensor) else f"a {type(images).__name__}"
            raise InputError(f"the sampler gives {what} when asked for {n} samples; it must give a tensor of so many")
        images = images.to(self.anchor.device)
        if images.dtype != torch.uint8:
            return images
        if not self.judged:
            warn_if_dark(images, "the samples")
            self.judged = True
        return images.float() / 127.5 - 1
