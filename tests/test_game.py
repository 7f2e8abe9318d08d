"""Noise, counters, logs and non-finite losses."""

from __future__ import annotations

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
from torch import Tensor

from lightning_gans import MLP, Batch, InputError
from lightning_gans import draws as draws_module
from lightning_gans.errors import NonFiniteError
from tests.games import PAPERS
from tests.games.gan import make_gan
from tests.helpers import Duel, fit, in_training, logged, make_trainer, same, saving, state

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


def test_losses_are_logged_at_the_cadence_as_means_of_the_steps_since(tmp_path: Path) -> None:
    fit(Duel(counting), 12, logger=CSVLogger(tmp_path), log_every_n_steps=4)
    assert logged(tmp_path, "loss/generator") == pytest.approx({4: 1.5, 8: 5.5, 12: 9.5})
    assert logged(tmp_path, "loss/generator/squared") == pytest.approx({4: 14 / 4, 8: 126 / 4, 12: 366 / 4})


@pytest.mark.parametrize("every_n_steps", [1, 3, 4])
def test_checkpoints_leave_the_logged_means_as_they_are(tmp_path: Path, every_n_steps: int) -> None:
    fit(Duel(counting), 12, logger=CSVLogger(tmp_path), log_every_n_steps=4, **saving(tmp_path / "ckpt", every_n_steps))
    assert logged(tmp_path, "loss/generator") == pytest.approx({4: 1.5, 8: 5.5, 12: 9.5})


def test_learning_rates_are_logged_where_they_are_scheduled(tmp_path: Path) -> None:
    scheduler = partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5)
    fit(Duel(scheduler=scheduler), 4, logger=CSVLogger(tmp_path), log_every_n_steps=2)
    assert logged(tmp_path, "lr/generator") == pytest.approx({2: 0.025, 4: 0.00625})


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
        self.alternate(batch)
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
    monkeypatch.setattr(draws_module, "world_size", lambda: 3)
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


def test_a_generator_of_a_known_range_gives_it_to_the_data() -> None:
    assert make_gan(generator=MLP(2, 2, (4,), output="tanh")).data_range == (-1.0, 1.0)
    assert make_gan(generator=MLP(2, 2, (4,), output="sigmoid")).data_range == (0.0, 1.0)
    assert make_gan(generator=MLP(2, 2, (4,))).data_range == (-1.0, 1.0)
    assert make_gan(generator=MLP(2, 2, (4,)), data_range=(0.0, 2.0)).data_range == (0.0, 2.0)
