"""A run that was stopped anywhere and resumed is, to the last bit, the run that was left alone."""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.optim import SGD
from torch.optim.lr_scheduler import StepLR

from lightning_gans import EMA, MLP, Adam, Game, Images, InputError, Uniform
from lightning_gans.differences import differences
from tests.games import PAPERS
from tests.games.gaan import make_gaan, make_noisy_gaan
from tests.games.gan import make_gan
from tests.games.wgan_gp import make_wgan_gp
from tests.helpers import end_of, fit, furthest, grid_for, killed_game, make_trainer, same, saving, start, state
from tests.test_players import SCHEDULES, Rates

LENGTH = 10
decay = partial(StepLR, step_size=3, gamma=0.9)
CASES: dict[str, Callable[[], Game]] = {
    **{name: partial(make, scheduler=decay) for name, make in PAPERS.items()},
    "gan alternating": partial(make_gan, simultaneous=False, discriminator_steps=2, scheduler=decay, schedule_counts="own"),
    "wgan_gp by batches": partial(make_wgan_gp, scheduler=decay, schedule_counts="batches"),
    "gaan with dropout and batch norm": partial(make_noisy_gaan, scheduler=None),
}


def run(make: Callable[[], Game], max_steps: int, folder: Path | None = None, **settings: Any) -> Trainer:
    """Train with an average of the generator, in epochs of 4 batches."""
    keep = saving(folder) if folder else {"callbacks": []}
    keep["callbacks"].append(EMA(0.9))
    game = make()
    few = grid_for(game, held_out=49_872, labelled=25)
    return fit(game, max_steps, few, **{**keep, **settings})


def everything(trainer: Trainer, folder: Path) -> dict[str, Any]:
    """Parameters, buffers, optimisers, schedules and average."""
    trainer.save_checkpoint(file := folder / "end.ckpt")
    stored = torch.load(file, weights_only=True)
    kept = {key: stored[key] for key in ("state_dict", "optimizer_states", "lr_schedulers", "epoch", "global_step")}
    return kept | {"ema": stored["callbacks"]["EMA"]}


@pytest.fixture(scope="module", params=CASES)
def left_alone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, dict[str, Any]]:
    """A case, the folder of its checkpoints after every step, and everything at its end."""
    folder = tmp_path_factory.mktemp("alone")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PL_GLOBAL_SEED", "0")
        return request.param, folder, everything(run(CASES[request.param], LENGTH, folder), folder)


@pytest.mark.parametrize("stop", [1, 3, 4, 6, 8])
def test_a_resumed_run_repeats_itself(left_alone: tuple[str, Path, dict[str, Any]], tmp_path: Path, stop: int) -> None:
    case, folder, expected = left_alone
    resumed = run(CASES[case], LENGTH, ckpt_path=folder / f"step={stop}.ckpt")
    found = everything(resumed, tmp_path)
    assert furthest(found["state_dict"], expected["state_dict"]) == 0
    assert [key for key in expected if not same(found[key], expected[key])] == []


@pytest.mark.parametrize("stop", [3, 4, 6, 8])
@pytest.mark.parametrize("every", [{"every_n_epochs": 1}, {"every_n_train_steps": 1}], ids=["epochs", "steps"])
def test_a_run_that_had_ended_can_be_made_longer(tmp_path: Path, stop: int, every: dict[str, int]) -> None:
    keep = ModelCheckpoint(tmp_path / "first", save_last=True, **every)
    run(CASES["gan"], stop, callbacks=[EMA(0.9), keep], enable_checkpointing=True)
    resumed = run(CASES["gan"], LENGTH, ckpt_path=tmp_path / "first" / "last.ckpt")
    alone = run(CASES["gan"], LENGTH)
    assert furthest(state(resumed.lightning_module), state(alone.lightning_module)) == 0


@pytest.mark.parametrize("stop", [4, 8])
def test_it_repeats_itself_from_the_end_of_an_epoch(tmp_path: Path, stop: int) -> None:
    keep = ModelCheckpoint(tmp_path, "{step}", every_n_epochs=1, save_top_k=-1)
    alone = run(CASES["gan"], LENGTH, callbacks=[EMA(0.9), keep], enable_checkpointing=True)
    resumed = run(CASES["gan"], LENGTH, ckpt_path=tmp_path / f"step={stop}.ckpt")
    assert furthest(state(resumed.lightning_module), state(alone.lightning_module)) == 0


@pytest.mark.parametrize("stop", [3, 4, 6])
@pytest.mark.parametrize(
    "limits", [{"max_steps": -1, "max_epochs": 3}, {"max_steps": 9, "limit_train_batches": 3}], ids=["epochs", "short epochs"]
)
def test_it_repeats_itself_under_other_limits(tmp_path: Path, stop: int, limits: dict[str, int]) -> None:
    alone = run(CASES["gan"], folder=tmp_path, **limits)
    resumed = run(CASES["gan"], ckpt_path=tmp_path / f"step={stop}.ckpt", **limits)
    assert resumed.global_step == alone.global_step
    assert furthest(state(resumed.lightning_module), state(alone.lightning_module)) == 0


@pytest.mark.parametrize("precision", ["64-true", "bf16-true", "bf16-mixed"])
def test_it_repeats_itself_in_other_precisions(tmp_path: Path, precision: str) -> None:
    alone = run(CASES["gan"], LENGTH, tmp_path, precision=precision)
    resumed = run(CASES["gan"], LENGTH, ckpt_path=tmp_path / "step=6.ckpt", precision=precision)
    assert furthest(state(resumed.lightning_module), state(alone.lightning_module)) == 0


@pytest.mark.slow
def test_a_killed_run_repeats_itself(tmp_path: Path) -> None:
    output = end_of(process := start("killed", tmp_path))
    assert process.returncode == -signal.SIGKILL, output
    assert sorted(file.name for file in tmp_path.glob("*.ckpt")) == ["step=3.ckpt", "step=6.ckpt"]
    fit(resumed := killed_game(), 12, ckpt_path=tmp_path / "step=6.ckpt")
    fit(alone := killed_game(), 12)
    assert furthest(state(resumed), state(alone)) == 0


# What is changed on the way


def stopped(folder: Path, make: Callable[..., Game] = make_gan, **settings: Any) -> Path:
    """A checkpoint after 4 steps."""
    fit(make(**settings), 4, **saving(folder, every_n_steps=4))
    return folder / "step=4.ckpt"


@pytest.mark.parametrize("schedule", [None, *SCHEDULES])
def test_a_learning_rate_given_for_the_resumed_run_wins(tmp_path: Path, schedule: str | None) -> None:
    settings = {"scheduler": SCHEDULES[schedule] if schedule else None, "schedule_counts": "batches"}
    checkpoint = stopped(tmp_path, optimizer=partial(SGD, lr=0.1), **settings)
    game = make_gan(optimizer=partial(SGD, lr=0.3), **settings)
    with pytest.warns(UserWarning, match=r"lr of the generator: 0\.1 in the checkpoint, 0\.3 from now on"):
        fit(game, 8, ckpt_path=checkpoint, callbacks=[resumed := Rates()])
    fit(make_gan(optimizer=partial(SGD, lr=0.3), **settings), 8, callbacks=[alone := Rates()])
    assert resumed.seen == [pytest.approx(rates) for rates in alone.seen[4:]]


def test_other_settings_of_the_optimizer_win_too(tmp_path: Path) -> None:
    checkpoint = stopped(tmp_path, optimizer=partial(Adam, beta1=0.5))
    with pytest.warns(UserWarning, match=r"betas of the discriminator: \(0\.5, 0\.999\) in the checkpoint"):
        trainer = fit(make_gan(optimizer=partial(Adam, beta1=0.8)), 5, ckpt_path=checkpoint)
    assert [optimizer.param_groups[0]["betas"] for optimizer in trainer.optimizers] == [(0.8, 0.999)] * 2


@pytest.mark.parametrize("schedule", [None, *SCHEDULES])
def test_nothing_is_said_where_nothing_was_changed(
    tmp_path: Path, recwarn: pytest.WarningsRecorder, schedule: str | None
) -> None:
    settings = {"scheduler": SCHEDULES[schedule] if schedule else None}
    fit(make_gan(**settings), 6, ckpt_path=stopped(tmp_path, **settings))
    assert not [warning for warning in recwarn if "from now on" in str(warning.message)]


def test_another_seed_is_pointed_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = stopped(tmp_path)
    monkeypatch.setenv("PL_GLOBAL_SEED", "8")
    with pytest.warns(UserWarning, match="trained with seed 0, this run goes on with seed 8"):
        fit(make_gan(), 5, ckpt_path=checkpoint)


@pytest.mark.parametrize(
    "change", [{"lambda_p": 0.5}, {"lambda_w": None}, {"gradient_clip_val": 1.0}, {"discriminator_steps": 3}]
)
def test_another_hyper_parameter_is_pointed_out(tmp_path: Path, change: dict[str, Any]) -> None:
    checkpoint = stopped(tmp_path, make_gaan)
    with pytest.warns(UserWarning, match=f"{next(iter(change))} was .* in the checkpoint"):
        fit(make_gaan(**change), 5, ckpt_path=checkpoint)


def test_another_optimizer_begins_anew_and_that_is_said(tmp_path: Path) -> None:
    checkpoint = stopped(tmp_path, optimizer=partial(Adam, lr=0.01))
    with pytest.warns(UserWarning, match=r"optimizer of the generator was Adam in the checkpoint, this run goes on with SGD"):
        trainer = fit(make_gan(optimizer=partial(SGD, lr=0.2, momentum=0.5)), 6, ckpt_path=checkpoint)
    assert [optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers] == [0.2, 0.2]
    assert all("momentum_buffer" in state for optimizer in trainer.optimizers for state in optimizer.state.values())


@pytest.mark.parametrize(
    ("before", "after", "rates"), [(None, decay, [0.1, 0.1, 0.1, 0.09]), (decay, None, [0.1] * 4)], ids=["given", "taken away"]
)
def test_another_schedule_begins_anew_and_that_is_said(tmp_path: Path, before: Any, after: Any, rates: list[float]) -> None:
    settings = {"optimizer": partial(SGD, lr=0.1), "schedule_counts": "batches"}
    checkpoint = stopped(tmp_path, scheduler=before, **settings)
    with pytest.warns(UserWarning, match=r"schedule of the generator was (none|StepLR) in the checkpoint, .* from its start"):
        fit(make_gan(scheduler=after, **settings), 8, ckpt_path=checkpoint, callbacks=[resumed := Rates()])
    assert [generator for _, generator in resumed.seen] == pytest.approx(rates)


def test_the_numbers_of_a_schedule_given_for_the_resumed_run_win(tmp_path: Path) -> None:
    settings = {"optimizer": partial(SGD, lr=0.1), "schedule_counts": "batches"}
    checkpoint = stopped(tmp_path, scheduler=decay, **settings)
    faster = partial(StepLR, step_size=3, gamma=0.5)
    with pytest.warns(UserWarning, match=r"gamma of the schedule of the generator: 0\.9 in the checkpoint, 0\.5 from now on"):
        trainer = fit(make_gan(scheduler=faster, **settings), 7, ckpt_path=checkpoint)
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.1 * 0.9 * 0.5)


def test_other_data_batches_precision_and_lists_are_pointed_out(tmp_path: Path) -> None:
    fit(make_gan(data_scale=4.0), 4, Images("ring8", batch_size=32), **saving(tmp_path))
    other = Images("grid25", batch_size=64)
    with pytest.warns(UserWarning, match="in the checkpoint, this run goes on with") as said:
        fit(make_gan(data_scale=5.0), 5, other, tmp_path / "step=4.ckpt", precision="bf16-mixed")
    words = {str(warning.message).partition(" in the checkpoint, ")[0] for warning in said}
    assert words >= {
        "data.dataset was ring8",
        "data.batch_size was 32",
        "trainer.precision was 32-true",
        "data_scale was 4.0",
    }
    assert [*differences({"a": {"b": (1, 2), "c": object()}}, {"a": {"b": [1, 3], "c": object()}})] == [
        "a.b was [1, 2] in the checkpoint, this run goes on with [1, 3]"
    ]


def test_the_checkpoint_of_another_paper_is_refused(tmp_path: Path) -> None:
    checkpoint = stopped(tmp_path)
    with pytest.raises(InputError, match="is of GAN, not of GAAN"):
        fit(make_gaan(), 5, ckpt_path=checkpoint)


@pytest.mark.parametrize("width", [(8,), (16, 16)])
def test_the_checkpoint_of_other_networks_is_refused(tmp_path: Path, width: tuple[int, ...]) -> None:
    checkpoint = stopped(tmp_path)
    with pytest.raises(InputError, match="other networks: generator"):
        fit(make_gan(generator=MLP(2, 2, width, output="sigmoid")), 5, ckpt_path=checkpoint)


@pytest.mark.parametrize(("before", "after"), [(False, True), (True, False)])
def test_the_checkpoint_of_other_players_is_refused_for_training_alone(tmp_path: Path, before: bool, after: bool) -> None:
    checkpoint = stopped(tmp_path, make_gaan, encoder_alone=before)
    with pytest.raises(InputError, match="the autoencoder trains other networks"):
        fit(make_gaan(encoder_alone=after), 5, ckpt_path=checkpoint)
    data = Images("grid25", batch_size=32)
    make_trainer().test(make_gaan(encoder_alone=after), datamodule=data, ckpt_path=checkpoint, verbose=False)


def test_a_checkpoint_can_be_loaded_without_a_trainer(tmp_path: Path) -> None:
    fit(game := make_gan(prior=Uniform(2)), 4, **saving(tmp_path))
    loaded = type(game).load_from_checkpoint(
        tmp_path / "step=4.ckpt", generator=game.generator, discriminator=game.discriminator, prior=game.prior
    )
    assert same(state(loaded), state(game))
    assert loaded.hparams["discriminator_scale"] == 0.5
