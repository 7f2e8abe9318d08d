"""The average of the generator's weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor

from lightning_gans import EMA, Batch, InputError
from tests.games.gaan import make_gaan, make_noisy_gaan
from tests.games.gan import make_gan
from tests.helpers import Duel, fit, furthest, make_trainer, same, saving, state


class Weights(Callback):
    """The generator's weights after every batch."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Tensor]] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *args: Any) -> None:
        self.seen.append(state(pl_module.generator))


def averaged(ema: EMA) -> dict[str, Tensor]:
    assert ema.average is not None
    return state(ema.average.module)


def closed_form(weights: list[dict[str, Tensor]], decay: float) -> dict[str, Tensor]:
    """The first weights keep decay^(n - 1), the k-th later ones (1 - decay) decay^(n - k)."""
    n = len(weights)
    factors = [decay ** (n - 1), *((1 - decay) * decay ** (n - k) for k in range(2, n + 1))]
    return {name: sum(f * w[name] for f, w in zip(factors, weights, strict=True)) for name in weights[0]}


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("every", [1, 3])
def test_it_is_the_exponential_average_of_the_weights(decay: float, every: int) -> None:
    fit(make_gan(), 7, callbacks=[ema := EMA(decay, every), weights := Weights()])
    assert furthest(averaged(ema), closed_form(weights.seen[every - 1 :: every], decay)) < 1e-6


def test_it_averages_the_generator_alone() -> None:
    fit(game := make_gaan(), 2, callbacks=[ema := EMA()])
    assert averaged(ema).keys() == state(game.generator).keys()


@pytest.mark.parametrize("make", [make_gan, make_gaan, make_noisy_gaan])
def test_training_does_not_notice_it(make: Any) -> None:
    fit(with_it := make(), 5, callbacks=[EMA(0.5)])
    fit(without := make(), 5)
    assert same(state(with_it), state(without))


def test_the_average_is_applied_within_a_block_and_the_live_weights_come_back() -> None:
    fit(game := make_gan(), 4, callbacks=[ema := EMA(0.5)])
    live = state(game)
    with ema.applied(game):
        assert same(state(game.generator), averaged(ema))
        assert furthest(state(game), live) > 0
    assert same(state(game), live)


def test_the_live_weights_come_back_after_an_error() -> None:
    fit(game := make_gan(), 4, callbacks=[ema := EMA(0.5)])
    live = state(game)
    with pytest.raises(ArithmeticError), ema.applied(game):
        raise ArithmeticError
    assert same(state(game), live)


def test_batch_statistics_are_the_live_ones() -> None:
    fit(game := make_noisy_gaan(), 4, callbacks=[ema := EMA(0.5)])
    live = {name: value.clone() for name, value in game.generator.named_buffers()}
    with ema.applied(game):
        assert same(dict(game.generator.named_buffers()), live)


def test_a_checkpoint_keeps_it(tmp_path: Path) -> None:
    settings = saving(tmp_path, every_n_steps=3)
    settings["callbacks"].append(alone := EMA(0.8))
    fit(make_gan(), 7, **settings)
    fit(make_gan(), 7, ckpt_path=tmp_path / "step=3.ckpt", callbacks=[resumed := EMA(0.8)])
    assert same(averaged(resumed), averaged(alone))
    restarted = EMA(0.8)
    fit(make_gan(), 7, callbacks=[restarted, weights := Weights()])
    assert furthest(closed_form(weights.seen[3:], 0.8), averaged(alone)) > 1e-5, "a new average would be as good"


def test_a_test_sees_the_average_of_the_checkpoint(tmp_path: Path) -> None:
    settings = saving(tmp_path)
    settings["callbacks"].append(trained := EMA(0.5))
    trainer = fit(make_gan(), 4, **settings)
    tester = make_trainer(callbacks=[loaded := EMA(0.5)])
    tester.test(make_gan(), datamodule=trainer.datamodule, ckpt_path=tmp_path / "step=4.ckpt", verbose=False)
    assert same(averaged(loaded), averaged(trained))


def test_a_second_fit_starts_an_average_of_its_own() -> None:
    ema, weights = EMA(0.5), Weights()
    fit(make_gan(), 3, callbacks=[ema])
    fit(make_gan(optimizer=torch.optim.SGD), 3, callbacks=[ema, weights])
    assert furthest(averaged(ema), closed_form(weights.seen, 0.5)) < 1e-6


def test_networks_that_do_not_move_are_their_own_average() -> None:
    def play(self: Duel, batch: Batch) -> None:
        self.minimize("discriminator", self.discriminator_loss, batch.images)

    fit(Duel(play), 5, callbacks=[ema := EMA(0.9)])
    assert furthest(averaged(ema), state(Duel().generator)) < 1e-7


@pytest.mark.parametrize("wrong", [{"decay": 1.5}, {"decay": -0.1}, {"decay": float("nan")}, {"every_n_steps": 0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        EMA(**wrong)  # type: ignore[arg-type]
