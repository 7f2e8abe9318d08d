"""RegGAN against its formulas, written out in plain torch."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from lightning_gans import MLP, Adam, Images, InputError, RegGAN, Uniform
from tests.games.reg_gan import make_reg_gan
from tests.helpers import COMMON, Noise, arguments, fit, furthest, matters, record_arguments, record_turns, sgd_step, state

POINTS = torch.rand(32, 2, generator=torch.Generator().manual_seed(3))
SGD = {"optimizer": partial(torch.optim.SGD, lr=0.1)}


def cross_entropy(logits: Tensor, label: float) -> Tensor:
    probability = logits.sigmoid()
    return -(label * probability.log() + (1 - label) * (1 - probability).log()).mean()


@pytest.mark.parametrize(("lambda_1", "lambda_2"), [(0.2, 0.4), (0.0, 2.0), (3.0, 0.0)])
def test_a_batch_is_two_steps_by_their_formulas(lambda_1: float, lambda_2: float) -> None:
    """E and G have losses of their own here, as printed, at the same parameters."""
    game = make_reg_gan(lambda_1=lambda_1, lambda_2=lambda_2, **SGD)
    batches = record_arguments(game, "step")
    fit(game, 2)
    reference = make_reg_gan()
    E, G, D = reference.encoder, reference.generator, reference.discriminator
    for step, (batch,) in enumerate(batches):
        x, noise = batch.images, Noise(reference.prior, step)
        sgd_step([D], cross_entropy(D(x), 1) + cross_entropy(D(G(noise.z()).detach()), 0))
        T = lambda_1 * ((x - G(E(x))) ** 2).mean() + lambda_2 * cross_entropy(D(G(E(x))), 1)
        of_G = cross_entropy(D(G(noise.z())), 1) + T
        gradients = [torch.autograd.grad(loss, n.parameters(), retain_graph=True) for loss, n in ((T, E), (of_G, G))]
        with torch.no_grad():
            for network, some in zip((E, G), gradients, strict=True):
                for parameter, gradient in zip(network.parameters(), some, strict=True):
                    parameter -= 0.1 * gradient
    assert furthest(state(game), state(reference)) < 1e-6


def test_the_terms_of_the_generator_on_numbers_that_can_be_checked_by_hand() -> None:
    def constant(*value: float) -> nn.Module:
        layer = nn.Linear(2, len(value))
        nn.init.zeros_(layer.weight)
        layer.bias.data = torch.tensor(value)
        return layer

    networks = {"encoder": constant(0.0, 0.0), "generator": constant(0.5, 1.0), "discriminator": constant(0.0)}
    x = torch.tensor([[0.5, 0.0], [0.5, 3.0]])  # squared distances 1 and 4
    game = make_reg_gan(**networks, lambda_1=2.0, lambda_2=3.0)  # type: ignore[arg-type]
    loss, terms = game.generator_loss(x, torch.zeros(2, 2))
    log_2 = torch.tensor(0.6931472)
    torch.testing.assert_close(terms, {"adversarial": log_2, "distance": torch.tensor(1.25), "opinion": log_2})
    torch.testing.assert_close(loss, 2.5 + 4 * log_2)


def test_each_turn_moves_its_own_networks_alone() -> None:
    turns = record_turns(game := make_reg_gan())
    fit(game, 2)
    assert turns == [("discriminator", ["discriminator"]), ("generator", ["encoder", "generator"])] * 2


def test_the_discriminator_is_shown_no_reconstructions() -> None:
    lost = make_reg_gan(encoder=MLP(2, 2, (8,)), lambda_1=0.0, lambda_2=0.0, **SGD)
    fit(lost, 3)
    fit(other := make_reg_gan(lambda_1=0.0, lambda_2=0.0, **SGD), 3)
    assert furthest(state(lost.discriminator), state(other.discriminator)) == 0


def test_without_weights_the_encoder_does_not_move() -> None:
    turns = record_turns(game := make_reg_gan(lambda_1=0.0, lambda_2=0.0))
    fit(game, 1)
    assert turns[1] == ("generator", ["generator"])


def test_a_step_on_the_regulariser_raises_the_opinion_of_reconstructions() -> None:
    """Not as printed, where it would fall."""
    game = make_reg_gan()
    E, G, D = game.encoder, game.generator, game.discriminator
    before = D(G(E(POINTS))).sigmoid().mean()
    sgd_step([E, G], game.generator_loss(POINTS, POINTS)[1]["opinion"], 0.5)
    assert D(G(E(POINTS))).sigmoid().mean() > before + 1e-3


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["lambda_1", "lambda_2"])
def test_weights_must_be_numbers_of_at_least_zero(name: str, value: float) -> None:
    with pytest.raises(InputError, match=name):
        make_reg_gan(**{name: value})


def test_a_discriminator_of_other_data_is_refused_before_training() -> None:
    game = make_reg_gan(discriminator=MLP(3, 1))
    before = state(game)
    with pytest.raises(
        InputError, match=r"RegGAN cannot take a step on grid25 \(2\): for the discriminator RegGAN\.discriminator_loss fails"
    ):
        fit(game, 1)
    assert furthest(state(game), before) == 0


CHANGES = COMMON | {
    "encoder": ({}, {"encoder": MLP(2, 2, (8,))}),
    "generator": ({}, {"generator": MLP(2, 2, (8,), output="sigmoid")}),
    "discriminator": ({}, {"discriminator": MLP(2, 1, (8,))}),
    "lambda_1": ({}, {"lambda_1": 1.0}),
    "lambda_2": ({}, {"lambda_2": 1.0}),
}


def test_every_argument_is_in_the_table_of_changes() -> None:
    assert arguments(RegGAN) == set(CHANGES)


@pytest.mark.parametrize("name", CHANGES)
def test_every_argument_matters(name: str) -> None:
    assert matters(make_reg_gan, *CHANGES[name])


def test_it_learns_to_reconstruct_digits_and_its_samples_do_not_collapse() -> None:
    torch.manual_seed(0)
    shape = (1, 8, 8)
    networks = {
        "encoder": MLP(shape, 16, (128,)),
        "generator": MLP(16, shape, (128,), output="sigmoid"),
        "discriminator": MLP(shape, 1, (64,)),
    }
    adam = partial(Adam, lr=2e-3, beta1=0.5)
    game = RegGAN(**networks, prior=Uniform(16), lambda_1=5.0, optimizer=adam)
    fit(game, 400, data := Images("digits", batch_size=64))
    real = data.real("test")
    with torch.no_grad():
        again = game.decode(game.encode(real))
        drawn = game.sample(500, generator=torch.Generator().manual_seed(0))
    of_the_mean = (real - real.mean(dim=0)).square().mean()
    assert (again - real).square().mean() < 0.6 * of_the_mean
    distance = nn.functional.pdist(drawn.flatten(1)).mean() / nn.functional.pdist(real.flatten(1)).mean()
    assert 0.5 < distance < 1.5
