"""Compiled updates: the same as eager ones. Most tests run the traced graph as it is, without machine code."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.plugins import MixedPrecision
from torch import Tensor
from torch.optim import SGD, RMSprop
from torch.optim.lr_scheduler import ExponentialLR, StepLR

from lightning_gans import EMA, Adam, Batch, Game, InputError, compiled
from lightning_gans.errors import NonFiniteError
from tests.games import GAMES
from tests.games.gaan import make_gaan, make_noisy_gaan, noisy
from tests.games.gan import make_gan
from tests.games.wgan_gp import make_wgan_gp
from tests.helpers import (
    COMPILED_ON_RANKS,
    Duel,
    data_for,
    fit,
    furthest,
    in_training,
    make_trainer,
    same,
    saving,
    start,
    state,
)
from tests.test_precision import CLIPPING, ScalingAlone

adam = partial(Adam, lr=1e-3)
# Games whose losses draw numbers or branch on a value, by what is said of them; all others compile
EAGER: dict[str, str] = {"vae_gan": "", "aegan": ""}


@pytest.fixture(autouse=True)
def _as_traced(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Graphs run as they are, unless a test is about the compiler."""
    if "slow" not in request.keywords:
        monkeypatch.setattr(compiled, "build", lambda graph, inputs: graph)


def compiler_of(game: Game) -> compiled.Compiler:
    assert game._updates.compiler is not None
    return game._updates.compiler


def forms_of(game: Game) -> list[compiled.Compiled]:
    return [form for update in compiler_of(game)._updates.values() for form in update.forms]


def both_ways(make: Callable[..., Game], steps: int = 10, data: Any = None, **settings: Any) -> tuple[Game, Game]:
    """A game trained eagerly, and compiled."""
    settings = {"precision": "64-true", **settings}
    callbacks = settings.pop("callbacks", list)
    fit(eager := make(), steps, data, callbacks=callbacks(), **settings)
    fit(traced := make(compile=True), steps, data, callbacks=callbacks(), **settings)
    return eager, traced


def assert_same(eager: Game, traced: Game, steps_inside: bool = True, within: float = 1e-12) -> None:
    """All is equal: weights, buffers, the optimisers' states."""
    assert compiler_of(traced).eager == {}
    assert [form._steps_inside for form in forms_of(traced)] == [steps_inside] * len(forms_of(traced))
    assert forms_of(traced)
    assert furthest(state(eager), state(traced)) < within
    for one, other in zip(eager._updates.players.optimizers.values(), traced._updates.players.optimizers.values(), strict=True):
        a, b = one.state_dict(), other.state_dict()
        assert a["param_groups"] == b["param_groups"]
        for number, moments in a["state"].items():
            for key, value in moments.items():
                torch.testing.assert_close(b["state"][number][key], value, rtol=0, atol=within)


# Equal to eager


@pytest.mark.parametrize("name", GAMES)
def test_a_compiled_game_is_the_eager_one(name: str, image_folder: Path) -> None:
    eager, traced = both_ways(partial(GAMES[name], optimizer=adam), data=data_for(name, image_folder))
    assert furthest(state(eager), state(traced)) < 1e-12
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


def make_normed(**settings: Any) -> Game:
    """Batch norm everywhere, no dropout."""
    torch.manual_seed(1)
    networks = {"generator": noisy(2, 2, "sigmoid"), "discriminator": noisy(2, 1)}
    for module in itertools.chain(*(network.modules() for network in networks.values())):
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return make_gan(**networks, **settings)


@pytest.mark.parametrize("together", [True, False])
def test_statistics_of_batches_are_kept(together: bool) -> None:
    eager, traced = both_ways(partial(make_normed, simultaneous=together, optimizer=adam))
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
    assert furthest(first, second) < 1e-12


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
    assert furthest(state(eager), state(traced)) < 1e-12
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
    assert furthest(state(resumed), state(alone)) < 1e-12
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


def ahead(self: Duel, x: Tensor) -> Tensor:
    player = self.functional("discriminator").minimize(self.discriminator_loss, x).minimize(self.discriminator_loss, 2 * x)
    return player.evaluate(self.generator_loss, x)


class Unrolled(Duel):
    """The generator looks two steps of the discriminator ahead."""

    def ahead(self, x: Tensor) -> Tensor:
        return ahead(self, x)

    def both_ahead(self, x: Tensor) -> dict[str, Tensor]:
        return {"discriminator": self.discriminator_loss(x), "generator": ahead(self, x)}

    def in_turn(self, batch: Batch) -> None:
        self.minimize("discriminator", self.discriminator_loss, batch.images)
        self.minimize("generator", self.ahead, batch.images)

    def at_once(self, batch: Batch) -> None:
        self.minimize_together(self.both_ahead, batch.images)


@pytest.mark.parametrize("play", [Unrolled.in_turn, Unrolled.at_once])
def test_steps_that_are_differentiated_through_are_compiled(play: Any) -> None:
    schedule = partial(StepLR, step_size=3, gamma=0.5)
    eager, traced = both_ways(partial(Unrolled, play, optimizer=partial(Adam, lr=0.02, weight_decay=0.1), scheduler=schedule))
    assert_same(eager, traced)


# What runs eagerly, and says so


def said(recwarn: pytest.WarningsRecorder) -> list[str]:
    return [str(each.message) for each in recwarn if "runs eagerly" in str(each.message)]


def with_randomness(self: Duel, x: Tensor) -> Tensor:
    return self.generator_loss(x + torch.randn_like(x))


def with_a_branch(self: Duel, x: Tensor) -> Tensor:
    return self.generator_loss(x) * (2 if x.mean() > 0 else 1)


def with_an_item(self: Duel, x: Tensor) -> Tensor:
    return self.generator_loss(x) * x.mean().item()


def with_the_step(self: Duel, x: Tensor) -> Tensor:
    return self.generator_loss(x) * 0.9**self.global_step


def with_noise(self: Duel, x: Tensor) -> Tensor:
    return self.generator_loss(self.noise(len(x)))


def with_uniform(self: Duel, x: Tensor) -> Tensor:
    return self.generator_loss(x * self.uniform(len(x), 1))


REASONS = {
    with_randomness: "draws random numbers inside",
    with_a_branch: "depends on the value of a tensor",
    with_an_item: "depends on the value of a tensor",
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
    assert same(state(eager), state(traced)) or furthest(state(eager), state(traced)) < 1e-12
    (name,) = compiler_of(traced).eager
    assert name.endswith("Odd.odd_loss")
    (sentence,) = said(recwarn)
    assert sentence.startswith(f"{name} runs eagerly, for it {REASONS[loss]}")
    assert len(forms_of(traced)) == 1, "the other loss is compiled"


@pytest.mark.parametrize("make", [make_noisy_gaan, partial(make_gan, generator=noisy(2, 2, "sigmoid"), data_range=(0.0, 1.0))])
def test_layers_that_draw_run_eagerly(make: Callable[..., Game], recwarn: pytest.WarningsRecorder) -> None:
    eager, traced = both_ways(partial(make, optimizer=adam))
    assert furthest(state(eager), state(traced)) < 1e-12
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
    assert furthest(state(eager), state(traced)) < 1e-12
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
    assert furthest(state(eager), state(traced)) < 1e-12
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
    eager, traced = both_ways(partial(make_normed, optimizer=adam), callbacks=lambda: [Freeze(what)])
    assert compiler_of(traced).eager == {}
    assert furthest(state(eager), state(traced)) < 1e-12
    fit(untouched := make_normed(optimizer=adam), 10, precision="64-true")
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
    assert_same(*both_ways(partial(make, optimizer=adam), 12))


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
    process = start("two_ranks_compiled", tmp_path)
    output, _ = process.communicate(timeout=280)
    assert process.returncode == 0, output
    first, second = (torch.load(tmp_path / f"rank{rank}.pt") for rank in (0, 1))
    for name in COMPILED_ON_RANKS:
        assert furthest(first[name], second[name]) == 0
        fit(alone := GAMES[name](), 6, precision="64-true")
        assert furthest(first[name], state(alone)) < 1e-12
    assert first["eager"]["gan"] == first["eager"]["wgan_gp"] == {}
    assert any("needs numbers of all ranks" in why for why in first["eager"]["gaan"].values())
