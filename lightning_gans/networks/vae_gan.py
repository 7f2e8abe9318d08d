"""The networks of VAE/GAN's authors (Larsen et al., 2016; their code): kernels of 5, batch norm and ReLU, in D as well.

In the discriminators a layer and the batch norm after it are stages of their own, ``conv3`` and ``norm3``, because VAE/GAN
compares samples before the norm. Images may have any side that can be halved as often as there are layers of stride 2.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import nn

from lightning_gans.networks.dcgan import Crop, halvings
from lightning_gans.networks.layers import Network, Norm, Output, check_sizes, normalisation

_EPS, _FLAT_EPS = 1e-6, 1e-5  # of batch norm of maps and of dense layers


class VAEGANEncoder(Network):
    """Image to the means and log-variances of its latent: convolutions of stride 2, a wide dense layer, a linear one.

    Args:
        image_shape: ``(C, H, W)`` of the images taken.
        latent_dim: numbers a latent; the output has twice as many.
        widths: channels after each convolution.
        dense: units of the dense layer; 1024 in the authors' code, 2048 in the paper.
        norm: before each activation: ``batch``, ``layer`` or none.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        latent_dim: int = 128,
        widths: tuple[int, ...] = (64, 128, 256),
        dense: int = 1024,
        norm: Norm | None = "batch",
    ) -> None:
        check_sizes(self, image_shape=image_shape, latent_dim=latent_dim, widths=widths, dense=dense)
        bias = norm != "batch"
        inputs, height, width = image_shape
        stages: dict[str, nn.Module] = {}
        for number, channels in enumerate(widths, 1):
            convolution = nn.Conv2d(inputs, channels, 5, stride=2, padding=2, bias=bias)
            stages[f"conv{number}"] = nn.Sequential(convolution, *_norm(norm, channels))
            inputs = channels
        features = inputs * halvings(height, len(widths))[-1] * halvings(width, len(widths))[-1]
        stages["dense"] = nn.Sequential(nn.Flatten(), nn.Linear(features, dense, bias=bias), *_norm(norm, dense, flat=True))
        stages["output"] = nn.Linear(dense, 2 * latent_dim)
        super().__init__(stages)
        initialise_as_authors(self)


class VAEGANGenerator(Network):
    """Latent to image: a dense layer, transposed convolutions of stride 2, and a convolution to colours.

    Args:
        latent_dim: numbers a latent.
        image_shape: ``(C, H, W)`` of the images made.
        dense: channels of the small map that the dense layer makes.
        widths: channels after each transposed convolution; (192, 128, 32) for 32 pixels.
        output: after the last layer.
        norm: before each activation: ``batch``, ``layer`` or none.
    """

    def __init__(
        self,
        latent_dim: int = 128,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        dense: int = 256,
        widths: tuple[int, ...] = (256, 128, 32),
        output: Output | None = "tanh",
        norm: Norm | None = "batch",
    ) -> None:
        check_sizes(self, latent_dim=latent_dim, image_shape=image_shape, dense=dense, widths=widths)
        bias = norm != "batch"
        channels, height, width = image_shape
        sides = list(zip(halvings(height, len(widths)), halvings(width, len(widths)), strict=True))[::-1]
        first = (dense, *sides[0])
        units = math.prod(first)
        linear = nn.Linear(latent_dim, units, bias=bias)
        stages: dict[str, nn.Module] = {"dense": nn.Sequential(linear, *_norm(norm, units, flat=True), nn.Unflatten(1, first))}
        inputs = dense
        for number, outputs in enumerate(widths, 1):
            up = nn.ConvTranspose2d(inputs, outputs, 5, stride=2, padding=2, output_padding=1, bias=bias)
            stages[f"deconv{number}"] = nn.Sequential(up, Crop(sides[number]), *_norm(norm, outputs))
            inputs = outputs
        stages["output"] = nn.Conv2d(inputs, channels, 5, padding=2)
        super().__init__(stages, output)
        initialise_as_authors(self)


class VAEGANDiscriminator(Network):
    """Image to a logit: a convolution of stride 1 without norm, others of stride 2, a wide dense layer, a linear one.

    Args:
        image_shape: ``(C, H, W)`` of the images taken.
        widths: channels after each convolution; (32, 128, 192, 256) for 32 pixels.
        dense: units of the dense layer.
        norm: before each activation: ``batch``, ``layer`` or none.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        widths: tuple[int, ...] = (32, 128, 256, 256),
        dense: int = 512,
        norm: Norm | None = "batch",
    ) -> None:
        check_sizes(self, image_shape=image_shape, widths=widths, dense=dense)
        bias = norm != "batch"
        inputs, height, width = image_shape
        stages: dict[str, nn.Module] = {
            "conv1": nn.Sequential(nn.Conv2d(inputs, widths[0], 5, padding=2), nn.ReLU()),
        }
        for number, (before, after) in enumerate(pairwise(widths), 2):
            stages[f"conv{number}"] = nn.Conv2d(before, after, 5, stride=2, padding=2, bias=bias)
            stages[f"norm{number}"] = nn.Sequential(*_norm(norm, after))
        times = len(widths) - 1
        features = widths[-1] * halvings(height, times)[-1] * halvings(width, times)[-1]
        stages["dense"] = nn.Sequential(nn.Flatten(), nn.Linear(features, dense, bias=bias))
        stages["norm"] = nn.Sequential(*_norm(norm, dense, flat=True))
        stages["output"] = nn.Linear(dense, 1)
        super().__init__(stages)
        initialise_as_authors(self)


class VAEGANMLP(Network):
    """The authors' networks for MNIST: dense layers with batch norm and ReLU, a linear one; encoder, generator, discriminator.

    Args:
        inputs: numbers a sample, or an image shape ``(C, H, W)`` that is flattened.
        outputs: numbers a sample, or an image shape that is made of them.
        hidden: widths of the hidden layers.
        output: after the last layer; none leaves it linear.
        norm: before each activation: ``batch``, ``layer`` or none.
    """

    def __init__(
        self,
        inputs: int | tuple[int, ...] = (1, 28, 28),
        outputs: int | tuple[int, ...] = 1,
        hidden: tuple[int, ...] = (1024, 1024),
        output: Output | None = None,
        norm: Norm | None = "batch",
    ) -> None:
        check_sizes(self, inputs=inputs, outputs=outputs, hidden=hidden)
        stages: dict[str, nn.Module] = {}
        width = inputs if isinstance(inputs, int) else math.prod(inputs)
        if not isinstance(inputs, int):
            stages["flatten"] = nn.Flatten()
        for number, units in enumerate(hidden, 1):
            stages[f"hidden{number}"] = nn.Linear(width, units)
            stages[f"norm{number}"] = nn.Sequential(*_norm(norm, units, flat=True))
            width = units
        if isinstance(outputs, int):
            stages["output"] = nn.Linear(width, outputs)
        else:
            stages["output"] = nn.Sequential(nn.Linear(width, math.prod(outputs)), nn.Unflatten(1, tuple(outputs)))
        super().__init__(stages, output)
        initialise_as_authors(self)


@torch.no_grad()
def initialise_as_authors(network: nn.Module) -> None:
    """Draw weights uniformly from +-1 / sqrt(3 fan_in) and set biases to 0: a third of the std that keeps a linear scale."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            bound = 1 / math.sqrt(3 * layer.weight[0].numel())
            nn.init.uniform_(layer.weight, -bound, bound)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def _norm(norm: Norm | None, channels: int, flat: bool = False) -> list[nn.Module]:
    return [*normalisation(norm, channels, flat=flat, eps=_FLAT_EPS if flat else _EPS), nn.ReLU()]
