"""Feature matching against its formulas, written out in plain torch."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_gans import EMA, MLP, Adam, FeatureMatching, Images, InputError, Layer, LayerTable, Normal
from lightning_gans.protocols import classifies
from tests.games.feature_matching import make_feature_matching, make_weight_normed
from tests.games.semi_supervised_ali import CLASSES
from tests.helpers import (
    COMMON,
    Noise,
    arguments,
    fit,
    furthest,
    grid_for,
    matters,
    record_arguments,
    record_turns,
    saving,
    sgd_step,
    state,
)

sgd = {"optimizer": partial(torch.optim.SGD, lr=0.1), "scheduler": None}


def probabilities(logits: Tensor) -> Tensor:
    """Of K + 1 classes, the last of which is "generated"."""
    return torch.cat([logits, logits.new_zeros(len(logits), 1)], 1).softmax(1)


def discriminators(D: Any, x_s: Tensor, labels: Tensor, x: Tensor, fake: Tensor, w_s: float, w_u: float) -> Tensor:
    """The loss of section 5, in probabilities."""
    p_s, p_x, p_f = (probabilities(D(each)) for each in (x_s, x, fake))
    right = p_s[torch.arange(len(labels)), labels] / p_s[:, :-1].sum(1)
    return -w_s * right.log().mean() - w_u / 2 * ((1 - p_x[:, -1]).log().mean() + p_f[:, -1].log().mean())


def hidden(D: Any, x: Tensor, number: int) -> Tensor:
    """The output of the first hidden layers of an ``MLP``."""
    for layer in [*D.stages.values()][:number]:
        x = layer(x)
    return x


@pytest.mark.parametrize(
    ("settings", "w_s", "w_u", "depth", "power"),
    [
        ({}, 1.0, 1.0, 2, 1),
        ({"distance": "squared"}, 1.0, 1.0, 2, 2),
        ({"layer": "hidden1", "supervised_weight": 0.5, "unsupervised_weight": 3.0}, 0.5, 3.0, 1, 1),
        ({"layer": "hidden2", "unsupervised_weight": 0.0, "distance": "squared"}, 1.0, 0.0, 2, 2),
        ({"supervised_weight": 0.0}, 0.0, 1.0, 2, 1),
    ],
)
def test_the_players_alternate_by_the_formulas(settings: Any, w_s: float, w_u: float, depth: int, power: int) -> None:
    game = make_feature_matching(**settings, **sgd)
    of_d, of_g = record_arguments(game, "discriminator_loss"), record_arguments(game, "generator_loss")
    fit(game, 2)
    reference = make_feature_matching()
    G, D = reference.generator, reference.discriminator
    for step, ((x, _, *labelled), (again, _)) in enumerate(zip(of_d, of_g, strict=True)):
        noise = Noise(reference.prior, step)
        assert bool(labelled) == (w_s > 0), "labels are asked for where they count"
        x_s, labels = labelled or (x, torch.zeros(len(x), dtype=torch.long))
        sgd_step([D], discriminators(D, x_s, labels, x, G(noise.z()).detach(), w_s, w_u))
        difference = hidden(D, again, depth).mean(0) - hidden(D, G(noise.z()), depth).mean(0)
        sgd_step([G], (difference.abs() ** power).mean())
        assert not torch.equal(x, again), "G matches another minibatch"
    assert furthest(state(game), state(reference)) < 1e-6


def test_the_generator_can_match_the_minibatch_of_the_discriminator() -> None:
    game = make_feature_matching(fresh_batch=False)
    of_d, of_g = record_arguments(game, "discriminator_loss"), record_arguments(game, "generator_loss")
    fit(game, 1)
    assert torch.equal(of_d[0][0], of_g[0][0])
    assert not torch.equal(of_d[0][1], of_g[0][1]), "noise is drawn anew"


def test_each_turn_moves_its_own_network_alone() -> None:
    turns = record_turns(game := make_feature_matching())
    fit(game, 2)
    assert turns == [("discriminator", ["discriminator"]), ("generator", ["generator"])] * 2


def test_labels_move_the_discriminator_alone() -> None:
    game = make_feature_matching()
    x_s, x, z = torch.rand(8, 2), torch.rand(8, 2), torch.rand(8, 2)
    loss, _ = game.discriminator_loss(x, z, x_s, torch.arange(8))
    assert all(gradient.any() for gradient in torch.autograd.grad(loss, [*game.discriminator.parameters()]))
    supervised = make_feature_matching(unsupervised_weight=0.0).discriminator_loss(x, z, x_s, torch.arange(8))[0]
    gradients = torch.autograd.grad(supervised, [*game.generator.parameters()], allow_unused=True)
    assert not any(gradient is not None and gradient.any() for gradient in gradients)


def test_what_is_logged_says_how_well_labels_are_learnt() -> None:
    game, x = make_feature_matching(), torch.rand(8, 2)
    labels, logits = torch.arange(8), game.discriminator(x)
    _, told = game.discriminator_loss(x, x, x, labels)
    torch.testing.assert_close(told["supervised"], -logits.softmax(1)[torch.arange(8), labels].log().mean())
    torch.testing.assert_close(told["labelled_accuracy"], (logits.argmax(1) == labels).float().mean())


def test_classes_are_those_of_the_discriminator() -> None:
    game, points = make_feature_matching(), torch.randn(7, 2)
    torch.testing.assert_close(game.classify(points), game.discriminator(game.normalize(points)))
    assert game.classify(points).shape == (7, CLASSES)


def test_weight_normed_layers_start_by_the_data() -> None:
    game = make_weight_normed()
    before = state(game)
    data = grid_for(game)
    fit(game, 1, data, callbacks=[first := Kept()])
    assert first.state["discriminator.stages.hidden1.0.scale"].ne(1).all()
    started = make_weight_normed()
    started.load_state_dict(first.state)
    x = started.normalize(data.real("train"))
    for depth, spread in ((1, 0.3), (2, 0.3), (3, 0.1)):
        *_, last = [*started.discriminator.stages.values()][:depth]
        y = last[0](hidden(started.discriminator, x, depth - 1))
        torch.testing.assert_close(y.mean(0), torch.zeros(y.shape[1]), atol=0.2 * spread, rtol=0)
        torch.testing.assert_close(y.std(0), torch.full((y.shape[1],), spread), atol=0.15 * spread, rtol=0)
    untouched = [name for name in before if name.startswith("generator")]
    assert all(torch.equal(first.state[name], before[name]) for name in untouched), "without a start_std nothing is started"


class Kept(EMA):
    """Keeps the state that a training begins with."""

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        self.state = state(pl_module)
        super().on_fit_start(trainer, pl_module)


def test_a_checkpoint_is_not_started_anew(tmp_path: Any) -> None:
    fit(make_weight_normed(), 2, **saving(tmp_path))
    settings = {"callbacks": [kept := Kept()], "ckpt_path": tmp_path / "step=2.ckpt"}
    fit(make_weight_normed(), 3, **settings)
    stored = torch.load(tmp_path / "step=2.ckpt", weights_only=True)["state_dict"]
    assert furthest(kept.state, stored) == 0


def test_the_average_is_of_the_discriminator() -> None:
    fit(game := make_feature_matching(), 5, callbacks=[average := EMA(0.5)])
    raw = state(game)
    with average.applied(game):
        changed = {name.partition(".")[0] for name, value in state(game).items() if not torch.equal(value, raw[name])}
    assert changed == {"discriminator"}


def test_a_hundred_labels_teach_the_digits() -> None:
    torch.manual_seed(0)
    noisy: dict[str, Any] = {"noise": 0.3, "activation": "relu", "weight_norm": "fixed", "start_std": 1.0}
    rows = [Layer(64, **noisy), Layer(64, **noisy), Layer(10, weight_norm="trained", start_std=0.1)]
    networks = MLP(8, (1, 8, 8), (64,), output="sigmoid"), LayerTable((1, 8, 8), rows)
    game = FeatureMatching(*networks, Normal(8), optimizer=partial(Adam, lr=2e-3, beta1=0.5))
    fit(game, 60, data := Images("digits", labelled=100, batch_size=50))
    error = (game.eval().classify(data.real("test")).argmax(1) != data.labels("test")).float().mean()
    assert error < 0.3  # by chance 0.9


def test_where_labels_do_not_count_it_is_a_gan_of_any_data_that_matches_features() -> None:
    game = make_feature_matching(supervised_weight=0.0, discriminator=MLP(2, 1, (16,)))
    fit(game, 2, Images("grid25", batch_size=32))
    x, z = torch.rand(8, 2), torch.rand(8, 2)
    p_x, p_f = game.discriminator(x).sigmoid(), game.discriminator(game.generator(z)).sigmoid()
    loss, told = game.discriminator_loss(x, z)
    torch.testing.assert_close(loss, -(p_x.log().mean() + (1 - p_f).log().mean()) / 2)
    assert not told
    assert not classifies(game)
    assert classifies(make_feature_matching())


def test_without_labels_nothing_trains() -> None:
    game = make_feature_matching()
    before = state(game)
    with pytest.raises(InputError, match=r"labelled samples beside the batch, .*set data\.labelled"):
        fit(game, 2, Images("grid25", batch_size=32))
    assert furthest(state(game), before) == 0


@pytest.mark.parametrize("outputs", [1, 10, 26])
def test_other_classes_than_those_of_the_data_are_refused(outputs: int) -> None:
    game = make_feature_matching(discriminator=MLP(2, outputs, (16,)))
    with pytest.raises(InputError, match=rf"FeatureMatching tells {outputs} classes apart, but grid25 has 25; set the outputs"):
        fit(game, 2)


def test_a_layer_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match=r"no layer \['hidden7'\]"):
        fit(make_feature_matching(layer="hidden7"), 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"distance": "cubic"},
        {"supervised_weight": -1.0},
        {"unsupervised_weight": float("inf")},
        {"supervised_weight": 0.0, "unsupervised_weight": 0.0},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        make_feature_matching(**wrong)


CHANGES = COMMON | {
    "generator": ({}, {"generator": MLP(2, 2, (8,), output="sigmoid")}),
    "discriminator": ({}, {"discriminator": MLP(2, CLASSES, (8,))}),
    "layer": ({}, {"layer": "hidden1"}),
    "distance": ({}, {"distance": "squared"}),
    "fresh_batch": ({}, {"fresh_batch": False}),
    "supervised_weight": ({}, {"supervised_weight": 0.5}),
    "unsupervised_weight": ({}, {"unsupervised_weight": 0.5}),
    "data_range": ({"generator": MLP(2, 2, (16,))}, {"data_range": (0.0, 1.0)}),
}


def test_every_argument_is_in_the_table_of_changes() -> None:
    assert arguments(FeatureMatching) == set(CHANGES)


@pytest.mark.parametrize("name", CHANGES)
def test_every_argument_matters(name: str) -> None:
    assert matters(make_feature_matching, *CHANGES[name])
