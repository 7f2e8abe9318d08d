"""The networks suggested for a shape: read by the command's parser, of the right shapes, trained by a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import yaml
from jsonargparse import ArgumentParser
from torch import Tensor, nn

from lightning_gans import MLP
from lightning_gans.errors import InputError
from lightning_gans.networks import Conditioned
from lightning_gans.networks.suggest import (
    ConditionKind,
    Spec,
    suggested_autoencoder,
    suggested_discriminator,
    suggested_encoder,
    suggested_generator,
    suggested_heads,
    suggested_latent_discriminator,
    suggested_pair_discriminator,
    suggested_set_discriminator,
)

SHAPES = [(2,), (1, 8, 8), (1, 48, 56), (3, 32, 32), (3, 64, 64)]
CONDITIONS = {None: None, "labels": ConditionKind("labels", 4), "attributes": ConditionKind("attributes", 3)}
GIVEN = {None: (), "labels": (torch.tensor([1, 3]),), "attributes": (torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0]]),)}
LATENT = 5


def instantiate(spec: Spec) -> Any:
    """As the command does, from the text of a config file."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--network", type=nn.Module)
    return parser.instantiate(parser.parse_string(yaml.safe_dump({"network": spec}))).network


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_suggested_networks_fit_the_shape_and_every_parameter_is_reached(shape: tuple[int, ...], condition: Any) -> None:
    known, given = CONDITIONS[condition], GIVEN[condition]
    x, z = noise(2, *shape), noise(2, LATENT)
    for spec, inputs, outputs in (
        (suggested_encoder(shape, 2 * LATENT, known), (x,), (2 * LATENT,)),
        (suggested_generator(LATENT, shape, known), (z,), shape),
        (suggested_discriminator(shape, known), (x,), (1,)),
        (suggested_pair_discriminator(shape, LATENT, known), (x, z), (1,)),
    ):
        network = instantiate(spec)
        result = network(*inputs, *given)
        assert result.shape == (2, *outputs)
        result.square().sum().backward()
        assert all(p.grad is not None for p in network.parameters())
        assert isinstance(network, Conditioned) == (condition is not None)


@pytest.mark.parametrize("shape", [*SHAPES, (1, 28, 28), (1, 45, 30)], ids=str)
def test_suggested_autoencoders_heads_and_set_discriminators_fit_the_shape(shape: tuple[int, ...]) -> None:
    x = noise(2, *shape)
    autoencoder = instantiate(suggested_autoencoder(shape, LATENT))
    assert autoencoder(x).shape == x.shape
    assert len(shape) == 1 or autoencoder.features(x, ["code"])[0].shape == (2, LATENT)
    heads = instantiate(suggested_heads(shape, {"real": 1, "digit": 10}))
    assert {name: output.shape for name, output in heads.heads(x).items()} == {"real": (2, 1), "digit": (2, 10)}
    of_sets = (
        instantiate(suggested_set_discriminator(shape)),
        instantiate(suggested_set_discriminator(shape, two_samples=False)),
    )
    assert of_sets[0](x, x).shape == of_sets[1](x).shape == (1, 1)


@pytest.mark.parametrize(
    ("shape", "widths"),
    [
        ((1, 8, 8), [64]),
        ((1, 28, 28), [64, 128, 256]),
        ((3, 32, 32), [64, 128, 256]),
        ((1, 48, 56), [64, 128, 256, 512]),
        ((3, 64, 64), [64, 128, 256, 512]),
        ((3, 128, 128), [64, 128, 256, 512, 512]),
        ((1, 2, 3), [64]),
    ],
    ids=str,
)
def test_images_are_halved_to_about_four_pixels_and_widths_double(shape: tuple[int, ...], widths: list[int]) -> None:
    assert suggested_discriminator(shape)["init_args"]["widths"] == widths
    assert suggested_generator(7, shape)["init_args"]["widths"] == widths[::-1]


def test_points_get_the_networks_that_every_paper_has_by_default() -> None:
    suggestions: list[tuple[Spec, Callable[[], MLP]]] = [
        (suggested_encoder((2,), 3), lambda: MLP(2, 3)),
        (suggested_generator(3, (2,)), lambda: MLP(3, 2, output="sigmoid")),
        (suggested_discriminator((2,)), lambda: MLP(2, 1)),
        (suggested_latent_discriminator(3), lambda: MLP(3, 1)),
    ]
    for spec, default in suggestions:
        torch.manual_seed(0)
        network = instantiate(spec)
        torch.manual_seed(0)
        expected = default()
        assert network.output_range == expected.output_range
        assert all(map(torch.equal, network.state_dict().values(), expected.state_dict().values()))


@pytest.mark.parametrize("shape", [(2,), (1, 8, 8)])
@pytest.mark.parametrize(("output", "interval"), [("sigmoid", (0, 1)), ("tanh", (-1, 1)), (None, None)])
def test_the_generators_range_may_be_chosen(shape: tuple[int, ...], output: Any, interval: Any) -> None:
    for condition in CONDITIONS.values():
        assert instantiate(suggested_generator(3, shape, condition, output)).output_range == interval
    assert instantiate(suggested_generator(3, (1, 8, 8))).output_range == (-1, 1)


def test_a_discriminator_under_a_gradient_penalty_can_do_without_batch_norm() -> None:
    for spec in (suggested_discriminator((1, 8, 8), norm=None), suggested_pair_discriminator((1, 16, 16), 3, norm="layer")):
        assert not any("BatchNorm" in type(layer).__name__ for layer in instantiate(spec).modules())


def test_suggesting_draws_no_random_numbers() -> None:
    before = torch.get_rng_state()
    suggested_pair_discriminator((3, 64, 64), 9, ConditionKind("labels", 3))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("shape", [(1, 1, 8), (3, 4), (1, 2, 3, 4), (0, 8, 8)])
def test_a_shape_of_neither_points_nor_images_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="no network for samples of shape"):
        suggested_generator(2, shape)
