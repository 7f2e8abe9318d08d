"""Layers whose weights have a length of their own (Salimans and Kingma, 2016), which a batch of data can start."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn

WeightNorm = Literal["fixed", "trained"]

_EPSILON = 1e-6  # under the root, as openai/improved-gan has it


class WeightNormed(nn.Module):
    """``g v / |v| * x + b`` for each unit or channel: the direction v of its weights is trained, their length g may be.

    Args:
        layer: dense, convolutional or transposed convolutional, without a bias.
        length: of g, ``fixed`` or ``trained``; both start at 1.
        bias: whether there is a b.
        start_std: of what comes out where ``start_by`` sets g and b, ``None`` to leave them.
    """

    layer: Any
    scale: Tensor

    def __init__(self, layer: nn.Module, length: WeightNorm, bias: bool = True, start_std: float | None = None) -> None:
        super().__init__()
        self.layer = layer
        self.transposed = isinstance(layer, nn.ConvTranspose2d)
        outputs: int = self.layer.weight.shape[1 if self.transposed else 0]
        if length == "trained":
            self.scale = nn.Parameter(torch.ones(outputs))
        else:
            self.register_buffer("scale", torch.ones(outputs))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.start_std = start_std

    def forward(self, x: Tensor) -> Tensor:
        y = self._turned(x) * self._by_channel(self.scale)
        return y if self.bias is None else y + self._by_channel(self.bias)

    @torch.no_grad()
    def start_by(self, x: Tensor) -> None:
        """Set g and b so that on the batch ``x`` each output has mean 0 and standard deviation ``start_std``."""
        if self.start_std is None:
            return
        y = self._turned(x).transpose(0, 1).flatten(1)
        std, mean = torch.std_mean(y, dim=1, correction=0)
        self.scale.copy_(self.start_std / std.clamp(min=math.sqrt(_EPSILON)))
        if self.bias is not None:
            self.bias.copy_(-mean * self.scale)

    def _turned(self, x: Tensor) -> Tensor:
        """The outputs at g = 1 and b = 0."""
        along = [dim for dim in range(self.layer.weight.dim()) if dim != self.transposed]
        length = (self.layer.weight.square().sum(along) + _EPSILON).sqrt()
        return self.layer(x) / self._by_channel(length)

    def _by_channel(self, values: Tensor) -> Tensor:
        return values if isinstance(self.layer, nn.Linear) else values.view(-1, 1, 1)


@torch.no_grad()
def start_by_batch(network: nn.Module, x: Tensor) -> None:
    """Let each weight-normed layer with a ``start_std`` start by what it is given when ``x`` goes through the network.

    As openai/improved-gan at 0fa06b5, mnist_svhn_cifar10/nn.py, does before the first step; noise and dropout are on.
    """
    layers = [module for module in network.modules() if isinstance(module, WeightNormed) and module.start_std is not None]
    handles = [layer.register_forward_pre_hook(lambda module, args: module.start_by(args[0])) for layer in layers]
    try:
        if layers:
            network(x)
    finally:
        for handle in handles:
            handle.remove()
