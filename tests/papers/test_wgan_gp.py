"""WGAN-GP against its formulas, written out in plain torch."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import nn

from lightning_gans import MLP, WGANGP, InputError, Normal
from lightning_gans.papers.wgan_gp import WGANGPPrinted
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


def play(G: nn.Module, D: nn.Module, calls: list[tuple[Any, ...]], noise: Noise, order: list[str]) -> None:
    """One batch of plain gradient descent, on the minibatches that the critic has seen."""
    for player in order:
        if player == "generator":
            sgd_step([G], -D(G(noise.z())).mean())
            continue
        x, *_ = calls.pop(0)
        fake = G(noise.z()).detach()
        norm = (slopes(D, x, fake, noise.uniform()) ** 2).sum(dim=1).sqrt()
        sgd_step([D], D(fake).mean() - D(x).mean() + 0.02 * ((norm - 1) ** 2).mean())


ORDERS = {
    WGANGP: [["critic", "critic"], ["generator", "critic", "critic"]],
    WGANGPPrinted: [["critic", "critic", "generator"]] * 2,
}


@pytest.mark.parametrize("paper", ORDERS)
def test_training_is_the_loop_of_the_authors_or_of_algorithm_1(paper: type[WGANGP]) -> None:
    game = make_wgan_gp(paper, lambda_p=0.02, **sgd)
    seen = record_arguments(game, "critic_loss")
    fit(game, 2)
    reference = make_wgan_gp()
    for step, order in enumerate(ORDERS[paper]):
        play(reference.generator, reference.critic, seen, Noise(reference.prior, step), order)
    assert furthest(state(game), state(reference)) < 1e-6


@pytest.mark.parametrize("paper", ORDERS)
def test_each_update_moves_its_own_network_alone(paper: type[WGANGP]) -> None:
    turns = record_turns(game := make_wgan_gp(paper, critic_steps=2))
    fit(game, 2)
    assert turns == [(player, [player]) for order in ORDERS[paper] for player in order]


def test_every_critic_step_has_a_minibatch_and_noise_of_its_own() -> None:
    game = make_wgan_gp(critic_steps=5)
    batches, calls = record_arguments(game, "training_step"), record_arguments(game, "critic_loss")
    fit(game, 2)
    assert torch.equal(calls[0][0], batches[0][0].images)
    for drawn in zip(*calls, strict=True):
        assert len({value.numpy().tobytes() for value in drawn}) == len(drawn) == 10


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
        loss, distance, slope = (float(row[name]) for name in ("loss/critic", "loss/critic/wasserstein", "loss/critic/penalty"))
        assert loss == pytest.approx(-distance + 2 * slope, rel=1e-5)
    assert [bool(row["loss/generator"]) for row in rows] == [False, True]


@pytest.mark.parametrize("wrong", [{"lambda_p": -1.0}, {"lambda_p": float("nan")}, {"critic_steps": 0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        make_wgan_gp(**wrong)


CHANGES = COMMON | {
    "generator": ({}, {"generator": MLP(2, 2, (8,))}),
    "critic": ({}, {"critic": MLP(2, 1, (8,))}),
    "prior": ({}, {"prior": Normal(2, 2.0)}),
    "lambda_p": ({}, {"lambda_p": 1.0}),
    "critic_steps": ({}, {"critic_steps": 3}),
    "data_range": ({}, {"data_range": (0.0, 1.0)}),
}


def test_every_argument_is_in_the_table_of_changes() -> None:
    assert arguments(WGANGP) == set(CHANGES)


@pytest.mark.parametrize("name", CHANGES)
def test_every_argument_matters(name: str) -> None:
    assert matters(make_wgan_gp, *CHANGES[name])
