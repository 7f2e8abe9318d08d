"""Convolutional networks in the manner of DCGAN (Radford et al. 2016): stride 2 instead of pooling, no hidden dense layer.

Kernels are 5 wide with "same" padding: each convolution halves a side (28, 14, 7, 4), rounding up, and each transposed one
doubles it, cut back where the way down had rounded. So one family serves 28, 32 and 64 pixels.
"""

from __future__ import annotations

import math

from torch import Tensor, nn

from lightning_gans.errors import InputError
from lightning_gans.networks.layers import (
    Activation,
    Initialisation,
    Network,
    Norm,
    Output,
    activation,
    check_sizes,
    initialise,
    normalisation,
)


class ConvGenerator(Network):
    """Latent to image: a dense layer, then transposed convolutions of stride 2.

    Args:
        latent_dim: numbers a latent.
        image_shape: ``(C, H, W)`` of the images made.
        widths: channels before each transposed convolution, the first being those of the dense layer.
        activation: after every layer but the last.
        output: after the last layer.
        norm: before each activation: ``batch``, ``layer`` (over C, H, W with a gain and bias a channel) or none.
        init: see ``lightning_gans.networks.initialise``.
        init_scale: for the inits that have one.
    """

    def __init__(
        self,
        latent_dim: int = 100,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        widths: tuple[int, ...] = (256, 128, 64),
        activation: Activation = "relu",
        output: Output | None = "tanh",
        norm: Norm | None = "batch",
        init: Initialisation = "normal",
        init_scale: float = 0.02,
    ) -> None:
        check_sizes(self, latent_dim=latent_dim, image_shape=image_shape, widths=widths)
        channels, height, width = image_shape
        sides = list(zip(halvings(height, len(widths)), halvings(width, len(widths)), strict=True))[::-1]
        first = (widths[0], *sides[0])
        dense = nn.Linear(latent_dim, first[0] * first[1] * first[2])
        stages: dict[str, nn.Module] = {
            "dense": nn.Sequential(dense, nn.Unflatten(1, first), *_finish(widths[0], norm, activation))
        }
        for number, (inputs, outputs) in enumerate(zip(widths, (*widths[1:], channels), strict=True), 1):
            deconvolution = nn.ConvTranspose2d(inputs, outputs, 5, stride=2, padding=2, output_padding=1)
            last = number == len(widths)
            finish = [] if last else _finish(outputs, norm, activation)
            stages["output" if last else f"deconv{number}"] = nn.Sequential(deconvolution, Crop(sides[number]), *finish)
        super().__init__(stages, output)
        initialise(self, init, init_scale)


class ConvNet(Network):
    """Image to numbers: convolutions of stride 2, then a dense layer. A discriminator with one output, an encoder with more.

    Args:
        image_shape: ``(C, H, W)`` of the images taken.
        outputs: numbers a sample.
        widths: channels after each convolution.
        activation: after every convolution.
        norm: before each activation but the first (as DCGAN has it): ``batch``, ``layer`` or none. ``batch`` makes the output
            of one image depend on the others, which a gradient penalty does not allow for.
        init: see ``lightning_gans.networks.initialise``.
        init_scale: for the inits that have one.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        outputs: int = 1,
        widths: tuple[int, ...] = (64, 128, 256),
        activation: Activation = "lrelu",
        norm: Norm | None = "batch",
        init: Initialisation = "normal",
        init_scale: float = 0.02,
    ) -> None:
        check_sizes(self, image_shape=image_shape, outputs=outputs, widths=widths)
        inputs, height, width = image_shape
        stages: dict[str, nn.Module] = {}
        for number, channels in enumerate(widths, 1):
            convolution = nn.Conv2d(inputs, channels, 5, stride=2, padding=2)
            stages[f"conv{number}"] = nn.Sequential(convolution, *_finish(channels, norm if number > 1 else None, activation))
            inputs = channels
        features = inputs * halvings(height, len(widths))[-1] * halvings(width, len(widths))[-1]
        stages["output"] = nn.Sequential(nn.Flatten(), nn.Linear(features, outputs))
        super().__init__(stages)
        initialise(self, init, init_scale)


class Crop(nn.Module):
    """Keep the top left ``size`` of each map."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        return x[..., : self.size[0], : self.size[1]]


def halvings(side: int, times: int) -> list[int]:
    """``side`` and what is left of it after each halving, rounded up: 28, 14, 7, 4."""
    sides = [side]
    for _ in range(times):
        sides.append(-(-sides[-1] // 2))
    if times < 1 or sides[-2] < 2:
        raise InputError(f"images of {side} pixels cannot be halved {times} times; give the networks other widths")
    return sides


def doublings(image_shape: tuple[int, int, int], first: int, least: int, sides: str) -> int:
    """How often a side of ``first`` pixels is doubled to that of square images ``(C, H, W)``.

    Raises:
        InputError: they are not square, or the side is no doubling, or one of fewer than ``least`` times; ``sides`` says which
            there are.
    """
    _, height, width = image_shape
    times = math.log2(height / first)
    if height != width or times < least or times != int(times):
        raise InputError(f"{sides}, not {height}x{width}; set data.image_size to 32 or 64, and image_shape")
    return int(times)


def _finish(channels: int, norm: Norm | None, name: Activation) -> list[nn.Module]:
    """Normalisation, if any, and activation."""
    return [*normalisation(norm, channels), activation(name)]
