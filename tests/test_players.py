"""Which parameters a player moves, with which optimiser, and on which schedule."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, LambdaLR, LRScheduler, OneCycleLR, StepLR

from lightning_gans import InputError
from lightning_gans.players import Players, _advance, laid_out_like
from tests.games.gaan import make_gaan
from tests.games.wgan_gp import make_wgan_gp
from tests.helpers import Duel, fit


def seat(**settings: Any) -> Players:
    """A trunk that both players own, and a head for each."""
    trunk = nn.Linear(2, 2)
    networks = {"first": [trunk, nn.Linear(2, 1)], "second": [nn.Linear(2, 1), trunk, trunk]}
    given = {"optimizer": partial(SGD, lr=0.1), "optimizers": {}, "scheduler": None, "schedule_counts": "own", **settings}
    return Players(networks, **given)


def test_a_player_owns_each_of_its_parameters_once() -> None:
    players = seat()
    assert [len(players.parameters[name]) for name in ("first", "second")] == [4, 4]
    assert len(players.optimizers["second"].param_groups[0]["params"]) == 4


def test_single_players_can_have_optimizers_of_their_own() -> None:
    players = seat(optimizers={"second": partial(torch.optim.RMSprop, lr=0.3)})
    assert {name: type(each) for name, each in players.optimizers.items()} == {"first": SGD, "second": torch.optim.RMSprop}
    assert players.learning_rates() == {"first": 0.1, "second": 0.3}


def test_an_optimizer_for_an_unknown_player_is_refused() -> None:
    with pytest.raises(InputError, match=r"no player 'third'.*first, second"):
        seat(optimizers={"third": SGD})


@pytest.mark.parametrize("network", [nn.ReLU(), nn.Linear(2, 2).requires_grad_(False)], ids=["empty", "frozen"])
def test_a_player_with_nothing_to_train_is_refused(network: nn.Module) -> None:
    with pytest.raises(InputError, match="'idle' has no parameter"):
        Players({"idle": [network]}, partial(SGD, lr=0.1), {}, None, "own")


class Rates(Callback):
    """The learning rates with which each batch is trained."""

    def __init__(self) -> None:
        self.seen: list[list[float]] = []

    def on_train_batch_start(self, trainer: Trainer, *args: Any) -> None:
        self.seen.append([optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers])


@pytest.mark.parametrize(
    ("counts", "steps_by_batch"),
    [("own", [(1, 2, 1)] * 4), ("shared", [(4, 4, 4)] * 4), ("batches", [(1, 1, 1)] * 4)],
)
def test_schedules_count_what_they_are_told_to(counts: str, steps_by_batch: list[tuple[int, ...]]) -> None:
    halve = partial(ExponentialLR, gamma=0.5)
    fit(make_gaan(optimizer=partial(SGD, lr=1.0), scheduler=halve, schedule_counts=counts), 5, callbacks=[rates := Rates()])
    expected = [[0.5 ** sum(steps) for steps in zip(*steps_by_batch[:batch], strict=True)] for batch in range(1, 5)]
    assert rates.seen == [[1.0] * 3, *(pytest.approx(each) for each in expected)]


def test_a_schedule_counts_the_steps_that_were_taken() -> None:
    halve = partial(ExponentialLR, gamma=0.5)
    game = make_wgan_gp(optimizer=partial(SGD, lr=1.0), scheduler=halve, schedule_counts="own", critic_steps=3)
    fit(game, 3, callbacks=[rates := Rates()])
    assert rates.seen == [[1.0, 1.0], [1.0, 0.5**3], [0.5, 0.5**6]], "the generator does not move in the first batch"


def test_gaans_rates_decay_on_one_counter_of_all_steps() -> None:
    game = make_gaan(discriminator_steps=5, scheduler=partial(StepLR, step_size=14, gamma=0.9))
    fit(game, 5, callbacks=[rates := Rates()])
    assert rates.seen == [pytest.approx([rate] * 3) for rate in (1e-3, 1e-3, 9e-4, 9e-4, 8.1e-4)]


@pytest.mark.parametrize("counts", [(1,) * 30, (7,) * 5, (0, 3, 4, 0, 1, 9, 2), (20, 1)])
@pytest.mark.parametrize("size", [1, 2, 7, 14])
def test_steps_that_are_only_counted_are_steps(size: int, counts: tuple[int, ...]) -> None:
    def make() -> tuple[SGD, StepLR]:
        optimizer = SGD([nn.Parameter(torch.zeros(1))], lr=0.3)
        return optimizer, StepLR(optimizer, size, gamma=0.9)

    (fast, counted), (slow, stepped) = make(), make()
    for count in counts:
        _advance(counted, count)
        for _ in range(count):
            stepped.step()
        assert fast.param_groups[0]["lr"] == slow.param_groups[0]["lr"]
        assert counted.last_epoch == stepped.last_epoch
    assert counted.state_dict() == stepped.state_dict()


@pytest.mark.parametrize("clip", [None, 0.05])
def test_a_bound_that_is_changed_on_the_way_holds_from_then_on(clip: float | None) -> None:
    class Change(Callback):
        def on_train_batch_start(self, trainer: Trainer, pl_module: Any, *args: Any) -> None:
            pl_module.gradient_clip_val = clip if trainer.global_step else 1e-6

    fit(game := Duel(), 3, callbacks=[Change()])
    moved = (game.discriminator.weight - Duel().discriminator.weight).norm()
    assert float(moved) <= 0.011 if clip else float(moved) > 0.011


SCHEDULES: dict[str, Callable[..., LRScheduler]] = {
    "step": partial(StepLR, step_size=2, gamma=0.5),
    "exponential": partial(ExponentialLR, gamma=0.7),
    "lambda": partial(LambdaLR, lr_lambda=lambda step: 1 / (1 + step)),
    "cosine": partial(CosineAnnealingLR, T_max=10),
}


@pytest.mark.parametrize("name", [*SCHEDULES, "one cycle"])
def test_a_schedule_runs_as_in_plain_torch(name: str) -> None:
    schedule = SCHEDULES.get(name, partial(OneCycleLR, max_lr=0.3, total_steps=20))
    fit(Duel(scheduler=schedule, schedule_counts="batches"), 6, callbacks=[rates := Rates()])
    scheduler = schedule(optimizer := SGD([nn.Parameter(torch.zeros(1))], lr=0.1))
    expected = []
    for _ in range(6):
        expected.append(pytest.approx([optimizer.param_groups[0]["lr"]] * 2))
        optimizer.step()
        scheduler.step()
    assert rates.seen == expected


def test_a_gradient_of_other_strides_is_stepped_with_as_it_is_meant() -> None:
    weights = [nn.Parameter(torch.arange(6.0).view(2, 3)) for _ in range(2)]
    gradient = torch.randn(3, 2).T
    assert gradient.stride() != weights[0].stride()
    for weight, fused in zip(weights, (True, False), strict=True):
        weight.grad = laid_out_like(weight, gradient)
        torch.optim.Adam([weight], lr=0.1, fused=fused).step()
    torch.testing.assert_close(weights[0], weights[1])
    assert laid_out_like(weights[0], None) is None
    assert laid_out_like(weights[0], weights[1]) is weights[1]
