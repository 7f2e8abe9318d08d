"""The networks of ALI's tables: sizes, widths and biases."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from lightning_gans import ALIDiscriminator, ALIEncoder, ALIGenerator, InputError
from lightning_gans.networks.layers import Maxout, UntiedBias

CONFIGS = Path(__file__).parents[2] / "configs"
ROWS = [(5, 1, 32), (4, 2, 64), (4, 1, 128), (4, 2, 256), (4, 1, 512)]

# Sides of the maps that each row of the encoder leaves, and the input of the joint part with maxout counted
TABLES = {
    "cifar10": ([28, 13, 10, 4, 1, 1], 256 + 256),
    "svhn": ([28, 13, 10, 4, 1, 1], 512 + 512),
    "celeba": ([63, 29, 13, 4, 1], 512 + 1024),
    "tiny_imagenet": ([31, 28, 13, 10, 4, 1, 1, 1], 256 + 2048),
    "mnist": ([13, 10, 4, 1], 256 + 256),
}


def networks(data: str) -> tuple[ALIEncoder, ALIGenerator, ALIDiscriminator]:
    settings = yaml.safe_load((CONFIGS / f"ali_{data}.yaml").read_text())["model"]["init_args"]
    made = [(ALIEncoder, "encoder"), (ALIGenerator, "generator"), (ALIDiscriminator, "joint_discriminator")]
    E, G, D = (kind(**settings[name]["init_args"]) for kind, name in made)
    return E, G, D


@pytest.mark.parametrize("data", TABLES)
def test_maps_shrink_to_one_pixel_and_grow_back(data: str) -> None:
    E, G, D = networks(data)
    sides, joint = TABLES[data]
    x = torch.rand(2, *E.input_shape)
    maps = [output for name, output in E.walk(x) if name != "output"]
    assert [1 if each.dim() == 2 else each.shape[-1] for each in maps] == sides
    z = torch.randn(2, *G.input_shape)
    assert G(z).shape == x.shape
    assert E(x).shape == (2, 2 * z.shape[1])
    assert D.joint.input_shape == (joint,)
    assert D(x, z).shape == (2, 1)


@pytest.mark.parametrize("data", TABLES)
def test_biases_are_those_of_the_code(data: str) -> None:
    E, G, D = networks(data)
    hidden = [layer for part in (E, G) for name, stage in part.stages.items() if name != "output" for layer in stage]
    assert all(layer.bias is None for layer in hidden if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear))
    assert any(isinstance(layer, UntiedBias) and layer.bias.shape == E.input_shape for layer in G.stages["output"])
    assert all(layer.bias is None for layer in D.z.modules() if isinstance(layer, nn.Linear))
    assert all(layer.bias is not None for layer in D.joint.modules() if isinstance(layer, nn.Linear))
    assert D.x.stages["conv1"][1].bias is not None


def test_dropout_is_on_the_inputs_of_layers() -> None:
    D = networks("cifar10")[2]
    found = ((name, [layer.p for layer in stage if isinstance(layer, nn.Dropout)]) for name, stage in D.stages.items())
    rates = {name: rate for name, (rate,) in found}
    assert rates.pop("x.conv1") == rates.pop("z.hidden1") == 0.2
    assert set(rates.values()) == {0.5}
    assert sum(isinstance(layer, Maxout) for layer in D.modules()) == 5 + 2 + 2


def test_weights_start_small() -> None:
    E = ALIEncoder((3, 32, 32), 128, ROWS)
    weights = torch.cat([p.flatten() for name, p in E.named_parameters() if p.dim() > 1])
    assert abs(float(weights.std()) - 0.01) < 1e-4


def test_a_1x1_convolution_of_one_pixel_is_dense() -> None:
    E = ALIEncoder((3, 32, 32), 128, [*ROWS, (1, 1, 512)])
    dense = E.stages["conv6"][1]  # behind what flattens one pixel
    assert isinstance(dense, nn.Linear)
    x = torch.rand(2, 512)
    as_convolution = torch.nn.functional.conv2d(x[:, :, None, None], dense.weight[:, :, None, None]).flatten(1)
    torch.testing.assert_close(dense(x), as_convolution)


def test_convolutions_must_leave_one_pixel() -> None:
    with pytest.raises(InputError, match=r"leave 4x4 pixels of \[3, 32, 32\], but must leave one; set their rows"):
        ALIDiscriminator((3, 32, 32), 8, ROWS[:-1], (8,), (8,))


def test_a_row_has_three_numbers() -> None:
    with pytest.raises(InputError, match=r"a row is \[5, 1\], but must be a kernel, a stride and feature maps; set rows"):
        ALIEncoder((3, 32, 32), 8, [(5, 1)])  # type: ignore[list-item]
