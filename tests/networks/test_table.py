"""Networks from tables of layers: ALI's as printed, and each entry of a row by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from jsonargparse import ArgumentParser
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_gans.errors import InputError
from lightning_gans.networks import Layer, LayerTable, PairNetwork


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def rows(table: str, **settings: Any) -> list[Layer]:
    """Rows as papers abbreviate them: ``5s1 32`` is a convolution, ``T4s2 64`` a transposed one."""
    layers = []
    for entry in table.split(","):
        form, channels = entry.split()
        kernel, stride = form.lstrip("T").split("s")
        layers.append(Layer(int(channels), int(kernel), int(stride), form.startswith("T"), **settings))
    return layers


ALI: dict[str, Any] = {"momentum": 0.05, "init_scale": 0.01}
NORMED: dict[str, Any] = {"norm": "batch", "activation": "lrelu"}
PIXEL_BIAS = Layer(3, 1, activation="sigmoid", bias="untied")
SMALL_DOWN, SMALL_UP = "5s1 32, 4s2 64, 4s1 128, 4s2 256, 4s1 512", "T4s1 256, T4s2 128, T4s1 64, T4s2 32, T5s1 32, 1s1 32"
CELEBA_DOWN, CELEBA_UP = "2s1 64, 7s2 128, 5s2 256, 7s2 256, 4s1 512", "T4s1 512, T7s2 256, T5s2 256, T7s2 128, T2s1 64"
TINY_DOWN = "4s2 64, 4s1 64, 4s2 128, 4s1 128, 4s2 256, 4s1 256"
TINY_UP = "1s1 2048, 1s1 256, T4s1 256, T4s2 128, T4s1 128, T4s2 64, T4s1 64, T4s2 64"

# Per table: side, latent, E and G without their last layers, E's trunk in D, z's part, the joint part, what D's rows have
TABLES: dict[str, tuple[int, int, str, str, str, str, str, dict[str, Any]]] = {
    "3, CIFAR-10": (32, 64, f"{SMALL_DOWN}, 1s1 512", SMALL_UP, SMALL_DOWN, "1s1 512, 1s1 512", "1s1 1024, 1s1 1024", {}),
    "4, SVHN": (32, 256, f"{SMALL_DOWN}, 1s1 512", SMALL_UP, SMALL_DOWN, "1s1 512, 1s1 512", "1s1 1024, 1s1 1024", NORMED),
    "5, CelebA": (64, 256, CELEBA_DOWN, CELEBA_UP, CELEBA_DOWN, "1s1 1024, 1s1 1024", "1s1 2048, 1s1 2048", NORMED),
    "6, Tiny ImageNet": (
        64,
        256,
        f"{TINY_DOWN}, 1s1 2048, 1s1 2048",
        TINY_UP,
        TINY_DOWN,
        "1s1 2048, 1s1 2048",
        "1s1 4096, 1s1 4096",
        NORMED,
    ),
}


@pytest.mark.parametrize("table", TABLES)
def test_the_tables_of_ali_are_a_few_lines_each(table: str) -> None:
    side, latent, down, up, trunk, of_z, joint, of_x = TABLES[table]
    with torch.device("meta"):
        hidden = of_x or {"activation": "maxout", "dropout": 0.5}
        dense = {"activation": hidden["activation"], "dropout": 0.2}
        encoder = LayerTable((3, side, side), [*rows(down, **NORMED), Layer(2 * latent, 1, bias="untied")], **ALI)
        generator = LayerTable(latent, [*rows(up, **NORMED), PIXEL_BIAS], **ALI)
        x = LayerTable((3, side, side), rows(trunk, **hidden), **ALI)
        z = LayerTable(latent, rows(of_z, **dense), **ALI)
        pairs = LayerTable(x.output_shape[0] + z.output_shape[0], [*rows(joint, **dense), Layer(1, 1)], **ALI)
        images, latents = torch.empty(2, 3, side, side), torch.empty(2, latent)
        assert encoder(images).shape == (2, 2 * latent)
        assert generator(latents).shape == images.shape
        assert PairNetwork(pairs, x, z)(images, latents).shape == (2, 1)
    assert encoder.output_shape == (2 * latent,)
    assert generator.output_shape == (3, side, side)
    expected = {"3, CIFAR-10": 512, "4, SVHN": 1024, "5, CelebA": 1536, "6, Tiny ImageNet": 2304}
    assert x.output_shape[0] + z.output_shape[0] == expected[table]


def test_valid_convolutions_have_the_sizes_of_ali_and_their_mirrors_lead_back() -> None:
    down = LayerTable((3, 32, 32), rows("5s1 2, 4s2 2, 4s1 2, 4s2 2, 4s1 2", activation="relu"))
    names = [f"conv{number}" for number in range(1, 5)]
    assert [f.shape[-1] for f in down.features(noise(1, 3, 32, 32), names)] == [28, 13, 10, 4]
    up = LayerTable(7, [*rows("T4s1 2, T4s2 2, T4s1 2, T4s2 2, T5s1 2", activation="relu"), Layer(3, 1)])
    names = [f"deconv{number}" for number in range(1, 6)]
    assert [f.shape[-1] for f in up.features(noise(1, 7), names)] == [4, 10, 13, 28, 32]


def test_a_table_computes_its_rows_one_after_the_other() -> None:
    table = LayerTable((2, 6, 6), [Layer(3, 3, 2, padding=1, activation="lrelu"), Layer(5)], slope=0.3, init_scale=0.5)
    convolution, dense = (layer for layer in table.modules() if isinstance(layer, nn.Conv2d | nn.Linear))
    x = noise(4, 2, 6, 6)
    hidden = F.leaky_relu(F.conv2d(x, convolution.weight, convolution.bias, stride=2, padding=1), 0.3)
    torch.testing.assert_close(table(x), F.linear(hidden.flatten(1), dense.weight, dense.bias))
    torch.testing.assert_close(table.features(x, ["conv1"])[0], hidden)
    assert list(table.stages) == ["conv1", "output"]


def test_numbers_are_laid_out_as_maps_where_a_row_says_so() -> None:
    """InfoGAN's generator for MNIST (appendix C.1): two dense layers, normalised unit by unit, then transposed convolutions."""
    up = {"kernel": 4, "stride": 2, "transposed": True, "padding": 1}
    normed: dict[str, Any] = {"norm": "batch", "activation": "relu"}
    layers = [
        Layer(40, **normed),
        Layer(7 * 7 * 8, **normed),
        Layer(6, **up, reshape=(8, 7, 7), **normed),
        Layer(1, **up, activation="sigmoid"),
    ]
    network = LayerTable(74, layers)
    assert network(noise(2, 74)).shape == (2, 1, 28, 28)
    assert [type(layer) for layer in network.modules() if "Norm" in type(layer).__name__] == [nn.BatchNorm1d] * 2 + [
        nn.BatchNorm2d
    ]
    with pytest.raises(InputError, match=r"output is to lay out 9 numbers as \[2, 2, 2\]"):
        LayerTable(9, [Layer(3, 1, reshape=(2, 2, 2))])


@pytest.mark.parametrize("last", ["sigmoid", "tanh", None])
def test_the_last_rows_activation_is_the_output_range_and_no_part_of_the_logits(last: Any) -> None:
    network = LayerTable(3, [Layer(4, activation="tanh"), Layer(2, activation=last)], init_scale=1.0)
    squash = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, None: lambda y: y}[last]
    assert network.output_range == {"sigmoid": (0, 1), "tanh": (-1, 1), None: None}[last]
    torch.testing.assert_close(network(noise(5, 3)), squash(network.logits(noise(5, 3))))
    torch.testing.assert_close(network.features(noise(5, 3), ["output"])[0], network.logits(noise(5, 3)))


def test_maxout_leaves_the_larger_of_each_two_channels() -> None:
    network = LayerTable((2, 5, 5), [Layer(6, 3, activation="maxout", name="pooled"), Layer(4, activation="maxout", pieces=4)])
    assert network.output_shape == (1,)
    convolution = next(layer for layer in network.modules() if isinstance(layer, nn.Conv2d))
    x = noise(3, 2, 5, 5)
    (pooled,) = network.features(x, ["pooled"])
    torch.testing.assert_close(pooled, convolution(x).view(3, 3, 2, 3, 3).amax(2))
    assert list(network.stages) == ["pooled", "hidden1"]
    with pytest.raises(InputError, match="hidden1 has 5 channels, which maxout cannot share among 2 pieces"):
        LayerTable(3, [Layer(5, activation="maxout")])


def test_dropout_acts_on_single_numbers_of_a_layers_input_and_in_training_only() -> None:
    torch.manual_seed(0)
    network = LayerTable((4, 8, 8), [Layer(1, 1, dropout=0.5, bias="none", name="one")])
    with torch.no_grad():
        next(network.parameters()).fill_(1.0)
    kept = network.stages["one"][0](torch.ones(20, 4, 8, 8))
    assert kept.unique().tolist() == [0.0, 2.0]
    assert bool((kept.flatten(2).var(2) > 0).all()), "whole channels were dropped"
    assert not torch.equal(network(torch.ones(2, 4, 8, 8)), network(torch.ones(2, 4, 8, 8)))
    assert bool((network.eval()(torch.ones(2, 4, 8, 8)) == 4).all())


def test_biases_are_one_a_channel_one_a_pixel_or_none_and_batch_norm_has_none() -> None:
    def biases(**settings: Any) -> list[list[int]]:
        network = LayerTable((2, 5, 5), [Layer(3, 2, **settings)])
        return [list(p.shape) for name, p in network.named_parameters() if name.endswith("bias")]

    assert biases() == biases(bias="tied") == [[3]]
    assert biases(bias="untied") == [[3, 4, 4]]
    assert biases(bias="none") == []
    assert biases(norm="batch") == [[3]], "that of the norm alone"
    assert biases(norm="batch", bias="tied") == biases(norm="layer") == [[3], [3]]


def test_batch_norm_has_the_tables_momentum_and_gains_only_where_asked_for() -> None:
    layers = [Layer(3, norm="batch"), Layer(2, 1, norm="batch")]
    norms = [m for m in LayerTable(4, layers, momentum=0.05, affine=False).modules() if "BatchNorm" in type(m).__name__]
    assert [(norm.momentum, norm.weight, norm.bias) for norm in norms] == [(0.05, None, None)] * 2


def test_weights_are_normal_with_the_tables_scale() -> None:
    torch.manual_seed(0)
    network = LayerTable((8, 6, 6), [Layer(64, 5), Layer(300)], init_scale=0.01)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            assert layer.weight.std().item() == pytest.approx(0.01, rel=0.03)


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([], "at least one row"),
        ([Layer(3, 7)], "output has a kernel of 7, too large for 6x6 pixels"),
        ([Layer(3, 1, name="a"), Layer(3, 1, name="a")], "two rows of the table are named 'a'"),
        ([Layer(3, 1, name="a.b")], "a name without a dot"),
    ],
)
def test_rows_that_do_not_fit_are_refused(layers: list[Layer], words: str) -> None:
    with pytest.raises(InputError, match=words):
        LayerTable((2, 6, 6), layers)


def test_one_row_may_stand_in_the_table_several_times() -> None:
    row = Layer(4, activation="tanh")
    network = LayerTable(3, [row, row])
    assert list(network.stages) == ["hidden1", "output"]
    assert network.features(9 * noise(5, 3), ["hidden1"])[0].abs().max() <= 1


def test_a_table_is_read_from_plain_settings() -> None:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--network", type=nn.Module)
    rows = [{"channels": 4, "kernel": 3, "norm": "batch", "activation": "maxout"}, {"channels": 1, "dropout": 0.1}]
    spec = {"class_path": "lightning_gans.LayerTable", "init_args": {"input_shape": [1, 6, 6], "layers": rows}}
    parsed = parser.parse_object({"network": spec})
    again = parser.parse_string(parser.dump(parsed))
    assert parser.instantiate(again).network(noise(2, 1, 6, 6)).shape == (2, 1)
    with pytest.raises(Exception, match="activation"):
        parser.parse_object(
            {"network": {**spec, "init_args": {"input_shape": 3, "layers": [{"channels": 2, "activation": "selu"}]}}}
        )


def test_a_column_of_latents_becomes_a_map_of_one_pixel() -> None:
    network = LayerTable(5, [Layer(3, 4, transposed=True)])
    layer = next(m for m in network.modules() if isinstance(m, nn.ConvTranspose2d))
    z = noise(2, 5)
    torch.testing.assert_close(network(z), layer(z[:, :, None, None]))


def test_pooling_halves_and_groups_see_nothing_of_each_other() -> None:
    table = LayerTable((4, 16, 16), [Layer(6, kernel=3, padding=1, groups=2, pool=3), Layer(1)])
    x = torch.rand(2, 4, 16, 16)
    (maps,) = table.features(x, ["conv1"])
    assert maps.shape == (2, 6, 8, 8)
    convolution = table.stages["conv1"][0]
    expected = torch.nn.functional.max_pool2d(convolution(x), 3, stride=2, padding=1)
    torch.testing.assert_close(maps, expected)
    other = x.clone()
    other[:, 2:] += 1
    assert torch.equal(table.features(other, ["conv1"])[0][:, :3], maps[:, :3])


def test_channels_must_fall_into_the_groups() -> None:
    with pytest.raises(InputError, match="output makes 6 channels of 3, which do not fall into 2 groups"):
        LayerTable((3, 16, 16), [Layer(6, kernel=3, groups=2)])


def test_a_dense_layer_can_make_an_image() -> None:
    table = LayerTable(5, [Layer(8), Layer(12, activation="sigmoid", image=(3, 2, 2))])
    assert table(torch.rand(2, 5)).shape == (2, 3, 2, 2)
    assert table.output_shape == (3, 2, 2)
    with pytest.raises(InputError, match=r"output is to lay out 12 numbers as \[3, 2, 3\]; set its image or its channels"):
        LayerTable(5, [Layer(12, activation="sigmoid", image=(3, 2, 3))])
