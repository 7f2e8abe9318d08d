"""What cannot be compiled runs eagerly, and says why."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_gans import Batch, Game
from lightning_gans.runs.experiment import Experiment
from lightning_gans.tracing import reading
from tests.compiling import ROUNDING, Item, adam, assert_same, both_ways, calm_adam, compiler_of, forms_of, said
from tests.games.gaan import make_noisy_gaan, noisy
from tests.games.gan import make_gan
from tests.helpers import (
    Duel,
    furthest,
    make_trainer,
    same,
    state,
)

pytestmark = pytest.mark.usefixtures("as_traced")

# What runs eagerly, and says so


def with_randomness(self: Duel, x: Tensor) -> Tensor:
    return self.generator_loss(x + torch.randn_like(x))


def with_a_branch(self: Duel, x: Tensor) -> Tensor:
    return self.generator_loss(x) * (2 if x.mean() > 0 else 1)


def test_a_number_that_is_read_off_a_tensor_is_no_constant() -> None:
    eager, traced = both_ways(partial(Item, Item.play_item, optimizer=adam))
    assert furthest(state(eager), state(traced)) < ROUNDING


def with_the_step(self: Duel, x: Tensor) -> Tensor:
    return self.generator_loss(x) * 0.9**self.global_step


def with_noise(self: Duel, x: Tensor) -> Tensor:
    return self.generator_loss(self.noise(len(x)))


def with_uniform(self: Duel, x: Tensor) -> Tensor:
    return self.generator_loss(x * self.uniform(len(x), 1))


REASONS = {
    with_randomness: "draws random numbers inside",
    with_a_branch: "depends on the value of a tensor",
    with_the_step: "reads the number of the step",
    with_noise: "draws noise inside; draw it in step",
    with_uniform: "draws noise inside; draw it in step",
}


@pytest.mark.parametrize("loss", REASONS)
def test_a_loss_that_cannot_be_compiled_runs_eagerly_and_says_why_once(
    loss: Callable[..., Any], recwarn: pytest.WarningsRecorder
) -> None:
    class Odd(Duel):
        def odd_loss(self, x: Tensor) -> Tensor:
            return loss(self, x)

    def play(self: Odd, batch: Batch) -> None:
        self.minimize("discriminator", self.discriminator_loss, batch.images)
        self.minimize("generator", self.odd_loss, batch.images)

    eager, traced = both_ways(partial(Odd, play, optimizer=adam))
    assert same(state(eager), state(traced)) or furthest(state(eager), state(traced)) < ROUNDING
    (name,) = compiler_of(traced).eager
    assert name.endswith("Odd.odd_loss")
    (sentence,) = said(recwarn)
    assert sentence.startswith(f"{name} runs eagerly, for it {REASONS[loss]}")
    assert len(forms_of(traced)) == 1, "the other loss is compiled"


def make_dropping_gan(**settings: Any) -> Game:
    torch.manual_seed(1)
    return make_gan(generator=noisy(2, 2, "sigmoid"), simultaneous=False, **settings)


@pytest.mark.parametrize("make", [make_noisy_gaan, make_dropping_gan])
def test_layers_that_draw_run_eagerly(make: Callable[..., Game], recwarn: pytest.WarningsRecorder) -> None:
    eager, traced = both_ways(partial(make, optimizer=calm_adam))
    assert furthest(state(eager), state(traced)) < ROUNDING
    assert all("draws random numbers inside (dropout or a noise layer)" in why for why in compiler_of(traced).eager.values())
    assert len(said(recwarn)) == len(compiler_of(traced).eager) >= 1


def fresh_closure(self: Duel, batch: Batch) -> None:
    factor = torch.ones(()) * 2
    self.minimize("generator", lambda x: self.generator_loss(x) * factor, batch.images)


def held_tensor(self: Duel, batch: Batch) -> None:
    self.minimize("generator", partial(self.generator_loss, batch.images))


def carried_gradient(self: Duel, batch: Batch) -> None:
    self.minimize("generator", self.generator_loss, self.generator(batch.images))


PLAYS = {
    fresh_closure: "is no method of the game and no plain function",
    held_tensor: "is no method of the game and no plain function",
    carried_gradient: "is given a tensor that carries a gradient",
}


@pytest.mark.parametrize("play", PLAYS)
def test_what_would_be_lost_in_a_trace_is_refused(play: Any, recwarn: pytest.WarningsRecorder) -> None:
    eager, traced = both_ways(partial(Duel, play, optimizer=adam))
    assert same(state(eager), state(traced))
    (sentence,) = said(recwarn)
    assert PLAYS[play] in sentence
    assert len(compiler_of(traced)._updates) <= 1, "something is kept for each step"


class Plain(Duel):
    """Its loss is given a number."""

    def scaled_loss(self, x: Tensor, factor: float) -> Tensor:
        return self.generator_loss(x) * factor


def test_plain_arguments_are_constants_of_forms_of_their_own() -> None:
    def play(self: Plain, batch: Batch) -> None:
        for factor in (1.0, 3.0):
            self.minimize("generator", self.scaled_loss, batch.images, factor)

    eager, traced = both_ways(partial(Plain, play, optimizer=adam))
    assert_same(eager, traced)
    assert len(forms_of(traced)) == 2


def test_arguments_that_always_change_are_given_up(recwarn: pytest.WarningsRecorder) -> None:
    def play(self: Plain, batch: Batch) -> None:
        self.minimize("generator", self.scaled_loss, batch.images, 0.9**self.global_step)

    eager, traced = both_ways(partial(Plain, play, optimizer=adam), 30)
    assert furthest(state(eager), state(traced)) < ROUNDING
    (sentence,) = said(recwarn)
    assert "Plain.scaled_loss runs eagerly, for it is given other plain values again and again" in sentence
    assert len(compiler_of(traced)._updates) <= 8


def test_functions_that_are_written_in_the_step_are_one() -> None:
    def play(self: Duel, batch: Batch) -> None:
        self.minimize("generator", lambda game, x: game.generator_loss(x), *(NoTensor(self), batch.images))

    class NoTensor:
        """Hashes as itself."""

        def __init__(self, game: Duel) -> None:
            self.game = game

        def __eq__(self, other: object) -> bool:
            return isinstance(other, NoTensor)

        def __hash__(self) -> int:
            return 1

        def __getattr__(self, name: str) -> Any:
            return getattr(self.game, name)

    eager, traced = both_ways(partial(Duel, play, optimizer=adam))
    assert_same(eager, traced)


@pytest.mark.parametrize("sizes", [(8, 8, 5), (8, 5), (8, 5, 5)])
def test_a_smaller_batch_runs_eagerly(sizes: tuple[int, ...]) -> None:
    batches = [Batch(each) for each in torch.randn(sum(sizes), 2).split(list(sizes))]

    class Loader:
        def __iter__(self) -> Iterator[Batch]:
            return iter(batches)

    games = [Duel(compile=compile, optimizer=adam) for compile in (False, True)]
    for game in games:
        make_trainer(12, precision="64-true").fit(game, Loader())
    assert_same(games[0], games[1])


def test_a_traced_game_is_found_by_its_name_afterwards() -> None:
    game = make_gan()
    gc.disable()  # the class that notes what is read lives on until it is collected
    try:
        with reading(game) as read:
            assert game.loss == "ns"
        assert read == {"loss": "ns"}
        assert Experiment.resolve(["--model=GAN", "--data.dataset=ring8"]).model == "GAN"
    finally:
        gc.enable()
