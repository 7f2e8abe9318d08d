"""Updates, simultaneous moves, noise, counters, logs and non-finite losses."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.plugins import MixedPrecision
from torch import Tensor, nn

from lightning_gans import Batch, InputError
from lightning_gans import game as game_module
from lightning_gans.errors import NonFiniteError
from tests.games import PAPERS
from tests.games.gan import make_gan
from tests.helpers import Duel, fit, furthest, in_training, make_trainer, same, saving, state

# Updates


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_in_an_update_only_its_player_gets_gradients_and_moves(player: str) -> None:
    def both(self: Duel, x: Tensor) -> Tensor:
        return self.discriminator_loss(x) + self.generator_loss(x)

    game = Duel(lambda self, batch: self.minimize(player, partial(both, self), batch.images))
    before = state(game)
    fit(game, 1)
    for name, parameter in game.named_parameters():
        mine = name.startswith(player)
        assert (parameter.grad is not None) == mine
        assert torch.equal(parameter, before[name]) != mine


def test_other_networks_are_frozen_in_an_update_alone() -> None:
    seen: list[list[bool]] = []

    def loss(self: Duel, x: Tensor) -> Tensor:
        seen.append([p.requires_grad for p in self.discriminator.parameters()])
        return self.generator_loss(x)

    def play(self: Duel, batch: Batch) -> None:
        self.minimize("generator", partial(loss, self), batch.images)
        seen.append([p.requires_grad for p in self.parameters()])

    fit(Duel(play), 1)
    assert seen == [[False] * 2, [True] * 4] * 2  # in the dry run, too


def test_networks_can_be_trained_again_after_a_loss_that_raised() -> None:
    def loss(self: Duel, x: Tensor) -> Tensor:
        if in_training(self):
            raise ArithmeticError
        return self.generator_loss(x)

    game = Duel(lambda self, batch: self.minimize("generator", partial(loss, self), batch.images))
    with pytest.raises(ArithmeticError):
        fit(game, 1)
    assert all(p.requires_grad for p in game.parameters())


@pytest.mark.parametrize("play", [Duel.alternate, Duel.move_together])
def test_what_the_user_has_frozen_stays_frozen(play: Callable[..., None]) -> None:
    game = Duel(play)
    game.generator.weight.requires_grad_(False)
    game.discriminator.bias.requires_grad_(False)
    before = state(game)
    fit(game, 3)
    changed = {name for name, value in state(game).items() if not torch.equal(value, before[name])}
    assert changed == {"generator.bias", "discriminator.weight"}
    assert [name for name, p in game.named_parameters() if not p.requires_grad] == ["generator.weight", "discriminator.bias"]


def test_what_the_user_freezes_during_training_stays_frozen() -> None:
    def play(self: Duel, batch: Batch) -> None:
        if self.global_step == 1:
            self.generator.weight.requires_grad_(False)
        self.alternate(batch)

    fit(game := Duel(play), 3)
    assert not game.generator.weight.requires_grad


@pytest.mark.parametrize("play", [Duel.alternate, Duel.move_together])
def test_updates_outside_of_fit_are_refused(play: Callable[..., None]) -> None:
    with pytest.raises(RuntimeError, match=r"inside Trainer\.fit"):
        play(Duel(), Batch(torch.zeros(2, 2)))


def test_terms_of_a_loss_are_scalars_of_any_shape(tmp_path: Path) -> None:
    def loss(self: Duel, x: Tensor) -> Any:
        return self.generator_loss(x)[None], {"two": self.generator.bias.new_tensor(2.0), "three": torch.full((1, 1), 3.0)}

    game = Duel(lambda self, batch: self.minimize("generator", partial(loss, self), batch.images))
    fit(game, 2, logger=CSVLogger(tmp_path), log_every_n_steps=2)
    assert logged(tmp_path, "generator/two") == {1: 2.0}
    assert logged(tmp_path, "generator/three") == {1: 3.0}


# What is no loss, by what is said of it
NO_LOSSES: dict[str, Callable[[Duel, Tensor], Any]] = {
    "a scalar tensor that depends on the generator's": lambda self, x: self.generator(x),
    "scalar tensor": lambda self, x: 1.0,
    "must return a scalar": lambda self, x: None,
    "depends on the generator's parameters": lambda self, x: self.discriminator(x).mean(),
    "a dictionary of scalar tensors": lambda self, x: (self.generator_loss(x), {"number": 1.0}),
    "terms to be logged as a dictionary": lambda self, x: (self.generator_loss(x), self.generator_loss(x)),
}


@pytest.mark.parametrize("words", NO_LOSSES)
@pytest.mark.parametrize("together", [False, True], ids=["alone", "together"])
def test_what_is_no_loss_is_refused(words: str, together: bool) -> None:
    def play(self: Duel, batch: Batch) -> None:
        if together:
            self.minimize_together(lambda x: {"generator": NO_LOSSES[words](self, x)}, batch.images)
        else:
            self.minimize("generator", partial(NO_LOSSES[words], self), batch.images)

    with pytest.raises(InputError, match=words if not together or "depends on" not in words else "depend"):
        fit(Duel(play), 1)


@pytest.mark.parametrize("together", [False, True], ids=["alone", "together"])
def test_a_loss_of_an_unknown_player_is_refused(together: bool) -> None:
    def play(self: Duel, batch: Batch) -> None:
        if together:
            self.minimize_together(lambda x: {"critic": self.generator_loss(x)}, batch.images)
        else:
            self.minimize("critic", self.generator_loss, batch.images)

    with pytest.raises(InputError, match=r"no player 'critic'.*discriminator, generator"):
        fit(Duel(play), 1)


@pytest.mark.parametrize("returned", [None, 1.0, "losses"])
def test_losses_that_are_not_by_player_are_refused(returned: Any) -> None:
    def nothing(x: Tensor) -> Any:
        return returned

    with pytest.raises(InputError, match=rf"nothing must return a loss for each player by name, not {type(returned).__name__}"):
        fit(Duel(lambda self, batch: self.minimize_together(nothing, batch.images)), 1)


@pytest.mark.parametrize("play", [Duel.alternate, Duel.move_together])
@pytest.mark.parametrize("scaled", [False, True], ids=["plain", "scaled"])
def test_callbacks_see_the_gradients_of_each_step(play: Callable[..., None], scaled: bool) -> None:
    seen: list[tuple[int, float]] = []

    class Look(Callback):
        def on_before_optimizer_step(self, trainer: Trainer, pl_module: Any, optimizer: Any) -> None:
            norm = torch.stack([p.grad.norm() for group in optimizer.param_groups for p in group["params"]]).norm()
            seen.append((trainer.optimizers.index(optimizer), float(norm)))

    class Heard(Duel):
        def on_before_optimizer_step(self, optimizer: Any) -> None:
            heard.append(self.trainer.optimizers.index(optimizer))

    heard: list[int] = []
    plugins = [MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=16.0))] if scaled else []
    fit(Heard(play, gradient_clip_val=1e-3), 2, callbacks=[Look()], plugins=plugins)
    assert [player for player, _ in seen] == heard == [0, 1] * 2
    assert [norm for _, norm in seen] == pytest.approx([1e-3] * 4, rel=1e-2), "neither unscaled nor clipped"


# Simultaneous moves


def by_hand(steps: int = 3, shared: bool = False) -> dict[str, Tensor]:
    """Plain SGD on gradients that are all taken before anybody moves."""
    batches: list[Tensor] = []
    fit(Duel(lambda self, batch: batches.append(batch.images) if in_training(self) else None), steps)
    game = Duel()
    owned = {name: [p for network in networks for p in network.parameters()] for name, networks in game.players().items()}
    if shared:
        owned["generator"] += owned["discriminator"]
    for images in batches:
        losses = game.both_losses(images)
        gradients = {name: torch.autograd.grad(losses[name], owned[name], retain_graph=True) for name in owned}
        with torch.no_grad():
            for name, parameters in owned.items():
                for parameter, gradient in zip(parameters, gradients[name], strict=True):
                    parameter -= 0.1 * gradient
    return state(game)


def test_simultaneous_moves_are_gradients_at_the_same_parameters() -> None:
    fit(game := Duel(Duel.move_together), 3)
    fit(alternating := Duel(Duel.alternate), 3)
    assert furthest(state(game), by_hand()) < 1e-6
    assert furthest(state(alternating), state(game)) > 1e-4


def test_a_network_that_two_players_share_is_moved_by_both() -> None:
    class Shared(Duel):
        def players(self) -> dict[str, list[nn.Module]]:
            return {"discriminator": [self.discriminator], "generator": [self.generator, self.discriminator]}

    fit(game := Shared(Duel.move_together), 3)
    assert furthest(state(game), by_hand(shared=True)) < 1e-6


def test_a_move_without_a_gradient_for_a_parameter_leaves_it() -> None:
    def play(self: Duel, batch: Batch) -> None:
        self.minimize_together(lambda: {"generator": self.generator.bias.square().sum()})

    fit(game := Duel(play), 2)
    assert torch.equal(game.generator.weight, Duel().generator.weight)
    torch.testing.assert_close(game.generator.bias, Duel().generator.bias * 0.8**2)


def test_an_error_among_the_losses_steps_nobody() -> None:
    def losses(self: Duel, x: Tensor) -> dict[str, Tensor]:
        found = {"generator": self.generator_loss(x)}
        if in_training(self):
            raise ArithmeticError
        return found

    game = Duel(lambda self, batch: self.minimize_together(partial(losses, self), batch.images))
    with pytest.raises(ArithmeticError):
        fit(game, 1)
    assert same(state(game), state(Duel()))


# Clipping


@pytest.mark.parametrize("play", [Duel.alternate, Duel.move_together])
@pytest.mark.parametrize(
    ("algorithm", "clip"),
    [
        ("norm", nn.utils.clip_grad_norm_),
        ("tensor", lambda parameters, bound: [nn.utils.clip_grad_norm_(parameter, bound) for parameter in parameters]),
        ("value", nn.utils.clip_grad_value_),
    ],
    ids=["norm", "tensor", "value"],
)
def test_gradients_are_clipped_as_torch_does(play: Callable[..., None], algorithm: str, clip: Callable[..., Any]) -> None:
    batches: list[Batch] = []

    def recorded(self: Duel, batch: Batch) -> None:
        if in_training(self):
            batches.append(batch)
        play(self, batch)

    fit(game := Duel(recorded, gradient_clip_val=0.05, gradient_clip_algorithm=algorithm), 1)
    reference = Duel()
    reference.discriminator_loss(batches[0].images).backward(inputs=list(reference.discriminator.parameters()))
    clip(reference.discriminator.parameters(), 0.05)
    torch.optim.SGD(reference.discriminator.parameters(), lr=0.1).step()
    for name, value in state(reference.discriminator).items():
        torch.testing.assert_close(game.state_dict()[f"discriminator.{name}"], value)
    assert not torch.equal(reference.discriminator.weight, Duel().discriminator.weight)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_a_bound_on_gradients_must_be_positive(value: float) -> None:
    with pytest.raises(InputError, match="gradient_clip_val"):
        Duel(gradient_clip_val=value)


# Steps


@pytest.mark.parametrize("paper", PAPERS)
def test_steps_are_training_batches(paper: str, tmp_path: Path) -> None:
    seen: list[int] = []

    class Count(Callback):
        def on_train_batch_start(self, trainer: Trainer, *args: Any) -> None:
            seen.append(trainer.global_step)

    settings = saving(tmp_path, every_n_steps=5)
    settings["callbacks"].append(Count())
    trainer = fit(PAPERS[paper](), 11, **settings)
    assert seen == list(range(11))
    assert trainer.global_step == 11
    assert sorted(file.name for file in tmp_path.iterdir()) == ["step=10.ckpt", "step=5.ckpt"]


def test_a_second_fit_counts_on_its_own() -> None:
    game = Duel()
    assert [fit(game, 3).global_step, fit(game, 4).global_step] == [3, 4]


def counting(self: Duel, batch: Batch) -> None:
    """The loss is the number of the step, and a term its square."""

    def loss(step: Tensor) -> Any:
        return step + 0 * self.generator.bias.sum(), {"squared": step.square()}

    self.minimize("generator", loss, torch.tensor(float(self.global_step)))


def logged(folder: Path, name: str) -> dict[int, float]:
    """What was logged of ``name``, by step."""
    (file,) = folder.rglob("metrics.csv")
    with open(file) as lines:
        return {int(row["step"]): float(row[name]) for row in csv.DictReader(lines) if row.get(name)}


def test_losses_are_logged_at_the_cadence_as_means_of_the_steps_since(tmp_path: Path) -> None:
    fit(Duel(counting), 12, logger=CSVLogger(tmp_path), log_every_n_steps=4)
    assert logged(tmp_path, "loss/generator") == pytest.approx({3: 1.5, 7: 5.5, 11: 9.5})
    assert logged(tmp_path, "generator/squared") == pytest.approx({3: 14 / 4, 7: 126 / 4, 11: 366 / 4})


@pytest.mark.parametrize("every_n_steps", [1, 3, 4])
def test_checkpoints_leave_the_logged_means_as_they_are(tmp_path: Path, every_n_steps: int) -> None:
    fit(Duel(counting), 12, logger=CSVLogger(tmp_path), log_every_n_steps=4, **saving(tmp_path / "ckpt", every_n_steps))
    assert logged(tmp_path, "loss/generator") == pytest.approx({3: 1.5, 7: 5.5, 11: 9.5})


def test_learning_rates_are_logged_where_they_are_scheduled(tmp_path: Path) -> None:
    scheduler = partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5)
    fit(Duel(scheduler=scheduler), 4, logger=CSVLogger(tmp_path), log_every_n_steps=2)
    assert logged(tmp_path, "lr/generator") == pytest.approx({1: 0.025, 3: 0.00625})


def test_training_without_logging_is_allowed() -> None:
    assert fit(Duel(), 3, log_every_n_steps=0).global_step == 3


@pytest.mark.parametrize("limit", [{"max_steps": 0}, {"max_steps": -1, "max_epochs": 0}])
def test_a_training_of_no_steps_is_refused(limit: dict[str, int]) -> None:
    with pytest.raises(InputError, match="nothing would be trained"):
        fit(Duel(), **limit)


# Noise


def draws(steps: int = 2, **settings: Any) -> list[Tensor]:
    """Two draws of the prior, uniform and normal numbers of every step."""
    found: list[Tensor] = []

    def play(self: Duel, batch: Batch) -> None:
        if in_training(self):
            found.extend(
                [self.noise_like(batch), self.noise(len(batch)), self.uniform(len(batch), 2), self.normal(len(batch), 2)]
            )

    fit(Duel(play), steps, **settings)
    return found


def test_no_two_draws_are_alike() -> None:
    found = draws()
    assert len({hashlib.sha256(draw.numpy().tobytes()).digest() for draw in found}) == len(found) == 8
    assert all(draw.shape == (32, 2) for draw in found)
    stacked = torch.corrcoef(torch.stack([draw.flatten() for draw in found]))
    assert stacked.fill_diagonal_(0).abs().max() < 0.6


def test_draws_repeat_under_the_same_seed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    first = draws()
    torch.manual_seed(99)
    assert same(first, draws())
    monkeypatch.setenv("PL_GLOBAL_SEED", "1")
    assert not any(map(torch.equal, first, draws()))


def test_the_rows_of_the_ranks_make_up_the_draw_of_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Duel()
    whole.trainer = make_trainer()
    expected = [whole.noise(6), whole.uniform(6), whole.normal(6, 3)]
    monkeypatch.setattr(game_module, "world_size", lambda: 3)
    shares: list[list[Tensor]] = []
    for rank in range(3):
        monkeypatch.setattr(Duel, "global_rank", property(lambda self, rank=rank: rank))
        game = Duel()
        game.trainer = whole.trainer
        shares.append([game.noise(2), game.uniform(2), game.normal(2, 3)])
    assert same([torch.cat(parts) for parts in zip(*shares, strict=True)], expected)


def test_noise_comes_in_the_precision_of_the_networks() -> None:
    assert {draw.dtype for draw in draws(1, precision="64-true")} == {torch.float64}


# What is not finite


def poisoned(step: int, player: str, factor: float) -> Callable[[Duel, Batch], None]:
    """Alternate, with the loss of ``player`` at ``step`` spoilt."""

    def play(self: Duel, batch: Batch) -> None:
        for name in self.players():
            spoilt = (name, self.global_step) == (player, step)
            loss = getattr(self, f"{name}_loss")
            self.minimize(name, (lambda x, loss=loss: loss(x) * factor) if spoilt else loss, batch.images)

    return play


@pytest.mark.parametrize("factor", [float("nan"), float("inf")])
@pytest.mark.parametrize(("step", "cadence"), [(0, 1), (6, 5), (7, 50)])
@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_a_bad_loss_stops_training_and_is_named(player: str, step: int, cadence: int, factor: float) -> None:
    with pytest.raises(NonFiniteError, match=rf"loss of the {player} is not finite at step {step}\b"):
        fit(Duel(poisoned(step, player, factor)), 12, log_every_n_steps=cadence)


@pytest.mark.parametrize("keep", [-1, 1])
def test_a_bad_loss_leaves_the_last_checkpoint_as_it_was(tmp_path: Path, keep: int) -> None:
    settings = {"enable_checkpointing": True, "log_every_n_steps": 1000}
    every_four = partial(ModelCheckpoint, tmp_path, "{step}", every_n_train_steps=4, save_top_k=keep, save_last=True)
    with pytest.raises(NonFiniteError, match="generator is not finite at step 5"):
        fit(Duel(poisoned(5, "generator", float("nan"))), 20, callbacks=[every_four()], **settings)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["last.ckpt", "step=4.ckpt"]
    for name in ("last", "step=4"):
        fit(game := Duel(), 4, ckpt_path=tmp_path / f"{name}.ckpt")
        fit(alone := Duel(), 4)
        assert same(state(game), state(alone))


def test_parameters_that_are_not_finite_are_never_saved(tmp_path: Path) -> None:
    def play(self: Duel, batch: Batch) -> None:
        self.alternate(batch)
        if self.global_step == 5:
            with torch.no_grad():
                self.generator.bias[0] = float("nan")

    with pytest.raises(NonFiniteError, match=r"generator\.bias"):
        fit(Duel(play), 6, **saving(tmp_path, every_n_steps=2))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["step=2.ckpt", "step=4.ckpt"]


def test_training_can_go_on_regardless(tmp_path: Path) -> None:
    game = Duel(poisoned(3, "generator", float("nan")), nonfinite="continue")
    with pytest.warns(UserWarning, match="generator is not finite at step 3"):
        trainer = fit(game, 8, log_every_n_steps=2, **saving(tmp_path, every_n_steps=4))
    assert trainer.global_step == 8
    assert (tmp_path / "step=8.ckpt").is_file()


# What a game is given


def test_other_data_modules_and_loaders_are_taken() -> None:
    images = torch.randn(12, 2)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images, torch.arange(12)), batch_size=4)
    seen: list[Batch] = []
    trainer = make_trainer(3)
    trainer.fit(Duel(lambda self, batch: seen.append(batch) if in_training(self) else None), loader)
    assert torch.cat([batch.conditions for batch in seen]).tolist() == list(range(12))
    torch.testing.assert_close(torch.cat([batch.images for batch in seen]), images / 4)
    with pytest.raises(InputError, match="fresh batches"):
        seen[0].fresh()


def test_a_loader_of_batches_is_taken() -> None:
    class Loader:
        def __iter__(self) -> Any:
            return iter([Batch(torch.randn(4, 2))] * 3)

    trainer = make_trainer(3)
    trainer.fit(Duel(), Loader())
    assert trainer.global_step == 3


def test_an_optimizer_for_nobody_is_refused() -> None:
    with pytest.raises(InputError, match=r"no player 'critic'.*discriminator, generator"):
        fit(make_gan(optimizers={"critic": torch.optim.SGD}), 1)
