"""MDGAN against its formulas, written out in plain torch."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from lightning_gans import MDGAN, MLP, Adam, Images, InputError, MDGANByGAAN, Uniform
from tests.games.mdgan import make_mdgan
from tests.helpers import COMMON, Noise, arguments, fit, furthest, matters, record_arguments, record_turns, sgd_step, state

POINTS = torch.rand(32, 2, generator=torch.Generator().manual_seed(3))
SGD = {"optimizer": partial(torch.optim.SGD, lr=0.1)}


def cross_entropy(logits: Tensor, label: float) -> Tensor:
    probability = logits.sigmoid()
    return -(label * probability.log() + (1 - label) * (1 - probability).log()).mean()


@pytest.mark.parametrize("paper", [MDGAN, MDGANByGAAN])
@pytest.mark.parametrize("lambda_m", [0.0, 0.01, 3.0])
def test_a_batch_is_four_steps_by_their_formulas(lambda_m: float, paper: type[MDGAN]) -> None:
    game = make_mdgan(paper, lambda_m=lambda_m, **SGD)
    batches = record_arguments(game, "step")
    fit(game, 2)
    reference = make_mdgan()
    E, G = reference.encoder, reference.generator
    D1, D2 = reference.manifold_discriminator, reference.diffusion_discriminator
    for step, (batch,) in enumerate(batches):
        x, noise = batch.images, Noise(reference.prior, step)
        sgd_step([D1], cross_entropy(D1(x), 1) + cross_entropy(D1(G(E(x)).detach()), 0))
        again = G(E(x))
        if paper is MDGAN:
            sgd_step([E, G], ((x - again) ** 2).mean() + lambda_m * cross_entropy(D1(again), 1))
        else:
            sgd_step([E, G], ((x - again) ** 2).sum(dim=1).mean() - lambda_m * D1(again).sigmoid().mean())
        sgd_step([D2], cross_entropy(D2(G(E(x)).detach()), 1) + cross_entropy(D2(G(noise.z()).detach()), 0))
        sgd_step([G], cross_entropy(D2(G(noise.z())), 1))
    assert furthest(state(game), state(reference)) < 1e-6


@pytest.mark.parametrize(("paper", "distance", "adversarial"), [(MDGAN, 1.25, 0.6931472), (MDGANByGAAN, 2.5, -0.5)])
def test_the_terms_of_the_manifold_step_on_numbers_that_can_be_checked_by_hand(
    paper: type[MDGAN], distance: float, adversarial: float
) -> None:
    def constant(*value: float) -> nn.Module:
        layer = nn.Linear(2, len(value))
        nn.init.zeros_(layer.weight)
        layer.bias.data = torch.tensor(value)
        return layer

    networks = {"encoder": constant(0.0, 0.0), "generator": constant(0.5, 1.0), "manifold_discriminator": constant(0.0)}
    x = torch.tensor([[0.5, 0.0], [0.5, 3.0]])  # squared distances 1 and 4
    loss, terms = make_mdgan(paper, **networks, lambda_m=0.1).autoencoder_loss(x)  # type: ignore[arg-type]
    torch.testing.assert_close(terms, {"distance": torch.tensor(distance), "adversarial": torch.tensor(adversarial)})
    torch.testing.assert_close(loss, torch.tensor(distance + 0.1 * adversarial))


# Which networks move, and which way

TURNS = [
    ("manifold_discriminator", ["manifold_discriminator"]),
    ("autoencoder", ["encoder", "generator"]),
    ("diffusion_discriminator", ["diffusion_discriminator"]),
]


def test_each_turn_moves_its_own_networks_alone() -> None:
    turns = record_turns(game := make_mdgan())
    fit(game, 2)
    assert turns == [*TURNS, ("generator", ["generator"])] * 2


def test_the_generator_moves_with_an_optimiser_of_its_own_in_each_of_its_steps() -> None:
    still = partial(torch.optim.SGD, lr=0.0)
    for player, moved in {"autoencoder": [], "generator": ["encoder", "generator"]}.items():
        turns = record_turns(game := make_mdgan(optimizers={player: still}))
        fit(game, 1)
        assert dict(turns)[player] == []
        assert dict(turns)["autoencoder"] == moved


def test_no_gradient_reaches_what_a_term_is_not_for() -> None:
    """Also without anything frozen, as far as the losses themselves can see to it."""
    game = make_mdgan()
    z = game.prior.sample(32, torch.Generator().manual_seed(0))
    terms = game.autoencoder_loss(POINTS)[1]
    networks = {name: list(network.parameters()) for name, network in game.named_children()}

    def reached(term: Tensor) -> set[str]:
        found = set()
        for name, parameters in networks.items():
            gradients = torch.autograd.grad(term, parameters, retain_graph=True, allow_unused=True)
            found |= {name} if any(g is not None and g.abs().sum() > 0 for g in gradients) else set()
        return found

    assert reached(terms["distance"]) == {"encoder", "generator"}
    assert reached(terms["adversarial"]) == {"encoder", "generator", "manifold_discriminator"}
    assert reached(game.generator_loss(z)) == {"generator", "diffusion_discriminator"}
    assert reached(game.manifold_loss(POINTS)) == {"encoder", "generator", "manifold_discriminator"}


@pytest.mark.parametrize("paper", [MDGAN, MDGANByGAAN])
def test_a_step_of_the_autoencoder_raises_the_opinion_of_its_reconstructions(paper: type[MDGAN]) -> None:
    game = make_mdgan(paper)
    D1 = game.manifold_discriminator
    before = D1(game.reconstruct(POINTS)).sigmoid().mean()
    sgd_step([game.encoder, game.generator], game.autoencoder_loss(POINTS)[1]["adversarial"], 0.5)
    assert D1(game.reconstruct(POINTS)).sigmoid().mean() > before + 1e-3


def test_the_diffusion_step_takes_reconstructions_for_real_and_the_samples_for_made_up() -> None:
    """D2's own step lowers its loss on them; with the labels turned around it would raise it."""
    game = make_mdgan(optimizers={name: partial(torch.optim.SGD, lr=0.0) for name in ("autoencoder", "generator")}, **SGD)
    fit(game, 40)
    z = game.prior.sample(500, torch.Generator().manual_seed(0))
    x = torch.rand(500, 2)
    D2 = game.diffusion_discriminator
    assert D2(game.reconstruct(x)).mean() > D2(game.generator(z)).mean() + 0.01


# Settings


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_the_weight_must_be_a_number_of_at_least_zero(value: float) -> None:
    with pytest.raises(InputError, match="lambda_m"):
        make_mdgan(lambda_m=value)


@pytest.mark.parametrize(
    ("name", "loss"), [("manifold_discriminator", "manifold_loss"), ("diffusion_discriminator", "diffusion_loss")]
)
def test_a_discriminator_of_other_data_is_refused_before_training(name: str, loss: str) -> None:
    game = make_mdgan(**{name: MLP(3, 1)})
    before = state(game)
    with pytest.raises(InputError, match=rf"MDGAN cannot take a step on grid25 \(2\): for the {name} MDGAN\.{loss} fails"):
        fit(game, 1)
    assert furthest(state(game), before) == 0


CHANGES = COMMON | {
    "encoder": ({}, {"encoder": MLP(2, 2, (8,))}),
    "generator": ({}, {"generator": MLP(2, 2, (8,), output="sigmoid")}),
    "manifold_discriminator": ({}, {"manifold_discriminator": MLP(2, 1, (8,))}),
    "diffusion_discriminator": ({}, {"diffusion_discriminator": MLP(2, 1, (8,))}),
    "lambda_m": ({}, {"lambda_m": 1.0}),
}


def test_every_argument_is_in_the_table_of_changes() -> None:
    assert arguments(MDGAN) == set(CHANGES)


@pytest.mark.parametrize("name", CHANGES)
def test_every_argument_matters(name: str) -> None:
    assert matters(make_mdgan, *CHANGES[name])


def test_it_learns_to_reconstruct_digits_and_its_samples_do_not_collapse() -> None:
    torch.manual_seed(0)
    shape = (1, 8, 8)
    game = MDGAN(
        MLP(shape, 16, (128,)),
        MLP(16, shape, (128,), output="sigmoid"),
        MLP(shape, 1, (64,)),
        MLP(shape, 1, (64,)),
        Uniform(16),
        optimizer=partial(Adam, lr=2e-3, beta1=0.5),
    )
    data = Images("digits", batch_size=64)
    fit(game, 300, data)
    real = data.real("test")
    with torch.no_grad():
        again = game.decode(game.encode(real))
        drawn = game.sample(500, generator=torch.Generator().manual_seed(0))
    of_the_mean = (real - real.mean(dim=0)).square().mean()
    assert (again - real).square().mean() < 0.5 * of_the_mean
    distance = nn.functional.pdist(drawn.flatten(1)).mean() / nn.functional.pdist(real.flatten(1)).mean()
    assert 0.5 < distance < 1.5
