"""What a network is told besides its input: labels, attributes, encoded text, or several of these, as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, cast

import torch
from torch import Tensor, nn

from lightning_gans.errors import InputError
from lightning_gans.networks.layers import Activation, Maxout, Norm, activation, check_sizes, normalisation

Conditions: TypeAlias = Tensor | Mapping[str, Tensor]
NO_LABEL = -1
"""In the place of a label: zeros instead of its numbers. For pictures of a trained network; ``check`` refuses it."""


class Condition(nn.Module):
    """Makes ``(N, width)`` numbers of a condition.

    ``forward`` looks at types and shapes alone, so that a step can be traced; values are looked at by ``check``.

    Attributes:
        width: how many numbers.
    """

    width: int

    def check(self, condition: Conditions) -> None:
        """Refuse a condition of the wrong kind, shape or range; waits for the device.

        Raises:
            InputError: says what is wrong.
        """
        raise NotImplementedError

    def example(self, n: int) -> Conditions:
        """A valid condition of ``n`` samples, on the CPU."""
        raise NotImplementedError


class LabelCondition(Condition):
    """Labels, int64 ``(N,)`` in [0, classes), as one-hot vectors or as an embedding; zeros for ``NO_LABEL``.

    Args:
        classes: how many there are.
        embedding: numbers a label, which a linear layer makes of the one-hot vectors; none leaves these.
        frozen: keep the embedding as it was drawn.
        init_scale: standard deviation of the embedding's first values, around 0.
        activation: after the embedding, a hidden layer of the label then, as Mirza and Osindero (2014) have it; ``maxout``
            leaves ``embedding / pieces`` numbers.
        pieces: for ``maxout``.
    """

    def __init__(
        self,
        classes: int,
        embedding: int | None = None,
        frozen: bool = False,
        init_scale: float = 0.01,
        activation: Activation | Literal["maxout"] | None = None,
        pieces: int = 5,
    ) -> None:
        super().__init__()
        check_sizes(self, classes=classes, embedding=embedding, pieces=pieces)
        if activation is not None and embedding is None:
            raise InputError("labels with an activation need a layer before it; set embedding")
        if activation == "maxout" and (embedding or 0) % pieces:
            raise InputError(f"maxout cannot share {embedding} numbers among {pieces} pieces; set embedding")
        self.classes = classes
        self.width = (embedding or classes) // (pieces if activation == "maxout" else 1)
        self.weight: nn.Parameter | None = None
        if embedding is not None:
            self.weight = nn.Parameter(torch.randn(classes, embedding) * init_scale, requires_grad=not frozen)
        self.finish = Maxout(pieces) if activation == "maxout" else _finish(None, activation, self.width)

    def forward(self, condition: Tensor) -> Tensor:
        self._check_kind(condition)
        if self.weight is not None:
            there = (condition > NO_LABEL)[:, None].to(self.weight.dtype)
            return self.finish(there * nn.functional.embedding(condition.clamp(min=0), self.weight))
        return (condition[:, None] == torch.arange(self.classes, device=condition.device)).float()

    def check(self, condition: Conditions) -> None:
        self._check_kind(condition)
        labels = cast(Tensor, condition)
        if bool(((labels < 0) | (labels >= self.classes)).any()):
            low, high = int(labels.min()), int(labels.max())
            raise InputError(f"the labels reach from {low} to {high}, but there are {self.classes} classes; set classes")

    def example(self, n: int) -> Tensor:
        return torch.zeros(n, dtype=torch.long)

    def _check_kind(self, condition: Conditions) -> None:
        if not isinstance(condition, Tensor) or condition.dim() != 1 or condition.dtype not in (torch.int64, torch.int32):
            raise InputError(
                f"labels must be whole numbers (N,), one a sample, not {_described(condition)}; give the class of each"
            )


class AttributeCondition(Condition):
    """Attributes ``(N, columns)``, such as CelebA's zeros and ones or an encoded text, as they are or through a linear layer.

    Args:
        columns: numbers a sample.
        linear: outputs of the linear layer, none for no layer; 256 in ALI's conditional CelebA, 128 for the text of GAN-CLS.
        norm: after the linear layer.
        activation: after the norm; leaky ReLU (slope 0.2) in GAN-CLS.
        bias: whether the linear layer has one.
        frozen: keep the linear layer as it was drawn, as the code of ALI's authors did, unintentionally.
        init_scale: standard deviation of the linear layer's first weights, around 0; ALI's is 0.01.
    """

    def __init__(
        self,
        columns: int,
        linear: int | None = None,
        norm: Norm | None = None,
        activation: Activation | None = None,
        bias: bool = True,
        frozen: bool = False,
        init_scale: float = 0.01,
    ) -> None:
        super().__init__()
        check_sizes(self, columns=columns, linear=linear)
        self.columns = columns
        self.width = linear or columns
        self.linear: nn.Linear | None = None
        if linear is None and (norm or activation):
            raise InputError("a condition with a norm or an activation needs a linear layer; set linear")
        if linear is not None:
            self.linear = nn.Linear(columns, linear, bias=bias).requires_grad_(not frozen)
            nn.init.normal_(self.linear.weight, std=init_scale)
            if self.linear.bias is not None:
                nn.init.zeros_(self.linear.bias)
        self.finish = _finish(norm, activation, self.width)

    def forward(self, condition: Tensor) -> Tensor:
        self._check_kind(condition)
        if self.linear is None:
            return condition if condition.is_floating_point() else condition.float()
        return self.finish(self.linear(condition.to(self.linear.weight.dtype)))

    def check(self, condition: Conditions) -> None:
        self._check_kind(condition)
        if not bool(cast(Tensor, condition).isfinite().all()):
            raise InputError("some attributes are NaN or infinite; mend them in the data")

    def example(self, n: int) -> Tensor:
        return torch.zeros(n, self.columns)

    def _check_kind(self, condition: Conditions) -> None:
        if not isinstance(condition, Tensor) or condition.dim() != 2 or condition.shape[1] != self.columns:
            raise InputError(
                f"attributes must be numbers (N, {self.columns}), a row a sample, not {_described(condition)}; set columns"
            )


class NamedConditions(Condition):
    """Several conditions, given as a dict of tensors by name; their numbers stand side by side in the order of ``parts``.

    Args:
        parts: what makes numbers of each, by name.
    """

    def __init__(self, parts: dict[str, Condition]) -> None:
        super().__init__()
        if not parts:
            raise InputError("there are no named conditions; give at least one")
        self.parts = nn.ModuleDict(parts)
        self.width = sum(part.width for part in parts.values())

    def forward(self, condition: Mapping[str, Tensor]) -> Tensor:
        self._check_names(condition)
        numbers = [part(condition[name]) for name, part in self.parts.items()]
        return torch.cat([each.to(numbers[0].dtype) for each in numbers], dim=1)

    def check(self, condition: Conditions) -> None:
        self._check_names(condition)
        for name, part in self.parts.items():
            cast(Condition, part).check(cast(Mapping[str, Tensor], condition)[name])

    def example(self, n: int) -> dict[str, Tensor]:
        return {name: cast(Tensor, cast(Condition, part).example(n)) for name, part in self.parts.items()}

    def _check_names(self, condition: Conditions) -> None:
        if isinstance(condition, Tensor) or not isinstance(condition, Mapping) or set(condition) != set(self.parts):
            names = ", ".join(self.parts)
            raise InputError(f"the condition must be tensors by the names {names}, not {_described(condition)}; give them all")


def join(x: Tensor, *others: Tensor | None) -> Tensor:
    """``x`` ``(N, C, ...)`` with the channels of the others behind its own; numbers are repeated at every pixel of maps.

    Raises:
        InputError: they have different numbers of samples.
    """
    given = [x, *(other for other in others if other is not None)]
    if len(given) == 1:
        return x
    if any(each.shape[0] != x.shape[0] for each in given):
        counts = " and ".join(str(each.shape[0]) for each in given)
        raise InputError(f"what is given side by side has {counts} samples; give as many of each")
    pixels = next((each.shape[2:] for each in given if each.dim() == 4), None)
    if pixels is not None:
        given = [each if each.dim() == 4 else each[:, :, None, None].expand(-1, -1, *pixels) for each in given]
    return torch.cat([each.to(x.dtype) for each in given], dim=1)


def _finish(norm: Norm | None, name: Activation | None, width: int) -> nn.Sequential:
    return nn.Sequential(*normalisation(norm, width, flat=True), *([activation(name)] if name else []))


def _described(condition: object) -> str:
    if isinstance(condition, Tensor):
        return f"{str(condition.dtype).removeprefix('torch.')} of shape {'x'.join(map(str, condition.shape)) or 'one number'}"
    if isinstance(condition, Mapping):
        return f"tensors by the names {', '.join(map(str, condition))}"
    return "nothing" if condition is None else type(condition).__name__
