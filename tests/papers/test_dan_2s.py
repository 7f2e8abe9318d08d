"""Distributional adversarial networks against their formulas, written out in plain torch."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lightning_gans import DAN2S, DANS, MLP, Images, InputError, SetDiscriminator
from tests.games.dan_2s import make_dan_2s
from tests.helpers import COMMON, Noise, arguments, fit, furthest, matters, record_arguments, record_turns, sgd_step, state

sgd = {"optimizer": partial(torch.optim.SGD, lr=0.1), "scheduler": None}


def same(logit: Tensor) -> Tensor:
    return F.softplus(-logit).mean()


def other(logit: Tensor) -> Tensor:
    return F.softplus(logit).mean()


def test_training_is_the_loop_of_the_authors_with_all_labels_right() -> None:
    game = make_dan_2s(alone=False, set_weight=0.3, set_every=2, **sgd)
    seen = record_arguments(game, "generator_loss")
    fit(game, 2)
    reference = make_dan_2s(alone=False)
    G, S, D = reference.generator, reference.set_discriminator, reference.discriminator
    assert D is not None
    for step, (x, _) in enumerate(seen):
        z = Noise(reference.prior, step).z()
        fake = G(z).detach()
        sgd_step([D], F.softplus(-D(x)).mean() + F.softplus(D(fake)).mean())
        (x_0, x_1), (y_0, y_1) = (x[0::2], x[1::2]), (fake[0::2], fake[1::2])
        if step == 1:
            sgd_step([S], same(S(x_0, x_1)) + same(S(y_0, y_1)) + other(S(x_0, y_1)) + other(S(y_0, x_1)))
        y = G(z)
        sets = same(S(x_0, y[1::2])) + same(S(y[0::2], x_1))
        sgd_step([G], F.softplus(-D(y)).mean() + 0.3 * sets)
    assert furthest(state(game), state(reference)) < 1e-6


def test_one_set_is_judged_as_a_whole() -> None:
    game = make_dan_2s(DANS, **sgd)
    seen = record_arguments(game, "generator_loss")
    fit(game, 1)
    reference = make_dan_2s(DANS)
    G, S = reference.generator, reference.set_discriminator
    x, z = seen[0][0], Noise(reference.prior).z()
    sgd_step([S], same(S(x)) + other(S(G(z).detach())))
    sgd_step([G], same(S(G(z))))
    assert furthest(state(game), state(reference)) < 1e-6


def test_both_mixed_pairs_pull_the_generator_the_same_way() -> None:
    game = make_dan_2s()
    x, y = torch.rand(32, 2), torch.rand(32, 2).requires_grad_()
    (x_0, x_1), (y_0, y_1) = game.halves(x), game.halves(y)
    same_halves = [same(game.judged(x_0, y_0)), same(game.judged(y_0, x_0))]
    one, two = (torch.autograd.grad(loss, y, retain_graph=True)[0] for loss in same_halves)
    torch.testing.assert_close(one, two)
    assert x_1.shape == y_1.shape


@pytest.mark.parametrize("paper", [DAN2S, DANS])
def test_the_order_within_a_set_changes_nothing(paper: type[DAN2S]) -> None:
    game = make_dan_2s(paper)
    x, z, order = torch.rand(32, 2), torch.rand(32, 2), torch.randperm(16)
    mixed = x.clone()
    mixed[0::2], mixed[1::2] = x[0::2][order], x[1::2][order]
    torch.testing.assert_close(game.set_loss(mixed, z), game.set_loss(x, z))


@pytest.mark.parametrize("alone", [True, False])
def test_the_set_discriminator_moves_in_every_so_many_batches(alone: bool) -> None:
    turns = record_turns(game := make_dan_2s(alone=alone, set_every=3))
    fit(game, 4)
    assert all(networks == [player] for player, networks in turns)
    first = [] if alone else ["discriminator"]
    usual, third = [*first, "generator"], [*first, "set_discriminator", "generator"]
    assert [player for player, _ in turns] == usual * 2 + third + usual


def test_an_odd_batch_has_no_halves() -> None:
    with pytest.raises(InputError, match=r"do not fall into packs of 2; set data.drop_last"):
        fit(make_dan_2s(), 1, Images("grid25", batch_size=33))
    fit(make_dan_2s(DANS), 1, Images("grid25", batch_size=33))


def test_a_set_discriminator_of_the_other_kind_is_refused() -> None:
    one_set = SetDiscriminator(MLP(2, 8, ()), MLP(8, 1, ()), two_samples=False)
    with pytest.raises(InputError, match="two_samples"):
        fit(make_dan_2s(set_discriminator=one_set), 1)


@pytest.mark.parametrize("wrong", [{"set_weight": 0.0}, {"set_every": 0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        make_dan_2s(**wrong)


def smaller_sets() -> SetDiscriminator:
    return SetDiscriminator(MLP(2, 4, (8,)), MLP(4, 1, ()))


CHANGES = COMMON | {
    "generator": ({}, {"generator": MLP(2, 2, (8,), output="sigmoid")}),
    "set_discriminator": ({}, {"set_discriminator": smaller_sets()}),
    "discriminator": ({"alone": False}, {"discriminator": MLP(2, 1, (8,))}),
    "set_weight": ({}, {"set_weight": 0.1}),
    "set_every": ({}, {"set_every": 2}),
    "data_range": ({"generator": MLP(2, 2, (16,))}, {"data_range": (0.0, 1.0)}),
}


def test_every_argument_is_in_the_table_of_changes() -> None:
    assert arguments(DAN2S) == set(CHANGES) == arguments(DANS)


@pytest.mark.parametrize("name", CHANGES)
def test_every_argument_matters(name: str) -> None:
    assert matters(make_dan_2s, *CHANGES[name])
