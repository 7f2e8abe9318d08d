"""BEGAN against its formulas, written out in plain torch."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.loggers import CSVLogger

from lightning_gans import BEGAN, MLP, Batch, InputError
from tests.games.began import make_began
from tests.helpers import COMMON, Noise, arguments, fit, furthest, logged, matters, record_arguments, saving, state

BATCH = Batch(torch.rand(8, 2))
sgd = {"optimizer": partial(torch.optim.SGD, lr=0.1), "scheduler": None}


def error(D: Any, v: Any) -> Any:
    return (v - D(v)).abs().mean()


def test_both_players_move_at_once_and_then_the_balance() -> None:
    game = make_began(gamma=0.9, lambda_k=2.0, **sgd)
    seen = record_arguments(game, "both_losses")
    fit(game, 3)
    reference = make_began()
    G, D, k = reference.generator, reference.discriminator, 0.0
    balances = []
    for step, (x, _) in enumerate(seen):
        fake = G(Noise(reference.prior, step).z())
        real, of_fake = error(D, x), error(D, fake)
        losses = real - k * error(D, fake.detach()), of_fake
        gradients = [torch.autograd.grad(y, n.parameters(), retain_graph=True) for y, n in zip(losses, (D, G), strict=True)]
        with torch.no_grad():
            for network, some in zip((D, G), gradients, strict=True):
                for parameter, gradient in zip(network.parameters(), some, strict=True):
                    parameter -= 0.1 * gradient
        k = min(max(k + 2.0 * float(0.9 * real - of_fake), 0.0), 1.0)
        balances.append(k)
    reference.k.fill_(k)
    assert furthest(state(game), state(reference)) < 1e-6
    assert max(balances) > 0, "nothing was tried"


def test_the_generators_gradient_is_through_both_places_of_a_sample() -> None:
    game = make_began()
    x, z = torch.rand(8, 2), torch.rand(8, 2)
    fake = game.generator(z)
    through_both = torch.autograd.grad(error(game.discriminator, fake), fake)[0]
    through_target = torch.autograd.grad((fake - game.discriminator(fake.detach()).detach()).abs().mean(), fake)[0]
    bias = list(game.generator.parameters())[-1]
    found = torch.autograd.grad(game.both_losses(x, z)["generator"], bias, retain_graph=True)[0]
    slope = fake.detach() * (1 - fake.detach())
    torch.testing.assert_close(found, (through_both * slope).sum(0))
    assert not torch.allclose(found, (through_target * slope).sum(0))


@pytest.mark.parametrize("lambda_k", [0.001, 1000.0])
def test_the_balance_stays_between_0_and_1(lambda_k: float) -> None:
    game = make_began(gamma=1.0, lambda_k=lambda_k)
    for seed in range(6):
        torch.manual_seed(seed)
        fit(game, 2)
        assert 0 <= float(game.k) <= 1


def test_the_balance_rises_where_samples_are_made_again_better_than_data() -> None:
    game = make_began(gamma=1.0, lambda_k=0.5)
    real_error, fake_error = torch.tensor(0.4), torch.tensor(0.1)
    game.minimize_together = lambda *_: {"discriminator": {"real_error": real_error, "fake_error": fake_error}}  # type: ignore
    game.step(BATCH)
    assert float(game.k) == pytest.approx(0.15)


def test_the_measure_and_the_balance_are_logged_and_the_balance_is_stored(tmp_path: Path) -> None:
    game = make_began(gamma=0.8)
    fit(game, 3, logger=CSVLogger(tmp_path), log_every_n_steps=1, **saving(tmp_path))
    names = ("real_error", "fake_error", "measure", "k")
    real, fake, measure, k = (logged(tmp_path, f"loss/discriminator/{name}") for name in names)
    for step in real:
        assert measure[step] == pytest.approx(real[step] + abs(0.8 * real[step] - fake[step]), rel=1e-5)
    last = torch.load(tmp_path / "step=3.ckpt", weights_only=False)["state_dict"]["k"]
    assert float(last) == pytest.approx(float(game.k))
    assert len(k) == 3


@pytest.mark.parametrize("wrong", [{"gamma": -0.1}, {"gamma": 1.1}, {"lambda_k": -1.0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        make_began(**wrong)


CHANGES = COMMON | {
    "generator": ({}, {"generator": MLP(2, 2, (8,), output="sigmoid")}),
    "discriminator": ({}, {"discriminator": MLP(2, 2, (8,))}),
    "gamma": ({}, {"gamma": 0.8}),
    "lambda_k": ({}, {"lambda_k": 0.5}),
    "data_range": ({"generator": MLP(2, 2, (16,))}, {"data_range": (0.0, 1.0)}),
}


def test_every_argument_is_in_the_table_of_changes() -> None:
    assert arguments(BEGAN) == set(CHANGES)


@pytest.mark.parametrize("name", CHANGES)
def test_every_argument_matters(name: str) -> None:
    assert matters(make_began, *CHANGES[name])
