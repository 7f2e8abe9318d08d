"""Priors of named parts, categorical codes, and draws by label."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
import yaml
from jsonargparse import ArgumentParser
from scipy import stats
from torch import Tensor

from lightning_gans.errors import InputError
from lightning_gans.labelled_priors import Categorical, MixtureOfGaussians
from lightning_gans.priors import Empirical, Normal, Prior, Uniform
from lightning_gans.product import Product


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def info_gan() -> Product:
    return Product({"noise": Uniform(6), "digit": Categorical(10), "style": Normal(2)})


def test_a_categorical_draw_is_one_hot_and_every_class_as_likely() -> None:
    z = Categorical(5).sample(20_000, generator())
    assert z.shape == (20_000, 5)
    assert z.dtype == torch.float32
    assert z.unique().tolist() == [0, 1]
    assert bool((z.sum(1) == 1).all())
    assert stats.chisquare(z.sum(0).numpy()).pvalue > 1e-3


def test_a_categorical_log_probability_is_that_of_a_corner() -> None:
    z = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.5, 0.5], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    assert Categorical(3).log_prob(z).tolist() == pytest.approx([-math.log(3)] + 3 * [-math.inf])


def test_a_categorical_way_stays_on_corners_and_jumps_half_way() -> None:
    prior = Categorical(4)
    a, b = prior.sample(30, generator()), prior.sample(30, generator(1))
    way = prior.interpolate(a, b, 6)
    assert bool(prior.log_prob(way.flatten(0, 1)).isfinite().all())
    assert torch.equal(way[:3], a.expand(3, -1, -1))
    assert torch.equal(way[3:], b.expand(3, -1, -1))
    soft = torch.tensor([[0.2, 0.1, 0.6, 0.1]])
    assert prior.project(soft).tolist() == [[0, 0, 1, 0]]
    assert torch.equal(prior.project(a), a)


def test_the_parts_of_a_product_are_its_slices() -> None:
    prior = info_gan()
    z = prior.sample(2000, generator())
    assert (prior.dim, z.shape) == (18, (2000, 18))
    assert prior.slices == {"noise": slice(0, 6), "digit": slice(6, 16), "style": slice(16, 18)}
    parts = prior.split(z)
    assert all(torch.equal(parts[name], z[:, place]) for name, place in prior.slices.items())
    assert stats.kstest(parts["noise"].flatten().numpy(), stats.uniform(-1, 2).cdf).pvalue > 0.01
    assert stats.kstest(parts["style"].flatten().numpy(), stats.norm.cdf).pvalue > 0.01
    assert bool((parts["digit"].sum(1) == 1).all())
    correlations = torch.corrcoef(torch.cat([parts["noise"], parts["style"]], 1).T) - torch.eye(8)
    assert correlations.abs().max() < 5 / 2000**0.5


def test_densities_add_up_and_ways_and_projections_are_each_parts_own() -> None:
    prior = info_gan()
    a, b = prior.sample(7, generator()), prior.sample(7, generator(1))
    parts, others = prior.split(a), prior.split(b)
    expected = sum(part.log_prob(parts[name]) for name, part in prior.parts.items())
    torch.testing.assert_close(prior.log_prob(a), expected)
    way = prior.interpolate(a, b, 5)
    projected = prior.project(a + 0.1)
    for name, part in prior.parts.items():
        assert torch.equal(way[:, :, prior.slices[name]], part.interpolate(parts[name], others[name], 5))
        assert torch.equal(projected[:, prior.slices[name]], part.project(parts[name] + 0.1))
    assert bool(prior.log_prob(way.flatten(0, 1)).isfinite().all())


LABELS = torch.tensor([3, -1, 0, 2, -1, 1])
BY_LABEL: dict[str, Callable[[], Any]] = {
    "categorical": lambda: Categorical(4),
    "mixture": lambda: MixtureOfGaussians(4),
    "product": lambda: Product({"style": Normal(3), "cluster": Categorical(4)}),
}


@pytest.mark.parametrize("name", BY_LABEL)
def test_rows_with_a_label_are_drawn_from_its_class_and_no_other_row_or_number_changes(name: str) -> None:
    prior = BY_LABEL[name]()
    random = generator()
    z, after = prior.sample(6, random, labels=LABELS), random.get_state()
    free, random = prior.sample(6, generator()), generator()
    assert torch.equal(z[LABELS < 0], free[LABELS < 0])
    prior.sample(6, random)
    assert torch.equal(after, random.get_state()), "the stream advances as without labels"
    known = LABELS[LABELS >= 0]
    if name == "mixture":
        assert torch.equal(prior.log_joint(z).argmax(1)[LABELS >= 0], known)
    else:
        assert torch.equal(z[:, -4:].argmax(1)[LABELS >= 0], known)
    if name == "product":
        assert torch.equal(z[:, :3], free[:, :3])


@pytest.mark.parametrize("name", BY_LABEL)
def test_a_rank_that_knows_its_own_labels_alone_draws_its_rows_of_the_global_batch(name: str) -> None:
    prior = BY_LABEL[name]()
    whole = prior.sample(6, generator(), labels=LABELS)
    mine = torch.full((6,), -1)
    mine[4:] = LABELS[4:]
    assert torch.equal(prior.sample(6, generator(), labels=mine)[4:], whole[4:])


def test_draws_of_a_component_follow_its_law() -> None:
    prior = MixtureOfGaussians(3, radius=2.0, along=0.4, across=0.1)
    z = prior.sample(20_000, generator(), labels=torch.full((20_000,), 1)).double()
    angle = torch.tensor(2 * math.pi / 3, dtype=torch.float64)
    out, aside = torch.stack([angle.cos(), angle.sin()]), torch.stack([-angle.sin(), angle.cos()])
    assert stats.kstest((z @ out).numpy(), stats.norm(2, 0.4).cdf).pvalue > 0.01
    assert stats.kstest((z @ aside).numpy(), stats.norm(0, 0.1).cdf).pvalue > 0.01


def test_labels_go_to_the_named_parts() -> None:
    parts: dict[str, Prior] = {"digit": Categorical(3), "flower": MixtureOfGaussians(3), "noise": Uniform(1)}
    labels = torch.tensor([2, 0, 1])
    z = Product(parts, labelled=["digit"]).sample(3, generator(), labels)
    assert torch.equal(z[:, :3].argmax(1), labels)
    z = Product(parts).sample(3, generator(), {"flower": labels})
    assert torch.equal(MixtureOfGaussians(3).log_joint(z[:, 3:5]).argmax(1), labels)
    assert torch.equal(z[:, :3], Product(parts).sample(3, generator())[:, :3])


def test_products_may_be_parts_of_products() -> None:
    inner = Product({"style": Normal(2), "cluster": Categorical(3)})
    prior = Product({"noise": Uniform(1), "code": inner})
    labels = torch.tensor([1, 2])
    z = prior.sample(2, generator(), labels)
    assert torch.equal(inner.split(prior.split(z)["code"])["cluster"].argmax(1), labels)


def test_a_part_of_stored_latents_travels_with_the_product() -> None:
    prior = Product({"seen": Empirical(3, 4), "noise": Normal(2)})
    assert prior.empirical
    assert not info_gan().empirical
    assert not info_gan().state_dict()
    prior.parts["seen"].store(torch.nn.functional.normalize(torch.ones(4, 3), dim=1))  # type: ignore[attr-defined]
    other = Product({"seen": Empirical(3, 4), "noise": Normal(2)})
    other.load_state_dict(prior.state_dict())
    copies = (other, deepcopy(prior), pickle.loads(pickle.dumps(prior)))
    assert all(torch.equal(copy.sample(5, generator()), prior.sample(5, generator())) for copy in copies)


def test_a_product_is_read_from_plain_settings() -> None:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--prior", type=Prior)
    parts = {
        "noise": {"class_path": "lightning_gans.Uniform", "init_args": {"dim": 62}},
        "digit": {"class_path": "lightning_gans.Categorical", "init_args": {"classes": 10}},
    }
    spec = {"class_path": "lightning_gans.Product", "init_args": {"parts": parts}}
    prior = parser.instantiate(parser.parse_string(yaml.safe_dump({"prior": spec}, sort_keys=False))).prior
    assert repr(prior) == "Product(noise=Uniform(dim=62, low=-1.0, high=1.0), digit=Categorical(dim=10))"
    assert prior.sample(2, generator()).shape == (2, 72)


def several() -> Product:
    return Product({"a": Categorical(2), "b": Categorical(3), "c": Normal(1)})


def sample(prior: Any, labels: Any) -> Callable[[], Tensor]:
    return lambda: prior.sample(2, generator(), labels)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Product({}), "at least one part"),
        (lambda: Product({"a": Normal(1)}, labelled=["a"]), "'a' cannot be drawn by label"),
        (sample(several(), torch.tensor([0, 1])), "one tensor of labels is for one part, not .'a', 'b'.; name one in labelled"),
        (sample(several(), {"c": torch.tensor([0, 1])}), "no part 'c' with classes"),
        (sample(Product({"c": Normal(1)}), torch.tensor([0, 1])), r"not \[\]"),
        (
            sample(Categorical(2), torch.tensor([0, 1, 1])),
            r"labels of 2 draws must be int64 of shape .2., not int64 of shape .3.",
        ),
        (sample(MixtureOfGaussians(2), torch.tensor([0.0, 1.0])), "not float32 of shape .2."),
        (lambda: Categorical(0), "numbers, not 0; set its dim"),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()
