"""WGAN-GP against its formulas, written out in plain torch."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor

from lightning_gans import MLP, WGANGP, Batch, InputError, Normal
from tests.games.gaan import noisy
from tests.games.wgan_gp import make_wgan_gp
from tests.helpers import (
    COMMON,
    Noise,
    arguments,
    fit,
    furthest,
    matters,
    record_arguments,
    record_turns,
    sgd_step,
    slopes,
    state,
)

sgd = {"optimizer": partial(torch.optim.SGD, lr=0.1), "scheduler": None}


def penalty(kind: str, slope: Tensor) -> Tensor:
    """Of the slopes ``(N, D)`` of a critic."""
    norm = (slope**2).sum(dim=1).sqrt()
    return {
        "sum": (norm - 1) ** 2,
        "mean": (norm / slope.shape[1] ** 0.5 - 1) ** 2,
        "printed": (norm**2 - 1) ** 2,
        "one_sided": (norm - 1).clamp(min=0) ** 2,
    }[kind].mean()


@pytest.mark.parametrize("kind", ["sum", "mean", "printed", "one_sided"])
def test_training_is_the_authors_loop(kind: str) -> None:
    game = make_wgan_gp(lambda_p=0.02, penalty=kind, **sgd)
    seen = record_arguments(game, "critic_turn")
    fit(game, 2)
    reference = make_wgan_gp()
    G, D = reference.generator, reference.critic
    for step in range(2):
        noise = Noise(reference.prior, step)
        if step > 0:
            sgd_step([G], -D(G(noise.z())).mean())
        for (batch,) in seen[2 * step :][:2]:
            x, fake = batch.images, G(noise.z()).detach()
            distance = D(fake).mean() - D(x).mean()
            sgd_step([D], distance + 0.02 * penalty(kind, slopes(D, x, fake, noise.uniform())))
    assert furthest(state(game), state(reference)) < 1e-6


def test_the_generator_moves_first_and_not_in_the_first_step() -> None:
    turns = record_turns(game := make_wgan_gp(critic_steps=2))
    fit(game, 3)
    critic, generator = ("critic", ["critic"]), ("generator", ["generator"])
    assert turns == [critic, critic, generator, critic, critic, generator, critic, critic]


def test_the_critic_moves_first_where_asked() -> None:
    turns = record_turns(game := make_wgan_gp(critic_steps=2, generator_first=False))
    fit(game, 2)
    assert [player for player, _ in turns] == ["critic", "critic", "generator"] * 2


def test_every_critic_step_has_a_minibatch_and_noise_of_its_own() -> None:
    game = make_wgan_gp(critic_steps=5)
    batches = record_arguments(game, "training_step")
    turns, penalties = record_arguments(game, "critic_turn"), record_arguments(game, "gradient_penalty")
    fit(game, 2)
    assert torch.equal(turns[0][0].images, batches[0][0].images)
    for calls in ([batch.images for (batch,) in turns], [fake for _, fake in penalties]):
        assert len({value.detach().numpy().tobytes() for value in calls}) == len(calls) == 10


@pytest.mark.parametrize("clip", [0.01, 0.05])
def test_the_weights_of_the_critic_alone_are_clipped(clip: float) -> None:
    seen: list[float] = []
    game = make_wgan_gp(lambda_p=0.0, weight_clip=clip)
    turn = game.critic_turn

    def watched(batch: Batch) -> None:
        turn(batch)
        seen.append(max(float(p.abs().max()) for p in game.critic.parameters()))

    game.critic_turn = watched  # type: ignore[method-assign]
    fit(game, 3)
    assert seen == [pytest.approx(clip)] * 6
    assert max(float(p.detach().abs().max()) for p in game.generator.parameters()) > clip


def test_without_weight_nothing_is_computed_of_the_penalty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightning_gans.papers.wgan_gp.gradient_penalty", None)
    fit(make_wgan_gp(lambda_p=0.0), 2)


def test_batch_norm_in_a_penalised_critic_is_pointed_out(recwarn: pytest.WarningsRecorder) -> None:
    make_wgan_gp(critic=noisy(2, 1), lambda_p=0.0)
    assert not [warning for warning in recwarn if "batch norm" in str(warning.message)]
    with pytest.warns(UserWarning, match="batch norm"):
        make_wgan_gp(critic=noisy(2, 1))


def test_distance_and_penalty_are_logged(tmp_path: Path) -> None:
    game = make_wgan_gp(lambda_p=2.0)
    fit(game, 2, logger=CSVLogger(tmp_path), log_every_n_steps=1)
    (file,) = tmp_path.rglob("metrics.csv")
    with open(file) as lines:
        rows = list(csv.DictReader(lines))
    for row in rows:
        loss, distance, slope = (float(row[name]) for name in ("loss/critic", "critic/wasserstein", "critic/penalty"))
        assert loss == pytest.approx(-distance + 2 * slope, rel=1e-5)
    assert [bool(row["loss/generator"]) for row in rows] == [False, True]


@pytest.mark.parametrize(
    "wrong", [{"lambda_p": -1.0}, {"lambda_p": float("nan")}, {"critic_steps": 0}, {"weight_clip": 0.0}, {"weight_clip": -0.01}]
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        WGANGP(**wrong)


CHANGES = COMMON | {
    "generator": ({}, {"generator": MLP(2, 2, (8,))}),
    "critic": ({}, {"critic": MLP(2, 1, (8,))}),
    "prior": ({}, {"prior": Normal(2, 2.0)}),
    "lambda_p": ({}, {"lambda_p": 1.0}),
    "critic_steps": ({}, {"critic_steps": 3}),
    "penalty": ({}, {"penalty": "mean"}),
    "weight_clip": ({}, {"weight_clip": 0.01}),
    "generator_first": ({}, {"generator_first": False}),
    "data_range": ({}, {"data_range": (0.0, 1.0)}),
}


def test_every_argument_is_in_the_table_of_changes() -> None:
    assert arguments(WGANGP) == set(CHANGES) | {"nonfinite"}


@pytest.mark.parametrize("name", CHANGES)
def test_every_argument_matters(name: str) -> None:
    assert matters(make_wgan_gp, *CHANGES[name])
