"""GAN-CLS's networks against the sizes of the authors' code."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from lightning_gans import AttributeCondition, Conditioned, GANCLSDiscriminator, GANCLSGenerator, InputError
from lightning_gans.networks.gan_cls import Residual

SMALL: dict[str, Any] = {"image_shape": (3, 32, 32), "width": 4}


def convolutions(network: nn.Module) -> list[tuple[int, int, int, int]]:
    """Channels taken and made, side of the kernel and stride of each layer, in their order."""
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    layers = [layer for layer in network.modules() if isinstance(layer, kinds)]
    return [(layer.in_channels, layer.out_channels, layer.kernel_size[0], layer.stride[0]) for layer in layers]


def test_the_generator_has_the_layers_of_the_code() -> None:
    network = GANCLSGenerator()
    blocks = [[(1024, 256, 1, 1), (256, 256, 3, 1), (256, 1024, 3, 1)], [(512, 128, 1, 1), (128, 128, 3, 1), (128, 512, 3, 1)]]
    first, second = [(228, 1024, 4, 1), *blocks[0]], [(1024, 512, 4, 2), *blocks[1]]
    assert convolutions(network) == [*first, *second, (512, 256, 4, 2), (256, 128, 4, 2), (128, 3, 4, 2)]
    with torch.no_grad():
        assert network.eval()(torch.randn(1, 228)).shape == (1, 3, 64, 64)
    assert network.output_range == (-1, 1)


def test_the_discriminator_has_the_layers_that_the_code_runs() -> None:
    network = GANCLSDiscriminator()
    trunk = [(3, 64, 4, 2), (64, 128, 4, 2), (128, 256, 4, 2), (256, 512, 4, 2)]
    assert convolutions(network) == [*trunk, (512 + 128, 512, 1, 1), (512, 1, 4, 1)]
    block = [(512, 128, 1, 1), (128, 128, 3, 1), (128, 512, 3, 1)]
    assert convolutions(GANCLSDiscriminator(residual=True)) == [*trunk, *block, (640, 512, 1, 1), (512, 1, 4, 1)]
    linear = [not any(isinstance(layer, nn.LeakyReLU) for layer in stage) for stage in network.stages.values()]
    assert linear == [False, False, True, False, False, True]
    of_coco = GANCLSDiscriminator(linear_before_last=False)
    assert not any(isinstance(layer, nn.LeakyReLU) for layer in of_coco.stages["output"])
    assert all(isinstance(of_coco.stages[f"conv{number}"][-1], nn.LeakyReLU) for number in range(1, 5))


@pytest.mark.parametrize("network", [GANCLSGenerator(**SMALL), GANCLSDiscriminator(**SMALL)])
def test_no_convolution_has_a_bias_and_all_start_as_those_of_dcgan(network: nn.Module) -> None:
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]
    assert all(layer.bias is None for layer in layers)
    weights = torch.cat([layer.weight.detach().flatten() for layer in layers])
    assert float(weights.std()) == pytest.approx(0.02, rel=0.1)
    gains = torch.cat([layer.weight.detach() for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)])
    assert 0.005 < float(gains.std()) < 0.04


def test_a_residual_block_adds_its_input() -> None:
    block = Residual(8, "relu").eval()
    assert not isinstance(block.steps[-1], nn.ReLU), "the activation follows the sum"
    for layer in block.steps:
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.zeros_(layer.weight)
    x = torch.randn(2, 8, 4, 4)
    torch.testing.assert_close(block(x), x)


def test_the_text_joins_z_and_the_maps_of_4_pixels() -> None:
    of = {"linear": 8, "activation": "lrelu"}
    G = Conditioned(GANCLSGenerator(5 + 8, **SMALL), AttributeCondition(20, **of))  # type: ignore[arg-type]
    D = Conditioned(GANCLSDiscriminator(condition=8, **SMALL), AttributeCondition(20, norm="batch", **of))  # type: ignore[arg-type]
    assert D.at == ["joint"]
    z, t, other = torch.randn(4, 5), torch.randn(4, 20), torch.randn(4, 20)
    x = G(z, t)
    assert x.shape == (4, 3, 32, 32)
    assert D(x, t).shape == (4, 1)
    assert not torch.equal(D(x, t), D(x, other))
    names = ["conv3", "joint"]
    before, joined = (D.features(x, names, text) for text in (t, other))
    assert before[0].shape == (4, 16, 4, 4)
    assert torch.equal(before[0], joined[0]), "the image's layers are not told"
    assert not torch.equal(before[1], joined[1])


@pytest.mark.parametrize("shape", [(3, 64, 32), (3, 48, 48), (3, 8, 8)])
@pytest.mark.parametrize("kind", [GANCLSGenerator, GANCLSDiscriminator])
def test_other_sides_are_refused(kind: Any, shape: tuple[int, int, int]) -> None:
    with pytest.raises(InputError, match=f"sides of 16, 32, 64, ... pixels, not {shape[1]}x{shape[2]}; set data.image_size"):
        kind(image_shape=shape, width=2)
