"""Networks of pairs against their parts by hand, several heads on one trunk, and their parameters apart."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_gans.errors import InputError
from lightning_gans.networks import MLP, Conditioned, Heads, LabelCondition, Layer, LayerTable, Network, PairNetwork


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def convolutional() -> PairNetwork:
    """ALI's form in small: both parts end in one pixel."""
    x = LayerTable((1, 6, 6), [Layer(4, 3, activation="lrelu"), Layer(8, 4, activation="maxout")])
    z = LayerTable(3, [Layer(5, 1, activation="lrelu")])
    joint = LayerTable(4 + 5, [Layer(6, 1, activation="lrelu", name="hidden1"), Layer(1, 1)])
    return PairNetwork(joint, x, z)


def test_parts_of_one_pixel_are_joined_along_their_channels() -> None:
    pairs, x, z = convolutional(), noise(2, 1, 6, 6), noise(2, 3)
    by_hand = pairs.joint(torch.cat([pairs.x(x), pairs.z(z)], 1))
    torch.testing.assert_close(pairs(x, z), by_hand)
    torch.testing.assert_close(pairs.logits(x, z), by_hand)
    assert list(pairs.stages) == ["x.conv1", "x.conv2", "z.conv1", "joint.hidden1", "joint.output"]


def test_latents_enter_bigans_discriminator_at_its_second_hidden_layer() -> None:
    """W x1 + V z + b, the added linear term of the authors' code, is a linear layer of both side by side."""
    x_part = LayerTable((1, 4, 4), [Layer(7, activation="lrelu")])
    joint = LayerTable(7 + 3, [Layer(5, norm="batch", activation="lrelu"), Layer(1)], affine=False, init_scale=0.4)
    pairs, x, z = PairNetwork(joint, x_part), noise(6, 1, 4, 4), noise(6, 3)
    weight = joint.stages["hidden1"][0].weight
    before = x_part(x) @ weight[:, :7].T + z @ weight[:, 7:].T
    hidden = F.leaky_relu(F.batch_norm(before, None, None, training=True), 0.2)
    torch.testing.assert_close(pairs.features(x, ["joint.hidden1"], z)[0], hidden)
    torch.testing.assert_close(pairs(x, z), joint.stages["output"](hidden))


def test_points_need_no_parts_of_their_own() -> None:
    pairs = PairNetwork(MLP(4, 1, (5,), output="sigmoid"))
    x, z = noise(6, 2), noise(6, 2, seed=1)
    torch.testing.assert_close(pairs(x, z), pairs.joint(torch.cat([x, z], 1)))
    torch.testing.assert_close(pairs.logits(x, z), pairs.joint.logits(torch.cat([x, z], 1)))
    assert pairs.output_range == (0, 1)
    assert list(pairs.stages) == ["joint.hidden1", "joint.output"]


def test_latents_meet_maps_as_maps_and_numbers_join_behind_them() -> None:
    x = Network({"conv": nn.Conv2d(1, 2, 3)})
    pairs = PairNetwork(LayerTable((2 + 3 + 2, 4, 4), [Layer(1, 4)]), x)
    images, z, condition = noise(2, 1, 6, 6), noise(2, 3), noise(2, 2, seed=2)
    maps = torch.cat([z, condition], 1)[:, :, None, None].expand(-1, -1, 4, 4)
    torch.testing.assert_close(pairs(images, z, condition), pairs.joint(torch.cat([x(images), maps], 1)))


def test_stages_of_pairs_are_tapped_by_part_and_name() -> None:
    pairs, x, z = convolutional(), noise(2, 1, 6, 6), noise(2, 3)
    taps = pairs.features(x, ["joint.hidden1", "z.conv1", "x.conv1", "last"], z)
    torch.testing.assert_close(taps[1], pairs.z.features(z, ["output" if "output" in pairs.z.stages else "conv1"])[0])
    torch.testing.assert_close(taps[2], pairs.x.features(x, ["conv1"])[0])
    assert torch.equal(taps[0], taps[3])


def test_samples_alone_have_features_up_to_the_joint_part() -> None:
    pairs, x = convolutional(), noise(2, 1, 6, 6)
    (tap,) = pairs.features(x, ["x.conv2"])
    assert tap.shape == (2, 4)
    with pytest.raises(InputError, match="need latents"):
        pairs.features(x, ["joint.hidden1"])
    with pytest.raises(InputError, match=r"PairNetwork has no layer \['conv1'\].*x.conv1"):
        pairs.features(x, ["conv1"])


def test_a_part_that_is_a_plain_module_has_no_stages_but_works() -> None:
    pairs = PairNetwork(nn.Linear(6, 1), nn.Linear(2, 4))
    x, z = noise(3, 2), noise(3, 2)
    assert list(pairs.stages) == []
    assert pairs(x, z).shape == pairs.logits(x, z).shape == (3, 1)


def info_gan() -> Heads:
    """InfoGAN's D and Q in small: Q's heads share a layer of their own."""
    trunk = LayerTable((1, 8, 8), [Layer(4, 4, 2, padding=1, activation="lrelu"), Layer(9, norm="batch", activation="lrelu")])
    shared = LayerTable(9, [Layer(6, norm="batch", activation="lrelu")])
    return Heads(trunk, {"real": MLP(9, 1, ()), "codes": Heads(shared, {"digit": nn.Linear(6, 10), "style": nn.Linear(6, 2)})})


def test_every_head_takes_the_output_of_one_trunk() -> None:
    network, x = info_gan(), noise(5, 1, 8, 8)
    shared = network.trunk(x)
    outputs = network.heads(x)
    assert {name: tuple(output.shape) for name, output in outputs.items()} == {
        "real": (5, 1),
        "codes.digit": (5, 10),
        "codes.style": (5, 2),
    }
    torch.testing.assert_close(outputs["real"], network.branches["real"](shared))
    torch.testing.assert_close(network(x), outputs["real"])
    torch.testing.assert_close(network.logits(x), outputs["real"])


def test_the_trunk_and_the_heads_are_trained_apart() -> None:
    network, x = info_gan(), noise(5, 1, 8, 8)
    network.heads(x)["codes.style"].sum().backward()
    of_trunk = list(network.trunk.parameters())
    assert all(p.grad is not None for p in of_trunk)
    assert all(p.grad is None for p in network.branches["real"].parameters())
    parts = [of_trunk, list(network.branches["real"].parameters()), list(network.branches["codes"].parameters())]
    assert sum(map(len, parts)) == len(list(network.parameters()))


def test_the_trunks_stages_and_the_heads_are_tapped() -> None:
    network, x = info_gan().eval(), noise(5, 1, 8, 8)
    taps = network.features(x, ["conv1", "last", "hidden1", "real"])
    torch.testing.assert_close(taps[0], network.trunk.features(x, ["conv1"])[0])
    assert torch.equal(taps[1], taps[2])
    torch.testing.assert_close(taps[3], network(x))
    assert list(network.stages) == ["conv1", "hidden1", "real", "codes"]


def test_the_first_heads_range_is_the_networks() -> None:
    network = Heads(LayerTable(3, [Layer(4, activation="relu")]), {"a": MLP(4, 1, (), output="sigmoid"), "b": MLP(4, 1, ())})
    assert network.output_range == (0, 1)
    torch.testing.assert_close(network(noise(2, 3)), network.logits(noise(2, 3)).sigmoid())


def test_heads_share_a_trunk_of_pairs_and_a_conditioned_one() -> None:
    trunk = Conditioned(PairNetwork(LayerTable(2 + 2 + 3, [Layer(8, activation="lrelu")])), LabelCondition(3))
    network = Heads(trunk, {"real": MLP(8, 1, ()), "class": MLP(8, 3, ())})
    inputs = noise(4, 2), noise(4, 2, seed=1), torch.tensor([0, 1, 2, 0])
    assert network.heads(*inputs)["class"].shape == (4, 3)
    torch.testing.assert_close(network.features(inputs[0], ["last"], *inputs[1:])[0], trunk(*inputs))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Heads(MLP(), {}), "at least one"),
        (lambda: Heads(MLP(), {"a.b": MLP()}), "without a dot"),
        (lambda: Heads(MLP(), {"hidden1": MLP()}), "both named 'hidden1'"),
    ],
)
def test_heads_without_usable_names_are_refused(make: Callable[[], Heads], words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()
