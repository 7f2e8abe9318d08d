"""The layers of the FID Inception network of 2015-12-05, with the peculiarities of its graph and batch norm folded away."""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class _Conv(nn.Conv2d):
    """A convolution with its batch norm folded in, and the ReLU."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).relu_()


def _conv(inputs: int, outputs: int, height: int, width: int, stride: int = 1, *, same: bool = True) -> _Conv:
    padding = (height // 2, width // 2) if same and stride == 1 else 0
    return _Conv(inputs, outputs, (height, width), stride, padding)


_Step = tuple[int, ...]  # outputs, height, width and perhaps stride of a convolution
_Branches = dict[str, list[_Step | list[_Step]]]  # steps follow each other; those in a list stand side by side
_SPLIT: list[_Step | list[_Step]] = [[(384, 1, 3), (384, 3, 1)]]


def _a(pool: int) -> _Branches:
    return {
        "branch1x1": [(64, 1, 1)],
        "branch5x5": [(48, 1, 1), (64, 5, 5)],
        "branch3x3dbl": [(64, 1, 1), (96, 3, 3), (96, 3, 3)],
        "branch_pool": [(pool, 1, 1)],
    }


def _c(c: int) -> _Branches:
    return {
        "branch1x1": [(192, 1, 1)],
        "branch7x7": [(c, 1, 1), (c, 1, 7), (192, 7, 1)],
        "branch7x7dbl": [(c, 1, 1), (c, 7, 1), (c, 1, 7), (c, 7, 1), (192, 1, 7)],
        "branch_pool": [(192, 1, 1)],
    }


_B: _Branches = {"branch3x3": [(384, 3, 3, 2)], "branch3x3dbl": [(64, 1, 1), (96, 3, 3), (96, 3, 3, 2)]}
_D: _Branches = {
    "branch3x3": [(192, 1, 1), (320, 3, 3, 2)],
    "branch7x7x3": [(192, 1, 1), (192, 1, 7), (192, 7, 1), (192, 3, 3, 2)],
}
_E: _Branches = {
    "branch1x1": [(320, 1, 1)],
    "branch3x3": [(384, 1, 1), *_SPLIT],
    "branch3x3dbl": [(448, 1, 1), (384, 3, 3), *_SPLIT],
    "branch_pool": [(192, 1, 1)],
}


class _Mixed(nn.Module):
    """Branches side by side, their channels one after the other; without a ``branch_pool`` the block halves the size."""

    def __init__(self, inputs: int, branches: _Branches, pool: Literal["average", "max"] = "average") -> None:
        super().__init__()
        self.pool = pool
        self.chains: dict[str, list[list[str]]] = {name: [] for name in branches}
        for name, steps in branches.items():
            width = inputs
            for number, step in enumerate(steps, 1):
                label = f"{name}_{number}" if len(steps) > 1 else name
                parallel = (
                    {label + letter: s for letter, s in zip("ab", step, strict=True)}
                    if isinstance(step, list)
                    else {label: step}
                )
                for own, (outputs, *shape) in parallel.items():
                    self.add_module(own, _conv(width, outputs, *shape))
                self.chains[name].append(list(parallel))
                width = sum(outputs for outputs, *_ in parallel.values())

    def forward(self, x: Tensor) -> Tensor:
        outputs = [self._branch(name, x) for name in self.chains]
        if "branch_pool" not in self.chains:
            outputs.append(F.max_pool2d(x, 3, stride=2))
        return torch.cat(outputs, dim=1)

    def _branch(self, name: str, x: Tensor) -> Tensor:
        if name == "branch_pool" and self.pool == "max":
            x = F.max_pool2d(x, 3, stride=1, padding=1)
        elif name == "branch_pool":
            x = F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
        for parallel in self.chains[name]:
            outputs = [self.get_submodule(own)(x) for own in parallel]
            x = outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=1)
        return x


_TAPS = {64: "MaxPool_1", 192: "MaxPool_2", 768: "Mixed_6e", 2048: "Mixed_7c"}


def network(layer: int) -> nn.Sequential:
    """The network up to a tap, with the names that the files use, and without weights."""
    with torch.device("meta"):
        parts = {
            "Conv2d_1a_3x3": _conv(3, 32, 3, 3, stride=2),
            "Conv2d_2a_3x3": _conv(32, 32, 3, 3, same=False),
            "Conv2d_2b_3x3": _conv(32, 64, 3, 3),
            "MaxPool_1": nn.MaxPool2d(3, stride=2),
            "Conv2d_3b_1x1": _conv(64, 80, 1, 1),
            "Conv2d_4a_3x3": _conv(80, 192, 3, 3, same=False),
            "MaxPool_2": nn.MaxPool2d(3, stride=2),
            "Mixed_5b": _Mixed(192, _a(32)),
            "Mixed_5c": _Mixed(256, _a(64)),
            "Mixed_5d": _Mixed(288, _a(64)),
            "Mixed_6a": _Mixed(288, _B),
            "Mixed_6b": _Mixed(768, _c(128)),
            "Mixed_6c": _Mixed(768, _c(160)),
            "Mixed_6d": _Mixed(768, _c(160)),
            "Mixed_6e": _Mixed(768, _c(192)),
            "Mixed_7a": _Mixed(768, _D),
            "Mixed_7b": _Mixed(1280, _E),
            "Mixed_7c": _Mixed(2048, _E, pool="max"),
        }
    names = list(parts)
    return nn.Sequential(OrderedDict((name, parts[name]) for name in names[: names.index(_TAPS[layer]) + 1]))
