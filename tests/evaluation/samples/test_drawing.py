"""Samples are drawn without a trace, the same on any number of ranks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lightning_gans.evaluation.samples.drawing import evaluating, samples
from tests.games.gaan import make_noisy_gaan
from tests.games.gan import make_gan
from tests.helpers import same


def test_modes_of_layers_are_put_back_after_an_error() -> None:
    game = make_noisy_gaan()
    game.generator.eval()
    modes = [module.training for module in game.modules()]
    with pytest.raises(ArithmeticError), evaluating(game):
        raise ArithmeticError
    assert [module.training for module in game.modules()] == modes


def test_random_streams_are_put_back() -> None:
    stream = torch.get_rng_state()
    with evaluating(nn.ReLU()):
        torch.rand(3)
    assert torch.equal(torch.get_rng_state(), stream)


def test_random_streams_are_put_back_after_an_error() -> None:
    stream = torch.get_rng_state()

    def draw() -> None:
        with evaluating(nn.ReLU()):
            raise ArithmeticError(torch.rand(3))

    with pytest.raises(ArithmeticError):
        draw()
    assert torch.equal(torch.get_rng_state(), stream)


def test_it_measures_without_dropout_and_gradients() -> None:
    game = make_noisy_gaan()
    with evaluating(game):
        first, second = (game.sample(50, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(first, second)
    assert not first.requires_grad
    assert same(dict(game.named_buffers()), dict(make_noisy_gaan().named_buffers()))


@pytest.mark.parametrize("world_size", [2, 3])
@pytest.mark.parametrize("n", [1, 500, 1700])
def test_the_samples_do_not_depend_on_the_number_of_ranks(world_size: int, n: int) -> None:
    game = make_gan()
    alone = torch.cat(list(samples(game, n, seed=4)))
    shared = [some for rank in range(world_size) for some in samples(game, n, 4, rank, world_size)]
    assert len(alone) == n
    assert torch.equal(torch.cat(shared).sort(dim=0).values, alone.sort(dim=0).values)
