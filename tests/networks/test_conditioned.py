"""Networks with a condition: joined by hand, at the input and at a stage, and conditions that do not fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_gans.errors import InputError
from lightning_gans.networks import (
    MLP,
    AEGANGenerator,
    AttributeCondition,
    Conditioned,
    ConvGenerator,
    ConvNet,
    LabelCondition,
    Layer,
    LayerTable,
    PairNetwork,
    Reinjected,
)
from lightning_gans.networks.conditions import join

LABELS = torch.tensor([2, 0, 1])
ONE_HOT = F.one_hot(LABELS, 3).float()


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


ATTRIBUTES = noise(3, 4, seed=5)


def tiled(numbers: Tensor, side: int) -> Tensor:
    return numbers[:, :, None, None].repeat(1, 1, side, side)


def test_labels_are_one_hot_vectors_beside_flat_inputs() -> None:
    network = Conditioned(MLP(2 + 3, 2, (7,), output="sigmoid"), LabelCondition(3))
    z = noise(3, 2)
    by_hand = torch.cat([z, ONE_HOT], 1)
    torch.testing.assert_close(network(z, LABELS), network.network(by_hand))
    torch.testing.assert_close(network(z, condition=LABELS), network.network(by_hand))
    torch.testing.assert_close(network.logits(z, LABELS), network.network.logits(by_hand))
    for tap, expected in zip(
        network.features(z, ["last", "output"], LABELS), network.network.features(by_hand, ["last", "output"]), strict=True
    ):
        torch.testing.assert_close(tap, expected)
    assert network.output_range == (0, 1)
    assert list(network.stages) == ["hidden1", "output"]


def test_attributes_are_maps_behind_the_channels_of_images() -> None:
    network = Conditioned(ConvNet((1 + 4, 8, 8), 1, (6,)), AttributeCondition(4)).eval()
    x = noise(3, 1, 8, 8)
    torch.testing.assert_close(network(x, ATTRIBUTES), network.network(torch.cat([x, tiled(ATTRIBUTES, 8)], 1)))
    assert network.output_range is None


@pytest.mark.parametrize("dtype", [torch.uint8, torch.bool, torch.float64])
def test_attributes_of_any_type_take_that_of_the_input(dtype: torch.dtype) -> None:
    bits = torch.tensor([[0, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1]])
    plain, linear = AttributeCondition(4), AttributeCondition(4, linear=2)
    assert torch.equal(join(noise(3, 2), plain(bits.to(dtype)))[:, 2:], bits.float())
    torch.testing.assert_close(linear(bits.to(dtype)), linear(bits.float()))


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("make", [lambda f: LabelCondition(3, 2, frozen=f), lambda f: AttributeCondition(4, 2, frozen=f)])
def test_an_embedding_is_trained_unless_it_is_frozen(make: Callable[[bool], Any], frozen: bool) -> None:
    network = Conditioned(MLP(2 + 2, 1, (5,)), make(frozen))
    condition = LABELS if isinstance(network.condition, LabelCondition) else ATTRIBUTES
    network(noise(3, 2), condition).sum().backward()
    weights = list(network.condition.parameters())
    assert weights
    assert all((weight.grad is None) == frozen for weight in weights)
    assert all(p.grad is not None for p in network.network.parameters())
    assert network.condition.width == 2


def test_embeddings_are_looked_up_and_linear_layers_applied() -> None:
    torch.manual_seed(0)
    labels, text = LabelCondition(3, 5), AttributeCondition(400, 50, norm="batch", activation="lrelu", init_scale=0.02)
    assert torch.equal(labels(LABELS), labels.weight[LABELS])
    assert text.linear.weight.std().item() == pytest.approx(0.02, rel=0.03)
    assert text.linear.bias.eq(0).all()
    x = noise(6, 400)
    torch.testing.assert_close(text(x), F.leaky_relu(F.batch_norm(text.linear(x), None, None, training=True), 0.2))


def test_several_conditions_stand_side_by_side_by_name() -> None:
    network = Conditioned(MLP(2 + 3 + 4, 1, (5,)), {"labels": LabelCondition(3), "attributes": AttributeCondition(4)})
    z = noise(3, 2)
    output = network(z, {"attributes": ATTRIBUTES, "labels": LABELS})
    torch.testing.assert_close(output, network.network(torch.cat([z, ONE_HOT, ATTRIBUTES], 1)))


def test_a_condition_joins_at_a_named_stage() -> None:
    """Text tiled at 4x4 pixels, as in GAN-CLS, and beside 1x1 maps, as in ALI's conditional encoder."""
    layers = [
        Layer(6, 5, 2, padding=2, activation="lrelu"),
        Layer(5, 1, condition=4, norm="batch", activation="lrelu", name="joint"),
        Layer(7, 4, activation="relu"),
        Layer(2, 1, condition=4),
    ]
    network = Conditioned(LayerTable((1, 8, 8), layers, init_scale=0.3), AttributeCondition(4))
    assert network.at == ["joint", "output"]
    stages, x = network.stages, noise(3, 1, 8, 8)
    joint = stages["joint"](torch.cat([stages["conv1"](x), tiled(ATTRIBUTES, 4)], 1))
    pixel = stages["conv3"](joint)
    expected = stages["output"](torch.cat([pixel, tiled(ATTRIBUTES, 1)], 1))
    torch.testing.assert_close(network(x, ATTRIBUTES), expected)
    torch.testing.assert_close(network.features(x, ["output", "joint"], ATTRIBUTES)[1], joint)


def test_a_condition_may_join_at_every_stage_of_a_table() -> None:
    """The conditional DCGAN: y behind the input of every layer, flat or not."""
    up: dict[str, Any] = {"kernel": 4, "stride": 2, "padding": 1, "transposed": True, "condition": 3}
    layers = [
        Layer(20, condition=3, activation="relu"),
        Layer(4, 2, 2, transposed=True, condition=3),
        Layer(1, **up, activation="tanh"),
    ]
    network = Conditioned(LayerTable(5, layers), LabelCondition(3))
    assert network(noise(3, 5), LABELS).shape == (3, 1, 4, 4)
    assert network.output_range == (-1, 1)
    first = network.stages["hidden1"]
    torch.testing.assert_close(
        network.features(noise(3, 5), ["hidden1"], LABELS)[0], first(torch.cat([noise(3, 5), ONE_HOT], 1))
    )


def test_a_condition_joins_samples_and_latents_in_a_network_of_pairs() -> None:
    pairs = PairNetwork(MLP(2 + 5 + 3, 1, (6,)))
    network = Conditioned(pairs, LabelCondition(3))
    x, z = noise(3, 2), noise(3, 5)
    by_hand = pairs.joint(torch.cat([x, z, ONE_HOT], 1))
    torch.testing.assert_close(network(x, z, LABELS), by_hand)
    torch.testing.assert_close(network(x, z, condition=LABELS), by_hand)
    assert network.features(x, ["joint.hidden1"], z, LABELS)[0].shape == (3, 6)


def test_features_of_samples_alone_take_neither_latents_nor_condition() -> None:
    pairs = PairNetwork(MLP(4 + 5 + 3, 1, (6,)), x=MLP(2, 4, (7,)))
    (tap,) = Conditioned(pairs, LabelCondition(3)).features(noise(3, 2), ["x.hidden1"])
    torch.testing.assert_close(tap, pairs.x.features(noise(3, 2), ["hidden1"])[0])


def test_any_module_may_be_conditioned_and_one_without_logits_says_so() -> None:
    network = Conditioned(nn.Linear(5, 1), LabelCondition(3))
    assert network(noise(3, 2), LABELS).shape == (3, 1)
    assert network.output_range is None
    with pytest.raises(InputError, match="Linear has no logits"):
        network.logits(noise(3, 2), LABELS)


def test_the_output_of_a_conditioned_network_starts_at_a_mean_image() -> None:
    network = Conditioned(ConvGenerator(5 + 3, (1, 8, 8), (4,), output="sigmoid"), LabelCondition(3))
    network.start_output_at(torch.full((1, 8, 8), 0.2))
    assert network.stages["output"][0].bias.item() == pytest.approx(torch.tensor(0.2).logit().item())


FLAT = Conditioned(MLP(5, 1, (4,)), LabelCondition(3))
BITS = Conditioned(MLP(6, 1, (4,)), AttributeCondition(4))
BOTH = Conditioned(MLP(9, 1, (4,)), {"labels": LabelCondition(3), "attributes": AttributeCondition(4)})


@pytest.mark.parametrize(
    ("network", "condition", "words"),
    [
        (FLAT, None, "Conditioned MLP takes x and a condition"),
        (FLAT, torch.zeros(3), "whole numbers .N,., one a sample, not float32 of shape 3;"),
        (FLAT, torch.zeros(3, 1, dtype=torch.long), "not int64 of shape 3x1;"),
        (FLAT, {"labels": LABELS}, "not tensors by the names labels;"),
        (FLAT, LABELS[:2], "has 3 and 2 samples"),
        (BITS, torch.zeros(3, 5), r"numbers \(N, 4\), a row a sample, not float32 of shape 3x5; set columns"),
        (BITS, LABELS, "not int64 of shape 3;"),
        (BOTH, LABELS, "by the names labels, attributes, not int64 of shape 3"),
        (BOTH, {"labels": LABELS}, "not tensors by the names labels; give them all"),
        (BOTH, {"labels": LABELS, "attributes": LABELS}, "attributes must be numbers"),
    ],
)
def test_a_condition_of_another_kind_or_width_is_refused_in_one_sentence(
    network: Conditioned, condition: Any, words: str
) -> None:
    with pytest.raises(InputError, match=words) as error:
        network(noise(3, 2), condition)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("network", "condition", "words"),
    [
        (FLAT, torch.tensor([0, 3]), "reach from 0 to 3, but there are 3 classes"),
        (FLAT, torch.tensor([-1, 2]), "reach from -1 to 2"),
        (BITS, torch.full((2, 4), torch.nan), "NaN or infinite"),
        (BOTH, {"labels": torch.tensor([5]), "attributes": torch.zeros(1, 4)}, "5, but there are 3 classes"),
    ],
)
def test_values_out_of_range_are_refused_where_they_are_checked(network: Conditioned, condition: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        network.check_condition(condition)


@pytest.mark.parametrize("network", [FLAT, BITS, BOTH])
def test_an_example_of_a_condition_fits(network: Conditioned) -> None:
    network.check_condition(network.example_condition(4))
    assert network(noise(4, 2), network.example_condition(4)).shape == (4, 1)


ROOM = LayerTable(5, [Layer(4, activation="relu"), Layer(1, condition=2)])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Conditioned(MLP(5, 1), LabelCondition(3), at=["conv1"]), "no stage .*conv1.*hidden1"),
        (lambda: Conditioned(nn.Linear(5, 1), LabelCondition(3), at=["a"]), "Linear has no plain row of stages"),
        (
            lambda: Conditioned(AEGANGenerator(image_shape=(3, 16, 16)), LabelCondition(3), at=["dense"]),
            "no plain row of stages",
        ),
        (lambda: Conditioned(ROOM, LabelCondition(3)), "has 3 numbers at .*output.*room for {'output': 2}"),
        (lambda: Conditioned(ROOM, LabelCondition(2), at=["hidden1"]), "room for {'output': 2}"),
        (lambda: LabelCondition(0), "classes of LabelCondition is 0"),
        (lambda: AttributeCondition(3, linear=0), "linear of AttributeCondition is 0"),
        (lambda: AttributeCondition(3, activation="relu"), "set linear"),
        (lambda: Conditioned(MLP(), {}), "no named conditions"),
    ],
)
def test_a_place_or_a_width_that_does_not_fit_is_refused(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()


def test_an_input_joins_again_where_a_row_has_a_condition() -> None:
    network = Reinjected(LayerTable(3, [Layer(4), Layer(5, condition=3), Layer(2, activation="sigmoid")]))
    z = torch.rand(6, 3)
    stages = network.network.stages
    hidden = stages["hidden2"](torch.cat([stages["hidden1"](z), z], dim=1))
    torch.testing.assert_close(network(z), stages["output"](hidden).sigmoid())
    torch.testing.assert_close(network.features(z, ["hidden2"])[0], hidden)
    assert network.output_range == (0.0, 1.0)
    assert len({*network.state_dict()}) == len([*network.parameters()])


@pytest.mark.parametrize("condition", [0, 2])
def test_an_input_that_cannot_join_again_is_refused(condition: int) -> None:
    with pytest.raises(InputError, match=r"the input of 3 numbers joins again.*set condition"):
        Reinjected(LayerTable(3, [Layer(4), Layer(5, condition=condition)]))
