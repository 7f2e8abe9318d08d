"""DRAGAN against its formulas, written out in plain torch."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lightning_gans import DRAGAN, MLP, InputError
from tests.games.dragan import make_dragan
from tests.games.gaan import noisy
from tests.helpers import COMMON, Noise, arguments, fit, furthest, matters, record_arguments, sgd_step, slopes, state

sgd = {"optimizer": partial(torch.optim.SGD, lr=0.1), "scheduler": None}


def test_training_is_the_loop_of_the_authors() -> None:
    game = make_dragan(lambda_p=0.3, spread=0.8, **sgd)
    seen = record_arguments(game, "penalised_loss")
    fit(game, 2)
    reference = make_dragan()
    G, D = reference.generator, reference.discriminator
    for step, (x, _, perturbed, u) in enumerate(seen):
        noise = Noise(reference.prior, step)
        away = (perturbed - x) / (0.8 * x.std(correction=0))
        assert 0 <= away.min() < 0.1
        assert 0.9 < away.max() < 1
        fake = G(noise.z()).detach()
        penalty = ((slopes(D, x, perturbed, u).norm(dim=1) - 1) ** 2).mean()
        sgd_step([D], F.softplus(-D(x)).mean() + F.softplus(D(fake)).mean() + 0.3 * penalty)
        noise.draws = 3  # z, the perturbation and u came before
        sgd_step([G], F.softplus(-D(G(noise.z()))).mean())
    assert furthest(state(game), state(reference)) < 1e-5


def test_the_penalty_of_a_linear_discriminator_is_known() -> None:
    game = make_dragan(discriminator=nn.Linear(2, 1), lambda_p=2.0)
    with torch.no_grad():
        game.discriminator.weight.copy_(torch.tensor([[3.0, 4.0]]))
    x, z = torch.rand(8, 2), torch.rand(8, 2)
    loss, told = game.penalised_loss(x, z, x + torch.rand(8, 2), torch.rand(8))
    assert float(told["penalty"]) == pytest.approx(16)
    assert float(loss - game.discriminator_loss(x, z)) == pytest.approx(32, rel=1e-5)


def test_without_weight_nothing_is_computed_of_the_penalty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightning_gans.papers.dragan.gradient_penalty", None)
    fit(make_dragan(lambda_p=0.0), 2)


def test_batch_norm_in_a_penalised_discriminator_is_pointed_out() -> None:
    with pytest.warns(UserWarning, match="batch norm"):
        make_dragan(discriminator=noisy(2, 1))


@pytest.mark.parametrize("wrong", [{"lambda_p": -1.0}, {"spread": 0.0}, {"spread": float("inf")}])
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        make_dragan(**wrong)


CHANGES = COMMON | {
    "generator": ({}, {"generator": MLP(2, 2, (8,), output="sigmoid")}),
    "discriminator": ({}, {"discriminator": MLP(2, 1, (8,))}),
    "lambda_p": ({}, {"lambda_p": 1.0}),
    "spread": ({}, {"spread": 2.0}),
    "discriminator_steps": ({}, {"discriminator_steps": 2}),
    "generator_steps": ({}, {"generator_steps": 2}),
    "data_range": ({"generator": MLP(2, 2, (16,))}, {"data_range": (0.0, 1.0)}),
}


def test_every_argument_is_in_the_table_of_changes() -> None:
    assert arguments(DRAGAN) == set(CHANGES)


@pytest.mark.parametrize("name", CHANGES)
def test_every_argument_matters(name: str) -> None:
    assert matters(make_dragan, *CHANGES[name])
