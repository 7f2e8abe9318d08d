"""Compiled updates: the same as eager ones. Most tests run the traced graph as it is, without machine code."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.plugins import MixedPrecision
from torch.optim import SGD, RMSprop
from torch.optim.lr_scheduler import ExponentialLR, StepLR

from lightning_gans import EMA, Adam, Batch, Game
from lightning_gans.errors import NonFiniteError
from tests.compiling import ROUNDING, Unrolled, adam, assert_same, both_ways, calm_adam, compiler_of, forms_of, make_normed
from tests.games import GAMES
from tests.games.gaan import make_gaan
from tests.games.gan import make_gan
from tests.games.wgan_gp import make_wgan_gp
from tests.helpers import (
    Duel,
    data_for,
    fit,
    furthest,
    in_training,
    saving,
    state,
)
from tests.test_precision import CLIPPING, ScalingAlone

pytestmark = pytest.mark.usefixtures("as_traced")
# Games whose losses draw numbers or branch on a value, by what is said of them; all others compile
EAGER: dict[str, str] = {"vae_gan": "", "aegan": ""}

# Equal to eager


@pytest.mark.parametrize("name", GAMES)
def test_a_compiled_game_is_the_eager_one(name: str, image_folder: Path) -> None:
    eager, traced = both_ways(partial(GAMES[name], optimizer=adam), data=data_for(name, image_folder))
    assert furthest(state(eager), state(traced)) < ROUNDING
    if name.startswith(tuple(EAGER)):
        return
    assert_same(eager, traced)


@pytest.mark.parametrize("clipping", CLIPPING)
@pytest.mark.parametrize("make", [make_gan, make_wgan_gp, make_gaan])
def test_it_is_with_clipped_gradients(make: Callable[..., Game], clipping: str) -> None:
    assert_same(*both_ways(partial(make, optimizer=adam, **CLIPPING[clipping])))


@pytest.mark.parametrize("counts", ["own", "shared", "batches"])
@pytest.mark.parametrize("schedule", [partial(StepLR, step_size=5, gamma=0.5), partial(ExponentialLR, gamma=0.9)])
def test_it_is_under_a_schedule(schedule: Any, counts: str) -> None:
    assert_same(*both_ways(partial(make_gaan, optimizer=partial(Adam, lr=1e-2), scheduler=schedule, schedule_counts=counts)))


def test_it_is_with_other_settings_of_adam() -> None:
    settings = {"optimizer": partial(torch.optim.Adam, lr=1e-2, betas=(0.2, 0.9), eps=1e-3, weight_decay=0.1)}
    assert_same(*both_ways(partial(make_gan, **settings)))


@pytest.mark.parametrize("together", [True, False])
def test_statistics_of_batches_are_kept(together: bool) -> None:
    eager, traced = both_ways(partial(make_normed, simultaneous=together, optimizer=calm_adam))
    assert_same(eager, traced)
    assert "generator.stages.hidden.1.running_mean" in state(traced)
    assert int(traced.state_dict()["generator.stages.hidden.1.num_batches_tracked"]) == 10 * (1 if together else 2)


def test_the_average_of_the_generator_is_the_same() -> None:
    averages: list[EMA] = []

    def callbacks() -> list[Callback]:
        averages.append(EMA(0.9))
        return [averages[-1]]

    assert_same(*both_ways(partial(make_gan, optimizer=adam), callbacks=callbacks))
    first, second = (dict(each.average.named_parameters()) for each in averages if each.average is not None)
    assert furthest(first, second) < ROUNDING


@pytest.mark.parametrize("clipping", CLIPPING)
@pytest.mark.parametrize("make", [make_gan, make_wgan_gp])
def test_it_is_with_a_loss_scale(make: Callable[..., Game], clipping: str) -> None:
    scales: list[ScalingAlone] = []

    def plugins() -> list[ScalingAlone]:
        scales.append(ScalingAlone(growth_interval=3))
        return [scales[-1]]

    make = partial(make, optimizer=adam, **CLIPPING[clipping])
    fit(eager := make(), 10, plugins=plugins())
    fit(traced := make(compile=True), 10, plugins=plugins())
    assert_same(eager, traced, steps_inside=False, within=1e-6)
    assert scales[0].scaler.get_scale() == scales[1].scaler.get_scale() > 2.0**10


def test_an_overflow_skips_a_step() -> None:
    plugins = [MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=2.0**60)) for _ in range(2)]
    fit(eager := make_gan(optimizer=adam), 60, plugins=[plugins[0]])
    fit(traced := make_gan(optimizer=adam, compile=True), 60, plugins=[plugins[1]])
    assert plugins[0].scaler.get_scale() == plugins[1].scaler.get_scale() < 2.0**30
    assert compiler_of(traced).eager == {}
    assert furthest(state(eager), state(traced)) < 1e-3
    assert furthest(state(traced), state(make_gan())) > 1e-3


@pytest.mark.parametrize("make", [make_gan, make_wgan_gp, make_gaan])
def test_it_is_under_autocast(make: Callable[..., Game]) -> None:
    eager, traced = both_ways(partial(make, optimizer=adam), precision="bf16-mixed")
    assert compiler_of(traced).eager == {}
    assert furthest(state(eager), state(traced)) < 1e-5


@pytest.mark.parametrize("optimizer", [partial(SGD, lr=0.05, momentum=0.9), partial(RMSprop, lr=1e-3)])
@pytest.mark.parametrize("make", [make_gan, make_wgan_gp])
def test_of_other_optimizers_only_gradients_are_compiled(make: Callable[..., Game], optimizer: Any) -> None:
    assert_same(*both_ways(partial(make, optimizer=optimizer)), steps_inside=False)
    mixed = {"optimizers": {"generator": optimizer}, "optimizer": adam, "simultaneous": False}
    eager, traced = both_ways(partial(make_gan, **mixed))
    assert furthest(state(eager), state(traced)) < ROUNDING
    assert sorted(form._steps_inside for form in forms_of(traced)) == [False, True]


def test_a_callback_that_asks_for_gradients_gets_them() -> None:
    norms: list[list[float]] = [[], []]

    class Look(Callback):
        def on_before_optimizer_step(self, trainer: Trainer, pl_module: Any, optimizer: Any) -> None:
            gradients = [p.grad for group in optimizer.param_groups for p in group["params"]]
            norms[pl_module._compile].append(float(torch.stack([each.norm() for each in gradients]).norm()))

    assert_same(*both_ways(partial(make_gan, optimizer=adam), callbacks=lambda: [Look()]), steps_inside=False)
    assert norms[0] == pytest.approx(norms[1])
    assert len(norms[0]) == 20


@pytest.mark.parametrize("stop", [1, 2, 5])
def test_a_compiled_run_goes_on_from_its_checkpoint(tmp_path: Path, stop: int) -> None:
    make = partial(make_wgan_gp, optimizer=adam, scheduler=partial(StepLR, step_size=3, gamma=0.9), compile=True)
    fit(alone := make(), 10, precision="64-true", **saving(tmp_path))
    fit(resumed := make(), 10, ckpt_path=tmp_path / f"step={stop}.ckpt", precision="64-true")
    assert furthest(state(resumed), state(alone)) < ROUNDING
    assert forms_of(resumed)


def test_a_second_fit_compiles_anew() -> None:
    game, eager = make_gan(compile=True, optimizer=adam), make_gan(optimizer=adam)
    for each in (game, eager):
        fit(each, 4, precision="64-true")
        fit(each, 5, precision="64-true")
    assert_same(eager, game)


def test_losses_and_terms_are_remembered() -> None:
    seen: dict[bool, list[tuple[int, str, float]]] = {True: [], False: []}
    for compile in seen:
        game = make_wgan_gp(compile=compile)
        add = partial(lambda kept, step, name, value: kept.append((step, name, float(value))), seen[compile])
        game._history.add = add  # type: ignore[method-assign]
        fit(game, 5, precision="64-true")
    assert [each[:2] for each in seen[True]] == [each[:2] for each in seen[False]]
    assert {name for _, name, _ in seen[True]} == {"critic", "critic/wasserstein", "critic/penalty", "generator"}
    torch.testing.assert_close([each[2] for each in seen[True]], [each[2] for each in seen[False]])


def test_a_bad_loss_is_noticed() -> None:
    def poison(self: Duel, batch: Batch) -> None:
        x = batch.images * (float("nan") if self.global_step == 6 and in_training(self) else 1.0)
        self.minimize("discriminator", self.discriminator_loss, x)

    game = Duel(poison, compile=True, optimizer=adam)
    with pytest.raises(NonFiniteError, match="the loss of the discriminator is not finite at step 6"):
        fit(game, 20, log_every_n_steps=10)
    assert forms_of(game)


# Imagined steps


@pytest.mark.parametrize("play", [Unrolled.in_turn, Unrolled.at_once])
def test_steps_that_are_differentiated_through_are_compiled(play: Any) -> None:
    schedule = partial(StepLR, step_size=3, gamma=0.5)
    eager, traced = both_ways(partial(Unrolled, play, optimizer=partial(Adam, lr=0.02, weight_decay=0.1), scheduler=schedule))
    assert_same(eager, traced)
