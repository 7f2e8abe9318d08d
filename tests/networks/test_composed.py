"""What every composed network can do: travel through files, and be traced with its gradients."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx

from lightning_gans.networks import (
    MLP,
    AttributeCondition,
    Conditioned,
    ConvNet,
    Heads,
    LabelCondition,
    Layer,
    LayerTable,
    PairNetwork,
)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


LABELS = torch.tensor([0, 2, 1, 2])
ATTRIBUTES = noise(4, 2, seed=3)
ROWS = [
    Layer(4, 3, 2, padding=1, norm="batch", activation="maxout", bias="untied"),
    Layer(6, 3, condition=2, norm="layer", activation="lrelu"),
    Layer(3, condition=2),
]


def table() -> Conditioned:
    return Conditioned(LayerTable((1, 6, 6), deepcopy(ROWS)), AttributeCondition(2))


def pairs() -> Conditioned:
    x = LayerTable((1, 6, 6), [Layer(4, 6, norm="batch", activation="maxout")])
    return Conditioned(PairNetwork(MLP(2 + 3 + 5, 1, (6,), norm="batch"), x), LabelCondition(3, embedding=5))


def several() -> Conditioned:
    named = {"labels": LabelCondition(3), "attributes": AttributeCondition(2, 4, norm="batch", activation="lrelu")}
    return Conditioned(ConvNet((1 + 3 + 4, 6, 6), 2, (4,)), named)


def heads() -> Heads:
    return Heads(LayerTable((1, 6, 6), [Layer(5, activation="relu")]), {"real": MLP(5, 1, ()), "digit": nn.Linear(5, 3)})


IMAGES, LATENTS = noise(4, 1, 6, 6), noise(4, 3, seed=1)
NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[Any, ...]]] = {
    "table": (table, (IMAGES, ATTRIBUTES)),
    "pairs": (pairs, (IMAGES, LATENTS, LABELS)),
    "several": (several, (IMAGES, {"labels": LABELS, "attributes": ATTRIBUTES})),
    "heads": (heads, (IMAGES,)),
    "mlp": (partial(MLP, 3, 2, (5,), activation="maxout", norm="layer"), (LATENTS,)),
}
every_network = pytest.mark.parametrize("name", NETWORKS)


@every_network
def test_networks_are_pickled_and_copied_and_their_states_restored(name: str) -> None:
    make, inputs = NETWORKS[name]
    network = make().eval()
    expected = network(*inputs)
    torch.testing.assert_close(pickle.loads(pickle.dumps(network))(*inputs), expected)
    torch.testing.assert_close(deepcopy(network)(*inputs), expected)
    other = make().eval()
    assert not torch.equal(other(*inputs), expected)
    other.load_state_dict(network.state_dict())
    assert torch.equal(other(*inputs), expected)


@every_network
def test_a_step_is_traced_with_its_gradients(name: str) -> None:
    """So no branch is taken on a tensor's value: under tracing there are none."""
    make, inputs = NETWORKS[name]
    torch.manual_seed(0)
    network = make()
    parameters, buffers = dict(network.named_parameters()), dict(network.named_buffers())

    def step(parameters: dict[str, Tensor], buffers: dict[str, Tensor], inputs: tuple[Any, ...]) -> list[Tensor | None]:
        loss = torch.func.functional_call(network, (parameters, buffers), inputs).square().sum()
        return list(torch.autograd.grad(loss, list(parameters.values()), allow_unused=True))

    traced = make_fx(step, tracing_mode="fake")(parameters, deepcopy(buffers), inputs)
    for gradient, expected in zip(
        traced(parameters, deepcopy(buffers), inputs), step(parameters, deepcopy(buffers), inputs), strict=True
    ):
        assert (gradient is None) == (expected is None)
        if expected is not None:
            torch.testing.assert_close(gradient, expected)
