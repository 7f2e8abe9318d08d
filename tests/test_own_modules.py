"""A module of one's own: what trains nothing is said, and a plain LightningModule with the doors is served."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn

import lightning_gans
from lightning_gans import EMA, Batch, Evaluation, Images, InputError, Uniform
from lightning_gans.cli import main
from tests.helpers import Duel, fit, in_training, logged, make_trainer, saving

pytestmark = pytest.mark.filterwarnings("ignore")


def grid() -> Images:
    return Images("grid25", batch_size=2000, held_out=4000)


# What trains nothing


class Standing(Duel):
    """A network that no player owns, and a player who never moves."""

    def __init__(self) -> None:
        super().__init__(lambda self, batch: self.minimize("generator", self.generator_loss, batch.images))
        self.encoder = nn.Linear(2, 2)


HABITS: dict[str, tuple[Callable[[Any, Batch], Any], str]] = {
    "a loss that is returned": (lambda self, batch: self.generator_loss(batch.images), "returns Tensor.*minimize"),
    "a step without a turn": (lambda self, batch: None, "no player moves in Returning.step"),
}


class Returning(Duel):
    def step(self, batch: Batch) -> Any:
        return self.play(self, batch)


@pytest.mark.parametrize("habit", HABITS)
def test_a_step_that_trains_nothing_is_refused(habit: str) -> None:
    play, sentence = HABITS[habit]
    with pytest.raises(InputError, match=sentence):
        fit(Returning(play), 2)


def test_a_game_without_players_is_refused() -> None:
    class Nobody(Duel):
        def players(self) -> dict[str, list[nn.Module]]:
            return {}

    with pytest.raises(InputError, match=r"Nobody\.players\(\) names none"):
        fit(Nobody(), 1)


def test_who_does_not_move_is_named() -> None:
    with pytest.warns(UserWarning, match="no player of Standing owns encoder") as said:
        fit(Standing(), 2)
    words = [str(each.message) for each in said]
    assert any("the discriminator has not taken a step in 2 batches" in each for each in words)
    assert not any("generator" in each for each in words if "has not taken" in each)


@pytest.mark.parametrize("part", ["prior", "generator"])
def test_a_game_that_lacks_a_part_says_which(part: str) -> None:
    game = Duel()
    delattr(game, part)
    with pytest.raises(InputError, match=f"Duel has no {part}; set self.{part}"):
        fit(game, 1)


# A plain module


class Plain(LightningModule):
    """Has the doors, and its own way to train."""

    def __init__(self, rate: float = 0.1) -> None:
        super().__init__()
        self.prior, self.net, self.rate = Uniform(2), nn.Linear(2, 2), rate
        self.seen: list[Any] = []

    def decode(self, z: Tensor, condition: Any = None) -> Tensor:
        return self.net(z)

    def sample(self, n: int, condition: Any = None, generator: torch.Generator | None = None) -> Tensor:
        return self.decode(self.prior.sample(n, generator).to(self.net.weight))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        self.seen.append(batch.images.dtype)
        return (self.decode(torch.zeros_like(batch.images)) - batch.images).square().mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.rate)


class Validated(Plain):
    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.seen.append(len(batch))
        self.log("mine", batch.images.abs().mean())


def test_a_validation_of_ones_own_sees_what_is_held_out(tmp_path: Path) -> None:
    model, best = Validated(), ModelCheckpoint(tmp_path, monitor="mine")
    trainer = make_trainer(23, enable_checkpointing=True, callbacks=[best], num_sanity_val_steps=0)
    trainer.fit(model, datamodule=grid())
    assert [each for each in model.seen if isinstance(each, int)] == [2000, 2000]
    assert best.best_model_path
    model.seen.clear()
    make_trainer().validate(model, datamodule=grid(), verbose=False)
    assert model.seen == [2000, 2000]


def test_without_anything_held_out_it_says_so() -> None:
    with pytest.warns(UserWarning, match="validation_step never runs: nothing is held out"):
        fit(Validated(), 1)  # type: ignore[arg-type]


class Logging(Plain):
    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = super().training_step(batch, batch_idx)
        self.log("mine", loss)
        self.log("mean", loss, on_step=False, on_epoch=True)
        return loss


def test_what_it_logs_stands_where_the_measures_do(tmp_path: Path) -> None:
    measuring = Evaluation(num_samples=50, every_n_steps=2)
    fit(Logging(), 4, logger=CSVLogger(tmp_path), log_every_n_steps=2, callbacks=[measuring])  # type: ignore[arg-type]
    assert {*logged(tmp_path, "mine")} == {*logged(tmp_path, "eval/modes")} == {2, 4}
    assert {*logged(tmp_path, "mean")} == {4}


def test_what_a_game_logs_by_itself_stands_where_its_losses_do(tmp_path: Path) -> None:
    def play(self: Duel, batch: Batch) -> None:
        self.alternate(batch)
        if in_training(self):
            self.log("mine", 1.0)

    fit(Duel(play), 4, logger=CSVLogger(tmp_path), log_every_n_steps=2)
    assert {*logged(tmp_path, "mine")} == {*logged(tmp_path, "loss/generator")} == {2, 4}


@pytest.mark.parametrize(("precision", "dtype"), [("64-true", torch.float64), ("bf16-true", torch.bfloat16)])
def test_its_inputs_are_in_its_precision(precision: str, dtype: torch.dtype) -> None:
    model = Plain()
    fit(model, 1, precision=precision)  # type: ignore[arg-type]
    assert model.seen == [dtype]


def test_its_average_is_of_all_its_parameters() -> None:
    model, ema = Plain(), EMA(decay=0.0)
    fit(model, 3, callbacks=[ema])  # type: ignore[arg-type]
    assert ema.average is not None
    live, averaged = [*model.parameters()], [*ema.average.module.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(live, averaged, strict=True))
    with torch.no_grad():
        model.net.weight.zero_()
    with ema.applied(model):
        assert torch.equal(model.net.weight, averaged[0])
    assert not model.net.weight.any()


PLAIN = """
import torch
from tests.test_own_modules import Plain
class Mine(Plain): pass
class Mute(torch.nn.Module): pass
class Deaf(Plain):
    decode = property(lambda self: self.nothing)
class Raising(Plain):
    def __init__(self):
        raise KeyError("mine")
class Failing(Plain):
    def training_step(self, batch, batch_idx):
        return {}["lost"]
"""


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs the command on classes in a file of the working folder; gives what it refuses."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["lightning"])
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "mine.py").write_text(PLAIN)
    quiet = ("enable_progress_bar", "enable_model_summary")
    settings = ["--trainer.accelerator=cpu", "--evaluation.num_samples=50", *(f"--trainer.{name}=false" for name in quiet)]

    def run(*arguments: str) -> str:
        try:
            main([*arguments, *settings])
        except SystemExit as stopped:
            assert stopped.code  # noqa: PT017
        return "".join(line for line in capsys.readouterr().err.splitlines() if line.startswith("lightning: error"))

    return run


def test_it_is_validated_tested_and_drawn_by_the_command(command: Callable[..., str], tmp_path: Path) -> None:
    for stage in ("validate", "test", "predict"):
        assert command(stage, "--model=mine.Mine", "--data.num_predict=3") == ""
    assert len([*tmp_path.rglob("evaluation.jsonl")]) == 2
    assert [*tmp_path.rglob("samples/step=0/*.png")]


def test_what_it_lacks_is_named(command: Callable[..., str]) -> None:
    said = command("test", "--model=mine.Deaf")
    assert "has nothing to do with Deaf: it has no test_step of its own, nor decode to be asked for samples" in said


def test_what_its_own_code_raises_is_told_by_its_line(command: Callable[..., str], tmp_path: Path) -> None:
    said = command("fit", "--model=mine.Raising")
    assert "of mine.py (__init__) raised KeyError: 'mine'" in said
    said = command("fit", "--model=mine.Failing", "--trainer.max_steps=1", "--trainer.logger=false", "--pictures.kinds=[]")
    assert "line 13 of mine.py (training_step) raised KeyError: 'lost' while training Failing on grid25 at step 0" in said
    trace = Path(said.split("the full trace is in ")[1].split(",")[0])
    assert "Traceback (most recent call last)" in trace.read_text()
    trace.unlink()


# Checkpoints


def test_a_state_in_the_middle_of_a_step_says_so(tmp_path: Path) -> None:
    def play(self: Duel, batch: Batch) -> None:
        self.alternate(batch)
        if self.global_step == 2 and self._pretended_step is None:
            raise ArithmeticError("of a step")

    keep = ModelCheckpoint(tmp_path, "{step}", save_on_exception=True)
    with pytest.raises(ArithmeticError), pytest.warns(UserWarning, match="saved in the middle of a step"):
        fit(Duel(play), 5, enable_checkpointing=True, callbacks=[keep])
    (file,) = tmp_path.glob("*.ckpt")
    with pytest.warns(UserWarning, match="was saved in the middle of a step"):
        fit(Duel(), 5, ckpt_path=file)


@pytest.mark.parametrize("saved", [True, False])
def test_only_a_checkpoint_that_is_there_is_intact(saved: bool, tmp_path: Path) -> None:
    def play(self: Duel, batch: Batch) -> None:
        scale = float("nan") if self.global_step == 2 and self._pretended_step is None else 1.0
        self.minimize("generator", lambda x: self.generator_loss(x) * scale, batch.images)

    settings = saving(tmp_path) if saved else {}
    with pytest.raises(lightning_gans.errors.NonFiniteError) as found:
        fit(Duel(play), 5, log_every_n_steps=1, **settings)
    assert ("the last checkpoint is intact" in str(found.value)) == saved
    assert ("there is no checkpoint yet" in str(found.value)) == (not saved)


def test_the_package_says_what_is_public() -> None:
    there = dir(lightning_gans)
    assert {"Game", "Images", "evaluate", "GAAN", "GAANPrinted", "EMA", "__version__"} <= {*there}
    assert all(hasattr(lightning_gans, name) for name in there)
    assert not [name for name in there if name.startswith("_") and name != "__version__"]
