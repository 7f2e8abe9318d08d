"""Networks of the adversarial papers: BEGAN's, DCGAN's start, sets, packs, and the hidden layer of a label."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from lightning.pytorch import seed_everything
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_gans import GAAN, GAN, WGANGP, Images, Uniform
from lightning_gans.errors import InputError
from lightning_gans.game import Game
from lightning_gans.networks import (
    MLP,
    BEGANDiscriminator,
    BEGANGenerator,
    Conditioned,
    ConvNet,
    LabelCondition,
    Layer,
    LayerTable,
    Packed,
    SetDiscriminator,
    UnrolledDiscriminator,
    initialise,
)
from lightning_gans.penalties import gradient_penalty
from tests.helpers import fit


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def convolutions(*widths: int) -> int:
    """Numbers of 3x3 convolutions from width to width, with their biases."""
    return sum(9 * first * second + second for first, second in pairwise(widths))


# DCGAN


def test_dcgan_starts_the_gains_of_norms_around_one_and_all_biases_at_zero() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(64, 512, 3), nn.BatchNorm2d(512), nn.Linear(200, 500), nn.GroupNorm(1, 2000))
    initialise(network, "dcgan")
    for number in (0, 2):
        assert network[number].weight.std().item() == pytest.approx(0.02, rel=0.02)
    for number in (1, 3):
        gains = network[number].weight
        assert gains.mean().item() == pytest.approx(1, abs=0.005)
        assert gains.std().item() == pytest.approx(0.02, rel=0.15)
    for layer in network:
        assert not layer.bias.any()
    initialise(nn.Sequential(nn.BatchNorm1d(3, affine=False)), "dcgan")  # has none


UP: dict[str, Any] = {"kernel": 5, "stride": 2, "padding": 2, "output_padding": 1, "transposed": True, "norm": "batch"}
DOWN: dict[str, Any] = {"kernel": 5, "stride": 2, "padding": 2, "activation": "lrelu"}


@pytest.mark.parametrize(("side", "steps"), [(28, 2), (32, 3), (64, 4)])
def test_a_table_is_dcgans_networks_without_a_bias_beside_those_of_norms(side: int, steps: int) -> None:
    widths, base = [128 * 2**number for number in range(steps)][::-1], side // 2**steps
    dense = Layer(widths[0] * base**2, norm="batch", activation="relu", image=(widths[0], base, base))
    ups = [Layer(width, activation="relu", **UP) for width in widths[1:]]
    last = Layer(3, activation="tanh", bias="none", **{**UP, "norm": None})
    downs = [Layer(width, norm="batch" if number else None, bias="none", **DOWN) for number, width in enumerate(widths[::-1])]
    with torch.device("meta"):
        generator = LayerTable(100, [dense, *ups, last], init="dcgan")
        discriminator = LayerTable((3, side, side), [*downs, Layer(1, bias="none")], init="dcgan")
        assert generator(torch.empty(2, 100)).shape == (2, 3, side, side)
        assert discriminator(torch.empty(2, 3, side, side)).shape == (2, 1)
    flat = widths[0] * base**2
    of_convolutions = sum(25 * first * second for first, second in zip([*widths, 3], [*widths[1:], 3], strict=False))
    assert count(generator) == 100 * flat + 2 * flat + of_convolutions + 2 * sum(widths[1:])
    assert count(discriminator) == of_convolutions + flat + 2 * sum(widths[:-1])


def test_orthogonal_weights_have_orthogonal_rows_of_the_length_of_the_scale() -> None:
    network = MLP(256, 2, (128, 128), "tanh", init="orthogonal", init_scale=1.4)
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            torch.testing.assert_close(layer.weight @ layer.weight.T, 1.96 * torch.eye(len(layer.weight)), atol=1e-4, rtol=0)


# BEGAN


def test_pixels_are_repeated_before_a_layer_that_enlarges() -> None:
    table = LayerTable((2, 3, 4), [Layer(2, kernel=1, upsample=3)])
    x = noise(5, 2, 3, 4)
    larger = x.repeat_interleave(3, 2).repeat_interleave(3, 3)
    torch.testing.assert_close(table(x), F.conv2d(larger, table.stages["output"][1].weight, table.stages["output"][1].bias))
    assert table.output_shape == (2, 9, 12)
    with pytest.raises(InputError, match=r"output is to enlarge numbers.*upsample to none"):
        LayerTable(4, [Layer(2, upsample=2)])


@pytest.mark.parametrize(("side", "blocks"), [(8, 1), (64, 4), (128, 5)])
def test_the_networks_of_began_are_those_of_the_published_code(side: int, blocks: int) -> None:
    n, h = 128, 64
    with torch.device("meta"):
        generator, discriminator = BEGANGenerator(h, (3, side, side), n), BEGANDiscriminator((3, side, side), h, n)
        assert generator(torch.empty(2, h)).shape == discriminator(torch.empty(2, 3, side, side)).shape == (2, 3, side, side)
        (code,) = discriminator.features(torch.empty(2, 3, side, side), ["code"])
    assert code.shape == (2, h)
    decoder = h * 64 * n + 64 * n + 2 * blocks * convolutions(n, n) + convolutions(n, 3)
    widths = [n]
    for number in range(1, blocks + 1):
        widths += [number * n] * (3 if number < blocks else 2)
    encoder = convolutions(3, *widths) + 64 * blocks * n * h + h
    assert count(generator) == decoder
    assert count(discriminator) == encoder + decoder
    assert generator.output_range is discriminator.output_range is None


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 64), (1, 4, 4)])
def test_began_refuses_sides_that_are_no_doublings_of_eight(shape: tuple[int, int, int]) -> None:
    for make in (lambda: BEGANGenerator(4, shape, 2), lambda: BEGANDiscriminator(shape, 4, 2)):
        with pytest.raises(InputError, match=r"BEGAN's networks have sides of 8 pixels.*data.image_size"):
            make()


# Sets


def sets(two_samples: bool) -> SetDiscriminator:
    torch.manual_seed(0)
    return SetDiscriminator(MLP(2, 5, (7,)), MLP(5, 1, (6,)), two_samples)


def test_a_set_is_judged_by_its_mean_and_two_by_their_distance() -> None:
    one, two = sets(False), sets(True)
    a, b = noise(6, 2), noise(4, 2, seed=1)
    means = [two.phi(x).mean(0, keepdim=True) for x in (a, b)]
    torch.testing.assert_close(one(a), one.head(means[0]))
    torch.testing.assert_close(two(a, b), two.head((means[0] - means[1]).abs()))
    torch.testing.assert_close(two(a, b), two(b, a))
    torch.testing.assert_close(two.judge(two.embed(a).mean(0, keepdim=True), means[1]), two(a, b))
    assert one(a).shape == two(a, b).shape == (1, 1)
    torch.testing.assert_close(two.features(a, ["hidden1"])[0], two.phi.features(a, ["hidden1"])[0])


def test_the_order_within_a_set_changes_nothing() -> None:
    a, b, order = noise(6, 2), noise(6, 2, seed=1), torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(sets(False)(a[order]), sets(False)(a))
    torch.testing.assert_close(sets(True)(a[order], b), sets(True)(a, b))
    exchanged = torch.cat([a[:3], b[3:]]), torch.cat([b[:3], a[3:]])
    assert not torch.allclose(sets(True)(*exchanged), sets(True)(a, b))


def test_a_set_discriminator_refuses_another_number_of_sets() -> None:
    a = noise(3, 2)
    with pytest.raises(InputError, match=r"takes two sets.*two_samples"):
        sets(True)(a)
    with pytest.raises(InputError, match="takes one set"):
        sets(False)(a, a)


# Packs


def test_a_pack_is_samples_side_by_side_along_their_channels() -> None:
    network = Packed(ConvNet((6, 8, 8), 1, (4, 5)), 3).eval()
    x = noise(6, 2, 8, 8)
    by_hand = torch.stack([torch.cat([*x[:3]]), torch.cat([*x[3:]])])
    torch.testing.assert_close(network(x), network.network(by_hand))
    torch.testing.assert_close(network.logits(x), network.network(by_hand))
    torch.testing.assert_close(network.features(x, ["last"])[0], network.network.features(by_hand, ["last"])[0])
    points = Packed(MLP(4, 1), 2)
    torch.testing.assert_close(points(x[..., 0, 0]), points.network(x[..., 0, 0].reshape(3, 4)))
    packed = Packed(UnrolledDiscriminator(channels=6), 2)
    assert packed(noise(4, 3, 28, 28)).shape == (2, 1)
    with pytest.raises(InputError, match=r"4 samples do not fall into packs of 3; set data\.batch_size"):
        network(x[:4])


@pytest.mark.parametrize("kind", ["sum", "mean"])
def test_the_slope_of_a_packed_critic_is_that_of_its_packs_at_one_epsilon(kind: Any) -> None:
    network = Packed(MLP(6, 1, (5,), "tanh"), 3).double()
    real, fake, epsilon = noise(6, 2).double(), noise(6, 2, seed=1).double(), torch.rand(6, dtype=torch.float64)
    flat = [x.reshape(2, 6) for x in (real, fake)]
    expected = gradient_penalty(network.network, *flat, epsilon[::3], kind)
    torch.testing.assert_close(gradient_penalty(network, real, fake, epsilon, kind), expected)


def packed(paper: type[Game], pack: int) -> Game:
    seed_everything(0, verbose=False)
    judge: dict[str, Any] = {"critic" if paper is WGANGP else "discriminator": Packed(MLP(2 * pack, 1, (8, 8)), pack)}
    parts: dict[str, Any] = {"generator": MLP(2, 2, (8,), output="sigmoid"), "prior": Uniform(2), "data_scale": 4.2, **judge}
    return paper(**parts, **({"encoder": MLP(2, 2, (8,)), "phi": None} if paper is GAAN else {}))


@pytest.mark.parametrize("paper", [GAN, WGANGP, GAAN])
@pytest.mark.parametrize("pack", [2, 3])
def test_a_game_trains_with_a_packed_discriminator(paper: type[Game], pack: int) -> None:
    game = packed(paper, pack)
    before = [parameter.clone() for parameter in game.generator.parameters()]
    fit(game, 3, Images("grid25", batch_size=6 * pack, drop_last=True))
    assert any((old != new).any() for old, new in zip(before, game.generator.parameters(), strict=True))
    assert all(parameter.isfinite().all() for parameter in game.parameters())
    assert not game.can_show_features


def test_gaans_features_are_those_of_packs() -> None:
    game = packed(GAAN, 2)
    game.layer = "last"
    assert game.phi(noise(6, 2)).shape == (3, 8)
    assert game.autoencoder_loss(noise(6, 2), noise(6, 2, seed=1)).isfinite()


def test_batches_that_are_no_packs_are_refused_before_training() -> None:
    with pytest.raises(InputError, match=r"samples in some batch, which do not fall into packs of 3; set data.drop_last"):
        fit(packed(GAN, 3), 3, Images("grid25", batch_size=32))


# Mirza and Osindero's labels


def test_a_label_can_have_a_hidden_layer_of_its_own() -> None:
    labels = torch.tensor([2, 0, 1])
    hidden = LabelCondition(3, embedding=6, init_scale=1.0, activation="relu")
    assert hidden.width == 6
    assert hidden.weight is not None
    torch.testing.assert_close(hidden(labels), F.relu(F.one_hot(labels, 3).float() @ hidden.weight))
    pieces = LabelCondition(3, embedding=6, init_scale=1.0, activation="maxout", pieces=2)
    assert pieces.width == 3
    assert pieces.weight is not None
    torch.testing.assert_close(pieces(labels), pieces.weight[labels].unflatten(1, (3, 2)).amax(2))
    rows = [Layer(200, activation="relu"), Layer(1200, activation="relu", condition=1000), Layer(784, activation="sigmoid")]
    joined = Conditioned(LayerTable(100, rows), LabelCondition(3, 1000, activation="relu"))
    assert joined(noise(3, 100), labels).shape == (3, 784)


def test_an_activation_of_labels_needs_a_layer_that_it_fits() -> None:
    with pytest.raises(InputError, match="set embedding"):
        LabelCondition(3, activation="relu")
    with pytest.raises(InputError, match="maxout cannot share 7 numbers among 2 pieces"):
        LabelCondition(3, 7, activation="maxout", pieces=2)
