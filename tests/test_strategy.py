"""Data-parallel training: two processes with half the batch each do what one does with all of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_gans import GAN, Game
from tests.games import GAMES
from tests.games.gan import make_gan
from tests.helpers import STRATEGIES, end_of, fit, furthest, made_once, make_images, make_trainer, start, state, train_game


@pytest.fixture(scope="module")
def ranks(common: Path) -> list[dict[str, Any]]:
    """What each of two processes found, see ``two_ranks``."""
    folder = made_once(common / "two_ranks", _train_two_ranks)
    return [torch.load(folder / f"rank{rank}.pt") for rank in (0, 1)]


def _train_two_ranks(folder: Path) -> None:
    make_images(folder)
    output = end_of(process := start("two_ranks", folder))
    assert process.returncode == 0, output


@pytest.fixture(scope="module")
def alone(image_folder: Path) -> Callable[[str], Game]:
    """One of ``GAMES``, trained by one process."""
    return cache(lambda name: train_game(name, image_folder))


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", GAMES)
def test_two_ranks_equal_one_process(
    ranks: list[dict[str, Any]], alone: Callable[[str], Game], name: str, strategy: str
) -> None:
    first, second = (rank[f"{name} under {strategy}"] for rank in ranks)
    assert furthest(first, second) == 0
    game = alone(name)
    assert furthest(first, state(game)) < 1e-12
    weights, untrained = (dict(each.named_parameters()) for each in (game, GAMES[name]().double()))
    assert furthest(weights, untrained) > 1e-4, "nothing was trained"


@pytest.mark.slow
def test_two_ranks_resume_where_they_stopped(ranks: list[dict[str, Any]]) -> None:
    for rank in ranks:
        assert furthest(rank["gaan resumed"], rank["gaan under gan_ddp"]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("case", ["a tensor that differs", "a game that drifts"])
def test_every_rank_hears_of_a_drift(ranks: list[dict[str, Any]], case: str) -> None:
    for rank in ranks:
        assert rank[case].startswith("RuntimeError: the ranks have drifted apart")


@pytest.mark.slow
def test_ranks_that_agree_go_on(ranks: list[dict[str, Any]]) -> None:
    assert [rank["tensors that agree"] for rank in ranks] == ["none", "none"]


@pytest.mark.slow
@pytest.mark.parametrize("which", ["first", "second"])
def test_a_rank_that_fails_alone_takes_the_other_down(tmp_path: Path, which: str) -> None:
    output = end_of(process := start(f"{which} rank fails", tmp_path))
    assert process.returncode != 0
    assert f"rank{['first', 'second'].index(which)}" in output.replace("rank 1 failed", "rank1")
    assert "a fault of this rank alone" in output


def test_ranks_meet_at_a_port_that_is_lent_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    lent = Path("/proc/sys/net/ipv4/ip_local_port_range")
    if not lent.exists():
        pytest.skip("only Linux says which ports it lends")
    environment = make_trainer(devices=2, strategy="gan_ddp").strategy.cluster_environment
    assert 1024 < environment.main_port < int(lent.read_text().split()[0])
    monkeypatch.setenv("MASTER_PORT", "4321")
    assert make_trainer(devices=2, strategy="gan_ddp").strategy.cluster_environment.main_port == 4321


@pytest.mark.slow
def test_a_game_can_be_spawned() -> None:
    class Heir(GAN):
        """Takes over the constructor, and must not take over the names of its arguments."""

    game = make_gan(optimizer=None)
    before = state(game)
    fit(game, 2, devices=2, strategy="gan_ddp_spawn")
    assert furthest(state(game), before) > 0
