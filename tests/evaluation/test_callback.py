"""When the evaluation callback measures, what it leaves behind, and that training does not notice."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import CSVLogger
from torch import nn

from lightning_gans import EMA, Evaluation, Game, Images, InputError, Pictures
from tests.games.gaan import make_gaan, make_image_gaan, make_noisy_gaan
from tests.games.gan import make_gan
from tests.games.wgan_gp import make_wgan_gp
from tests.helpers import Duel, fit, furthest, made_images, make_images, same, state


def records(folder: Path) -> list[dict[str, Any]]:
    """The lines of every evaluation.jsonl below ``folder``."""
    return [json.loads(line) for file in sorted(folder.rglob("evaluation.jsonl")) for line in file.read_text().splitlines()]


def measured(folder: Path, max_steps: int = 7, game: Game | None = None, **settings: Any) -> list[dict[str, Any]]:
    """The records of a training."""
    fit(game or make_gan(), max_steps, callbacks=[Evaluation(**settings)], default_root_dir=folder)
    return records(folder)


GAMES: dict[str, Callable[[], Game]] = {
    "gan": make_gan,
    "wgan_gp": make_wgan_gp,
    "gaan": make_gaan,
    "gaan with dropout and batch norm": make_noisy_gaan,
    "gan alternating": partial(make_gan, simultaneous=False),
}


@pytest.mark.parametrize("callback", [Evaluation, Pictures])
@pytest.mark.parametrize("name", GAMES)
def test_training_is_the_same_to_the_last_bit_with_it_and_without(name: str, callback: type[Callback], tmp_path: Path) -> None:
    fit(without := GAMES[name](), 7)
    fit(with_it := GAMES[name](), 7, callbacks=[callback(every_n_steps=3)], default_root_dir=tmp_path)  # type: ignore[call-arg]
    assert same(state(with_it), state(without))


@pytest.mark.parametrize("callback", [Evaluation, Pictures])
def test_image_training_is_the_same_too(callback: type[Callback], tmp_path: Path) -> None:
    make_images(tmp_path)
    fit(without := make_image_gaan(), 5, made_images(tmp_path))
    watching: Any = callback
    settings = {"callbacks": [watching(every_n_steps=2)], "default_root_dir": tmp_path}
    fit(with_it := make_image_gaan(), 5, made_images(tmp_path), **settings)
    assert same(state(with_it), state(without))


# When


@pytest.mark.parametrize(
    ("every", "steps"), [(None, [7]), (3, [3, 6, 7]), (7, [7]), (100, [7])], ids=["end", "often", "exact", "rare"]
)
def test_it_measures_at_its_steps_and_once_at_the_end(tmp_path: Path, every: int | None, steps: list[int]) -> None:
    found = measured(tmp_path, every_n_steps=every)
    assert [record["step"] for record in found] == steps


def test_nothing_is_measured_where_it_is_told_so_or_modes_are_unknown(tmp_path: Path) -> None:
    assert measured(tmp_path, modes=None) == []
    make_images(tmp_path)
    fit(make_image_gaan(), 2, made_images(tmp_path), callbacks=[Evaluation()], default_root_dir=tmp_path)
    assert records(tmp_path) == []


# What


def test_a_record_says_what_was_measured_and_how(tmp_path: Path) -> None:
    (record,) = measured(tmp_path, num_samples=700, seed=3, modes="veegan")
    expected = {"stage": "fit", "step": 7, "model": "GAN", "dataset": "grid25", "seed": 0, "trainer_precision": "32-true"}
    asked = {"protocol": "veegan", "num_samples": 700, "noise_seed": 3, "weights": "raw"}
    assert record.items() >= {**expected, **asked}.items()
    assert {"modes", "registered", "tv_true"} <= record.keys()
    assert (record["floor"]["modes"], record["floor_is"]) == (25.0, "perfect sampler")


def perfect(data: Images) -> Duel:
    """A game whose generator makes the centres of the modes, each as often as its share of the latents."""
    data.setup("fit")

    class Centres(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, z: torch.Tensor) -> torch.Tensor:
            cell = ((z + 1) / 2 * 5).long().clamp(0, 4)
            assert data.centres is not None
            return data.centres[cell[:, 0] * 5 + cell[:, 1]] / 4 + 0 * self.weight

    game = Duel()
    game.generator = Centres()
    return game


def test_a_perfect_generator_has_all_modes(tmp_path: Path) -> None:
    data = Images("grid25", batch_size=32)
    fit(perfect(data), 1, data, callbacks=[Evaluation(num_samples=5000)], default_root_dir=tmp_path)
    (record,) = records(tmp_path)
    assert (record["modes"], record["registered"]) == (25, 5000)
    assert record["tv_true"] == pytest.approx(record["tv_differential"])
    assert record["tv_true"] < 0.15


def test_the_seed_of_the_noise_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def registered(folder: str, **settings: Any) -> dict[str, Any]:
        still = make_gan(optimizer=partial(torch.optim.SGD, lr=0.0))
        (record,) = measured(tmp_path / folder, 1, still, num_samples=5000, modes="ali", **settings)
        return {key: record[key] for key in ("tv_true", "tv_differential")}

    first = registered("a")
    monkeypatch.setenv("PL_GLOBAL_SEED", "5")
    assert registered("b") == first
    assert registered("c", seed=1) != first


def test_test_and_validate_measure_what_the_end_of_training_did(tmp_path: Path) -> None:
    trainer = fit(game := make_gan(), 5, callbacks=[Evaluation(modes="ali", num_samples=900)], default_root_dir=tmp_path)
    (tested,) = trainer.test(game, datamodule=trainer.datamodule, verbose=False)
    (validated,) = trainer.validate(game, datamodule=trainer.datamodule, verbose=False)
    at_end, *others = records(tmp_path)
    assert [record["stage"] for record in others] == ["test", "validate"]
    for name in ("modes", "registered", "tv_true"):
        assert at_end[name] == others[0][name] == others[1][name]
        assert tested[f"test/{name}"] == validated[f"validate/{name}"] == pytest.approx(at_end[name])


def test_the_averaged_weights_are_measured_where_asked(tmp_path: Path) -> None:
    def run(weights: str, callbacks: list[Callback]) -> dict[str, Any]:
        evaluation = Evaluation(modes="ali", num_samples=2000, weights=weights)  # type: ignore[arg-type]
        game = make_gan(optimizer=partial(torch.optim.SGD, lr=1.0))
        fit(game, 20, callbacks=[*callbacks, evaluation], default_root_dir=tmp_path / weights)
        (record,) = records(tmp_path / weights)
        return record

    raw, averaged = run("raw", []), run("ema", [EMA(0.99)])
    assert averaged["weights"] == "ema"
    assert raw["tv_true"] != averaged["tv_true"]


def test_an_average_that_nobody_keeps_is_refused() -> None:
    with pytest.raises(InputError, match=r"add lightning_gans\.EMA"):
        fit(make_gan(), 1, callbacks=[Evaluation(weights="ema")])


def test_loggers_and_other_callbacks_get_the_numbers(tmp_path: Path) -> None:
    seen: list[float] = []

    class Listen(Callback):
        def on_train_epoch_end(self, trainer: Trainer, *args: Any) -> None:
            seen.append(float(trainer.callback_metrics["eval/modes"]))

    logger = CSVLogger(tmp_path, name="run")
    fit(make_gan(), 4, callbacks=[Evaluation(every_n_steps=2), Listen()], logger=logger, log_every_n_steps=1)
    lines = (Path(logger.log_dir) / "metrics.csv").read_text().splitlines()
    header, rows = lines[0].split(","), [line.split(",") for line in lines[1:]]
    modes, step = header.index("eval/modes"), header.index("step")
    logged = {int(row[step]): float(row[modes]) for row in rows if row[modes]}
    assert list(logged) == [2, 4], "the x-axis is that of the records"
    assert [record["modes"] for record in records(tmp_path)] == list(logged.values())
    assert seen == [logged[4]]


@pytest.mark.parametrize("wrong", [{"num_samples": 0}, {"every_n_steps": 0}, {"every_n_steps": -3}])
def test_settings_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        Evaluation(**wrong)  # type: ignore[arg-type]


def test_an_unknown_protocol_is_refused_before_training() -> None:
    game = make_gan()
    with pytest.raises(InputError, match="no counting protocol 'gan'"):
        fit(game, 3, callbacks=[Evaluation(modes="gan")])  # type: ignore[arg-type]
    assert furthest(state(game), state(make_gan())) == 0
