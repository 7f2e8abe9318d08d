"""Conditional ALI: all three networks are given one embedding, which moves with E and G."""

from __future__ import annotations

import pytest
import torch

from lightning_gans import ALI, ConditionalALI, Images, InputError, LabelCondition
from tests.games.conditional_ali import make_conditional_ali
from tests.helpers import arguments, fit, record_turns, same, state


def test_all_networks_are_given_the_same_numbers() -> None:
    game = make_conditional_ali()
    x, z, epsilon, y = torch.rand(6, 2), torch.randn(6, 2), torch.randn(6, 2), torch.arange(6)
    told = game.embedding(y)
    numbers = game.encoder.network(torch.cat([x, told], dim=1))
    codes = numbers[:, :2] + numbers[:, 2:].exp() * epsilon
    made = game.generator.network(torch.cat([z, told], dim=1))
    D = game.joint_discriminator.network.joint
    real, fake = game.judged(x, z, epsilon, y)
    torch.testing.assert_close(real, D(torch.cat([x, codes, told], dim=1)))
    torch.testing.assert_close(fake, D(torch.cat([made, z, told], dim=1)))


def test_the_embedding_moves_with_the_encoder_and_the_generator() -> None:
    turns = record_turns(game := make_conditional_ali(simultaneous=False))
    fit(game, 1)
    assert turns == [("discriminator", ["joint_discriminator"]), ("autoencoder", ["embedding", "encoder", "generator"])]


def test_a_frozen_embedding_stays_as_it_was_drawn() -> None:
    game = make_conditional_ali(LabelCondition(25, 3, frozen=True))
    before = state(game.embedding)
    fit(game, 3)
    assert same(state(game.embedding), before)


def test_the_doors_take_labels() -> None:
    game = make_conditional_ali()
    z, y = torch.randn(5, 2), torch.tensor([0, 1, 2, 3, 24])
    made = game.generator.network(torch.cat([z, game.embedding(y)], dim=1))
    torch.testing.assert_close(game.decode(z, y), game.denormalize(made))
    x = torch.rand(5, 2) * 8 - 4
    of_x = game.encoder.network(torch.cat([game.normalize(x), game.embedding(y)], dim=1))[:, :2]
    torch.testing.assert_close(game.encode(x, y), of_x)


def test_data_without_conditions_are_refused_before_training() -> None:
    with pytest.raises(InputError, match=r"is conditional, but grid25 comes with no labels.*set data.condition to labels"):
        fit(make_conditional_ali(), 2, Images("grid25", batch_size=32))


def test_it_takes_what_ali_takes_and_an_embedding() -> None:
    assert arguments(ConditionalALI) == arguments(ALI) | {"embedding"}
