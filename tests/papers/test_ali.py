"""ALI against its formulas, written out in plain torch, and what descends from it."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lightning_gans import ALI, MLP, InputError, PairNetwork
from tests.games.ali import make_ali, make_image_ali, make_implicit_ali, pairs
from tests.helpers import COMMON, Noise, arguments, fit, furthest, matters, record_arguments, record_turns, sgd_step, state

sgd = {"optimizer": partial(torch.optim.SGD, lr=0.1), "scheduler": None}


class PairNoise(Noise):
    """ALI draws z, and noise of the posterior."""

    def normal(self, width: int) -> Tensor:
        return torch.randn(self.n, width, generator=self._generator())


def log_sigmoid(logits: Tensor) -> Tensor:
    return logits.sigmoid().log().mean()


def code(game: ALI, x: Tensor, epsilon: Tensor) -> Tensor:
    """Mean and exp(log sigma), not exp(log variance / 2)."""
    mu, log_sigma = game.encoder(x).chunk(2, dim=1)
    return mu + log_sigma.exp() * epsilon


def losses(game: ALI, x: Tensor, z: Tensor, epsilon: Tensor) -> tuple[Tensor, Tensor]:
    """Of D, and of E and G; D without layers over the batch."""
    D = game.joint_discriminator
    real, fake = D(x, code(game, x, epsilon)), D(game.generator(z), z)
    return -log_sigmoid(real) - log_sigmoid(-fake), -log_sigmoid(-real) - log_sigmoid(fake)


@pytest.mark.parametrize("scale", [1.0, 0.5])
@pytest.mark.parametrize("one_pass", [True, False])
def test_both_players_move_at_once_by_algorithm_1(one_pass: bool, scale: float) -> None:
    seen = record_arguments(game := make_ali(one_pass=one_pass, scale=scale, **sgd), "training_step")
    fit(game, 2)
    reference = make_ali()
    E, G, D = reference.encoder, reference.generator, reference.joint_discriminator
    for step, (batch, _) in enumerate(seen):
        noise = PairNoise(reference.prior, step)
        of = zip(losses(reference, batch.images, noise.z(), noise.normal(2)), ([D], [E, G]), strict=True)
        owned = [(loss, [p for network in networks for p in network.parameters()]) for loss, networks in of]
        gradients = [(p, torch.autograd.grad(scale * loss, p, retain_graph=True)) for loss, p in owned]
        with torch.no_grad():
            for parameters, found in gradients:
                for parameter, gradient in zip(parameters, found, strict=True):
                    parameter -= 0.1 * gradient
    assert furthest(state(game), state(reference)) < 1e-6


def test_players_that_alternate_have_noise_of_their_own() -> None:
    turns = record_turns(game := make_ali(simultaneous=False, **sgd))
    seen = record_arguments(game, "training_step")
    fit(game, 1)
    reference = make_ali()
    noise, x = PairNoise(reference.prior), seen[0][0].images
    sgd_step([reference.joint_discriminator], losses(reference, x, noise.z(), noise.normal(2))[0])
    sgd_step([reference.encoder, reference.generator], losses(reference, x, noise.z(), noise.normal(2))[1])
    assert furthest(state(game), state(reference)) < 1e-6
    assert turns == [("discriminator", ["joint_discriminator"]), ("autoencoder", ["encoder", "generator"])]


def test_each_pair_trains_the_network_that_is_in_it_alone() -> None:
    game = make_ali()
    real, fake = game.judged(torch.rand(8, 2), torch.randn(8, 2), torch.randn(8, 2))
    for logits, mine, others in ((real, game.encoder, game.generator), (fake, game.generator, game.encoder)):
        loss = logits.sum()
        assert not any(g.any() for g in torch.autograd.grad(loss, [*others.parameters()], retain_graph=True))
        assert all(g.abs().sum() > 0 for g in torch.autograd.grad(loss, [*mine.parameters()], retain_graph=True))


def normed(**settings: Any) -> ALI:
    torch.manual_seed(9)
    return make_ali(joint_discriminator=pairs(norm="batch"), **settings)


def test_batch_norm_of_the_discriminator_is_over_both_kinds_of_pairs() -> None:
    torch.manual_seed(5)
    x, z, epsilon = torch.rand(8, 2), torch.randn(8, 2), torch.randn(8, 2)
    together, apart = normed().judged(x, z, epsilon), normed(one_pass=False).judged(x, z, epsilon)
    by_hand = normed()
    D = by_hand.joint_discriminator
    both = D(torch.cat([x, by_hand.generator(z)]), torch.cat([code(by_hand, x, epsilon), z]))
    torch.testing.assert_close(torch.cat(together), both)
    assert not torch.allclose(together[0], apart[0], atol=1e-2)


def test_accuracies_are_logged_as_the_authors_have_them() -> None:
    game = make_ali()
    given = torch.rand(8, 2), torch.randn(8, 2), torch.randn(8, 2)
    real, fake = game.judged(*given)
    told = game.both_losses(*given)["discriminator"][1]
    torch.testing.assert_close(told["real_accuracy"], real.sigmoid().mean())
    torch.testing.assert_close(told["fake_accuracy"], (1 - fake.sigmoid()).mean())


def test_a_code_is_its_mean_or_a_draw() -> None:
    game, x = make_ali(), torch.rand(64, 2) * 8 - 4
    mu, log_sigma = game.encoder(game.normalize(x)).chunk(2, dim=1)
    torch.testing.assert_close(game.encode(x), mu)
    epsilon = torch.randn(64, 2, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(game.encode(x, generator=torch.Generator().manual_seed(3)), mu + log_sigma.exp() * epsilon)


def test_an_implicit_posterior_is_the_encoder_given_noise() -> None:
    game, x = make_implicit_ali(), torch.rand(64, 2) * 8 - 4
    epsilon = torch.randn(64, 2, generator=torch.Generator().manual_seed(3))
    drawn = game.encode(x, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(drawn, game.encoder(game.normalize(x), epsilon))
    torch.testing.assert_close(game.encode(x), game.encoder(game.normalize(x), torch.zeros(64, 2)))
    assert [layer.shape for layer in game.features(x, ["hidden1"])] == [(64, 16)]


def test_a_deterministic_posterior_has_no_noise() -> None:
    game = make_ali(encoder=MLP(2, 2, (16,)), posterior="deterministic")
    assert game.inference.width == 0
    x = torch.rand(4, 2)
    assert torch.equal(game.encode(x), game.encode(x, generator=torch.Generator().manual_seed(1)))


def test_an_implicit_posterior_needs_an_encoder_that_takes_noise() -> None:
    with pytest.raises(InputError, match="implicit posterior is given noise; set it to a Conditioned network"):
        make_ali(posterior="implicit")


def test_an_encoder_without_scales_is_refused_before_training() -> None:
    with pytest.raises(InputError, match=r"2 numbers a sample.*log-sigmas; set the encoder's outputs"):
        fit(make_ali(encoder=MLP(2, 2, (16,))), 2)


@pytest.mark.parametrize("wrong", [{"scale": 0.0}, {"scale": float("nan")}, {"posterior": "normal"}])
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        make_ali(**wrong)


CHANGES = COMMON | {
    "optimizers": ({}, {"optimizers": {"discriminator": partial(torch.optim.SGD, lr=0.2)}}),
    "encoder": ({}, {"encoder": MLP(2, 4, (8,))}),
    "generator": ({}, {"generator": MLP(2, 2, (8,), output="sigmoid")}),
    "joint_discriminator": ({}, {"joint_discriminator": PairNetwork(MLP(4, 1, (8,)))}),
    "simultaneous": ({}, {"simultaneous": False}),
    "one_pass": ({"joint_discriminator": pairs(norm="batch")}, {"one_pass": False}),
    "scale": ({}, {"scale": 0.5}),
}


def test_every_argument_is_in_the_table_of_changes() -> None:
    assert arguments(ALI) == {*CHANGES, "posterior"}


@pytest.mark.parametrize("name", CHANGES)
def test_every_argument_matters(name: str) -> None:
    assert matters(make_ali, *CHANGES[name])


def test_the_posterior_matters() -> None:
    x, epsilon = torch.rand(8, 2), torch.ones(8, 2)
    of: dict[str, nn.Module] = {"deterministic": MLP(2, 2, (16,)), "gaussian": MLP(2, 4, (16,))}
    drawn = {kind: make_ali(encoder=E, posterior=kind) for kind, E in of.items()}
    at = [[game.inference.draw(game.encoder, x, noise) for noise in (epsilon, 0 * epsilon)] for game in drawn.values()]
    shift = [one - other for one, other in at]
    assert torch.equal(shift[0], torch.zeros(8, 2))
    assert float(shift[1].abs().min()) > 0


def test_images_meet_networks_in_the_manner_of_the_tables() -> None:
    game = make_image_ali()
    real, fake = game.judged(torch.rand(3, 1, 8, 8), torch.randn(3, 4), torch.randn(3, 4))
    assert real.shape == fake.shape == (3, 1)
