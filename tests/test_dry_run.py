"""The step and the doors on two samples before a training: nothing is other afterwards, and what fails is said."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lightning_gans import MLP, Adam, Batch, Empirical, Game, Images, InputError, Uniform
from lightning_gans import game as game_module
from lightning_gans.dry_run import dry_run, unchanged
from lightning_gans.networks import Network
from tests.games import GAMES
from tests.games.gaan import make_gaan, make_image_gaan, make_noisy_gaan, noisy
from tests.games.gan import make_gan
from tests.games.wgan_gp import make_wgan_gp
from tests.helpers import Duel, data_for, fit, furthest, grid_for, make_trainer, same, state

# Nothing changes


def opened(data: Images | None = None) -> Images:
    data = data or Images("grid25", batch_size=32)
    data.prepare_data()
    data.setup("fit")
    return data


def everything(game: Game) -> dict[str, Any]:
    """All that a step could change."""
    kept = {name: value for name, value in vars(game).items() if not isinstance(value, dict | nn.Module)}
    return {
        "state": state(game),
        "modes": [module.training for module in game.modules()],
        "frozen": [p.requires_grad for p in game.parameters()],
        "gradients": [p.grad for p in game.parameters()],
        "tensors": [id(tensor) for tensor in (*game.parameters(), *game.buffers())],
        "random": torch.random.get_rng_state(),
        "attributes": {
            name: value if isinstance(value, bool | int | float | str) else id(value) for name, value in kept.items()
        },
    }


@pytest.mark.parametrize("mode", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("name", [*GAMES, "with dropout and batch norm"])
def test_nothing_is_other_afterwards(name: str, mode: bool, image_folder: Any) -> None:
    game = {**GAMES, "with dropout and batch norm": make_noisy_gaan}[name]().train(mode)
    next(game.parameters()).requires_grad_(False)
    game.generator.train(not mode)
    data = opened(data_for(name, image_folder) or grid_for(game))
    before = everything(game)
    dry_run(game, data, steps=True)
    assert same(everything(game), before)


def test_what_a_step_assigns_is_taken_back() -> None:
    class Keeper(Duel):
        """Counts, and keeps tensors of its own."""

        def __init__(self, **settings: Any) -> None:
            super().__init__(Keeper.keep, **settings)
            self.count, self.k = 0, torch.zeros(())
            self.register_buffer("average", torch.zeros(2))

        def keep(self, batch: Batch) -> None:
            self.count += 1
            self.k = self.k + 1
            self.average = self.average + batch.images.mean(dim=0)
            self.noise_like(batch)
            self.alternate(batch)

    game = Keeper()
    before = everything(game)
    dry_run(game, opened(), steps=True)
    assert same(everything(game), before)
    fit(game, 3)
    assert (game.count, float(game.k)) == (3, 3.0)


def test_all_comes_back_after_a_failure_too() -> None:
    game = Duel()
    before = everything(game)

    def spoil() -> None:
        with unchanged(game):
            game.eval()
            torch.rand(3)
            game.generator.weight.data.fill_(9.0)
            game._draws = 7
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        spoil()
    assert same(everything(game), before)


@pytest.mark.parametrize("make", [make_gan, make_wgan_gp, make_noisy_gaan, Duel])
def test_training_does_not_notice_it(make: Callable[..., Game], monkeypatch: pytest.MonkeyPatch) -> None:
    fit(with_it := make(), 4)
    monkeypatch.setattr(game_module, "dry_run", lambda *args, **kwargs: None)
    fit(without := make(), 4)
    assert same(state(with_it), state(without))


def test_without_a_step_no_step_is_tried() -> None:
    def play(self: Duel, batch: Batch) -> None:
        raise ArithmeticError

    make_trainer().test(Duel(play), datamodule=Images("grid25", batch_size=32), verbose=False)


# What fails is said


class Wild(Network):
    """Raises whatever a stranger's network might."""

    def __init__(self, error: Exception) -> None:
        super().__init__({"output": nn.Linear(2, 1)}, None)
        self.error = error

    def forward(self, x: Tensor) -> Tensor:
        raise self.error


def mlp(inputs: int, outputs: int, **settings: Any) -> MLP:
    return MLP(inputs, outputs, (4,), **settings)


SIGMOID = {"output": "sigmoid"}
FAILURES: dict[str, tuple[Callable[[], Game], list[str]]] = {
    "a generator of wider latents": (
        lambda: make_gan(generator=mlp(3, 2, **SIGMOID)),
        ["the generator does not take latents of 2 numbers", "shapes cannot be multiplied"],
    ),
    "a generator of other samples": (
        lambda: make_gan(generator=mlp(2, 3, **SIGMOID)),
        ["the generator makes 3 samples, but the data is 2"],
    ),
    "a generator of images": (
        lambda: make_image_gaan(data_scale=4.2),
        ["the generator makes 1x8x8 samples, but the data is 2"],
    ),
    "an encoder of other data": (
        lambda: make_gaan(encoder=mlp(3, 2)),
        ["the encoder does not take data of shape 2"],
    ),
    "an encoder of other latents": (
        lambda: make_gaan(encoder=mlp(2, 3)),
        ["the encoder gives latents of 3 numbers, but the prior has 2"],
    ),
    "a discriminator of other data": (
        lambda: make_gan(discriminator=mlp(3, 1)),
        ["GAN cannot take a step on grid25 (2)", "both_losses fails with RuntimeError", "cannot be multiplied"],
    ),
    "a critic of other data, in the first loss": (
        lambda: make_wgan_gp(critic=mlp(3, 1)),
        ["WGANGP cannot take a step", "WGANGP.generator_loss fails with RuntimeError"],
    ),
    "a layer that is not there": (
        lambda: make_gaan(phi="conv7"),
        ["MLP has no layer", "conv7"],
    ),
    "a range that is not the generator's": (
        lambda: make_gan(generator=mlp(2, 2, output="tanh"), data_range=(0.0, 1.0)),
        ["the generator's output lies in [-1.0, 1.0], but data_range is [0.0, 1.0]"],
    ),
    "an empirical prior that nobody fills": (
        lambda: make_gan(prior=Empirical(2)),
        ["GAN never fills an empirical prior"],
    ),
    "a loss that depends on nothing": (
        lambda: Duel(lambda self, batch: self.minimize("generator", lambda x: self.discriminator(x).mean(), batch.images)),
        ["must return a scalar tensor that depends on the generator's parameters"],
    ),
    "a loss, of several, that depends on nothing of its player": (
        lambda: Duel(
            lambda self, batch: self.minimize_together(lambda x: {"generator": self.discriminator(x).mean()}, batch.images)
        ),
        ["does not depend on any parameter of the generator, which it is to train"],
    ),
}


@pytest.mark.parametrize("case", FAILURES)
def test_what_fails_is_named_in_a_sentence(case: str) -> None:
    make, words = FAILURES[case]
    game = make()
    before = everything(game)
    with pytest.raises(InputError) as found:
        dry_run(game, opened(), steps=True)
    sentence = str(found.value)
    assert [word for word in words if word not in sentence] == [], sentence
    assert "\n" not in sentence
    assert not re.search(r"[a-z)][.!?] [A-Z]", sentence), f"more than one sentence: {sentence}"
    assert same(everything(game), before)


def test_it_is_said_before_anything_trains() -> None:
    game = make_gan(discriminator=mlp(3, 1))
    with pytest.raises(InputError, match="GAN cannot take a step"):
        fit(game, 1)
    assert same(state(game), state(make_gan(discriminator=game.discriminator)))


@pytest.mark.parametrize(
    "error", [RuntimeError("one\ntwo"), KeyError("a"), ZeroDivisionError("b."), AssertionError(), OSError()]
)
def test_whatever_a_stranger_raises_is_said(error: Exception) -> None:
    with pytest.raises(InputError, match=rf"GAN cannot take a step on grid25 \(2\): .*{type(error).__name__}.*sizes") as found:
        fit(make_gan(discriminator=Wild(error)), 1)
    assert "\n" not in str(found.value)
    assert found.value.__cause__ is error


def test_what_fails_in_the_step_itself_is_said_too() -> None:
    def play(self: Duel, batch: Batch) -> None:
        self.minimize("generator", self.generator_loss, batch.images)
        raise KeyError("mine")

    with pytest.raises(InputError, match=r"Duel cannot take a step on grid25 \(2\): step fails with KeyError: 'mine'"):
        fit(Duel(play), 1)


@pytest.mark.parametrize(("method", "words"), [("players", "must define players"), ("step", "must define step")])
def test_a_module_without_players_or_step_says_what_is_missing(method: str, words: str) -> None:
    class Lacking(Duel):
        """Somebody's first try."""

    setattr(Lacking, method, getattr(Game, method))
    with pytest.raises(InputError, match=f"Lacking {words}"):
        fit(Lacking(), 1)


def test_a_step_that_is_left_out_at_the_first_batch_is_tried() -> None:
    def play(self: Duel, batch: Batch) -> None:
        if self.global_step > 0:
            raise ArithmeticError("later")

    with pytest.raises(InputError, match="ArithmeticError: later"):
        fit(Duel(play), 1)


def test_a_player_with_another_optimizer_is_tried_with_it() -> None:
    def through(x: Tensor, self: Duel) -> Tensor:
        return self.functional("discriminator").minimize(self.discriminator_loss, x).evaluate(self.generator_loss, x)

    def play(self: Duel, batch: Batch) -> None:
        self.minimize("generator", partial(through, self=self), batch.images)

    with pytest.raises(InputError, match="takes Adam; it has SGD"):
        fit(Duel(play), 1)
    fit(Duel(play, optimizer=partial(Adam, lr=1e-3)), 1)


# Ranges


@pytest.mark.parametrize(("share", "refused"), [(1.06, True), (1.04, False), (1.0, False), (0.5, False)])
def test_data_may_stick_out_of_the_generators_range_by_a_twentieth(share: float, refused: bool) -> None:
    data = opened()
    game = make_gan(data_scale=data.extent / share)
    if not refused:
        dry_run(game, data, steps=True)
        return
    with pytest.raises(InputError, match=rf"the data reaches {data.extent:g}, but data_scale .* set data_scale to"):
        dry_run(game, data, steps=True)
    dry_run(make_gan(data_scale=data.extent / share, generator=mlp(2, 2)), data, steps=True)  # it reaches everywhere


# What else


def test_of_loaders_only_the_generator_is_tried() -> None:
    loader = torch.utils.data.DataLoader(torch.randn(8, 2), batch_size=4)
    with pytest.raises(InputError, match="the generator does not take latents of 3 numbers"):
        make_trainer(2).fit(make_gan(prior=Uniform(3)), loader)
    make_trainer(2).fit(make_gan(generator=noisy(2, 2, "sigmoid")), loader)


def test_it_runs_in_the_precision_of_the_training() -> None:
    seen: list[torch.dtype] = []

    def play(self: Duel, batch: Batch) -> None:
        seen.append(batch.images.dtype)
        self.alternate(batch)

    fit(Duel(play), 1, precision="64-true")
    assert seen == [torch.float64] * 2


def test_its_losses_are_not_logged() -> None:
    game = make_gan()
    fit(game, 1, log_every_n_steps=50)
    assert furthest(state(game), state(make_gan())) > 0
    assert game._history._unread == []
    assert {len(numbers) for numbers in game._history._numbers.values()} == {1}


@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        ({}, True),
        ({"drop_last": True}, False),
        ({"batch_size": 1}, True),
        ({"batch_size": 50}, False),
    ],
)
def test_batch_norm_over_a_single_sample_is_refused_before_the_end_of_an_epoch(settings: dict[str, Any], refused: bool) -> None:
    class Normed(Duel):
        """Batch norm over one value a channel."""

        def __init__(self) -> None:
            super().__init__()
            self.generator = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))

    data = Images("grid25", **{"batch_size": 49_999, **settings})
    if refused:
        with pytest.raises(
            InputError, match=r"Expected more than 1 value.*a device is given one sample.*data\.drop_last to true"
        ):
            fit(Normed(), 1, data)
    else:
        fit(Normed(), 1, data)
