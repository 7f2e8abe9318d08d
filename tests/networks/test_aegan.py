"""AEGAN's networks against references of plain torch."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_gans import AEGANDiscriminator, AEGANEncoder, AEGANGenerator, AEGANLatentDiscriminator, InputError
from lightning_gans.networks.aegan import ChannelLayerNorm, GaussianDropout, GaussianNoise, SkipConv

SMALL = (1, 8, 8)


def small_encoder(**settings: Any) -> AEGANEncoder:
    return AEGANEncoder(SMALL, 3, (8, 16), (2, 1), **settings)


def small_discriminator(**settings: Any) -> AEGANDiscriminator:
    return AEGANDiscriminator(SMALL, (8, 16), (2, 1), **settings)


def small_generator(**settings: Any) -> AEGANGenerator:
    return AEGANGenerator(**{"latent_dim": 5, "image_shape": SMALL, "base": 6, "widths": (8, 4), "factors": (2, 1), **settings})


def small_latent_discriminator(**settings: Any) -> AEGANLatentDiscriminator:
    return AEGANLatentDiscriminator(5, 3, 4, 6, **settings)


def layers_of(network: nn.Module, kind: type[nn.Module]) -> list[Any]:
    return [layer for layer in network.modules() if isinstance(layer, kind)]


def give_random_gains(network: nn.Module) -> None:
    """So that a norm in the wrong place, or of the wrong channel, shows."""
    for norm in layers_of(network, ChannelLayerNorm):
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias)
    for layer in [*layers_of(network, nn.Linear), *layers_of(network, nn.Conv2d)]:
        nn.init.normal_(layer.weight, std=0.3)
        nn.init.normal_(layer.bias)


# Layers


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_norm_is_over_the_channels_of_each_pixel(layout: torch.memory_format) -> None:
    x = (2 * torch.randn(2, 5, 3, 4) + 1).contiguous(memory_format=layout)
    give_random_gains(norm := ChannelLayerNorm(5))
    found = norm(x)
    for n in range(2):
        for i in range(3):
            for j in range(4):
                pixel = x[n, :, i, j]
                scaled = (pixel - pixel.mean()) / (pixel.var(unbiased=False) + 1e-3).sqrt()
                torch.testing.assert_close(found[n, :, i, j], scaled * norm.weight + norm.bias)
    torch.testing.assert_close(norm(x[:, :, 0, 0]), found[:, :, 0, 0])


def test_the_norm_is_that_of_neither_a_whole_image_nor_a_batch() -> None:
    x, norm = torch.randn(3, 5, 4, 4), ChannelLayerNorm(5)
    other = torch.cat([x[:, :, :2], 7 * torch.randn(3, 5, 2, 4)], dim=2)
    torch.testing.assert_close(norm(x)[:, :, :2], norm(other)[:, :, :2])


@pytest.mark.parametrize(
    ("layer", "mean", "std"),
    [
        (GaussianNoise(0.01), lambda x: x, lambda x: torch.full_like(x, 0.01)),
        (GaussianDropout(0.005), lambda x: x, lambda x: math.sqrt(0.005 / 0.995) * x.abs()),
    ],
)
def test_noise_has_its_mean_and_its_standard_deviation_in_training_alone(layer: nn.Module, mean: Any, std: Any) -> None:
    x = torch.tensor([-2.0, 0.5, 3.0])
    draws = layer(x.expand(40_000, 3))
    torch.testing.assert_close(draws.mean(dim=0), mean(x), rtol=0, atol=0.005)
    torch.testing.assert_close(draws.std(dim=0), std(x), rtol=0.03, atol=0)
    assert torch.equal(layer.eval()(x), x)


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_a_rate_of_dropout_must_be_below_1(rate: float) -> None:
    with pytest.raises(InputError, match="dropout"):
        GaussianDropout(rate)


def skip_conv_by_hand(layer: SkipConv, x: Tensor, y: Tensor) -> Tensor:
    """Concatenate, enlarge, pad by one before and two after, convolve."""
    both = torch.cat([x, y[:, :, None, None].expand(-1, -1, *x.shape[2:])], dim=1)
    enlarged = both.repeat_interleave(layer.factor, 2).repeat_interleave(layer.factor, 3)
    return F.conv2d(F.pad(enlarged, (1, 2, 1, 2)), layer.weight, layer.bias)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 5)])
@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_the_convolution_of_an_enlarged_map_with_the_latent_is_that_of_the_concatenation(
    factor: int, size: tuple[int, int]
) -> None:
    layer = SkipConv(3, 4, 5, (size[0] * factor, size[1] * factor), factor).double()
    x, y = torch.randn(2, 3, *size, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)
    inputs = [x.requires_grad_(), y.requires_grad_(), layer.weight, layer.bias]
    found, expected = layer(x, y), skip_conv_by_hand(layer, x, y)
    torch.testing.assert_close(found, expected)
    direction = torch.randn_like(expected)
    for a, b in zip(*(torch.autograd.grad(made, inputs, direction) for made in (found, expected)), strict=True):
        torch.testing.assert_close(a, b)


# Networks


def test_the_generator_computes_what_the_authors_does() -> None:
    give_random_gains(network := small_generator())
    z = torch.randn(4, 5)
    dense = network.stages["dense"]
    x = F.relu(dense[1](dense[0](z))).view(4, 6, 4, 4)
    y = F.relu(network.skip[1](network.skip[0](z)))
    for name in ("conv1", "conv2"):
        stage = network.stages[name]
        x = F.relu(stage.finish[0](skip_conv_by_hand(stage.layer, x, y)))
    x = skip_conv_by_hand(network.stages["output"].layer, x, y)
    torch.testing.assert_close(network.logits(z), x)
    torch.testing.assert_close(network(z), x.tanh())
    assert network.output_range == (-1, 1)


@pytest.mark.parametrize(("make", "kernel", "slope"), [(small_encoder, 4, 0.0), (small_discriminator, 3, 0.02)])
def test_encoder_and_discriminator_compute_what_the_authors_do(make: Any, kernel: int, slope: float) -> None:
    give_random_gains(network := make(noise=0.0, dropout=0.0))
    images = torch.randn(4, *SMALL)
    first, second = layers_of(network, nn.Conv2d)
    norms, (linear,) = layers_of(network, ChannelLayerNorm), layers_of(network, nn.Linear)
    x = F.conv2d(F.pad(images, (1, 1, 1, 1) if kernel == 4 else (0, 1, 0, 1)), first.weight, first.bias, stride=2)
    x = F.leaky_relu(norms[0](x), slope)
    x = F.conv2d(F.pad(x, (1, 2, 1, 2) if kernel == 4 else (1, 1, 1, 1)), second.weight, second.bias)
    x = F.leaky_relu(norms[1](x), slope)
    torch.testing.assert_close(network(images), linear(x.flatten(1)))
    assert network.output_range is None


def test_every_thin_layer_of_the_latent_discriminator_sees_all_before_it() -> None:
    give_random_gains(network := small_latent_discriminator(noise=0.0, dropout=0.0))
    z = torch.randn(7, 5)
    *thin, hidden, last = layers_of(network, nn.Linear)
    x = z
    for linear, norm in zip(thin, layers_of(network, ChannelLayerNorm), strict=True):
        x = torch.cat([x, F.leaky_relu(norm(linear(x)), 0.02)], dim=1)
    torch.testing.assert_close(network(z), last(F.leaky_relu(hidden(x), 0.02)))


def test_the_defaults_are_those_of_the_authors_networks() -> None:
    generator, encoder, discriminator, latent = (
        AEGANGenerator(),
        AEGANEncoder(),
        AEGANDiscriminator(),
        AEGANLatentDiscriminator(),
    )
    shapes = [tuple(made.shape[1:]) for made in encoder.features(torch.zeros(1, 3, 64, 64), [f"conv{i}" for i in range(1, 7)])]
    assert shapes == [(64, 32, 32), (64, 16, 16), (128, 8, 8), (128, 4, 4), (128, 4, 4), (256, 4, 4)]
    assert [tuple(layer.weight.shape[1:]) for layer in layers_of(discriminator, nn.Conv2d)] == [
        (before, 3, 3) for before in (3, 64, 64, 128, 128, 128)
    ]
    made = generator.features(torch.zeros(1, 32), ["dense", *(f"conv{i}" for i in range(1, 6))])
    assert [tuple(x.shape[1:]) for x in made] == [
        (64, 4, 4), (256, 8, 8), (128, 16, 16), (128, 32, 32), (64, 64, 64), (64, 64, 64)
    ]  # fmt: skip
    thin = layers_of(latent, nn.Linear)[:-2]
    assert [(layer.in_features, layer.out_features) for layer in thin] == [(32 + 16 * i, 16) for i in range(16)]
    assert [layer.in_features for layer in layers_of(latent, nn.Linear)[-2:]] == [32 + 16 * 16, 128]


@pytest.mark.parametrize(
    ("shape", "strides", "factors"),
    [((1, 28, 28), (2, 2, 1), (2, 2, 1)), ((1, 28, 28), (2, 2, 2), (1, 4, 1)), ((3, 32, 32), (2, 2, 2), (2, 2, 2)),
     ((3, 20, 12), (1, 2, 3), (2, 1, 2))],
)  # fmt: skip
def test_the_networks_fit_each_other_at_every_size(shape: Any, strides: Any, factors: Any) -> None:
    generator = AEGANGenerator(5, shape, base=4, skip=3, widths=(4, 4, 6), factors=factors)
    images = generator(torch.randn(2, 5))
    assert images.shape == (2, *shape)
    assert AEGANEncoder(shape, 5, (4, 6, 8), strides)(images).shape == (2, 5)
    assert AEGANDiscriminator(shape, (4, 6, 8), strides)(images).shape == (2, 1)


def test_weights_are_drawn_as_the_authors_and_biases_are_0() -> None:
    for network in (AEGANGenerator(), AEGANEncoder(), AEGANDiscriminator(), AEGANLatentDiscriminator()):
        for name, layer in network.named_modules():
            if not isinstance(layer, nn.Linear | nn.Conv2d):
                continue
            glorot = math.sqrt(2 / (layer.weight.shape[0] + layer.weight.shape[1]))
            std = glorot if name.startswith("skip") or isinstance(network, AEGANLatentDiscriminator) else 0.02
            assert layer.weight.std().item() == pytest.approx(std, rel=0.25 if layer.weight.numel() < 1000 else 0.1), name
            assert layer.bias.eq(0).all()


def test_the_latent_discriminator_says_something_about_latents_from_the_start() -> None:
    """The first gradient of -log sigma(D_z) with respect to a latent: 0.5 in the author's code; of N(0, 0.02^2) it is 0.02."""
    torch.manual_seed(0)
    z = torch.randn(256, 32, requires_grad=True)
    (gradient,) = torch.autograd.grad(F.softplus(-AEGANLatentDiscriminator()(z)).sum(), z)
    assert 0.3 < gradient.norm(dim=1).mean() < 0.7


@pytest.mark.parametrize("make", [small_encoder, small_discriminator, small_latent_discriminator])
@pytest.mark.parametrize("noise", [{"noise": 0.1, "dropout": 0.0}, {"noise": 0.0, "dropout": 0.1}])
def test_noise_acts_in_training_only(make: Any, noise: dict[str, float]) -> None:
    network = make(**noise)
    x = torch.randn(3, 5) if make is small_latent_discriminator else torch.randn(3, *SMALL)
    assert not torch.equal(network(x), network(x))
    quiet = make(noise=0.0, dropout=0.0)
    quiet.load_state_dict(network.state_dict())
    torch.testing.assert_close(network.eval()(x), quiet(x))


def test_the_last_features_are_what_the_output_layer_takes() -> None:
    z, images = torch.randn(3, 5), torch.randn(3, *SMALL)
    for network, x in ((small_latent_discriminator(), z), (small_discriminator(), images), (small_encoder(), images)):
        (last,) = network.eval().features(x, ["last"])
        torch.testing.assert_close(network.stages["output"](last), network(x))
    with pytest.raises(InputError, match="no layer"):
        small_generator().features(z, ["deconv1"])


@pytest.mark.parametrize(
    ("make", "settings", "says"),
    [
        (small_generator, {"factors": (2,)}, "1 factors for 2 widths"),
        (small_generator, {"factors": (3, 1)}, "8x8 pixels"),
        (small_generator, {"factors": (0, 2)}, "8x8 pixels"),
        (AEGANEncoder, {"strides": (2,)}, "1 strides for 6 widths"),
        (AEGANDiscriminator, {"strides": (2,)}, "1 strides for 6 widths"),
        (AEGANEncoder, {"dropout": 1.0}, "dropout"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(make: Any, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        make(**settings)


ARGUMENTS: list[tuple[Any, dict[str, Any]]] = [
    (AEGANGenerator, {"latent_dim": 8}),
    (AEGANGenerator, {"image_shape": (1, 64, 64)}),
    (AEGANGenerator, {"base": 32}),
    (AEGANGenerator, {"skip": 32}),
    (AEGANGenerator, {"widths": (64, 64, 64, 64, 64)}),
    (AEGANGenerator, {"factors": (4, 2, 2, 2, 1)}),
    (AEGANEncoder, {"latent_dim": 8}),
    (AEGANEncoder, {"image_shape": (1, 64, 64)}),
    (AEGANEncoder, {"widths": (64,) * 6}),
    (AEGANEncoder, {"strides": (2, 2, 2, 2, 2, 1)}),
    (AEGANDiscriminator, {"image_shape": (1, 64, 64)}),
    (AEGANDiscriminator, {"widths": (64,) * 6}),
    (AEGANDiscriminator, {"strides": (2, 2, 2, 2, 2, 1)}),
    (AEGANLatentDiscriminator, {"latent_dim": 8}),
    (AEGANLatentDiscriminator, {"layers": 3}),
    (AEGANLatentDiscriminator, {"width": 8}),
    (AEGANLatentDiscriminator, {"hidden": 64}),
]


@pytest.mark.parametrize(("network", "change"), ARGUMENTS, ids=lambda x: getattr(x, "__name__", None) or next(iter(x)))
def test_every_size_matters(network: Any, change: dict[str, Any]) -> None:
    shapes = [[value.shape for value in network(**settings).state_dict().values()] for settings in ({}, change)]
    assert shapes[0] != shapes[1]
