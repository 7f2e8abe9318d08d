"""The norm of every family, and outputs that start at the mean of the data."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_gans.errors import InputError
from lightning_gans.networks import (
    MLP,
    VAEGANMLP,
    AEGANLatentDiscriminator,
    ConvGenerator,
    ConvNet,
    Layer,
    LayerTable,
    Network,
    UnrolledGenerator,
    VAEGANDiscriminator,
    VAEGANEncoder,
    VAEGANGenerator,
    WGANGPCritic,
    WGANGPGenerator,
)

# Each with its own norm and the shape that it takes
FAMILIES: dict[str, tuple[Callable[..., Network], str | None, tuple[int, ...]]] = {
    "MLP": (partial(MLP, 5, 2, (6, 7)), None, (5,)),
    "maxout MLP": (partial(MLP, 5, 2, (6,), activation="maxout"), None, (5,)),
    "ConvNet": (partial(ConvNet, (1, 8, 8), 2, (4, 6)), "batch", (1, 8, 8)),
    "ConvGenerator": (partial(ConvGenerator, 5, (1, 8, 8), (6, 4)), "batch", (5,)),
    "WGANGPCritic": (partial(WGANGPCritic, width=4), None, (1, 28, 28)),
    "WGANGPGenerator": (partial(WGANGPGenerator, 5, width=4), None, (5,)),
    "UnrolledGenerator": (partial(UnrolledGenerator, 5), "batch", (5,)),
    "VAEGANEncoder": (partial(VAEGANEncoder, (2, 8, 8), 5, (4, 6), 7), "batch", (2, 8, 8)),
    "VAEGANGenerator": (partial(VAEGANGenerator, 5, (2, 8, 8), 6, (4, 3)), "batch", (5,)),
    "VAEGANDiscriminator": (partial(VAEGANDiscriminator, (2, 8, 8), (4, 6, 8), 7), "batch", (2, 8, 8)),
    "VAEGANMLP": (partial(VAEGANMLP, 5, 2, (6, 7)), "batch", (5,)),
}
every_family = pytest.mark.parametrize("family", FAMILIES)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def norms(network: nn.Module) -> set[str]:
    kinds = {"BatchNorm1d": "batch", "BatchNorm2d": "batch", "GroupNorm": "layer"}
    return {kinds[type(layer).__name__] for layer in network.modules() if type(layer).__name__ in kinds}


@every_family
def test_the_norm_of_a_family_is_its_own_unless_another_is_asked_for(family: str) -> None:
    make, own, _ = FAMILIES[family]
    assert norms(make()) == ({own} if own else set())
    for norm in ("batch", "layer"):
        assert norms(make(norm=norm)) == {norm}
    assert norms(make(norm=None)) == set()
    with pytest.raises(ValueError, match="instance"):
        make(norm="instance")


@every_family
@pytest.mark.parametrize("norm", ["batch", "layer", None])
def test_only_batch_norm_ties_a_row_to_the_others(family: str, norm: Any) -> None:
    make, _, shape = FAMILIES[family]
    torch.manual_seed(0)
    network = make(norm=norm).double()
    x = noise(4, *shape).double()
    alone = network(torch.cat([x[:1], 3 * x[1:]]))[0]
    assert torch.allclose(network(x)[0], alone, atol=1e-9) == (norm != "batch")


@every_family
def test_without_batch_norm_every_layer_has_a_bias(family: str) -> None:
    layers = [m for m in FAMILIES[family][0](norm=None).modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]
    assert all(layer.bias is not None for layer in layers)


def test_an_mlps_norm_is_between_its_linear_layer_and_its_activation() -> None:
    network = MLP(5, 2, (6,), norm="layer")
    linear = next(layer for layer in network.modules() if isinstance(layer, nn.Linear))
    expected = F.relu(F.layer_norm(linear(noise(3, 5)), (6,)))
    torch.testing.assert_close(network.features(noise(3, 5), ["hidden1"])[0], expected)


PIXELS = torch.rand(2, 8, 8, generator=torch.Generator().manual_seed(0))
UNTIED = [Layer(3, 4, transposed=True, activation="relu"), Layer(2, 5, transposed=True, bias="untied")]


def without_weights(network: nn.Module) -> nn.Module:
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("weight"):
                parameter.zero_()
    return network


@pytest.mark.parametrize("output", ["sigmoid", "tanh", None])
def test_an_untied_bias_starts_at_the_mean_image(output: Any) -> None:
    rows = [UNTIED[0], Layer(2, 5, transposed=True, bias="untied", activation=output)]
    mean = 2 * PIXELS - 1 if output == "tanh" else PIXELS
    for network in (LayerTable(3, rows), MLP(3, (2, 8, 8), (4,), output=output)):
        network.start_output_at(mean)
        torch.testing.assert_close(without_weights(network)(noise(5, 3)), mean.expand(5, -1, -1, -1))


def test_a_bias_that_all_pixels_share_starts_at_the_mean_of_its_channel() -> None:
    network = ConvGenerator(3, (2, 8, 8), (4,), output="sigmoid")
    network.start_output_at(PIXELS)
    image = without_weights(network).eval()(noise(1, 3))[0]
    torch.testing.assert_close(image, PIXELS.mean((1, 2), keepdim=True).expand(-1, 8, 8))


def test_pixels_that_are_always_black_or_white_start_at_finite_log_odds() -> None:
    network = MLP(3, 2, (), output="sigmoid")
    network.start_output_at(torch.tensor([0.0, 1.0]))
    bias = network.stages["output"].bias
    torch.testing.assert_close(bias, torch.tensor([-16.118, 16.118]), atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("network", "mean", "words"),
    [
        (LayerTable(3, UNTIED), torch.zeros(1, 8, 8), "has 128 biases, but the mean sample has 64 numbers"),
        (LayerTable(3, [Layer(2, bias="none")]), torch.zeros(2), "has no bias, but"),
        (MLP(3, 2, (), output="sigmoid"), torch.tensor([0.5, -0.1]), r"leaves the output's range \[0.0, 1.0\]"),
        (MLP(3, 2, ()), torch.tensor([0.5, torch.nan]), "leaves the output's range"),
        (AEGANLatentDiscriminator(3), torch.zeros(2), "has 1 biases, but the mean sample has 2"),
    ],
)
def test_a_mean_that_the_output_cannot_start_at_is_refused(network: Network, mean: Tensor, words: str) -> None:
    with pytest.raises(InputError, match=words):
        network.start_output_at(mean)


# What the authors of WGAN-GP and GAAN start from

CONFIGS = Path(__file__).parents[2] / "configs"


def conv_std(inputs: int, outputs: int) -> float:
    """Of their convolutions, 5 wide and of stride 2 or transposed, in closed form."""
    return math.sqrt(4 / (25 * max(inputs, outputs) / 4 + 25 * min(inputs, outputs)))


def dense_std(inputs: int, outputs: int) -> float:
    return math.sqrt(2 / (inputs + outputs))


def of_config(name: str, network: str) -> ConvNet | ConvGenerator:
    """A network of a config, as it starts."""
    torch.manual_seed(0)
    spec = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())["model"]["init_args"][network]
    return {"ConvNet": ConvNet, "ConvGenerator": ConvGenerator}[spec["class_path"].rpartition(".")[2]](**spec["init_args"])


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (WGANGPGenerator, [dense_std(128, 4096), conv_std(128, 256), conv_std(64, 128), conv_std(1, 64)]),
        (WGANGPCritic, [conv_std(1, 64), conv_std(64, 128), conv_std(128, 256), dense_std(4096, 1)]),
        (partial(of_config, "gaan_mnist", "generator"),
         [dense_std(100, 8192), conv_std(256, 512), conv_std(128, 256), conv_std(1, 128)]),
        (partial(of_config, "gaan_mnist", "encoder"),
         [conv_std(1, 64), conv_std(64, 128), conv_std(128, 256), dense_std(4096, 100)]),
    ],
)  # fmt: skip
def test_weights_of_tflib_are_uniform_with_its_widths(make: Callable[[], Network], expected: list[float]) -> None:
    torch.manual_seed(0)
    weights = [m.weight for m in make().modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]
    assert [weight.std().item() for weight in weights] == pytest.approx(expected, rel=0.06)
    for weight, std in zip(weights, expected, strict=True):
        assert 0.9 * math.sqrt(3) * std < weight.abs().max() <= math.sqrt(3) * std


def test_features_start_as_large_as_in_the_authors_code() -> None:
    """Phi of GAAN's D on MNIST: the mean square of a layer follows from the weights' in closed form."""
    digits = torch.zeros(64, 1, 28, 28)
    digits[:, :, 9:19, 9:18] = 1  # as bright as digits are in the mean: a square of 0.11
    moment, channels = digits[:1].square(), 1
    for outputs in (64, 128, 256):
        taps = F.conv2d(moment, torch.ones(1, 1, 5, 5), stride=2, padding=2)
        moment, channels = 0.52 * channels * conv_std(channels, outputs) ** 2 * taps, outputs  # kept: (1 + 0.2^2) / 2
    (phi,) = of_config("gaan_mnist", "discriminator").features(digits, ["last"])
    assert phi.square().mean().sqrt().item() == pytest.approx(moment.mean().sqrt().item(), rel=0.1)
    assert 0.09 < phi.square().mean().sqrt() < 0.16, "0.0135 with weights of N(0, 0.02^2)"


@pytest.mark.parametrize("network", ["encoder", "generator", "discriminator"])
@pytest.mark.parametrize("config", ["gaan_cifar10", "gaan_celeba"])
def test_colour_networks_of_gaan_start_by_xavier(config: str, network: str) -> None:
    for layer in of_config(config, network).modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            taps = layer.weight[0, 0].numel()
            xavier = math.sqrt(2 / taps / sum(layer.weight.shape[:2]))
            assert layer.weight.std().item() == pytest.approx(xavier, rel=0.06)
