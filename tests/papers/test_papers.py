"""What holds for every paper, found by looking through the folder of papers."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch

import lightning_gans
from lightning_gans import Game, InputError
from lightning_gans.protocols import Generates, encodes
from tests.games import GAMES, PAPERS
from tests.helpers import fit, furthest, given, same, state


def papers_of(module: str) -> list[type[Game]]:
    found = vars(importlib.import_module(module)).values()
    return [cls for cls in found if isinstance(cls, type) and issubclass(cls, Game) and cls.__module__ == module]


CLASSES = {paper.__name__: paper for module in lightning_gans.paper_modules() for paper in papers_of(module)}
every_paper = pytest.mark.parametrize("make", PAPERS.values(), ids=PAPERS)


def test_every_paper_has_small_games() -> None:
    assert {type(make()).__name__ for make in GAMES.values()} == set(CLASSES), "a paper or its other reading has no game"


@pytest.mark.parametrize("name", CLASSES)
def test_papers_and_their_other_readings_are_found_by_name(name: str) -> None:
    assert getattr(lightning_gans, name) is CLASSES[name]


def test_every_file_of_a_paper_has_one_that_is_named_as_it_is() -> None:
    names = {name.lower() for name in CLASSES}
    assert {module.rpartition(".")[2].replace("_", "") for module in lightning_gans.paper_modules()} <= names


@pytest.mark.parametrize("name", ["GAAAN", "Tensor", "Prior", "gan", "papers_of", "_GAN", "AdversarialKind"])
def test_what_is_no_paper_is_not_found(name: str) -> None:
    assert not hasattr(lightning_gans, name)


@every_paper
def test_it_trains(make: Callable[..., Game]) -> None:
    game = make()
    before = state(game)
    assert fit(game, 2).global_step == 2
    assert all(value.isfinite().all() for value in state(game).values())
    changed = {name.partition(".")[0] for name, value in state(game).items() if not torch.equal(value, before[name])}
    frozen = {name.partition(".")[0] for name, parameter in game.named_parameters() if not parameter.requires_grad}
    assert changed == {name.partition(".")[0] for name in before} - frozen, "a network is neither trained nor frozen"


@every_paper
def test_training_repeats_itself(make: Callable[..., Game]) -> None:
    fit(first := make(), 2)
    torch.manual_seed(99)
    fit(second := make(), 2)
    assert same(state(first), state(second))


@every_paper
def test_it_generates_at_the_doors(make: Callable[..., Game]) -> None:
    game = make()
    assert isinstance(game, Generates)
    z, condition = game.prior.sample(7), given(game, 7)
    assert game.decode(z, condition).shape == (7, 2)
    torch.testing.assert_close(game.decode(z, condition), game.denormalize(game.generator(z, *game._given(condition))))
    first, second = (game.sample(9, given(game, 9), torch.Generator().manual_seed(seed)) for seed in (1, 1))
    assert first.shape == (9, 2)
    assert torch.equal(first, second)
    assert not torch.equal(first, game.sample(9, given(game, 9), torch.Generator().manual_seed(2)))


@every_paper
def test_it_encodes_where_it_has_an_encoder(make: Callable[..., Game]) -> None:
    game = make()
    if encodes(game):
        assert game.encode(torch.rand(5, 2) * 8 - 4, given(game, 5)).shape == (5, game.prior.dim)
    else:
        assert not hasattr(game, "encoder")


@every_paper
@pytest.mark.parametrize("data_range", [(-1.0, 1.0), (0.0, 1.0), (1.0, -1.0)])
@pytest.mark.parametrize("data_scale", [1.0, 4.180112])
def test_data_come_back_through_the_door_as_they_went_in(
    make: Callable[..., Game], data_range: tuple[float, float], data_scale: float
) -> None:
    game = make(data_range=data_range, data_scale=data_scale)
    edges = torch.tensor([-data_scale, 0.0, data_scale])
    low, high = data_range
    torch.testing.assert_close(game.normalize(edges), torch.tensor([low, (low + high) / 2, high]))
    torch.testing.assert_close(game.denormalize(game.normalize(edges)), edges)


@every_paper
def test_samples_are_in_the_units_of_the_data(make: Callable[..., Game]) -> None:
    fit(game := make(), 2)
    reach = game.sample(500, given(game, 500), torch.Generator().manual_seed(0)).abs().max()
    bounded = getattr(game.generator, "output_range", None) is not None
    assert 0.1 < reach <= (game.data_scale * 1.0001 if bounded else 100)


@every_paper
@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
def test_a_weight_must_be_a_number_of_at_least_zero(make: Callable[..., Game], value: float) -> None:
    for weight in inspect.signature(type(make())).parameters:
        if weight.startswith("lambda"):
            with pytest.raises(InputError, match=weight):
                make(**{weight: value})


@every_paper
@pytest.mark.parametrize("wrong", [{"data_scale": 0.0}, {"data_scale": -1.0}, {"data_range": (1, 1)}])
def test_an_empty_range_is_refused(make: Callable[..., Game], wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        make(**wrong)


@every_paper
def test_what_it_was_given_is_kept_as_hyper_parameters(make: Callable[..., Game]) -> None:
    game = make(data_scale=5.0, gradient_clip_val=0.5)
    assert game.hparams["data_scale"] == 5.0
    assert game.hparams["gradient_clip_val"] == 0.5
    networks = dict(game.named_modules()).keys() | {"prior", "optimizer", "optimizers", "scheduler", "start_from"}
    assert set(game.hparams).isdisjoint(networks)


@every_paper
def test_data_beyond_the_reach_of_the_generator_is_refused_before_training(make: Callable[..., Game]) -> None:
    bounded = make()
    getattr(bounded.generator, "network", bounded.generator).output_range = bounded.data_range
    bounded.data_scale = 1.0
    before = state(bounded)
    with pytest.raises(InputError, match="set data_scale"):
        fit(bounded, 2)
    assert furthest(state(bounded), before) == 0
