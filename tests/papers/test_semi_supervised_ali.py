"""ALI with few labels against its formulas, written out in plain torch."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_gans import (
    MLP,
    Adam,
    AttributeCondition,
    Conditioned,
    Images,
    InputError,
    Normal,
    PairNetwork,
    SemiSupervisedALI,
)
from tests.games.semi_supervised_ali import CLASSES, make_normed_semi_supervised_ali, make_semi_supervised_ali
from tests.helpers import (
    COMMON,
    Noise,
    arguments,
    fit,
    furthest,
    make_trainer,
    matters,
    record_arguments,
    record_turns,
    sgd_step,
    state,
)

sgd = {"optimizer": partial(torch.optim.SGD, lr=0.1), "scheduler": None}


class Plain:
    """The two losses of section 4.3, in probabilities, on the networks of an untrained game."""

    def __init__(self, game: SemiSupervisedALI, w_s: float = 1.0, w_u: float = 1.0, scale: float = 1.0) -> None:
        self.E, self.G, self.D, self.prior = game.encoder, game.generator, game.joint_discriminator, game.prior
        self.w_s, self.w_u, self.scale = w_s, w_u, scale

    def code(self, x: Tensor, epsilon: Tensor) -> Tensor:
        mu, log_sigma = self.E(x).chunk(2, dim=1)
        return mu + log_sigma.exp() * epsilon

    def probabilities(self, logits: Tensor) -> Tensor:
        """Of K + 1 classes, the last of which is "generated"."""
        return torch.cat([logits, logits.new_zeros(len(logits), 1)], 1).softmax(1)

    def losses(self, x: Tensor, x_s: Tensor, labels: Tensor, epsilon_s: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        z, epsilon = noise.z(), torch.randn(32, 2, generator=noise._generator())
        pairs = (x_s, self.code(x_s, epsilon_s)), (x, self.code(x, epsilon)), (self.G(z), z)
        logits = self.D(*(torch.cat(side) for side in zip(*pairs, strict=True)))
        p_s, p_q, p_p = (self.probabilities(some) for some in logits.chunk(3))
        right = p_s[torch.arange(32), labels] / p_s[:, :-1].sum(1)
        generated_q, generated_p = p_q[:, -1], p_p[:, -1]
        of_d = -self.w_s * right.log().mean() - self.w_u / 2 * ((1 - generated_q).log() + generated_p.log()).mean()
        of_eg = -(generated_q.log() + (1 - generated_p).log()).mean()
        return self.scale * of_d, self.scale * of_eg


@pytest.mark.parametrize(("w_s", "w_u", "scale"), [(1.0, 1.0, 1.0), (0.3, 2.0, 1.0), (1.0, 0.0, 0.5), (0.0, 1.0, 1.0)])
def test_both_players_move_at_once_by_the_formulas(w_s: float, w_u: float, scale: float) -> None:
    game = make_semi_supervised_ali(supervised_weight=w_s, unsupervised_weight=w_u, scale=scale, **sgd)
    seen = record_arguments(game, "training_step")
    fit(game, 2)
    plain = Plain(reference := make_semi_supervised_ali(), w_s, w_u, scale)
    for step, (batch, _) in enumerate(seen):
        labelled, noise = batch.labelled, Noise(plain.prior, step)
        epsilon_s = torch.randn(32, 2, generator=noise._generator())
        of_d, of_eg = plain.losses(batch.images, labelled.images, labelled.conditions, epsilon_s, noise)
        of_each = [(plain.D.parameters(), of_d), ([*plain.E.parameters(), *plain.G.parameters()], of_eg)]
        moves = [(list(some), loss) for some, loss in of_each]
        gradients = [torch.autograd.grad(loss, some, retain_graph=True) for some, loss in moves]
        with torch.no_grad():
            for (parameters, _), some in zip(moves, gradients, strict=True):
                for parameter, gradient in zip(parameters, some, strict=True):
                    parameter -= 0.1 * gradient
    assert furthest(state(game), state(reference)) < 1e-6


def test_the_players_alternate() -> None:
    game = make_semi_supervised_ali(simultaneous=False, **sgd)
    seen, turns = record_arguments(game, "training_step"), record_turns(game)
    fit(game, 1)
    plain = Plain(reference := make_semi_supervised_ali())
    (batch, _) = seen[0]
    noise, given = Noise(plain.prior), (batch.images, batch.labelled.images, batch.labelled.conditions)
    once = torch.randn(32, 2, generator=noise._generator())
    sgd_step([plain.D], plain.losses(*given, once, noise)[0])
    sgd_step([plain.E, plain.G], plain.losses(*given, once, noise)[1])
    assert furthest(state(game), state(reference)) < 1e-6
    assert turns == [("discriminator", ["joint_discriminator"]), ("autoencoder", ["encoder", "generator"])]


def test_labels_move_the_discriminator_alone() -> None:
    labels_alone = {"unsupervised_weight": 0.0, **sgd}
    one, other = make_semi_supervised_ali(**labels_alone), make_semi_supervised_ali(supervised_weight=0.0, **sgd)
    fit(one, 1)
    fit(other, 1)
    assert furthest(state(one.encoder), state(other.encoder)) == 0
    assert furthest(state(one.generator), state(other.generator)) == 0
    assert furthest(state(one.joint_discriminator), state(other.joint_discriminator)) > 1e-3


def test_each_term_of_the_second_loss_reaches_its_own_network() -> None:
    game = make_semi_supervised_ali()
    x, z, epsilon, x_s, more = (torch.randn(32, 2, generator=torch.Generator().manual_seed(n)) for n in range(5))
    _, real, fake = game.classes_and_judged(x, z, epsilon, x_s, torch.zeros(32).long(), more)
    networks = {"encoder": real, "generator": fake}
    for name, logits in networks.items():
        for other in networks:
            parameters = [*getattr(game, other).parameters()]
            gradients = torch.autograd.grad(logits.sum(), parameters, retain_graph=True, allow_unused=True)
            assert any(g is not None and g.abs().max() > 0 for g in gradients) == (name == other)


@pytest.mark.parametrize("one_pass", [True, False])
def test_batch_norm_is_over_all_three_kinds_of_pairs(one_pass: bool) -> None:
    game = make_normed_semi_supervised_ali(one_pass=one_pass)
    x, z, epsilon, x_s, more = (torch.randn(32, 2, generator=torch.Generator().manual_seed(n)) for n in range(5))
    classes, real, _ = game.classes_and_judged(x, z, epsilon, x_s, torch.zeros(32).long(), more)
    D, plain = game.joint_discriminator, Plain(game)
    kinds = [(x_s, plain.code(x_s, more)), (x, plain.code(x, epsilon)), (game.generator(z), z)]
    together = D(*(torch.cat(side) for side in zip(*kinds, strict=True)))[:32]
    torch.testing.assert_close(classes, together if one_pass else D(*kinds[0]))
    assert real.shape == (32,)
    assert (together - D(*kinds[0])).abs().max() > 1e-3


def test_classes_are_told_at_the_code_without_noise() -> None:
    game = make_semi_supervised_ali()
    points = torch.randn(7, 2)
    x = game.normalize(points)
    expected = game.joint_discriminator(x, game.encoder(x)[:, :2])
    torch.testing.assert_close(game.classify(points), expected)
    assert expected.shape == (7, CLASSES)


def test_what_is_logged_says_how_well_labels_are_learnt() -> None:
    game = make_semi_supervised_ali()
    x, z, epsilon, x_s, more = (torch.randn(32, 2, generator=torch.Generator().manual_seed(n)) for n in range(5))
    labels = torch.arange(32) % CLASSES
    classes, real, fake = game.classes_and_judged(x, z, epsilon, x_s, labels, more)
    _, told = game.both_losses(x, z, epsilon, x_s, labels, more)["discriminator"]
    torch.testing.assert_close(told["supervised"], -classes.softmax(1)[torch.arange(32), labels].log().mean())
    torch.testing.assert_close(told["labelled_accuracy"], (classes.argmax(1) == labels).float().mean())
    torch.testing.assert_close(told["real_accuracy"], real.sigmoid().mean())
    torch.testing.assert_close(told["fake_accuracy"], 1 - fake.sigmoid().mean())


def test_a_hundred_labels_teach_the_digits() -> None:
    torch.manual_seed(0)
    networks = MLP((1, 8, 8), 8, (64,)), MLP(4, (1, 8, 8), (64,), output="sigmoid"), PairNetwork(MLP(68, 10, (64,)))
    game = SemiSupervisedALI(*networks, Normal(4), optimizer=partial(Adam, lr=2e-3, beta1=0.5))
    fit(game, 150, data := Images("digits", labelled=100, batch_size=50))
    error = (game.eval().classify(data.real("test")).argmax(1) != data.labels("test")).float().mean()
    assert error < 0.4  # by chance 0.9


def test_without_labels_nothing_trains() -> None:
    game = make_semi_supervised_ali()
    before = state(game)
    with pytest.raises(InputError, match=r"labelled samples beside the batch, .*set data\.labelled"):
        fit(game, 2, Images("grid25", batch_size=32))
    assert furthest(state(game), before) == 0


@pytest.mark.parametrize("outputs", [1, 10, 26])
def test_other_classes_than_those_of_the_data_are_refused(outputs: int) -> None:
    game = make_semi_supervised_ali(joint_discriminator=PairNetwork(MLP(4, outputs, (16,))))
    with pytest.raises(
        InputError, match=rf"SemiSupervisedALI tells {outputs} classes apart, but grid25 has 25; set the outputs"
    ):
        fit(game, 2)


def test_data_loaders_of_ones_own_are_refused_at_the_first_batch() -> None:
    with pytest.raises(InputError, match=r"set data\.labelled"):
        make_trainer(1).fit(make_semi_supervised_ali(), [torch.zeros(4, 2)])


@pytest.mark.parametrize(
    "wrong",
    [
        {"supervised_weight": -1.0},
        {"unsupervised_weight": float("nan")},
        {"supervised_weight": 0.0, "unsupervised_weight": 0.0},
        {"scale": 0.0},
        {"posterior": "normal"},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        make_semi_supervised_ali(**wrong)


IMPLICIT = {"encoder": Conditioned(MLP(4, 2, (16,)), AttributeCondition(2)), "posterior": "implicit"}
CHANGES = COMMON | {
    "encoder": ({}, {"encoder": MLP(2, 4, (8,))}),
    "generator": ({}, {"generator": MLP(2, 2, (8,), output="sigmoid")}),
    "joint_discriminator": ({}, {"joint_discriminator": PairNetwork(MLP(4, CLASSES, (8,)))}),
    "posterior": (IMPLICIT, {"encoder": MLP(2, 4, (16,)), "posterior": "gaussian"}),
    "simultaneous": ({}, {"simultaneous": False}),
    "one_pass": ({"joint_discriminator": PairNetwork(MLP(4, CLASSES, (16,), norm="batch"))}, {"one_pass": False}),
    "scale": ({}, {"scale": 0.5}),
    "supervised_weight": ({}, {"supervised_weight": 0.5}),
    "unsupervised_weight": ({}, {"unsupervised_weight": 0.5}),
    "optimizers": ({}, {"optimizers": {"autoencoder": partial(torch.optim.SGD, lr=0.2)}}),
    "schedule_counts": (
        {**COMMON["schedule_counts"][0], "simultaneous": False},
        COMMON["schedule_counts"][1],
    ),
    "data_range": ({"generator": MLP(2, 2, (16,))}, {"data_range": (0.0, 1.0)}),
}


def test_every_argument_is_in_the_table_of_changes() -> None:
    assert arguments(SemiSupervisedALI) == set(CHANGES)


@pytest.mark.parametrize("name", CHANGES)
def test_every_argument_matters(name: str) -> None:
    assert matters(make_semi_supervised_ali, *CHANGES[name])
