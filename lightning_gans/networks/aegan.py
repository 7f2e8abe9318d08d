"""The networks of AEGAN's author (Lazarou, 2020; his code): normalised over the channels of each pixel, noise in every layer.

Convolutions are padded as TensorFlow's "same": the odd row and column at the lower right. Weights are drawn from N(0, 0.02^2),
but by Glorot (Keras' default) in the latent discriminator and the generator's skip.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_gans.errors import InputError
from lightning_gans.networks.layers import GaussianNoise, Network, Output, check_sizes, initialise

_KERNEL = 4  # of the encoder and the generator
_SLOPE = 0.02


class ChannelLayerNorm(nn.Module):
    """Mean 0 and variance 1 over the channels of each pixel, then a gain and a bias a channel (Keras' default).

    It is not ``nn.LayerNorm([C, H, W])``, whose statistics are those of a whole image.

    Args:
        channels: C of the input ``(N, C)`` or ``(N, C, H, W)``.
        eps: added to the variance.
    """

    def __init__(self, channels: int, eps: float = 1e-3) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        # Channels last in memory, as it also leaves its output: eight times as fast as reductions over the second dimension
        return F.layer_norm(x.movedim(1, -1), self.bias.shape, self.weight, self.bias, self.eps).movedim(-1, 1)


class GaussianDropout(nn.Module):
    """Multiplies by noise from N(1, rate / (1 - rate)) in training, the variance of dropout at ``rate``."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise InputError(f"a rate of Gaussian dropout must be at least 0 and below 1, not {rate}; set dropout")
        self.std = math.sqrt(rate / (1 - rate))

    def forward(self, x: Tensor) -> Tensor:
        return x * (1 + self.std * torch.randn_like(x)) if self.training and self.std else x


class SkipConv(nn.Conv2d):
    """A convolution, 4 wide and "same", of an image x and of a vector y that is the same at every pixel, both enlarged before.

    What it computes is ``conv(upsample(concatenate(x, y)))`` with nearest neighbours, in a third of the arithmetic: enlarging
    and convolving are one transposed convolution, whose kernel sums the taps that fall on the same pixel, and what y adds
    differs between pixels only by the taps that reach beyond the border.

    Args:
        channels: of x ``(N, channels, H / factor, W / factor)``.
        skip: numbers of y ``(N, skip)``.
        outputs: channels made.
        size: ``(H, W)`` of the output.
        factor: by how much x is enlarged.
    """

    rows: Tensor
    columns: Tensor

    def __init__(self, channels: int, skip: int, outputs: int, size: tuple[int, int], factor: int = 1) -> None:
        super().__init__(channels + skip, outputs, _KERNEL)
        self.factor = factor
        self.register_buffer("rows", _taps_inside(size[0]), persistent=False)
        self.register_buffer("columns", _taps_inside(size[1]), persistent=False)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        of_x, of_y = self.weight.split([x.shape[1], y.shape[1]], dim=1)
        if self.factor == 1:
            convolved = F.conv2d(F.pad(x, (1, 2, 1, 2)), of_x, self.bias)
        else:
            reach = [self.factor - 1] * 4
            kernel = F.avg_pool2d(F.pad(of_x.flip(2, 3), reach), self.factor, stride=1, divisor_override=1)
            convolved = F.conv_transpose2d(x, kernel.transpose(0, 1), self.bias, self.factor, padding=2, output_padding=1)
        taps = torch.einsum("ns,osab->nabo", y, of_y)
        constant = torch.einsum("ia,najo->nijo", self.rows, torch.einsum("jb,nabo->najo", self.columns, taps))
        return convolved + constant.movedim(-1, 1)


def _taps_inside(size: int) -> Tensor:
    """``(size, 4)``: 1 where a tap of the kernel at a pixel is inside the image, else 0."""
    position = torch.arange(size)[:, None] + torch.arange(_KERNEL) - 1
    return ((position >= 0) & (position < size)).float()


class AEGANGenerator(Network):
    """Latent to image: a dense layer to a small map, then convolutions of the enlarged map that all see the latent again.

    The latent comes back as ``skip`` numbers, the same at every pixel, by a dense layer of its own.

    Args:
        latent_dim: numbers a latent.
        image_shape: ``(C, H, W)`` of the images made.
        base: channels of the small map.
        skip: numbers that every convolution is given of the latent.
        widths: channels after each convolution but the last, which makes the colours.
        factors: by how much the map is enlarged before each of these: (2, 2, 2, 2, 1) goes from 4 to 64 pixels.
        output: after the last layer.
    """

    def __init__(
        self,
        latent_dim: int = 32,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        base: int = 64,
        skip: int = 64,
        widths: tuple[int, ...] = (256, 128, 128, 64, 64),
        factors: tuple[int, ...] = (2, 2, 2, 2, 1),
        output: Output | None = "tanh",
    ) -> None:
        check_sizes(self, latent_dim=latent_dim, image_shape=image_shape, base=base, skip=skip, widths=widths)
        channels, height, width = image_shape
        total = math.prod(factors)
        if len(factors) != len(widths):
            raise InputError(f"there are {len(factors)} factors for {len(widths)} widths; give AEGANGenerator one each")
        if min(factors, default=1) < 1 or height % total or width % total:
            raise InputError(f"the factors {list(factors)} do not lead to {height}x{width} pixels; give AEGANGenerator others")
        size = height // total, width // total
        units = base * math.prod(size)
        small = nn.Unflatten(1, (base, *size))
        stages: dict[str, nn.Module] = {"dense": nn.Sequential(nn.Linear(latent_dim, units), *_finish(units), small)}
        for number, ((before, after), factor) in enumerate(zip(pairwise((base, *widths)), factors, strict=True), 1):
            size = size[0] * factor, size[1] * factor
            stages[f"conv{number}"] = _Skipped(SkipConv(before, skip, after, size, factor), *_finish(after))
        stages["output"] = _Skipped(SkipConv((base, *widths)[-1], skip, channels, size))
        super().__init__(stages, output)
        initialise(self, "normal")
        self.skip = nn.Sequential(nn.Linear(latent_dim, skip), *_finish(skip))
        initialise(self.skip, "glorot_uniform")

    def walk(self, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        y = self.skip(x)
        for name, stage in self.stages.items():
            x = stage(x, y) if isinstance(stage, _Skipped) else stage(x)
            yield name, x


class _Skipped(nn.Module):
    """A layer that is given the skipped latent as well, and what comes after it."""

    def __init__(self, layer: SkipConv, *finish: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.finish = nn.Sequential(*finish)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.finish(self.layer(x, y))


class AEGANEncoder(Network):
    """Image to latent: noise, then convolutions 4 wide with ReLU, then a dense layer.

    Args:
        image_shape: ``(C, H, W)`` of the images taken.
        latent_dim: numbers a latent.
        widths: channels after each convolution.
        strides: of each convolution.
        noise: standard deviation of the noise on the images in training.
        dropout: rate of Gaussian dropout after every convolution.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        latent_dim: int = 32,
        widths: tuple[int, ...] = (64, 64, 128, 128, 128, 256),
        strides: tuple[int, ...] = (2, 2, 2, 2, 1, 1),
        noise: float = 0.01,
        dropout: float = 0.005,
    ) -> None:
        check_sizes(self, image_shape=image_shape, latent_dim=latent_dim, widths=widths, strides=strides)
        super().__init__(_convolutions(image_shape, latent_dim, _KERNEL, widths, strides, noise, dropout, slope=0.0))
        initialise(self, "normal")


class AEGANDiscriminator(Network):
    """Image to a logit: as the encoder, but convolutions 3 wide and leaky ReLU of slope 0.02.

    Args:
        image_shape: ``(C, H, W)`` of the images taken.
        widths: channels after each convolution.
        strides: of each convolution.
        noise: standard deviation of the noise on the images in training.
        dropout: rate of Gaussian dropout after every convolution.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        widths: tuple[int, ...] = (64, 64, 128, 128, 128, 256),
        strides: tuple[int, ...] = (2, 2, 2, 2, 1, 1),
        noise: float = 0.01,
        dropout: float = 0.005,
    ) -> None:
        check_sizes(self, image_shape=image_shape, widths=widths, strides=strides)
        super().__init__(_convolutions(image_shape, 1, 3, widths, strides, noise, dropout, _SLOPE))
        initialise(self, "normal")


class AEGANLatentDiscriminator(Network):
    """Latent to a logit: thin dense layers, each of which sees the latent and all layers before it, then a wide one.

    Args:
        latent_dim: numbers a latent.
        layers: number of thin layers.
        width: units of each.
        hidden: units of the wide layer.
        noise: standard deviation of the noise on the latents in training.
        dropout: rate of Gaussian dropout in every thin layer.
    """

    def __init__(
        self,
        latent_dim: int = 32,
        layers: int = 16,
        width: int = 16,
        hidden: int = 128,
        noise: float = 0.01,
        dropout: float = 0.005,
    ) -> None:
        check_sizes(self, latent_dim=latent_dim, width=width, hidden=hidden)
        stages: dict[str, nn.Module] = {"noise": GaussianNoise(noise)}
        inputs = latent_dim
        for number in range(1, layers + 1):
            linear = nn.Linear(inputs, width)
            stages[f"dense{number}"] = _Appended(linear, GaussianDropout(dropout), *_finish(width, _SLOPE))
            inputs += width
        stages["hidden"] = nn.Sequential(nn.Linear(inputs, hidden), nn.LeakyReLU(_SLOPE))
        stages["output"] = nn.Linear(hidden, 1)
        super().__init__(stages)
        initialise(self, "glorot_uniform")


class _Appended(nn.Sequential):
    """Layers whose output is appended to their input."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, super().forward(x)], dim=1)


def _finish(channels: int, slope: float = 0.0) -> list[nn.Module]:
    return [ChannelLayerNorm(channels), nn.LeakyReLU(slope) if slope else nn.ReLU()]


def _convolutions(
    image_shape: tuple[int, int, int],
    outputs: int,
    kernel: int,
    widths: tuple[int, ...],
    strides: tuple[int, ...],
    noise: float,
    dropout: float,
    slope: float,
) -> dict[str, nn.Module]:
    """The stages of the encoder and the discriminator."""
    if len(strides) != len(widths):
        raise InputError(f"there are {len(strides)} strides for {len(widths)} widths; give the network one each")
    inputs, *size = image_shape
    stages: dict[str, nn.Module] = {"noise": GaussianNoise(noise)}
    for number, (channels, stride) in enumerate(zip(widths, strides, strict=True), 1):
        (top, bottom), (left, right) = (_padding(side, kernel, stride) for side in size)
        padding, convolution = nn.ZeroPad2d((left, right, top, bottom)), nn.Conv2d(inputs, channels, kernel, stride)
        stages[f"conv{number}"] = nn.Sequential(padding, convolution, GaussianDropout(dropout), *_finish(channels, slope))
        inputs, size = channels, [-(-side // stride) for side in size]
    stages["output"] = nn.Sequential(nn.Flatten(), nn.Linear(inputs * math.prod(size), outputs))
    return stages


def _padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after, so that ``side / stride`` outputs, rounded up, come out."""
    total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2
