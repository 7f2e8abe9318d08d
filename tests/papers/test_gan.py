"""GAN against its formulas, written out in plain torch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_gans import GAN, MLP, InputError
from tests.games.gan import make_gan
from tests.helpers import COMMON, Noise, arguments, fit, furthest, matters, record_arguments, record_turns, sgd_step, state

sgd = {"optimizer": partial(torch.optim.SGD, lr=0.1), "scheduler": None}


def cross_entropy(logits: Tensor, label: float) -> Tensor:
    probability = logits.sigmoid()
    return -(label * probability.log() + (1 - label) * (1 - probability).log()).mean()


# What the discriminator (of real and fake) and the generator (of fake) minimise
LOSSES: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "ns": (lambda r, f: cross_entropy(r, 1) + cross_entropy(f, 0), lambda f: cross_entropy(f, 1)),
    "minimax": (lambda r, f: cross_entropy(r, 1) + cross_entropy(f, 0), lambda f: -cross_entropy(f, 0)),
    "lsgan": (lambda r, f: ((r - 1) ** 2 / 2).mean() + (f**2 / 2).mean(), lambda f: ((f - 1) ** 2 / 2).mean()),
    "wgan": (lambda r, f: f.mean() - r.mean(), lambda f: -f.mean()),
    "hinge": (lambda r, f: (1 - r).clamp(min=0).mean() + (1 + f).clamp(min=0).mean(), lambda f: -f.mean()),
}


@pytest.mark.parametrize("scale", [0.5, 1.0])
@pytest.mark.parametrize("loss", LOSSES)
def test_both_players_move_at_once_by_the_formula(loss: str, scale: float) -> None:
    game = make_gan(loss=loss, discriminator_scale=scale, **sgd)
    seen = record_arguments(game, "training_step")
    fit(game, 2)
    reference = make_gan()
    G, D = reference.generator, reference.discriminator
    for step, (batch, _) in enumerate(seen):
        fake = G(Noise(reference.prior, step).z())
        of_discriminator, of_generator = LOSSES[loss]
        losses = scale * of_discriminator(D(batch.images), D(fake.detach())), of_generator(D(fake))
        gradients = [torch.autograd.grad(x, n.parameters()) for x, n in zip(losses, (D, G), strict=True)]  # type: ignore[arg-type]
        with torch.no_grad():
            for network, some in zip((D, G), gradients, strict=True):
                for parameter, gradient in zip(network.parameters(), some, strict=True):
                    parameter -= 0.1 * gradient
    assert furthest(state(game), state(reference)) < 1e-6


@pytest.mark.parametrize("generator_steps", [1, 2])
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_players_alternate_by_algorithm_1(loss: str, steps: int, generator_steps: int) -> None:
    game = make_gan(loss=loss, simultaneous=False, discriminator_steps=steps, generator_steps=generator_steps, **sgd)
    seen = record_arguments(game, "discriminator_loss")
    fit(game, 1)
    reference = make_gan()
    G, D, noise = reference.generator, reference.discriminator, Noise(reference.prior)
    of_discriminator, of_generator = LOSSES[loss]
    for x, _ in seen:
        sgd_step([D], 0.5 * of_discriminator(D(x), D(G(noise.z()).detach())))
    for _ in range(generator_steps):
        sgd_step([G], of_generator(D(G(noise.z()))))
    assert furthest(state(game), state(reference)) < 1e-6
    assert len(seen) == len({x.numpy().tobytes() for x, _ in seen}) == steps, "a minibatch is seen twice"


@pytest.mark.parametrize("loss", LOSSES)
def test_the_discriminators_step_can_be_split_into_one_on_data_and_one_on_samples(loss: Any) -> None:
    game = make_gan(loss=loss, simultaneous=False, discriminator_scale=1.0, split_discriminator_step=True, **sgd)
    seen, turns = record_arguments(game, "training_step"), record_turns(game)
    fit(game, 1)
    reference = make_gan()
    G, D, noise = reference.generator, reference.discriminator, Noise(reference.prior)
    of_discriminator, of_generator = LOSSES[loss]
    x, fake = seen[0][0].images, G(noise.z()).detach()
    sgd_step([D], of_discriminator(D(x), D(fake).detach()))
    sgd_step([D], of_discriminator(D(x).detach(), D(fake)))
    sgd_step([G], of_generator(D(G(noise.z()))))
    assert furthest(state(game), state(reference)) < 1e-6
    assert [player for player, _ in turns] == ["discriminator", "discriminator", "generator"]


@pytest.mark.parametrize("option", ["split_discriminator_step", "same_noise"])
def test_moves_at_once_have_no_turns(option: str) -> None:
    with pytest.raises(InputError, match=rf"{option}.*set simultaneous to false"):
        make_gan(**{option: True})


def test_the_generator_can_take_the_noise_of_the_discriminator() -> None:
    game = make_gan(simultaneous=False, discriminator_steps=2, generator_steps=2, same_noise=True)
    of_discriminator, of_generator = record_arguments(game, "discriminator_loss"), record_arguments(game, "generator_loss")
    fit(game, 1)
    assert torch.equal(of_discriminator[1][1], of_generator[0][0])
    assert not torch.equal(of_generator[0][0], of_generator[1][0])


@pytest.mark.parametrize("steps", [(2, 1), (1, 3)])
def test_each_turn_moves_its_own_network_alone(steps: tuple[int, int]) -> None:
    turns = record_turns(game := make_gan(simultaneous=False, discriminator_steps=steps[0], generator_steps=steps[1]))
    fit(game, 2)
    assert turns == [(name, [name]) for name in ["discriminator"] * steps[0] + ["generator"] * steps[1]] * 2


@pytest.mark.parametrize("smoothing", [0.0, 0.05, 0.2])
@pytest.mark.parametrize("loss", ["ns", "minimax"])
def test_smoothed_labels_are_the_probabilities_that_the_discriminator_is_told(loss: Any, smoothing: float) -> None:
    game = make_gan(loss=loss, label_smoothing=smoothing, discriminator_scale=1.0)
    x, z = torch.rand(8, 2), torch.rand(8, 2)
    real, fake = game.discriminator(x), game.discriminator(game.generator(z))
    expected = cross_entropy(real, 1 - smoothing) + cross_entropy(fake, smoothing)
    torch.testing.assert_close(game.discriminator_loss(x, z), expected)
    torch.testing.assert_close(game.both_losses(x, z)["discriminator"], expected)


@pytest.mark.parametrize("loss", ["lsgan", "wgan", "hinge"])
def test_losses_without_labels_have_none_to_smooth(loss: Any) -> None:
    with pytest.raises(InputError, match=f"label_smoothing is 0.1, but the loss '{loss}'"):
        make_gan(loss=loss, label_smoothing=0.1)


def test_the_first_minibatch_of_a_step_is_the_epochs_own() -> None:
    batches = record_arguments(game := make_gan(simultaneous=False, discriminator_steps=2), "training_step")
    used = record_arguments(game, "discriminator_loss")
    fit(game, 1)
    assert torch.equal(used[0][0], batches[0][0].images)


@pytest.mark.parametrize("name", ["discriminator_steps", "generator_steps"])
def test_several_steps_do_not_go_with_moves_at_once(name: str) -> None:
    with pytest.raises(InputError, match=rf"{name} is 2.*simultaneous to false"):
        make_gan(**{name: 2})


@pytest.mark.parametrize(
    "wrong",
    [
        {"discriminator_scale": 0.0},
        {"discriminator_scale": -1.0},
        {"discriminator_steps": 0},
        {"generator_steps": 0},
        {"label_smoothing": -0.1},
        {"label_smoothing": 0.5},
        {"label_smoothing": float("nan")},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        make_gan(simultaneous=False, **wrong)


CHANGES = COMMON | {
    "generator": ({}, {"generator": MLP(2, 2, (8,), output="sigmoid")}),
    "discriminator": ({}, {"discriminator": MLP(2, 1, (8,))}),
    "loss": ({}, {"loss": "lsgan"}),
    "simultaneous": ({}, {"simultaneous": False}),
    "discriminator_steps": ({"simultaneous": False}, {"discriminator_steps": 2}),
    "generator_steps": ({"simultaneous": False}, {"generator_steps": 2}),
    "discriminator_scale": ({}, {"discriminator_scale": 1.0}),
    "label_smoothing": ({}, {"label_smoothing": 0.1}),
    "same_noise": ({"simultaneous": False}, {"same_noise": True}),
    "split_discriminator_step": ({"simultaneous": False}, {"split_discriminator_step": True}),
    "data_range": ({"generator": MLP(2, 2, (16,))}, {"data_range": (0.0, 1.0)}),
}


def test_every_argument_is_in_the_table_of_changes() -> None:
    assert arguments(GAN) == set(CHANGES)


@pytest.mark.parametrize("name", CHANGES)
def test_every_argument_matters(name: str) -> None:
    assert matters(make_gan, *CHANGES[name])


@pytest.mark.parametrize("loss", LOSSES)
def test_no_two_losses_are_the_same(loss: str) -> None:
    others = [other for other in LOSSES if other != loss]
    assert all(matters(make_gan, {"loss": loss}, {"loss": other}) for other in others)
