"""Both ways of learning inference for a generator that is there: its inverse, and ALI's game."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch

from lightning_gans import ALI, MLP, Adam, Game, InputError, InverseMapping, PostHocALI
from lightning_gans.resuming import StartFrom
from tests.games.ali import make_ali
from tests.games.inverse_mapping import make_inverse_mapping
from tests.games.post_hoc_ali import make_post_hoc_ali
from tests.helpers import COMMON, Noise, arguments, fit, furthest, matters, record_turns, saving, sgd_step, state

sgd = {"optimizer": partial(torch.optim.SGD, lr=0.1), "scheduler": None}


def test_the_encoder_minimises_the_distance_of_latents_and_codes_of_samples() -> None:
    fit(game := make_inverse_mapping(**sgd), 2)
    reference = make_inverse_mapping()
    for step in range(2):
        z = Noise(reference.prior, step).z()
        sgd_step([reference.encoder], ((reference.encoder(reference.generator(z)) - z) ** 2).mean())
    assert furthest(state(game), state(reference)) < 1e-6


def test_an_inverse_is_learned() -> None:
    """After some steps codes of samples are nearer to the latents that these were made of."""
    game = make_inverse_mapping(optimizer=partial(Adam, lr=1e-2))
    fit(game, 400)
    z = game.prior.sample(500, torch.Generator().manual_seed(0))
    error = (game.encode(game.decode(z)) - z).square().mean()
    untrained = make_inverse_mapping()
    assert error < 0.5 * (untrained.encode(game.decode(z)) - z).square().mean()


@pytest.mark.parametrize("make", [make_inverse_mapping, make_post_hoc_ali])
def test_the_generator_stays_as_it_is_with_its_batch_norm(make: Any, tmp_path: Any) -> None:
    torch.manual_seed(2)
    normed = partial(MLP, 2, 2, (16,), output="sigmoid", norm="batch")
    fit(make_ali(generator=normed()), 3, **saving(tmp_path, every_n_steps=3))
    source = StartFrom(str(tmp_path / "step=3.ckpt"), ("generator",))
    game: Game = make(generator=normed(), start_from=source)
    fit(game, 3)
    trained = torch.load(source.checkpoint, weights_only=True)["state_dict"]
    assert all(torch.equal(value, trained[f"generator.{name}"]) for name, value in game.generator.state_dict().items())
    assert not game.generator.training


def test_an_encoder_and_a_new_discriminator_play_the_game_of_ali() -> None:
    turns = record_turns(game := make_post_hoc_ali(simultaneous=False))
    fit(game, 1)
    assert turns == [("discriminator", ["joint_discriminator"]), ("autoencoder", ["encoder"])]
    assert arguments(PostHocALI) == arguments(ALI)


@pytest.mark.parametrize("make", [make_inverse_mapping, make_post_hoc_ali])
@pytest.mark.parametrize(
    "start_from",
    [None, StartFrom("any.ckpt", ("encoder",)), StartFrom("any.ckpt", ("generator",), frozen=False)],
)
def test_a_generator_that_is_not_taken_over_is_refused(make: Any, start_from: Any) -> None:
    with pytest.raises(InputError, match=r"the generator is a trained one.*set model.start_from.checkpoint"):
        make(start_from=start_from)


def test_a_generator_of_other_units_is_said(tmp_path: Any, recwarn: pytest.WarningsRecorder) -> None:
    fit(make_ali(data_scale=6.0), 1, **saving(tmp_path))
    fit(make_inverse_mapping(start_from=StartFrom(str(tmp_path / "step=1.ckpt"), ("generator",))), 1)
    assert any("data_scale was 6.0 in the checkpoint, this run goes on with 4.180112" in str(w.message) for w in recwarn)


CHANGES = COMMON | {
    "encoder": ({}, {"encoder": MLP(2, 2, (8,))}),
    "posterior": (
        {"encoder": MLP(2, 4, (16,)), "posterior": "gaussian"},
        {"encoder": MLP(2, 2, (16,)), "posterior": "deterministic"},
    ),
    "optimizers": ({}, {"optimizers": {"encoder": partial(torch.optim.SGD, lr=0.2)}}),
}
ELSEWHERE = {"generator", "data_scale", "data_range", "schedule_counts"}  # it never sees data, and has one player


def test_every_argument_is_in_the_table_of_changes() -> None:
    assert arguments(InverseMapping) == {*CHANGES} | ELSEWHERE


@pytest.mark.parametrize("name", [name for name in CHANGES if name not in ELSEWHERE])
def test_every_argument_matters(name: str) -> None:
    assert matters(make_inverse_mapping, *CHANGES[name])
