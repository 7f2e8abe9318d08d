"""Steps through a graph: the same as eager ones, and checked on a processor for what a graph would do otherwise."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.optim.lr_scheduler import ExponentialLR

from lightning_gans import EMA, Adam, Batch, Game
from lightning_gans.capture import CapturedStep
from lightning_gans.operations import CheckedGraph
from tests.compiling import ROUNDING
from tests.games import GAMES
from tests.games.gan import make_gan
from tests.helpers import Duel, data_for, fit, furthest, saving, state

# Why the steps of some games cannot be captured as they are, by what is said
BRANCHES = ("vae_gan", "dan_2s with", "wgan, more")


class Through(Callback):
    """Sends the steps of a game through a graph that a processor stands in for."""

    def __init__(self) -> None:
        self.step: CapturedStep | None = None

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        if self.step is None:
            self.step = pl_module._captured = CapturedStep(pl_module, CheckedGraph)

    @property
    def hazards(self) -> list[str]:
        assert self.step is not None
        assert isinstance(self.step.graph, CheckedGraph), self.step.eager
        return self.step.graph.hazards


def both_ways(make: Any, steps: int = 10, data: Any = None, **settings: Any) -> tuple[Game, Game, Through]:
    """The game trained eagerly, the game trained through a graph."""
    callbacks = settings.pop("callbacks", list)
    fit(eager := make(), steps, data, callbacks=callbacks(), **settings)
    fit(captured := make(), steps, data, callbacks=[*callbacks(), through := Through()], **settings)
    return eager, captured, through


@pytest.mark.parametrize("name", [name for name in GAMES if not name.startswith(BRANCHES)])
def test_a_captured_game_is_the_eager_one(name: str, image_folder: Path) -> None:
    make = partial(GAMES[name], optimizer=partial(Adam, lr=2**-10))  # exact in 32 bits, which rates have in a graph
    eager, captured, through = both_ways(make, data=data_for(name, image_folder), precision="64-true")
    assert furthest(state(captured), state(eager)) < ROUNDING
    assert through.step is not None
    assert through.step.tape.noise or through.step.tape.fresh or "sae" in name
    draws_inside = any("random" in hazard for hazard in through.hazards)
    assert [hazard for hazard in through.hazards if "random" not in hazard] == []
    assert not draws_inside or "aegan" in name or "dropout" in name


@pytest.mark.parametrize("name", ["wgan, more steps at first", "dan_2s with a discriminator"])
def test_a_game_whose_steps_differ_is_not_captured(name: str) -> None:
    eager, captured, through = both_ways(partial(GAMES[name], optimizer=partial(Adam, lr=2**-10)), 30)
    assert through.step is not None
    assert through.step.eager == "what a step does depends on its number"
    assert furthest(state(captured), state(eager)) == 0


def test_rates_that_change_reach_the_graph() -> None:
    make = partial(make_gan, optimizer=partial(Adam, lr=1e-2), scheduler=partial(ExponentialLR, gamma=0.7))
    eager, captured, through = both_ways(make)
    assert furthest(state(captured), state(eager)) < 1e-6
    assert through.hazards == []


def test_the_average_is_part_of_the_graph() -> None:
    averages: list[EMA] = []

    def callbacks() -> list[Callback]:
        averages.append(EMA(0.9))
        return [averages[-1]]

    both_ways(make_gan, callbacks=callbacks)
    first, second = (dict(each.average.named_parameters()) for each in averages if each.average is not None)
    assert furthest(first, second) < 1e-6


def test_losses_are_kept_step_by_step() -> None:
    game = make_gan()
    added: list[tuple[int, str, float]] = []
    game._history.add = lambda step, name, value: added.append((step, name, float(value)))  # type: ignore[method-assign]
    fit(game, 6, callbacks=[Through()])
    eager = make_gan()
    expected: list[tuple[int, str, float]] = []
    eager._history.add = lambda step, name, value: expected.append((step, name, float(value)))  # type: ignore[method-assign]
    fit(eager, 6)
    assert [each[:2] for each in added] == [each[:2] for each in expected]
    torch.testing.assert_close([each[2] for each in added], [each[2] for each in expected])


def test_a_captured_run_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    settings = saving(tmp_path, every_n_steps=5)
    settings["callbacks"].append(Through())
    fit(make_gan(), 5, **settings)
    stored = torch.load(tmp_path / "step=5.ckpt", weights_only=True)
    assert isinstance(stored["optimizer_states"][0]["param_groups"][0]["lr"], float)
    fit(resumed := make_gan(), 10, ckpt_path=tmp_path / "step=5.ckpt", callbacks=[Through()])
    fit(alone := make_gan(), 10)
    assert furthest(state(resumed), state(alone)) < 1e-6


# What a graph would do otherwise


def hazards_of(play: Any) -> list[str]:
    through = Through()
    fit(Duel(play, optimizer=partial(Adam, lr=1e-3)), 6, callbacks=[through])
    return through.hazards


def growing(self: Duel, batch: Batch) -> None:
    self.minimize("generator", lambda x: self.generator_loss(x) * 0.9**self.global_step, batch.images)


def noisy(self: Duel, batch: Batch) -> None:
    self.minimize("generator", lambda x: self.generator_loss(x + torch.randn_like(x)), batch.images)


def every_other(self: Duel, batch: Batch) -> None:
    self.alternate(batch)
    if self.global_step % 2:
        self.alternate(batch)


@pytest.mark.parametrize(
    ("play", "words"),
    [(growing, "a constant changes"), (noisy, "draws random numbers inside"), (every_other, "two steps differ")],
)
def test_what_a_graph_would_freeze_is_noticed(play: Any, words: str) -> None:
    assert any(words in hazard for hazard in hazards_of(play))


def branching(self: Duel, batch: Batch) -> None:
    self.minimize("generator", lambda x: self.generator_loss(x) * (2 if float(x.mean()) > 0 else 1), batch.images)


def listing(self: Duel, batch: Batch) -> None:
    self.minimize("generator", lambda x: self.generator_loss(x) * len(x[0].tolist()), batch.images)


@pytest.mark.parametrize("play", [branching, listing])
def test_a_step_that_waits_for_the_device_is_not_captured(play: Any) -> None:
    with pytest.warns(UserWarning, match="not captured as a graph: it reads the value of a tensor"):
        fit(Duel(play, optimizer=partial(Adam, lr=1e-3)), 4, callbacks=[through := Through()])
    assert through.step is not None
    assert through.step.graph is None


def test_an_optimizer_that_cannot_be_captured_is_named() -> None:
    with pytest.warns(UserWarning, match="SGD, the optimizer of the discriminator"):
        fit(make_gan(optimizer=partial(torch.optim.SGD, lr=0.1)), 4, callbacks=[Through()])


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("name", [name for name in GAMES if not name.startswith(BRANCHES)])
def test_a_graph_on_a_gpu_is_the_eager_game(name: str, precision: str, image_folder: Path) -> None:
    make = partial(GAMES[name], optimizer=partial(Adam, lr=1e-3))
    settings = {"accelerator": "gpu", "precision": precision}
    fit(eager := make(), 1000, data_for(name, image_folder), **settings)
    fit(captured := make(compile=True), 1000, data_for(name, image_folder), **settings)
    assert captured._captured is not None
    assert captured._captured.graph is not None, captured._captured.eager
    assert furthest(state(captured), state(eager)) < 1e-3
