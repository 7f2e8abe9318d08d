"""VAE/GAN's networks: sizes as published, taps before batch norm, ranges, initialisation."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from lightning_gans.errors import InputError
from lightning_gans.networks import VAEGANMLP, Network, VAEGANDiscriminator, VAEGANEncoder, VAEGANGenerator


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def sizes(network: Network, x: Tensor, layers: list[str]) -> list[tuple[int, ...]]:
    return [tuple(found.shape[1:]) for found in network.features(x, layers)]


def test_the_networks_for_64_pixels_have_the_published_sizes() -> None:
    x = noise(2, 3, 64, 64)
    found = sizes(VAEGANEncoder(), x, ["conv1", "conv2", "conv3", "dense", "output"])
    assert found == [(64, 32, 32), (128, 16, 16), (256, 8, 8), (1024,), (256,)]
    found = sizes(VAEGANGenerator(), noise(2, 128), ["dense", "deconv1", "deconv2", "deconv3", "output"])
    assert found == [(256, 8, 8), (256, 16, 16), (128, 32, 32), (32, 64, 64), (3, 64, 64)]
    found = sizes(VAEGANDiscriminator(), x, ["conv1", "conv2", "conv3", "conv4", "dense", "output"])
    assert found == [(32, 64, 64), (128, 32, 32), (256, 16, 16), (256, 8, 8), (512,), (1,)]


def test_the_networks_for_32_pixels_have_the_published_sizes() -> None:
    x = noise(2, 3, 32, 32)
    assert sizes(VAEGANEncoder((3, 32, 32), 256), x, ["conv3", "output"]) == [(256, 4, 4), (512,)]
    generator = VAEGANGenerator(256, (3, 32, 32), widths=(192, 128, 32))
    assert sizes(generator, noise(2, 256), ["dense", "deconv1", "deconv2", "deconv3"]) == [
        (256, 4, 4),
        (192, 8, 8),
        (128, 16, 16),
        (32, 32, 32),
    ]
    discriminator = VAEGANDiscriminator((3, 32, 32), (32, 128, 192, 256))
    found = sizes(discriminator, x, ["conv2", "conv3", "conv4", "output"])
    assert found == [(128, 16, 16), (192, 8, 8), (256, 4, 4), (1,)]


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 20, 36), (2, 8, 8)])
def test_images_of_other_sides_fit(shape: tuple[int, int, int]) -> None:
    images = VAEGANGenerator(5, shape, 8, (8, 6, 4))(noise(2, 5))
    assert images.shape == (2, *shape)
    assert images.abs().max() <= 1
    assert VAEGANEncoder(shape, 5, (4, 6, 8), 16)(images).shape == (2, 10)
    assert VAEGANDiscriminator(shape, (4, 6, 8, 8), 16)(images).shape == (2, 1)


def test_images_that_are_too_small_are_refused() -> None:
    with pytest.raises(InputError, match="cannot be halved 3 times"):
        VAEGANDiscriminator((1, 4, 4))


@pytest.mark.parametrize(
    ("network", "layer", "norm"),
    [
        (VAEGANDiscriminator((1, 8, 8), (4, 6, 8), 10), "conv3", "norm3"),
        (VAEGANDiscriminator((1, 8, 8), (4, 6, 8), 10), "dense", "norm"),
        (VAEGANMLP((1, 8, 8), 1, (9, 7)), "hidden2", "norm2"),
    ],
)
def test_layers_are_tapped_before_their_batch_norm(network: Network, layer: str, norm: str) -> None:
    before, after = network.features(3 * noise(40, 1, 8, 8), [layer, norm])
    over = [dim for dim in range(before.dim()) if dim != 1]
    variance, mean = torch.var_mean(before, over, correction=0, keepdim=True)
    eps = 1e-6 if before.dim() == 4 else 1e-5
    torch.testing.assert_close(after, ((before - mean) / (variance + eps).sqrt()).relu(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("hidden", [(9,), (9, 7)])
def test_the_dense_networks_take_and_make_images_or_numbers(hidden: tuple[int, ...]) -> None:
    network = VAEGANMLP(5, (1, 4, 4), hidden, output="sigmoid")
    images = network(10 * noise(6, 5))
    assert images.shape == (6, 1, 4, 4)
    assert network.output_range == (0, 1)
    assert 0 <= images.min() <= images.max() <= 1
    assert VAEGANMLP((1, 4, 4), 3, hidden)(images).shape == (6, 3)


MAKE: list[Callable[[], Network]] = [
    partial(VAEGANEncoder, (2, 8, 8), 5, (4, 6), 7),
    partial(VAEGANGenerator, 5, (2, 8, 8), 6, (4, 3)),
    partial(VAEGANDiscriminator, (2, 8, 8), (4, 6, 8), 7),
    partial(VAEGANMLP, 30, 9, (25, 16)),
]


@pytest.mark.parametrize("make", MAKE, ids=["encoder", "generator", "discriminator", "mlp"])
def test_every_layer_is_initialised_as_by_the_authors(make: Callable[[], Network]) -> None:
    network = make()
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert norms
    assert all(layer.eps == (1e-6 if isinstance(layer, nn.BatchNorm2d) else 1e-5) for layer in norms)
    assert {layer.momentum for layer in norms} == {0.1}
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            bound = 1 / math.sqrt(3 * layer.weight[0].numel())
            assert 0.85 * bound < layer.weight.abs().max() <= bound
            assert layer.bias is None or layer.bias.eq(0).all()
