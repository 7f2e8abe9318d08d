"""The pieces that every family of networks is made of: activations, initialisations, ranges and taps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn

from lightning_gans.errors import InputError

Activation = Literal["relu", "lrelu", "elu", "tanh", "sigmoid"]
Output = Literal["sigmoid", "tanh"]
Initialisation = Literal["he_normal", "he_uniform", "glorot_uniform", "normal", "uniform"]

_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "lrelu": lambda: nn.LeakyReLU(0.2),
    "elu": nn.ELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}
_RANGES: dict[str | None, tuple[float, float] | None] = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), None: None}


def activation(name: Activation | None) -> nn.Module:
    """A new activation; ``lrelu`` has slope 0.2, ``None`` changes nothing."""
    return nn.Identity() if name is None else _ACTIVATIONS[name]()


class Maxout(nn.Module):
    """The largest of each ``pieces`` neighbouring channels (Goodfellow et al. 2013): ``(N, C * pieces)`` to ``(N, C)``."""

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        return x.unflatten(1, (-1, self.pieces)).amax(dim=2)


@torch.no_grad()
def initialise(network: nn.Module, how: Initialisation, scale: float = 0.02) -> None:
    """Draw the weights of every linear and convolutional layer anew and set its bias to 0.

    Args:
        network: is changed in place.
        how: ``he_normal`` has std ``sqrt(2 / fan_in)``; ``normal`` has std ``scale``; ``uniform`` lies in ``[-scale, scale]``.
        scale: for ``normal`` and ``uniform``.
    """
    for layer in network.modules():
        if not isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            continue
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
        match how:
            case "he_normal":
                nn.init.normal_(layer.weight, std=math.sqrt(2 / _fan_in(layer)))
            case "he_uniform":
                bound = math.sqrt(6 / _fan_in(layer))
                nn.init.uniform_(layer.weight, -bound, bound)
            case "glorot_uniform":
                nn.init.xavier_uniform_(layer.weight)
            case "normal":
                nn.init.normal_(layer.weight, std=scale)
            case "uniform":
                nn.init.uniform_(layer.weight, -scale, scale)
            case _:
                raise ValueError(f"no initialisation {how!r}")


def _fan_in(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d) -> float:
    """The number of inputs that one output sums; a transposed convolution's output meets only every stride-th tap."""
    if isinstance(layer, nn.ConvTranspose2d):
        return layer.in_channels * math.prod(layer.kernel_size) / math.prod(layer.stride)
    return layer.weight[0].numel()


@contextmanager
def eval_mode(*networks: nn.Module) -> Iterator[None]:
    """Within the block every layer is in evaluation mode; afterwards, after an error too, each is in the mode it was in."""
    modes = {module: module.training for network in networks for module in network.modules()}
    for network in networks:
        network.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


class Network(nn.Module):
    """Stages in a row, each with a name by which its output can be asked for, and an output activation.

    Attributes:
        output_range: what the output activation confines values to, ``None`` where it is linear.
    """

    def __init__(self, stages: dict[str, nn.Module], output: Output | None = None) -> None:
        super().__init__()
        self.stages = nn.ModuleDict(stages)
        self.squash = activation(output)
        self.output_range: tuple[float, float] | None = _RANGES[output]

    def logits(self, x: Tensor) -> Tensor:
        """What ``forward`` returns, before the output activation."""
        output = x
        for _, output in self.walk(x):  # noqa: B007 - the last one is what is wanted
            pass
        return output

    def walk(self, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        """The name and the output of every stage, one after the other."""
        for name, stage in self.stages.items():
            x = stage(x)
            yield name, x

    def forward(self, x: Tensor) -> Tensor:
        return self.squash(self.logits(x))

    def features(self, x: Tensor, layers: Sequence[str]) -> list[Tensor]:
        """The outputs of the named stages, in the order asked for; ``last`` is the one before the output."""
        names = list(self.stages)
        wanted = [names[-2] if layer == "last" and len(names) > 1 else layer for layer in layers]
        if unknown := set(wanted) - set(names):
            raise InputError(f"{type(self).__name__} has no layer {sorted(unknown)}; it has {names} and 'last'")
        found: dict[str, Tensor] = {}
        for name, output in self.walk(x):
            found[name] = output
            if found.keys() >= set(wanted):
                break
        return [found[name] for name in wanted]
