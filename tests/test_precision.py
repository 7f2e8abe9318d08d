"""Sixteen bits, the loss scale, and double precision."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision
from torch import Tensor, nn

from lightning_gans import Adam, Batch, Game
from lightning_gans.penalties import gradient_penalty
from tests.games import GAMES
from tests.games.gaan import make_gaan
from tests.helpers import Duel, data_for, fit, furthest, in_training, record_arguments, state

CLIPPING: dict[str, dict[str, Any]] = {
    "free": {},
    "norm": {"gradient_clip_val": 0.005},
    "tensor": {"gradient_clip_val": 0.002, "gradient_clip_algorithm": "tensor"},
    "value": {"gradient_clip_val": 0.001, "gradient_clip_algorithm": "value"},
}


class ScalingAlone(MixedPrecision):
    """A loss scale without arithmetic in 16 bits, so that results can be compared."""

    def __init__(self, **scaler: Any) -> None:
        super().__init__("16-mixed", "cpu", torch.amp.GradScaler("cpu", **{"init_scale": 2.0**10, **scaler}))

    def autocast_context_manager(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


@pytest.mark.parametrize("precision", ["bf16-mixed", "64-true", "bf16-true"])
@pytest.mark.parametrize("name", GAMES)
def test_every_paper_trains_in_other_precisions(name: str, precision: str, image_folder: Path) -> None:
    game = GAMES[name]()
    before = state(game)
    fit(game, 6, data_for(name, image_folder), precision=precision)
    assert all(value.isfinite().all() for value in state(game).values())
    assert furthest({k: v.float() for k, v in state(game).items()}, before) > 1e-4


@pytest.mark.parametrize("name", GAMES)
def test_every_paper_trains_with_half_precision_and_a_loss_scale(name: str, image_folder: Path) -> None:
    game = GAMES[name]()
    before = dict(deepcopy(game).named_parameters())
    fit(game, 6, data_for(name, image_folder), plugins=[MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu"))])
    assert all(value.isfinite().all() for value in state(game).values())
    assert 1e-4 < furthest(dict(game.named_parameters()), before) < 1


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_losses_are_computed_in_at_least_float32(precision: str) -> None:
    losses = record_arguments(game := make_gaan(), "_remember")
    fit(game, 1, precision=precision)
    assert [loss.dtype for (each,) in losses for loss, _ in each.values()] == [torch.float32] * 4


def test_the_penalty_is_in_float32_under_autocast() -> None:
    seen: list[torch.dtype] = []
    critic = nn.Linear(3, 1)
    critic.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    x, fake, epsilon = torch.randn(8, 3), torch.randn(8, 3), torch.rand(8)
    expected = gradient_penalty(critic, x, fake, epsilon)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = gradient_penalty(critic, x.bfloat16(), fake.bfloat16(), epsilon)
        assert critic(x).dtype == torch.bfloat16, "autocast was not on"
    assert seen[:2] == [torch.float32] * 2
    torch.testing.assert_close(found, expected)


# The loss scale


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "plain"])
@pytest.mark.parametrize("clipping", CLIPPING)
@pytest.mark.parametrize("name", GAMES)
def test_a_loss_scale_changes_nothing(name: str, clipping: str, fused: bool, image_folder: Path) -> None:
    make = partial(GAMES[name], optimizer=partial(Adam, lr=1e-2, fused=fused), **CLIPPING[clipping])
    train = partial(fit, max_steps=3, data=data_for(name, image_folder))
    train(plain := make())
    train(scaled := make(), plugins=[ScalingAlone()])
    assert furthest(state(scaled), state(plain)) < 1e-6
    if clipping != "free":
        by_size = partial(Adam, lr=0.2, eps=1.0)  # whose steps, other than Adam's usual ones, grow with the gradients
        train(free := GAMES[name](optimizer=by_size, gradient_clip_val=None))
        train(clipped := GAMES[name](optimizer=by_size, **CLIPPING[clipping]), plugins=[ScalingAlone()])
        assert furthest(state(clipped), state(free)) > 1e-4, "nothing was clipped"


def overflowing(player: str, together: bool) -> Callable[[Duel, Batch], None]:
    """The loss of ``player`` is finite at step 1, but its scaled gradient is not."""

    def play(self: Duel, batch: Batch) -> None:
        def spoilt(name: str, x: Tensor) -> Tensor:
            wrong = in_training(self) and (name, self.global_step) == (player, 1)
            return getattr(self, f"{name}_loss")(x) * (1e37 if wrong else 1)

        if together:
            self.minimize_together(lambda x: {name: spoilt(name, x) for name in self.players()}, batch.images)
            return
        for name in self.players():
            self.minimize(name, partial(spoilt, name), batch.images)

    return play


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "plain"])
@pytest.mark.parametrize("together", [True, False], ids=["together", "in turns"])
@pytest.mark.parametrize(("player", "other"), [("generator", "discriminator"), ("discriminator", "generator")])
def test_an_overflow_skips_the_step_of_its_player_alone(player: str, other: str, together: bool, fused: bool) -> None:
    states: list[dict[str, Tensor]] = []

    def play(self: Duel, batch: Batch) -> None:
        if in_training(self):
            states.append(state(self))
        overflowing(player, together)(self, batch)

    make = partial(Duel, play, optimizer=partial(Adam, fused=fused))
    plugin = ScalingAlone(growth_interval=1000)
    fit(make(), 3, plugins=[plugin])
    moved = {name: not torch.equal(states[1][name], states[2][name]) for name in states[0]}
    assert moved == {name: name.startswith(other) for name in states[0]}
    assert plugin.scaler is not None
    assert plugin.scaler.get_scale() == 2.0**9


def test_the_scale_is_updated_once_for_all_simultaneous_moves() -> None:
    plugin = ScalingAlone(growth_interval=1)
    fit(Duel(Duel.move_together), 3, plugins=[plugin])
    assert plugin.scaler is not None
    assert plugin.scaler.get_scale() == 2.0**13


def test_moves_after_an_overflow_go_on_with_the_lower_scale() -> None:
    fit(game := Duel(overflowing("generator", True)), 8, plugins=[ScalingAlone()])
    fit(same_game := Duel(overflowing("generator", False)), 8, plugins=[ScalingAlone()])
    assert all(value.isfinite().all() for value in (*state(game).values(), *state(same_game).values()))
    assert furthest(state(game), state(Duel())) > 1e-3


# On a GPU


@pytest.mark.gpu
@pytest.mark.parametrize("clipping", CLIPPING)
@pytest.mark.parametrize("precision", ["32-true", "16-mixed", "bf16-mixed"])
@pytest.mark.parametrize("name", GAMES)
def test_every_paper_trains_on_a_gpu(name: str, precision: str, clipping: str, image_folder: Path) -> None:
    game = GAMES[name](optimizer=partial(Adam, lr=1e-3, fused=True), **CLIPPING[clipping])
    before = state(game)
    fit(game, 8, data_for(name, image_folder), accelerator="gpu", precision=precision)
    after = {key: value.cpu() for key, value in state(game).items()}
    assert all(value.isfinite().all() for value in after.values())
    assert furthest(after, before) > 1e-4


@pytest.mark.gpu
@pytest.mark.parametrize("name", GAMES)
def test_a_gpu_computes_what_a_processor_does_once_it_has_the_same_noise(
    name: str, monkeypatch: pytest.MonkeyPatch, image_folder: Path
) -> None:
    monkeypatch.setattr(Game, "on_fit_start", lambda self: None)  # noise stays with the processor's generator
    draw = Game._draw
    monkeypatch.setattr(Game, "_draw", lambda self, sampler, n: draw(self, sampler, n).to(self.device))
    make = partial(GAMES[name], optimizer=partial(torch.optim.SGD, lr=0.1))
    fit(on_processor := make(), 3, data_for(name, image_folder))
    fit(on_gpu := make(), 3, data_for(name, image_folder), accelerator="gpu")
    assert furthest({key: value.cpu() for key, value in state(on_gpu).items()}, state(on_processor)) < 1e-4
