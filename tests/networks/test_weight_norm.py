"""Weight norm and its start by data, noise, averages and biases of norms, each against torch by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lightning_gans.errors import InputError
from lightning_gans.networks import Layer, LayerTable
from lightning_gans.networks.weight_norm import WeightNormed, start_by_batch

LAYERS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "dense": (lambda: nn.Linear(5, 3, bias=False), (64, 5)),
    "convolution": (lambda: nn.Conv2d(2, 3, 3, stride=2, padding=1, bias=False), (64, 2, 8, 8)),
    "transposed": (lambda: nn.ConvTranspose2d(2, 3, 4, stride=2, bias=False), (64, 2, 5, 5)),
}


@pytest.fixture(params=LAYERS)
def case(request: pytest.FixtureRequest) -> tuple[Any, torch.Tensor]:
    torch.manual_seed(0)
    make, shape = LAYERS[request.param]
    return make(), torch.randn(shape)


def test_each_output_has_a_direction_and_a_length(case: tuple[Any, torch.Tensor]) -> None:
    layer, x = case
    normed = WeightNormed(layer, "trained")
    with torch.no_grad():
        normed.scale.copy_(torch.tensor([1.0, 2.0, -3.0]))
        normed.bias.copy_(torch.tensor([0.5, 0.0, 1.0]))
    dim = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
    rows = layer.weight.transpose(0, dim)
    weight = torch.stack([g * row / row.norm() for g, row in zip(normed.scale, rows, strict=True)]).transpose(0, dim)
    expected = torch.func.functional_call(layer, {"weight": weight}, x)
    expected = expected + (normed.bias if x.dim() == 2 else normed.bias.view(-1, 1, 1))
    torch.testing.assert_close(normed(x), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("std", [1.0, 0.1])
def test_it_can_start_by_a_batch(case: tuple[Any, torch.Tensor], std: float) -> None:
    layer, x = case
    normed = WeightNormed(layer, "fixed", start_std=std)
    start_by_batch(normed, x)
    y = normed(x).transpose(0, 1).flatten(1)
    torch.testing.assert_close(y.mean(1), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(y.std(1, correction=0), torch.full((3,), std))
    assert not normed._forward_pre_hooks


def test_without_a_start_nothing_is_started_and_a_fixed_length_is_not_trained() -> None:
    normed = WeightNormed(nn.Linear(5, 3, bias=False), "fixed", bias=False)
    start_by_batch(normed, torch.randn(8, 5))
    assert torch.equal(normed.scale, torch.ones(3))
    assert [name for name, _ in normed.named_parameters()] == ["layer.weight"]


def test_a_table_can_have_noise_weight_norm_and_averages() -> None:
    torch.manual_seed(0)
    rows = [
        Layer(4, kernel=3, noise=0.5, weight_norm="fixed", start_std=1.0, activation="softplus"),
        Layer(6, kernel=1, average=True),
        Layer(2, weight_norm="trained"),
    ]
    network, x = LayerTable((1, 6, 6), rows).eval(), torch.randn(5, 1, 6, 6)
    first, second, third = network.stages.values()
    assert network.output_shape == (2,)
    maps = F.softplus(first[1](x))
    torch.testing.assert_close(network(x), third[0](F.conv2d(maps, second[0].weight, second[0].bias).mean((2, 3))))
    torch.manual_seed(1)
    noise = 0.5 * torch.randn(5, 1, 6, 6)
    torch.manual_seed(1)
    torch.testing.assert_close(network.train()(x), network.eval()(x + noise))


@pytest.mark.parametrize("kernel", [None, 2])
def test_norms_can_have_biases_alone(kernel: int | None) -> None:
    network, x = LayerTable((2, 3, 3), [Layer(4, kernel=kernel, norm="batch")], affine="bias"), torch.randn(5, 2, 3, 3)
    layer, norm, bias = (module for module in network.stages["output"] if not isinstance(module, nn.Flatten))
    assert list(norm.parameters()) == []
    assert layer.bias is None
    assert bias.bias.numel() == 4
    with torch.no_grad():
        bias.bias += torch.arange(4.0).view_as(bias.bias)
    dims = (0,) if kernel is None else (0, 2, 3)
    torch.testing.assert_close(network(x).mean(dims), torch.arange(4.0), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"weight_norm": "fixed", "norm": "batch"}, "weight_norm beside norm"),
        ({"start_std": 1.0}, "start_std is 1.0"),
        ({"weight_norm": "fixed", "start_std": 0.0}, "start_std is 0.0"),
        ({"noise": -1.0}, "noise is -1.0"),
    ],
)
def test_rows_that_do_not_fit_together_are_refused(row: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Layer(3, **row)


def test_numbers_have_no_pixels_to_average_over() -> None:
    with pytest.raises(InputError, match="makes numbers, which have no pixels"):
        LayerTable(3, [Layer(3, average=True)])
