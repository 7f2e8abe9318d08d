"""Settings that change under a compiled game, and machine code itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor

from lightning_gans import Batch, Game, InputError, compiled
from tests.compiling import (
    ROUNDING,
    Item,
    Unrolled,
    adam,
    assert_same,
    both_ways,
    calm_adam,
    compiler_of,
    forms_of,
    make_normed,
    said,
)
from tests.games import GAMES
from tests.games.gan import make_gan
from tests.games.wgan_gp import make_wgan_gp
from tests.helpers import (
    COMPILED_ON_RANKS,
    Duel,
    end_of,
    fit,
    furthest,
    same,
    start,
    state,
)

pytestmark = pytest.mark.usefixtures("as_traced")

# Settings that change


class Change(Callback):
    """Sets an attribute at each batch."""

    def __init__(self, name: str, values: Callable[[int], Any]) -> None:
        self.name, self.values = name, values

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, *args: Any) -> None:
        setattr(pl_module, self.name, self.values(trainer.global_step))


class Weighted(Duel):
    """Its loss reads settings of several kinds."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(Weighted.weigh, **settings)
        self.weight, self.square, self.kind, self.weights = 1.0, False, "mean", (1.0, 2.0)
        self.unread = 0

    @property
    def doubled(self) -> float:
        return 2 * self.weight

    def weighted_loss(self, x: Tensor) -> Tensor:
        score = self.generator_loss(x) * self.doubled * self.weights[1]
        return (score.square() if self.square else score) * (2 if self.kind == "sum" else 1)

    def weigh(self, batch: Batch) -> None:
        self.minimize("discriminator", self.discriminator_loss, batch.images)
        self.minimize("generator", self.weighted_loss, batch.images)


CHANGED: dict[str, Callable[[int], Any]] = {
    "weight": lambda step: 1.0 if step < 5 else 7.0,
    "square": lambda step: step >= 5,
    "kind": lambda step: "mean" if step < 5 else "sum",
    "weights": lambda step: (1.0, 2.0) if step < 5 else (1.0, 9.0),
    "gradient_clip_val": lambda step: None if step < 5 else 1e-3,
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_setting_that_a_callback_changes_is_noticed(name: str) -> None:
    eager, traced = both_ways(partial(Weighted, optimizer=adam), callbacks=lambda: [Change(name, CHANGED[name])])
    assert_same(eager, traced)
    fit(unchanged := Weighted(optimizer=adam), 10, precision="64-true")
    if name != "gradient_clip_val":  # Adam does not mind
        assert furthest(state(unchanged), state(traced)) > 1e-6
        assert len(forms_of(traced)) == 3, "the other loss does not read it"


def test_settings_that_come_back_are_compiled_once() -> None:
    def alternate(step: int) -> float:
        return 1.0 + step % 2

    eager, traced = both_ways(partial(Weighted, optimizer=adam), 12, callbacks=lambda: [Change("weight", alternate)])
    assert_same(eager, traced)
    assert len(forms_of(traced)) == 3


def test_a_setting_that_no_loss_reads_changes_nothing() -> None:
    eager, traced = both_ways(partial(Weighted, optimizer=adam), callbacks=lambda: [Change("unread", lambda step: step)])
    assert_same(eager, traced)
    assert len(forms_of(traced)) == 2


def test_a_setting_that_always_changes_is_given_up(recwarn: pytest.WarningsRecorder) -> None:
    eager, traced = both_ways(
        partial(Weighted, optimizer=adam), 20, callbacks=lambda: [Change("weight", lambda step: 0.9**step)]
    )
    assert furthest(state(eager), state(traced)) < ROUNDING
    (sentence,) = said(recwarn)
    assert "Weighted.weighted_loss runs eagerly, for it reads settings that change again and again (" in sentence
    assert "weight" in sentence


class Freeze(Callback):
    """Freezes a parameter, halves Adam's memory or sends a network to evaluation in the middle."""

    def __init__(self, what: str) -> None:
        self.what = what

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, *args: Any) -> None:
        if trainer.global_step != 5:
            return
        match self.what:
            case "parameter":
                next(pl_module.generator.parameters()).requires_grad_(False)
            case "mode":
                pl_module.generator.eval()
            case "adam":
                for optimizer in trainer.optimizers:
                    optimizer.param_groups[0]["betas"] = (0.2, 0.9)
            case "rate":
                for optimizer in trainer.optimizers:
                    optimizer.param_groups[0]["lr"] = 0.1


@pytest.mark.parametrize("what", ["parameter", "mode", "adam", "rate"])
def test_what_else_a_callback_changes_is_noticed(what: str) -> None:
    eager, traced = both_ways(partial(make_normed, optimizer=calm_adam), callbacks=lambda: [Freeze(what)])
    assert compiler_of(traced).eager == {}
    assert furthest(state(eager), state(traced)) < ROUNDING
    fit(untouched := make_normed(optimizer=calm_adam), 10, precision="64-true")
    assert furthest(state(untouched), state(traced)) > 1e-6


def test_a_game_is_of_its_class_after_a_trace() -> None:
    fit(game := make_gan(compile=True), 4)
    assert type(game) is type(make_gan())
    assert game._traced_state is None


# The compiler


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [partial(make_gan, simultaneous=False), make_wgan_gp, partial(make_normed, gradient_clip_val=0.01)],
    ids=["alternating", "penalty", "batch norm, clipped"],
)
def test_machine_code_computes_the_same(make: Callable[..., Game]) -> None:
    assert_same(*both_ways(partial(make, optimizer=calm_adam), 12))


@pytest.mark.slow
@pytest.mark.parametrize("play", [Unrolled.at_once, Item.play_item])
def test_machine_code_computes_what_is_unusual(play: Any) -> None:
    eager, traced = both_ways(partial(Unrolled if play is Unrolled.at_once else Item, play, optimizer=adam), 8)
    assert furthest(state(eager), state(traced)) < ROUNDING


@pytest.mark.parametrize("found", [{"CXX": "/nonexistent"}, {"PATH": ""}], ids=["CXX", "PATH"])
def test_a_missing_compiler_is_said_before_anything_trains(monkeypatch: pytest.MonkeyPatch, found: dict[str, str]) -> None:
    monkeypatch.delenv("CXX", raising=False)
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    game = make_gan(compile=True)
    with pytest.raises(InputError, match=r"needs a C\+\+ compiler, and there is no .* on the PATH; install one") as error:
        fit(game, 2)
    assert found.get("CXX", "g++") in str(error.value)
    assert same(state(game), state(make_gan()))


def test_a_graph_that_the_compiler_cannot_do_runs_eagerly(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(graph: Any, inputs: Any) -> Any:
        raise NotImplementedError("no such\noperation")

    monkeypatch.setattr(compiled, "build", fail)
    with pytest.warns(UserWarning, match=r"GAN\.both_losses runs eagerly, for it cannot be compiled \(no such operation\)"):
        eager, traced = both_ways(make_gan)
    assert same(state(eager), state(traced))


@pytest.mark.slow
def test_two_ranks_compiled_equal_one_process(tmp_path: Path) -> None:
    output = end_of(process := start("two_ranks_compiled", tmp_path))
    assert process.returncode == 0, output
    first, second = (torch.load(tmp_path / f"rank{rank}.pt") for rank in (0, 1))
    for name in COMPILED_ON_RANKS:
        assert furthest(first[name], second[name]) == 0
        fit(alone := GAMES[name](), 6, precision="64-true")
        assert furthest(first[name], state(alone)) < ROUNDING
    assert first["eager"]["gan"] == first["eager"]["wgan_gp"] == {}
    assert any("needs numbers of all ranks" in why for why in first["eager"]["gaan"].values())
