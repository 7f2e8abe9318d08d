"""The AAE that is told labels against its formulas, written out in plain torch."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from lightning_gans import (
    AAE,
    MLP,
    Adam,
    Conditioned,
    Images,
    InputError,
    LabelCondition,
    LabelRegularisedAAE,
    MixtureOfGaussians,
    Normal,
)
from lightning_gans.randomness import keyed_generator
from tests.games.label_regularised_aae import CLASSES, make_label_regularised_aae
from tests.helpers import arguments, fit, furthest, grid_for, record_arguments, record_turns, state
from tests.papers.test_aae import SGD, deterministic, reconstruction, regularisation


def test_a_batch_is_three_steps_by_their_formulas() -> None:
    game = make_label_regularised_aae(**SGD)
    of_r, of_d, of_e = (record_arguments(game, f"{name}_loss") for name in ("autoencoder", "discriminator", "encoder"))
    fit(game, 2)
    reference = make_label_regularised_aae()
    for given, of_discriminator, of_encoder in zip(of_r, of_d, of_e, strict=True):
        reconstruction(reference, deterministic, lambda error: error.square().mean(), *given)
        regularisation(reference, deterministic, of_discriminator, of_encoder)
    assert furthest(state(game), state(reference)) < 1e-6


def test_labelled_latents_are_of_the_component_of_their_label_and_the_others_of_any() -> None:
    game = make_label_regularised_aae()
    batches = record_arguments(game, "step")
    of_r, of_d, of_e = (record_arguments(game, f"{name}_loss") for name in ("autoencoder", "discriminator", "encoder"))
    fit(game, 2)
    for step, (batch,) in enumerate(batches):
        x_s, y = batch.few_labelled()
        x, z, _, _, told = of_d[step]
        assert torch.equal(x, torch.cat([batch.images, x_s]))
        assert torch.equal(of_r[step][0], batch.images)
        assert told.tolist() == [CLASSES] * 32 + y.tolist()
        assert torch.equal(of_e[step][0], x)
        assert torch.equal(of_e[step][3], told)
        prior = game.prior
        torch.testing.assert_close(z[:32], prior.sample(32, keyed_generator("noise", 0, step, 2)))
        of_each = prior.sample(32 * CLASSES, keyed_generator("noise", 0, step, 3), torch.arange(CLASSES).repeat(32))
        torch.testing.assert_close(z[32:], of_each.view(32, CLASSES, 2)[torch.arange(32), y])
        assert torch.equal(prior.log_joint(z[32:]).argmax(1), y)


def test_each_turn_moves_its_own_networks_alone() -> None:
    turns = record_turns(game := make_label_regularised_aae())
    fit(game, 1)
    names = [("autoencoder", ["encoder", "generator"]), ("discriminator", ["latent_discriminator"]), ("encoder", ["encoder"])]
    assert turns == names


def test_each_class_is_brought_to_its_component() -> None:
    torch.manual_seed(0)
    prior = MixtureOfGaussians(10)
    judge = Conditioned(MLP(2 + 11, 1, (128, 128)), LabelCondition(11))
    networks = MLP((1, 8, 8), 2, (128, 128)), MLP(2, (1, 8, 8), (128,), output="sigmoid"), judge
    game = LabelRegularisedAAE(*networks, prior, optimizer=partial(Adam, lr=5e-4, beta1=0.5))
    data = Images("digits", labelled=1000, batch_size=50)
    fit(game, 800, data)
    nearest = prior.log_joint(game.eval().encode(data.real("test"))).argmax(1)
    assert (nearest == data.labels("test")).float().mean() > 0.5  # by chance 0.1


def test_without_labels_nothing_trains() -> None:
    game = make_label_regularised_aae()
    before = state(game)
    with pytest.raises(InputError, match=r"labelled samples beside the batch, .*set data\.labelled"):
        fit(game, 2, Images("grid25", batch_size=32))
    assert furthest(state(game), before) == 0


def test_all_may_be_labelled() -> None:
    game = make_label_regularised_aae()
    of_d = record_arguments(game, "discriminator_loss")
    batches = record_arguments(game, "step")
    fit(game, 1, grid_for(game, labelled=None, condition="labels"))
    assert torch.equal(of_d[0][4][32:], batches[0][0].conditions)


def test_a_prior_without_components_is_refused() -> None:
    with pytest.raises(InputError, match=r"matches each class to a component of the prior, .*set prior to MixtureOfGaussians"):
        make_label_regularised_aae(prior=Normal(2))


def test_fewer_components_than_classes_are_refused() -> None:
    with pytest.raises(InputError, match=r"has 10 components, but grid25 has 25 classes; set prior\.components"):
        fit(make_label_regularised_aae(prior=MixtureOfGaussians(10)), 2)


def test_it_takes_what_the_plain_one_takes() -> None:
    assert arguments(LabelRegularisedAAE) == arguments(AAE)
