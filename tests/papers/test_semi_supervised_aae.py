"""The semi-supervised AAE against its formulas, written out in plain torch."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_gans import AAE, MLP, Adam, Apart, Categorical, Images, InputError, Normal, Product, SemiSupervisedAAE
from tests.games.clustering_aae import STYLE, parts
from tests.games.semi_supervised_aae import CLASSES, make_semi_supervised_aae
from tests.helpers import arguments, fit, furthest, grid_for, record_arguments, record_turns, sgd_step, state
from tests.papers.test_aae import SGD, reconstruction, regularisation


def code(game: AAE, x: Tensor, _: Tensor) -> Tensor:
    logits, style = game.encoder(x).split([CLASSES, STYLE], 1)
    return torch.cat([logits.softmax(1), style], 1)


def test_a_batch_is_four_steps_by_their_formulas() -> None:
    game = make_semi_supervised_aae(**SGD)
    names = "autoencoder", "discriminator", "encoder", "classification"
    of_r, of_d, of_e, of_c = (record_arguments(game, f"{name}_loss") for name in names)
    fit(game, 2)
    reference = make_semi_supervised_aae()
    for step, given in enumerate(of_r):
        reconstruction(reference, code, lambda error: error.square().mean(), *given)
        regularisation(reference, code, of_d[step], of_e[step])
        x_s, y, _ = of_c[step]
        right = code(reference, x_s, x_s)[torch.arange(len(y)), y]
        sgd_step([reference.encoder], -right.log().mean())
    assert furthest(state(game), state(reference)) < 1e-6


def test_the_last_phase_has_the_labelled_samples_and_the_others_have_the_batch() -> None:
    game = make_semi_supervised_aae()
    batches = record_arguments(game, "step")
    of_r, of_c = (record_arguments(game, f"{name}_loss") for name in ("autoencoder", "classification"))
    fit(game, 1)
    x_s, y = batches[0][0].few_labelled()
    assert torch.equal(of_c[0][0], x_s)
    assert torch.equal(of_c[0][1], y)
    assert torch.equal(of_r[0][0], batches[0][0].images)


def test_each_turn_moves_its_own_networks_alone_and_labels_move_the_encoder() -> None:
    turns = record_turns(game := make_semi_supervised_aae())
    fit(game, 1)
    first = [("autoencoder", ["encoder", "generator"]), ("discriminator", ["latent_discriminator"])]
    assert turns == [*first, ("encoder", ["encoder"]), ("classifier", ["encoder"])]


def test_what_is_logged_says_how_well_labels_are_learnt() -> None:
    game, x = make_semi_supervised_aae(), torch.rand(8, 2)
    labels, logits = torch.arange(8), game.encoder(x)[:, :CLASSES]
    loss, told = game.classification_loss(x, labels, x[:, :0])
    torch.testing.assert_close(loss, -logits.softmax(1)[torch.arange(8), labels].log().mean())
    torch.testing.assert_close(told["labelled_accuracy"], (logits.argmax(1) == labels).float().mean())


def test_a_hundred_labels_teach_the_digits() -> None:
    torch.manual_seed(0)
    judges = Apart([MLP(10, 1, (64,)), MLP(4, 1, (64,))], [10, 4])
    networks = MLP((1, 8, 8), 14, (64,)), MLP(14, (1, 8, 8), (64,), output="sigmoid"), judges
    prior = Product({"category": Categorical(10), "style": Normal(4)})
    game = SemiSupervisedAAE(*networks, prior, optimizer=partial(Adam, lr=1e-3, beta1=0.5))
    fit(game, 150, data := Images("digits", labelled=100, batch_size=50))
    error = (game.eval().classify(data.real("test")).argmax(1) != data.labels("test")).float().mean()
    assert error < 0.3  # by chance 0.9


def test_without_labels_nothing_trains() -> None:
    game = make_semi_supervised_aae()
    before = state(game)
    with pytest.raises(InputError, match=r"labelled samples beside the batch, .*set data\.labelled.*, or data\.condition"):
        fit(game, 2, Images("grid25", batch_size=32))
    assert furthest(state(game), before) == 0


def test_all_may_be_labelled_and_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    game = make_semi_supervised_aae()
    of_c = record_arguments(game, "classification_loss")
    batches = record_arguments(game, "step")
    fit(game, 1, grid_for(game, labelled=None, condition="labels"))
    assert torch.equal(of_c[0][0], batches[0][0].images)
    assert torch.equal(of_c[0][1], batches[0][0].conditions)
    assert "all training samples of grid25 keep their labels; for fewer set data.labelled" in caplog.text
    caplog.clear()
    fit(make_semi_supervised_aae(), 1)
    assert "keep their labels" not in caplog.text


@pytest.mark.parametrize("settings", [{}, {"labelled": None, "condition": "labels"}])
def test_other_classes_than_those_of_the_data_are_refused(settings: Any) -> None:
    game = make_semi_supervised_aae(**parts(10))
    with pytest.raises(InputError, match=r"SemiSupervisedAAE tells 10 classes apart, but grid25 has 25; set the outputs"):
        fit(game, 2, grid_for(game, **settings))


def test_it_takes_what_the_plain_one_takes() -> None:
    assert arguments(SemiSupervisedAAE) == arguments(AAE)
