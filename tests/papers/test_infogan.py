"""InfoGAN against its formulas, written out in plain torch, and who learns of the codes."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lightning_gans import MLP, Categorical, Heads, InfoGAN, InputError, Product, Uniform
from tests.games.infogan import heads, make_infogan, prior
from tests.helpers import COMMON, Noise, arguments, fit, furthest, matters, record_arguments, record_turns, sgd_step, state

sgd = {"optimizer": partial(torch.optim.SGD, lr=0.1), "scheduler": None}


def information(game: InfoGAN, samples: Tensor, z: Tensor, fixed_std: bool) -> dict[str, Tensor]:
    """H(c) + E log Q of each code, by torch's distributions."""
    given = game.discriminator.heads(samples)
    category, place = z[:, 2:7], z[:, 7:]
    log_q = -F.cross_entropy(given["codes.mode"], category.argmax(1))
    mean, scale = given["codes.place"].split(2, 1)
    deviation = torch.ones_like(scale) if fixed_std else (scale / 2).exp()
    of_place = torch.distributions.Normal(mean, deviation).log_prob(place).sum(1).mean()
    return {"mode": math.log(5) + log_q, "place": 2 * math.log(2) + of_place}


@pytest.mark.parametrize("fixed_std", [True, False])
def test_training_is_the_loop_of_the_authors(fixed_std: bool) -> None:
    game = make_infogan(fixed_std=fixed_std, lambda_categorical=0.7, lambda_continuous=0.2, **sgd)
    seen = record_arguments(game, "discriminator_loss")
    fit(game, 1)
    reference = make_infogan()
    G, D, noise = reference.generator, reference.discriminator, Noise(reference.prior)

    def L_I(samples: Tensor, z: Tensor) -> Tensor:
        of = information(reference, samples, z, fixed_std)
        return 0.7 * of["mode"] + 0.2 * of["place"]

    x, z = seen[0][0], noise.z()
    fake = G(z).detach()
    sgd_step([D], F.softplus(-D(x)).mean() + F.softplus(D(fake)).mean() - L_I(fake, z))
    z = noise.z()
    sgd_step([G], F.softplus(-D(G(z))).mean() - L_I(G(z), z))
    assert furthest(state(game), state(reference)) < 1e-6


@pytest.mark.parametrize("fixed_std", [True, False])
def test_the_bounds_are_those_of_the_distributions(fixed_std: bool) -> None:
    game = make_infogan(fixed_std=fixed_std)
    z = game.prior.sample(64)
    _, told = game.generator_loss(z)
    for name, bound in information(game, game.generator(z), z, fixed_std).items():
        torch.testing.assert_close(told[f"information_{name}"], bound)
        assert told[f"information_{name}"] < math.log(5) + 2 * math.log(2)


def test_codes_that_are_read_without_fail_have_all_their_entropy() -> None:
    game = make_infogan()
    code = torch.eye(5)
    assert float(game.information("mode", 100 * code, code)) == pytest.approx(math.log(5))
    assert float(game.information("mode", torch.zeros(5, 5), code)) == pytest.approx(0, abs=1e-6)


def test_the_discriminators_turn_moves_its_trunk_and_all_heads() -> None:
    game = make_infogan()
    before = state(game)
    turns = record_turns(game)
    fit(game, 1)
    assert turns == [("discriminator", ["discriminator"]), ("generator", ["generator"])]
    assert all(not torch.equal(value, before[name]) for name, value in state(game).items() if "discriminator" in name)


def test_where_none_is_informed_it_is_a_plain_gan_with_a_reader_of_codes() -> None:
    plain = make_infogan(lambda_categorical=0.0, lambda_continuous=0.0)
    fit(plain, 3)
    fit(game := make_infogan(informs=False), 3)
    of_codes = [name for name in state(game) if "codes" in name]
    others = [{name: value for name, value in state(each).items() if name not in of_codes} for each in (game, plain)]
    assert furthest(*others) == 0
    assert all(not torch.equal(state(game)[name], state(make_infogan())[name]) for name in of_codes)


def test_parts_with_a_head_are_codes_wherever_the_head_is() -> None:
    assert make_infogan().codes == {"mode": "codes.mode", "place": "codes.place"}
    flat = Heads(MLP(2, 8, (8,)), {"real": MLP(8, 1, ()), "mode": MLP(8, 5, ())})
    game = make_infogan(discriminator=flat)
    assert game.codes == {"mode": "mode"}
    fit(game, 1)


def test_it_classifies_by_its_first_category() -> None:
    game = make_infogan()
    points = torch.rand(7, 2) * 8 - 4
    expected = game.discriminator.heads(game.normalize(points))["codes.mode"]
    assert torch.equal(game.classify(points), expected)
    numbers_alone = Heads(MLP(2, 8, (8,)), {"real": MLP(8, 1, ()), "place": MLP(8, 4, ())})
    assert game.can_classify
    assert not make_infogan(discriminator=numbers_alone).can_classify


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"prior": Product({"other": Uniform(9)})}, "has the name of a part"),
        ({"discriminator": heads(numbers=3)}, "the head 'place' gives 3 numbers"),
        ({"discriminator": heads(numbers=2)}, "the head 'place' gives 2 numbers.*takes 4"),
        ({"lambda_categorical": -1.0}, "lambda_categorical"),
    ],
)
def test_heads_that_do_not_fit_are_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        fit(make_infogan(**wrong), 1)


CHANGES = COMMON | {
    "generator": ({}, {"generator": MLP(9, 2, (8,), output="sigmoid")}),
    "discriminator": ({}, {"discriminator": Heads(MLP(2, 8, (8,)), {"real": MLP(8, 1, ()), "mode": MLP(8, 5, ())})}),
    "prior": ({}, {"prior": Product({"noise": Uniform(2, -2, 2), "mode": Categorical(5), "place": Uniform(2)})}),
    "lambda_categorical": ({}, {"lambda_categorical": 0.1}),
    "lambda_continuous": ({}, {"lambda_continuous": 0.1}),
    "fixed_std": ({}, {"fixed_std": True}),
    "informs": ({}, {"informs": False}),
    "data_range": ({"generator": MLP(9, 2, (16,))}, {"data_range": (0.0, 1.0)}),
}


def test_every_argument_is_in_the_table_of_changes() -> None:
    assert arguments(InfoGAN) == set(CHANGES)
    assert prior().dim == 9


@pytest.mark.parametrize("name", CHANGES)
def test_every_argument_matters(name: str) -> None:
    assert matters(make_infogan, *CHANGES[name])
