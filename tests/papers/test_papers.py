"""What holds for every paper, found by looking through the folder of papers."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest
import torch

import lightning_gans
from lightning_gans import Game, InputError
from lightning_gans.protocols import Encodes, Generates
from tests.helpers import fit, furthest, same, state


def papers_of(module: str) -> list[type[Game]]:
    found = vars(importlib.import_module(module)).values()
    return [cls for cls in found if isinstance(cls, type) and issubclass(cls, Game) and cls.__module__ == module]


PAPERS = [paper for module in lightning_gans.paper_modules() for paper in papers_of(module)]
every_paper = pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.__name__)


def test_every_file_holds_one_paper_that_can_be_named_shortly() -> None:
    assert len(PAPERS) == len(lightning_gans.paper_modules()) >= 3
    assert all(getattr(lightning_gans, paper.__name__) is paper for paper in PAPERS)


@every_paper
def test_its_defaults_train(paper: type[Game]) -> None:
    game = paper()
    before = state(game)
    assert fit(game, 2).global_step == 2
    assert all(value.isfinite().all() for value in state(game).values())
    changed = {name.partition(".")[0] for name, value in state(game).items() if not torch.equal(value, before[name])}
    assert changed == {name.partition(".")[0] for name in before}, "a network is not trained"


@every_paper
def test_training_repeats_itself(paper: type[Game]) -> None:
    torch.manual_seed(1)
    fit(first := paper(), 2)
    torch.manual_seed(1)
    fit(second := paper(), 2)
    assert same(state(first), state(second))


@every_paper
def test_it_generates_at_the_doors(paper: type[Game]) -> None:
    game = paper()
    assert isinstance(game, Generates)
    z = game.prior.sample(7)
    assert game.decode(z).shape == (7, 2)
    torch.testing.assert_close(game.decode(z), game.denormalize(game.generator(z)))
    first, second = (game.sample(9, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1))
    assert first.shape == (9, 2)
    assert torch.equal(first, second)
    assert not torch.equal(first, game.sample(9, generator=torch.Generator().manual_seed(2)))


@every_paper
def test_it_encodes_where_it_has_an_encoder(paper: type[Game]) -> None:
    game = paper()
    assert encodes(game) == hasattr(game, "encoder")
    if encodes(game):
        assert game.encode(torch.rand(5, 2) * 8 - 4).shape == (5, game.prior.dim)


@every_paper
@pytest.mark.parametrize("data_range", [(-1.0, 1.0), (0.0, 1.0), (-3.0, 5.0)])
@pytest.mark.parametrize("data_scale", [1.0, 4.180112])
def test_data_come_back_through_the_door_as_they_went_in(
    paper: type[Game], data_range: tuple[float, float], data_scale: float
) -> None:
    game = paper(data_range=data_range, data_scale=data_scale)
    edges = torch.tensor([-data_scale, 0.0, data_scale])
    low, high = data_range
    torch.testing.assert_close(game.normalize(edges), torch.tensor([low, (low + high) / 2, high]))
    torch.testing.assert_close(game.denormalize(game.normalize(edges)), edges)


@every_paper
def test_samples_of_its_defaults_are_in_the_units_of_the_data(paper: type[Game]) -> None:
    fit(game := paper(), 2)
    reach = game.sample(500, generator=torch.Generator().manual_seed(0)).abs().max()
    bounded = getattr(game.generator, "output_range", None) is not None
    assert 0.1 < reach <= (game.data_scale * 1.0001 if bounded else 100)


def weights(paper: type[Game]) -> list[str]:
    return [name for name in inspect.signature(paper).parameters if name.startswith("lambda")]


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
@pytest.mark.parametrize(("paper", "name"), [(paper, name) for paper in PAPERS for name in weights(paper)])
def test_a_weight_must_be_a_number_of_at_least_zero(paper: type[Game], name: str, value: float) -> None:
    with pytest.raises(InputError, match=name):
        paper(**{name: value})


@every_paper
@pytest.mark.parametrize("wrong", [{"data_scale": 0.0}, {"data_scale": -1.0}, {"data_range": (1, 1)}, {"data_range": (1, 0)}])
def test_an_empty_range_is_refused(paper: type[Game], wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        paper(**wrong)


@every_paper
def test_what_it_was_given_is_kept_as_hyper_parameters(paper: type[Game]) -> None:
    game = paper(data_scale=5.0, gradient_clip_val=0.5)
    assert game.hparams["data_scale"] == 5.0
    assert game.hparams["gradient_clip_val"] == 0.5


@every_paper
def test_data_beyond_the_reach_of_the_generator_is_refused_before_training(paper: type[Game]) -> None:
    bounded = paper()
    bounded.generator.output_range = bounded.data_range
    bounded.data_scale = 1.0
    before = state(bounded)
    with pytest.raises(InputError, match="set data_scale"):
        fit(bounded, 2)
    assert furthest(state(bounded), before) == 0
