"""VAE/GAN against its three losses, written out in plain torch."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lightning_gans import MLP, VAEGAN, VAEGANMLP, Adam, Images, InputError, Normal, Uniform, VAEGANPrinted
from lightning_gans.operations import Operations
from lightning_gans.posteriors import DiagonalNormal
from tests.games import GAMES, IMAGE
from tests.games.vae_gan import make_image_vae_gan, make_vae_gan
from tests.helpers import COMMON, Noise, arguments, fit, furthest, matters, record_arguments, record_turns, saving, state

sgd = {"optimizer": partial(torch.optim.SGD, lr=0.1)}
POINTS = torch.rand(32, 2, generator=torch.Generator().manual_seed(3))


def reference_losses(game: VAEGAN, x: Tensor, epsilon: Tensor, z_p: Tensor) -> dict[str, Tensor]:
    """What each player minimises, by the formulas of ``VAEGAN`` or of ``VAEGANPrinted``."""
    E, G, D, gamma, n = game.encoder, game.generator, game.discriminator, game.gamma, len(x)
    mean, log_variance = E(x).chunk(2, dim=1)
    again, made = G(mean + (log_variance / 2).exp() * epsilon), G(z_p)
    s = game.prior.std
    prior = (((mean**2 + log_variance.exp()) / s**2 - 1 - log_variance + 2 * math.log(s)) / 2).sum() / n

    def layer(y: Tensor) -> Tensor:
        return D.stages["hidden1"](y)

    llike = ((layer(x) - layer(again)) ** 2 / 2).sum() / n
    real = -D(x).sigmoid().log().mean()
    of_made, of_again = (-(1 - D(y).sigmoid()).log().mean() for y in (made, again))
    if isinstance(game, VAEGANPrinted):
        L_GAN = -real - of_again - of_made
        return {"encoder": prior + llike, "generator": gamma * llike + L_GAN, "discriminator": -L_GAN}
    fooled = -D(made).sigmoid().log().mean()
    return {
        "encoder": prior + llike,
        "generator": gamma * llike + (1 - gamma) * fooled,
        "discriminator": (real + of_made) / 2,
    }


def move(game: VAEGAN, losses: dict[str, Tensor], rate: float = 0.1) -> None:
    """One step of plain gradient descent of the players that have a loss, all from the same parameters."""
    gradients = {
        name: torch.autograd.grad(loss, getattr(game, name).parameters(), retain_graph=True) for name, loss in losses.items()
    }
    with torch.no_grad():
        for name, some in gradients.items():
            for parameter, gradient in zip(getattr(game, name).parameters(), some, strict=True):
                parameter -= rate * gradient


OPTIONS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "without margin": {"margin": None, "gamma": 0.3},
    "another prior": {"prior": Normal(2, std=1.7)},
    "autoencoder alone": {"gamma": 1.0},
    "GAN alone": {"gamma": 0.0},
}


@pytest.mark.parametrize("paper", [VAEGAN, VAEGANPrinted])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_all_three_move_at_once_by_their_losses(options: dict[str, Any], paper: type[VAEGAN]) -> None:
    """The reference takes each gradient of its own player alone: so this is the table of what reaches whom as well."""
    game = make_vae_gan(paper, **sgd, **options)
    seen, turns = record_arguments(game, "step"), record_turns(game)
    fit(game, 2)
    reference = make_vae_gan(paper, **options)
    for step, (batch,) in enumerate(seen):
        noise = Noise(reference.prior, step)
        epsilon = torch.randn(32, 2, generator=noise._generator())
        move(reference, reference_losses(reference, batch.images, epsilon, noise.z()))
    assert furthest(state(game), state(reference)) < 1e-6
    assert turns == [("encoder and generator and discriminator", ["discriminator", "encoder", "generator"])] * 2


def doubling() -> MLP:
    """D that doubles its input and adds it up."""
    discriminator = MLP(2, 1, (2,), activation="relu")
    layers = [layer for layer in discriminator.modules() if isinstance(layer, nn.Linear)]
    with torch.no_grad():
        for layer, weight in zip(layers, (2 * torch.eye(2), torch.ones(1, 2)), strict=True):
            layer.weight[:] = weight
            layer.bias.zero_()
    return discriminator


X, AGAIN, MADE = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 1.0]]), torch.tensor([[0.5, 0.0]])


def test_the_losses_of_samples_made_by_hand() -> None:
    """Features (2, 4) and (0, 2) differ by 2 in both numbers."""
    game = make_vae_gan(discriminator=doubling())
    assert game.likelihood(X, AGAIN).item() == 4.0
    real, fake = game.discriminate(X, MADE, AGAIN)
    assert (real.tolist(), fake.tolist()) == ([[6.0]], [[1.0]])
    assert game.adversarial_loss(fake).item() == pytest.approx((1 - game.gamma) * math.log(1 + math.exp(-1)))
    assert game.discriminator_loss(torch.tensor([0.25, 0.75])).item() == 0.5


def test_the_losses_of_samples_made_by_hand_as_printed() -> None:
    """D sees both kinds of fakes, and G is given the sum of log(1 - sigma(D)) over them."""
    game = make_vae_gan(VAEGANPrinted, discriminator=doubling())
    assert game.likelihood(X, AGAIN).item() == 4.0
    real, fake = game.discriminate(X, MADE, AGAIN)
    assert (real.tolist(), fake.tolist()) == ([[6.0]], [[1.0], [2.0]])
    assert game.adversarial_loss(fake).item() == pytest.approx(-math.log(1 + math.exp(1)) - math.log(1 + math.exp(2)))
    assert game.discriminator_loss(torch.tensor([0.25, 0.75])).item() == 1.75


def test_what_is_printed_has_no_margin() -> None:
    """Also where one is given, everybody moves and nobody is said to sit out."""
    game = make_vae_gan(VAEGANPrinted, margin=0.01, equilibrium=2.0)
    turns = record_turns(game)
    fit(game, 3)
    assert {player for player, _ in turns} == {"encoder and generator and discriminator"}
    assert game.margin is None


def test_what_is_printed_is_loaded_from_its_checkpoint(tmp_path: Path) -> None:
    fit(game := make_vae_gan(VAEGANPrinted, gamma=0.2), 1, **saving(tmp_path))
    networks = {name: getattr(make_vae_gan(), name) for name in ("encoder", "generator", "discriminator", "prior")}
    loaded = VAEGANPrinted.load_from_checkpoint(tmp_path / "step=1.ckpt", **networks)
    assert (loaded.gamma, loaded.margin) == (0.2, None)
    assert furthest(state(loaded), state(game)) == 0


def test_the_terms_that_are_logged_are_those_of_the_losses() -> None:
    game, logged = make_vae_gan(gamma=0.3), {}
    game.log_dict = lambda values, **_: logged.update(values)  # type: ignore[method-assign,assignment]
    seen = record_arguments(game, "losses")
    fit(game, 1, log_every_n_steps=1)
    expected = {player: loss.item() for player, loss in reference_losses(make_vae_gan(gamma=0.3), *seen[0]).items()}
    assert {player: logged[f"loss/{player}"] for player in expected} == pytest.approx(expected, rel=1e-5)
    names = ("L_prior", "L_llike", "cost_real", "cost_generated")
    prior, llike, real, made = (logged[f"loss/encoder/{name}"] for name in names)
    assert prior + llike == pytest.approx(expected["encoder"], rel=1e-5)
    assert (real + made) / 2 == pytest.approx(expected["discriminator"], rel=1e-5)


# What reaches whom


def step_with(paper: type[VAEGAN] = VAEGAN, **settings: Any) -> dict[str, Tensor]:
    """The state after one step."""
    fit(game := make_vae_gan(paper, **sgd, **{"margin": None, **settings}), 1)
    return state(game)


def changed(one: dict[str, Tensor], other: dict[str, Tensor]) -> set[str]:
    return {name.partition(".")[0] for name in one if not torch.equal(one[name], other[name])}


def test_the_reconstruction_error_reaches_the_encoder_and_the_generator_but_not_the_discriminator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual, likelihood = step_with(gamma=0.5), VAEGAN.likelihood
    monkeypatch.setattr(VAEGAN, "likelihood", lambda *args: 3 * likelihood(*args))
    assert changed(usual, step_with(gamma=0.5)) == {"encoder", "generator"}


@pytest.mark.parametrize("paper", [VAEGAN, VAEGANPrinted])
def test_the_adversarial_loss_never_reaches_the_encoder(paper: type[VAEGAN], monkeypatch: pytest.MonkeyPatch) -> None:
    usual, discriminate = step_with(paper), paper.discriminate
    monkeypatch.setattr(paper, "discriminate", lambda *args: tuple(3 * logits for logits in discriminate(*args)))
    assert changed(usual, step_with(paper)) == {"generator", "discriminator"}


def test_the_divergence_reaches_the_encoder_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    usual, kl = step_with(), DiagonalNormal.kl_to_normal
    monkeypatch.setattr(DiagonalNormal, "kl_to_normal", lambda *args: 3 * kl(*args))
    assert changed(usual, step_with()) == {"encoder"}


def test_gamma_is_no_matter_to_the_encoder_and_the_discriminator() -> None:
    assert changed(step_with(gamma=0.1), step_with(gamma=0.9)) == {"generator"}


def test_what_is_compared_goes_through_batch_norm_together() -> None:
    game = make_vae_gan(discriminator=VAEGANMLP(2, 1, (16,)), feature_layer="norm1")
    x, again = POINTS[:16], POINTS[16:] / 2
    both = game.discriminator.features(torch.cat([x, again]), ["norm1", "output"])
    torch.testing.assert_close(game.likelihood(x, again), ((both[0][:16] - both[0][16:]) ** 2 / 2).sum(dim=1).mean())
    torch.testing.assert_close(torch.cat(game.discriminate(x, again, x)), both[1])
    printed = make_vae_gan(VAEGANPrinted, discriminator=game.discriminator)
    all_three = game.discriminator(torch.cat([x, again, x / 3]))
    torch.testing.assert_close(torch.cat(printed.discriminate(x, again, x / 3)), all_three)


# Who moves

GATES = {
    "balanced": ((0.7, 0.7), (True, True)),
    "real too easy": ((0.2, 0.7), (True, False)),
    "generated too easy": ((0.7, 0.2), (True, False)),
    "real too hard": ((1.1, 0.7), (False, True)),
    "generated too hard": ((0.7, 1.1), (False, True)),
    "one too easy and one too hard": ((0.1, 1.5), (True, True)),
    "not a number": ((math.nan, 0.7), (True, True)),
}


@pytest.mark.parametrize(("costs", "moves"), GATES.values(), ids=GATES)
def test_the_player_that_is_ahead_sits_out(costs: tuple[float, float], moves: tuple[bool, bool]) -> None:
    assert make_vae_gan().gates(torch.tensor(costs)) == dict(zip(("generator", "discriminator"), moves, strict=True))


@pytest.mark.parametrize("margin", [0.35, None])
def test_a_step_waits_for_the_device_only_where_it_has_a_margin(margin: float | None) -> None:
    """A graph, which cannot wait, must see it."""
    game = make_vae_gan(margin=margin)
    with Operations() as trace:
        game.losses(POINTS, POINTS, POINTS)
    assert bool(trace.waits) == (margin is not None)


def test_without_a_margin_nothing_is_asked_of_the_costs() -> None:
    game = make_vae_gan(margin=None, equilibrium=2.0)
    game.gates = None  # type: ignore[assignment]
    turns = record_turns(game)
    fit(game, 2)
    assert {player for player, _ in turns} == {"encoder and generator and discriminator"}


@pytest.mark.parametrize(
    ("settings", "sits_out"),
    [({"equilibrium": 2.0, "margin": 0.1}, "discriminator"), ({"equilibrium": 0.2, "margin": 0.1}, "generator")],
)
def test_a_player_that_sits_out_keeps_still_and_that_is_logged(settings: dict[str, float], sits_out: str) -> None:
    before, logged = state(make_vae_gan()), {}
    game = make_vae_gan(**sgd, **settings)
    turns = record_turns(game)
    game.log_dict = lambda values, **_: logged.update(values)  # type: ignore[method-assign,assignment]
    fit(game, 4, log_every_n_steps=4)
    assert changed(before, state(game)) == {"encoder", "generator", "discriminator"} - {sits_out}
    assert all(sits_out not in players for players, _ in turns)
    shares = {name: float(logged[f"loss/encoder/sits_out_{name}"]) for name in ("generator", "discriminator")}
    assert shares == {"generator": sits_out == "generator", "discriminator": sits_out == "discriminator"}
    assert 0.3 < float(logged["loss/encoder/cost_real"]) < 1.5
    assert f"loss/{sits_out}" not in logged


def test_the_gated_game_of_the_tests_has_somebody_sit_out() -> None:
    game = GAMES["vae_gan gated"]()
    turns = record_turns(game)
    fit(game, 6)
    assert {players for players, _ in turns} != {"encoder and generator and discriminator"}


# At the doors


def test_encoding_gives_the_mean_or_a_draw() -> None:
    game = make_vae_gan()
    x = 4 * POINTS - 2
    mean, log_variance = game.encoder(game.normalize(x)).chunk(2, dim=1)
    torch.testing.assert_close(game.encode(x), mean)
    epsilon = torch.randn(32, 2, generator=torch.Generator().manual_seed(4))
    drawn = game.encode(x, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(drawn, mean + (log_variance / 2).exp() * epsilon)


def test_features_are_those_of_the_discriminator() -> None:
    game = make_image_vae_gan()
    x = torch.rand(3, *IMAGE) * 2 - 1
    (found,) = game.features(x, ["conv2"])
    torch.testing.assert_close(found, game.discriminator.features((x + 1) / 2, ["conv2"])[0])


# What is refused


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"gamma": 1.5}, "gamma is 1.5"),
        ({"gamma": -0.1}, "gamma is -0.1"),
        ({"gamma": math.nan}, "gamma is nan"),
        ({"margin": 0.0}, "margin is 0.0"),
        ({"equilibrium": -1.0}, "equilibrium"),
        ({"prior": Uniform(2)}, "normal prior only.*set prior to Normal"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        make_vae_gan(**wrong)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"encoder": MLP(2, 2, (16,))}, "encoder gives 2 numbers a sample.*takes 4"),
        ({"discriminator": nn.Linear(2, 1)}, r"VAEGAN cannot take a step on grid25 \(2\): VAEGAN\.losses fails.*features"),
        ({"discriminator": MLP(3, 1, (16,))}, r"VAEGAN\.losses fails"),
        ({"feature_layer": "conv7"}, "conv7.*hidden1"),
    ],
)
def test_networks_that_do_not_fit_are_refused_before_anything_is_learnt(wrong: dict[str, Any], sentence: str) -> None:
    game = make_vae_gan(**wrong)
    before = state(game)
    with pytest.raises(InputError, match=sentence):
        fit(game, 2)
    assert furthest(state(game), before) == 0


def two_hidden_layers() -> MLP:
    return MLP(2, 1, (16, 16))


CHANGES = COMMON | {
    "encoder": ({}, {"encoder": MLP(2, 4, (8,))}),
    "generator": ({}, {"generator": MLP(2, 2, (8,), output="sigmoid")}),
    "discriminator": ({}, {"discriminator": MLP(2, 1, (8,))}),
    "prior": ({}, {"prior": Normal(2, std=2.0)}),
    "gamma": ({}, {"gamma": 0.5}),
    "feature_layer": ({"discriminator": two_hidden_layers()}, {"feature_layer": "hidden1"}),
    "margin": ({"equilibrium": 0.75}, {"margin": 0.1}),
    "equilibrium": ({}, {"equilibrium": 2.0}),
}


def test_every_argument_is_in_the_table_of_changes() -> None:
    assert arguments(VAEGAN) == set(CHANGES)


@pytest.mark.parametrize("name", CHANGES)
def test_every_argument_matters(name: str) -> None:
    assert matters(make_vae_gan, *CHANGES[name])


# That it learns


def test_it_learns_to_reconstruct_digits_and_to_make_some() -> None:
    """Shares of the variance of test digits: the error of their mean is 1."""
    torch.manual_seed(0)
    networks = {
        "encoder": VAEGANMLP(IMAGE, 32, (128,)),
        "generator": VAEGANMLP(16, IMAGE, (128,), output="sigmoid"),
        "discriminator": MLP(IMAGE, 1, (256,)),
    }
    adam = partial(Adam, lr=1e-3, beta1=0.5)
    game = VAEGAN(**networks, prior=Normal(16), gamma=0.3, optimizer=adam)  # type: ignore[arg-type]
    fit(game, 500, data := Images("digits", batch_size=50))
    game.eval()
    x = data.real("test")
    with torch.no_grad():
        error = (game.decode(game.encode(x)) - x).square().mean()
        made = game.sample(500, generator=torch.Generator().manual_seed(0))
    spread = x.var(dim=0).mean()
    assert error / spread < 0.55
    assert 0.5 < made.var(dim=0).mean() / spread < 1.5
