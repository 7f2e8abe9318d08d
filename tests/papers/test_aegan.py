"""AEGAN against its equations, written out in plain torch."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_gans import AEGAN, MLP, Adam, Images, InputError, Normal
from lightning_gans.protocols import encodes, shows_features
from tests.games.aegan import NAMES, make_aegan, make_image_aegan
from tests.helpers import (
    COMMON,
    Noise,
    arguments,
    fit,
    furthest,
    matters,
    record_arguments,
    record_turns,
    same,
    sgd_step,
    state,
)

sgd = {"optimizer": partial(torch.optim.SGD, lr=0.1)}
POINTS, LATENTS = torch.rand(32, 2, generator=torch.Generator().manual_seed(3)), torch.linspace(-1, 1, 64).view(32, 2)
DX, DZ, AE = "image_discriminator", "latent_discriminator", "autoencoder"


def networks_of(game: AEGAN) -> tuple[nn.Module, nn.Module, nn.Module, nn.Module]:
    return game.encoder, game.generator, game.image_discriminator, game.latent_discriminator


def cross_entropy(logits: Tensor, label: float) -> Tensor:
    probability = logits.sigmoid()
    return -(label * probability.log() + (1 - label) * (1 - probability).log()).mean()


def terms_by_hand(game: AEGAN, x: Tensor, z: Tensor) -> dict[str, Tensor]:
    E, G, Dx, Dz = networks_of(game)
    return {
        "rx": (G(E(x)) - x).abs().sum() / x.numel(),
        "rz": (E(G(z)) - z).pow(2).sum() / z.numel(),
        "x_hat": -Dx(G(z)).sigmoid().log().mean(),
        "x_tilde": -Dx(G(E(x))).sigmoid().log().mean(),
        "z_hat": -Dz(E(x)).sigmoid().log().mean(),
        "z_tilde": -Dz(E(G(z))).sigmoid().log().mean(),
    }


def total_by_hand(game: AEGAN, x: Tensor, z: Tensor) -> Tensor:
    terms = terms_by_hand(game, x, z)
    adversarial = terms["x_hat"] + terms["x_tilde"] + terms["z_hat"] + terms["z_tilde"]
    return adversarial + 10 * terms["rx"] + 5 * terms["rz"]


# The losses


def test_every_term_of_the_autoencoder_is_that_of_the_equations() -> None:
    game = make_aegan()
    (loss, found), expected = game.autoencoder_loss(POINTS, LATENTS), terms_by_hand(game, POINTS, LATENTS)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)
    torch.testing.assert_close(loss, total_by_hand(game, POINTS, LATENTS))


@pytest.mark.parametrize("weight", [0.0, 0.3])
@pytest.mark.parametrize("name", NAMES)
def test_a_weight_multiplies_its_own_term_alone(name: str, weight: float) -> None:
    game = make_aegan(**{f"lambda_{name}": weight})
    weights = {**dict.fromkeys(NAMES, 1.0), "rx": 10.0, "rz": 5.0, name: weight}
    terms = terms_by_hand(game, POINTS, LATENTS)
    expected = torch.stack([weights[term] * value for term, value in terms.items()]).sum()
    torch.testing.assert_close(game.autoencoder_loss(POINTS, LATENTS)[0], expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.05, 0.3])
def test_the_discriminators_are_told_smoothed_labels(smoothing: float) -> None:
    game = make_aegan(label_smoothing=smoothing)
    _, _, Dx, Dz = networks_of(game)
    for player, D in ((DX, Dx), (DZ, Dz)):
        found = game.discriminator_loss(player, POINTS, [LATENTS, POINTS / 2])
        eqns = [cross_entropy(D(POINTS), 1 - smoothing) + cross_entropy(D(fake), smoothing) for fake in (LATENTS, POINTS / 2)]
        torch.testing.assert_close(found, eqns[0] + eqns[1])


def test_terms_are_logged_by_name() -> None:
    game = make_aegan()
    seen: dict[str, Tensor] = {}
    game._history.add = lambda step, name, value: seen.update({name: value.detach()})  # type: ignore[method-assign]
    fit(game, 1)
    assert {name.partition("/")[2] for name in seen if "/" in name} == {*NAMES}
    weights = {**dict.fromkeys(NAMES, 1.0), "rx": 10.0, "rz": 5.0}
    torch.testing.assert_close(seen[AE], sum(weights[name] * seen[f"{AE}/{name}"] for name in NAMES))


# The steps


@pytest.mark.parametrize("smoothing", [0.0, 0.05])
def test_by_default_each_network_takes_one_step_a_batch(smoothing: float) -> None:
    game = make_aegan(label_smoothing=smoothing, **sgd)
    batches = record_arguments(game, "training_step")
    fit(game, 2)
    E, G, Dx, Dz = networks_of(reference := make_aegan())
    for step, (batch, _) in enumerate(batches):
        x, noise = batch.images, Noise(reference.prior, step)
        z = noise.z()
        with torch.no_grad():
            x_hat, z_hat = G(z), E(x)
            x_tilde, z_tilde = G(z_hat), E(x_hat)
        for D, real, fakes in ((Dx, x, (x_hat, x_tilde)), (Dz, z, (z_hat, z_tilde))):
            eqns = [cross_entropy(D(real), 1 - smoothing) + cross_entropy(D(fake), smoothing) for fake in fakes]
            sgd_step([D], eqns[0] + eqns[1])
        sgd_step([E, G], total_by_hand(reference, x, noise.z()))
    assert furthest(state(game), state(reference)) < 1e-6


def test_a_burst_is_that_of_the_authors_code() -> None:
    """Every x and z is drawn afresh: also the reals of both discriminators, and what each fake is made of."""
    game = make_aegan(burst=True, **sgd)
    shown, moves = record_arguments(game, "label_loss"), record_arguments(game, "autoencoder_loss")
    batches, sources = record_arguments(game, "training_step"), record_arguments(game, "fake")
    fit(game, 1)
    E, G, Dx, Dz = networks_of(reference := make_aegan())
    noise = Noise(reference.prior)
    (x1, _, x2, _), (of_x_tilde, of_z_hat) = (each[1] for each in shown[:4]), (sources[i][1] for i in (1, 2))
    made = {  # in the order of their turns
        "x_hat": lambda: G(noise.z()),
        "x_tilde": lambda: G(E(of_x_tilde)),
        "z_hat": lambda: E(of_z_hat),
        "z_tilde": lambda: E(G(noise.z())),
    }
    for name, real in (("x_hat", lambda: x1), ("x_tilde", lambda: x2), ("z_hat", noise.z), ("z_tilde", noise.z)):
        D = Dx if name.startswith("x") else Dz
        sgd_step([D], cross_entropy(D(real()), 0.95))
        sgd_step([D], cross_entropy(D(made[name]().detach()), 0.05))
    for drawn, _ in moves:
        sgd_step([E, G], total_by_hand(reference, drawn, noise.z()))
    assert furthest(state(game), state(reference)) < 1e-6
    data = [x1, x2, of_x_tilde, of_z_hat, *(drawn for drawn, _ in moves)]
    assert torch.equal(x1, batches[0][0].images), "the epoch's own minibatch is left out"
    assert len({images.numpy().tobytes() for images in data}) == len(data) == 8, "data seen twice"
    assert len({latents.numpy().tobytes() for latents in (shown[4][1], shown[6][1], *(z for _, z in moves))}) == 6


def test_fakes_are_made_without_the_noise_of_encoder_and_generator_and_modes_are_left() -> None:
    game = make_image_aegan(noise=0.5, dropout=0.3)
    game.encoder.stages["conv2"].eval()
    modes = [module.training for module in game.modules()]
    x, z = torch.rand(5, 1, 8, 8), torch.randn(5, 4)
    first, second = (game.fakes(x, z) for _ in range(2))
    assert same(first, second)
    assert not any(fake.requires_grad for fake in first.values())
    for name, fake in first.items():
        torch.testing.assert_close(game.fake(name, x if name in ("x_tilde", "z_hat") else z), fake)
    assert [module.training for module in game.modules()] == modes
    losses = [game.autoencoder_loss(x, z)[1]["rx"] for _ in range(2)]
    assert losses[0] != losses[1], "E's own step is without noise"


@pytest.mark.parametrize("algorithm", ["tensor", "norm"])
def test_gradients_are_bounded_tensor_by_tensor(algorithm: Any) -> None:
    game = make_aegan(gradient_clip_val=1e-3, gradient_clip_algorithm=algorithm, **sgd)
    before = state(game)
    fit(game, 1)
    moved = {name: float((value - before[name]).norm()) for name, value in state(game).items()}
    bound = 0.1 * 1e-3
    assert all(move <= bound * 1.001 for move in moved.values())
    assert (min(moved.values()) > 0.9 * bound) == (algorithm == "tensor")


# Which networks move, and by which terms

BURST = [(DX, [DX])] * 4 + [(DZ, [DZ])] * 4 + [(AE, ["encoder", "generator"])] * 4


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [(DX, [DX]), (DZ, [DZ]), (AE, ["encoder", "generator"])]),
        ({"burst": True}, BURST),
    ],
)
def test_each_turn_moves_its_own_networks_alone(settings: dict[str, Any], expected: list[tuple[str, list[str]]]) -> None:
    turns = record_turns(game := make_aegan(**settings))
    fit(game, 2)
    assert turns == expected * 2


REACHED = {
    "rx": {"encoder", "generator"},
    "rz": {"encoder", "generator"},
    "x_hat": {"generator"},
    "x_tilde": {"encoder", "generator"},
    "z_hat": {"encoder"},
    "z_tilde": {"encoder", "generator"},
}


@pytest.mark.parametrize("name", NAMES)
def test_a_term_reaches_every_network_on_its_way(name: str) -> None:
    game = make_aegan()
    game.autoencoder_loss(POINTS, LATENTS)[1][name].backward()
    reached = {key.partition(".")[0] for key, p in game.named_parameters() if p.grad is not None and p.grad.any()}
    assert reached & {"encoder", "generator"} == REACHED[name]


@pytest.mark.parametrize("player", [DX, DZ])
def test_a_discriminators_loss_reaches_it_alone(player: str) -> None:
    game = make_aegan()
    fakes = game.fakes(POINTS, LATENTS)
    game.discriminator_loss(player, POINTS, [fakes[name] for name in NAMES[2:]]).backward()
    assert {key.partition(".")[0] for key, p in game.named_parameters() if p.grad is not None} == {player}


# What is refused


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
@pytest.mark.parametrize("name", NAMES)
def test_weights_must_be_numbers_of_at_least_zero(name: str, value: float) -> None:
    with pytest.raises(InputError, match=f"lambda_{name}"):
        make_aegan(**{f"lambda_{name}": value})


@pytest.mark.parametrize("value", [-0.1, 0.5, float("nan")])
def test_labels_must_tell_real_from_generated(value: float) -> None:
    with pytest.raises(InputError, match="label_smoothing"):
        make_aegan(label_smoothing=value)


def test_networks_that_do_not_fit_are_refused_before_training() -> None:
    with pytest.raises(InputError, match=r"for the image_discriminator AEGAN\.discriminator_loss fails with"):
        fit(make_aegan(image_discriminator=MLP(3, 1)))
    with pytest.raises(InputError, match=r"for the latent_discriminator AEGAN\.discriminator_loss fails with"):
        fit(make_aegan(latent_discriminator=MLP(3, 1)))


# The doors


def test_features_are_those_of_the_image_discriminator() -> None:
    game = make_aegan()
    assert shows_features(game)
    assert encodes(game)
    x = game.normalize(POINTS)
    torch.testing.assert_close(game.features(POINTS, ["hidden1"]), game.image_discriminator.features(x, ["hidden1"]))
    torch.testing.assert_close(game.encode(POINTS), game.encoder(x))


CHANGES = COMMON | {
    "encoder": ({}, {"encoder": MLP(2, 2, (8,))}),
    "generator": ({}, {"generator": MLP(2, 2, (8,), output="sigmoid")}),
    "image_discriminator": ({}, {"image_discriminator": MLP(2, 1, (8,))}),
    "latent_discriminator": ({}, {"latent_discriminator": MLP(2, 1, (8,))}),
    "prior": ({}, {"prior": Normal(2)}),
    "optimizers": ({}, {"optimizers": {AE: partial(torch.optim.SGD, lr=0.2)}}),
    **{f"lambda_{name}": ({}, {f"lambda_{name}": 0.5}) for name in NAMES},
    "label_smoothing": ({}, {"label_smoothing": 0.2}),
    "burst": ({}, {"burst": True}),
}


def test_every_argument_is_in_the_table_of_changes() -> None:
    assert arguments(AEGAN) == set(CHANGES)


@pytest.mark.parametrize("name", CHANGES)
def test_every_argument_matters(name: str) -> None:
    assert matters(make_aegan, *CHANGES[name])


# Learning


def test_it_learns_to_undo_both_ways() -> None:
    """From digits to latents and back, better than their median does, and from latents to digits that differ and back."""
    game = make_image_aegan(
        encoder=MLP((1, 8, 8), 8, (64,)),
        generator=MLP(8, (1, 8, 8), (64,), output="tanh"),
        image_discriminator=MLP((1, 8, 8), 1, (64,), activation="lrelu"),
        latent_discriminator=MLP(8, 1, (32,), activation="lrelu"),
        prior=Normal(8),
        optimizer=partial(Adam, lr=4e-3, beta1=0.5),
    )
    data = Images("digits", batch_size=100)
    fit(game, 600, data)
    x, z = data.real("test"), game.prior.sample(500, torch.Generator().manual_seed(0))
    with torch.no_grad():
        again, made = game.decode(game.encode(x)), game.decode(z)
        latents = game.encode(made)
    by_median = (x - data.real("train").median(dim=0).values).abs().mean()
    assert (again - x).abs().mean() < 0.55 * by_median
    assert F.mse_loss(latents, z) < 0.12, "of a variance of 1"
    assert made.std(dim=0).mean() > 0.7 * x.std(dim=0).mean(), "samples are all alike"
