"""The clustering AAE against its formulas, written out in plain torch."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_gans import (
    AAE,
    MLP,
    Adam,
    Apart,
    Categorical,
    ClusterHeads,
    ClusteringAAE,
    Images,
    InputError,
    Layer,
    LayerTable,
    Normal,
    Product,
)
from tests.games.clustering_aae import CLUSTERS, STYLE, make_clustering_aae, make_gaussian_clustering_aae, make_reducing_aae
from tests.helpers import arguments, fit, furthest, record_arguments, record_turns, sgd_step, state
from tests.papers.test_aae import SGD, reconstruction, regularisation


def plain(game: AAE, x: Tensor, _: Tensor) -> Tensor:
    numbers = game.encoder(x)
    return torch.cat([numbers[:, :CLUSTERS].exp() / numbers[:, :CLUSTERS].exp().sum(1, keepdim=True), numbers[:, CLUSTERS:]], 1)


def with_drawn_style(game: AAE, x: Tensor, epsilon: Tensor) -> Tensor:
    logits, mean, log_variance = game.encoder(x).split([CLUSTERS, STYLE, STYLE], 1)
    return torch.cat([logits.softmax(1), mean + (log_variance / 2).exp() * epsilon], 1)


@pytest.mark.parametrize(
    ("make", "code"),
    [(make_clustering_aae, plain), (make_gaussian_clustering_aae, with_drawn_style)],
    ids=["deterministic", "gaussian"],
)
def test_a_batch_is_three_steps_by_their_formulas(make: Any, code: Any) -> None:
    game = make(lambda_r=2.0, **SGD)
    of_r, of_d, of_e = (record_arguments(game, f"{name}_loss") for name in ("autoencoder", "discriminator", "encoder"))
    fit(game, 2)
    reference = make()
    for given, of_discriminator, of_encoder in zip(of_r, of_d, of_e, strict=True):
        reconstruction(reference, code, lambda error: 2 * error.square().mean(), *given)
        regularisation(reference, code, of_discriminator, of_encoder)
    assert furthest(state(game), state(reference)) < 1e-6


def test_category_and_style_are_judged_apart() -> None:
    game, z = make_clustering_aae(), torch.randn(8, CLUSTERS + STYLE)
    of_category, of_style = game.latent_discriminator.networks
    expected = torch.cat([of_category(z[:, :CLUSTERS]), of_style(z[:, CLUSTERS:])], 1)
    torch.testing.assert_close(game.latent_discriminator(z), expected)


def test_noise_is_a_one_hot_category_and_a_style() -> None:
    game = make_clustering_aae()
    of_d = record_arguments(game, "discriminator_loss")
    fit(game, 1)
    y, style = of_d[0][1].split([CLUSTERS, STYLE], 1)
    assert (y.sort(1).values == torch.eye(CLUSTERS)[-1].sort().values).all()
    assert 0.5 < style.std() < 1.5


def test_each_turn_moves_its_own_networks_alone() -> None:
    turns = record_turns(game := make_clustering_aae())
    fit(game, 1)
    names = [("autoencoder", ["encoder", "generator"]), ("discriminator", ["latent_discriminator"]), ("encoder", ["encoder"])]
    assert turns == names


def test_classes_are_the_logits_of_the_category_of_the_code() -> None:
    for game in (make_clustering_aae(), make_gaussian_clustering_aae()):
        points = torch.randn(6, 2)
        torch.testing.assert_close(game.classify(points).softmax(1), game.encode(points)[:, :CLUSTERS])
        drawn = game.encode(points, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(drawn[:, :CLUSTERS], game.encode(points)[:, :CLUSTERS])


def test_it_tells_digits_apart_without_labels() -> None:
    torch.manual_seed(1)
    networks = MLP((1, 8, 8), 16 + 2, (128, 128), norm="batch"), MLP(16 + 2, (1, 8, 8), (128, 128), output="sigmoid")
    of_category = LayerTable(16, [Layer(64, noise=0.3, activation="relu"), Layer(1)])
    prior = Product({"category": Categorical(16), "style": Normal(2)})
    judges = Apart([of_category, MLP(2, 1, (64,))], [16, 2])
    game = ClusteringAAE(*networks, judges, prior, optimizer=partial(Adam, lr=1e-3, beta1=0.5))
    fit(game, 400, data := Images("digits", batch_size=100))
    found = game.eval().classify(data.real("test")).argmax(1)
    table = torch.zeros(16, 10).index_put_((found, data.labels("test")), torch.ones(len(found)), accumulate=True)
    assert table.amax(1).sum() / len(found) > 0.5  # of the commonest digit of each cluster; by chance 0.1
    assert (table.sum(1) > 0).sum() >= 14


# Dimensionality reduction


def test_heads_and_style_are_added_up() -> None:
    heads = ClusterHeads(MLP(3, 2, (4,)), 4, 3)
    z = torch.randn(5, 7)
    expected = z[:, :4] @ heads.heads + z[:, 4:]
    torch.testing.assert_close(heads.codes(z), expected)
    torch.testing.assert_close(heads(z), heads.network(expected))
    torch.testing.assert_close(heads.features(z, ["hidden1"])[0], heads.network.features(expected, ["hidden1"])[0])


def test_crowding_is_how_much_nearer_than_apart_pairs_of_heads_are() -> None:
    heads = ClusterHeads(MLP(2, 2, (4,)), 3, 2, apart=2.0)
    with torch.no_grad():
        heads.heads.copy_(torch.tensor([[0.0, 0.0], [0.6, 0.8], [5.0, 0.0]]))
    torch.testing.assert_close(heads.crowding(), torch.tensor(1.0))  # of the first two alone, which are 1 from each other
    (gradient,) = torch.autograd.grad(heads.crowding(), heads.heads)
    torch.testing.assert_close(gradient, torch.tensor([[0.6, 0.8], [-0.6, -0.8], [0.0, 0.0]]))


def test_heads_in_one_place_have_a_finite_gradient() -> None:
    heads = ClusterHeads(MLP(2, 2, (4,)), 3, 2)
    with torch.no_grad():
        heads.heads.zero_()
    assert torch.autograd.grad(heads.crowding(), heads.heads)[0].isfinite().all()


def test_the_reconstruction_has_the_crowding_and_trains_the_heads() -> None:
    game = make_reducing_aae(**SGD)
    of_r = record_arguments(game, "autoencoder_loss")
    fit(game, 1)
    reference = make_reducing_aae()
    x, epsilon = of_r[0]
    again = reference.generator(plain(reference, x, epsilon))
    sgd_step([reference.encoder, reference.generator], (again - x).square().mean() + reference.generator.crowding())
    torch.testing.assert_close(game.generator.heads, reference.generator.heads)


@pytest.mark.parametrize(
    "prior",
    [
        Normal(4),
        Product({"style": Normal(2), "category": Categorical(5)}),
        Product({"category": Normal(5), "style": Normal(2)}),
        Product({"category": Categorical(5)}),
    ],
)
def test_priors_of_other_parts_are_refused(prior: Any) -> None:
    with pytest.raises(InputError, match=r"prior of ClusteringAAE is a Product of two parts, .*set prior\.parts"):
        make_clustering_aae(prior=prior)


def test_judges_that_do_not_fit_the_latent_are_refused() -> None:
    with pytest.raises(InputError, match=r"parts of \[5, 3\] numbers are judged, but there are 7; set widths"):
        fit(make_clustering_aae(latent_discriminator=Apart([MLP(5, 1, (4,)), MLP(3, 1, (4,))], [5, 3])), 1)
    with pytest.raises(InputError, match="1 networks for 2 parts; give one network and one width"):
        Apart([MLP(5, 1, (4,))], [5, 3])


def test_it_takes_what_the_plain_one_takes() -> None:
    assert arguments(ClusteringAAE) == arguments(AAE)
