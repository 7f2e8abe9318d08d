"""What is measured of images: against formulas, on any number of ranks, and refused where it would be no number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from lightning_gans import Evaluation, Images, InputError
from lightning_gans.evaluation.measure import Evaluator
from lightning_gans.evaluation.real.images import RealSet
from lightning_gans.evaluation.samples.drawing import evaluating, samples
from lightning_gans.evaluation.samples.quantise import quantise
from tests.evaluation.tiny import Noise, Tiny, noise_images
from tests.games.sae import make_sae
from tests.helpers import on_ranks

ALL = ("fd", "kid", "is", "prdc")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Images:
    return noise_images(tmp_path_factory.mktemp("noise"))


def evaluator(data: Images, metrics: tuple[Any, ...] = ("fd",), **settings: Any) -> Evaluator:
    ours = {key: settings.pop(key) for key in ("num_samples", "seed") if key in settings}
    real = RealSet(data, **{"num_real": 120, "network": Tiny(), **settings})
    return Evaluator(real, metrics, **{"num_samples": 1100, **ours})


def distance(a: Tensor, b: Tensor) -> float:
    """The Fréchet distance by the textbook."""
    (mean_a, cov_a), (mean_b, cov_b) = ((x.double().mean(0).numpy(), np.cov(x.double().numpy().T)) for x in (a, b))
    root = scipy.linalg.sqrtm(cov_a @ cov_b).real
    return float(((mean_a - mean_b) ** 2).sum() + np.trace(cov_a + cov_b - 2 * root))


def test_the_distance_is_that_of_the_features_of_the_samples_and_of_the_chosen_real_images(data):
    measuring = evaluator(data)
    model = Noise()
    fakes = torch.cat([quantise(some) for some in samples(model, 1100, 0, condition=measuring.condition)])
    real = quantise(data.real("test", measuring.real.rows))
    assert (len(fakes), len(real)) == (1100, 120)
    assert measuring.measure(model)["fd_tiny"] == pytest.approx(distance(Tiny()(real), Tiny()(fakes)), rel=1e-6)


def test_the_floor_of_a_distance_is_what_as_many_draws_get(data):
    few, many = evaluator(data, ("fd", "kid"), num_samples=50), evaluator(data, num_samples=1100)
    for measuring in (few, many):
        measuring.measure(Noise())
        assert {*measuring.floor} == {"fd_tiny"}
        assert measuring.floor_is == "Gaussian features"
    assert 0 < many.floor["fd_tiny"] < few.floor["fd_tiny"] / 10
    assert many.floor["fd_tiny"] < many.measure(Noise())["fd_tiny"]


def test_every_measure_has_its_name_and_the_features_it_is_of(data):
    found = evaluator(data, ALL).measure(Noise())
    assert {"fd_tiny", "kid_tiny", "is_tiny", "precision_tiny", "recall_tiny", "density_tiny", "coverage_tiny"} <= {*found}
    assert not any("fid" in name for name in found)
    assert all(np.isfinite(value) for value in found.values())
    assert 1 <= found["is_tiny"] <= 3


def test_better_samples_measure_better(data):
    near, far = (evaluator(data, ALL).measure(Noise(spread)) for spread in (0.55, 1.0))
    assert near["fd_tiny"] < far["fd_tiny"]
    assert near["kid_tiny"] < far["kid_tiny"]
    assert near["precision_tiny"] > far["precision_tiny"]


def test_a_conditional_model_is_given_what_belongs_to_the_real_images_by_their_number(data):
    measuring, model = evaluator(data, num_samples=700), Noise()
    measuring.measure(model)
    given = torch.cat([condition for condition in model.conditions if condition is not None])
    assert torch.equal(given, measuring.condition(torch.arange(700)))
    real = data.labels("test")[measuring.real.rows]
    assert torch.equal(given[:600].bincount(), 5 * real.bincount())
    assert len(given[:20].unique()) > 5


def test_the_seed_of_the_noise_decides(data):
    first, again, other = (evaluator(data, seed=seed).measure(Noise()) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (lambda x: x * torch.nan, "NaN or infinite"),
        (lambda x: x * 255, "scale what the generator returns"),
        (lambda x: x * 0, "of one colour"),
        (lambda x: (x + 1) / 2, "as if in"),
        (lambda x: x.flatten(1), "where floating images"),
        (lambda x: x[..., :4], r"gives images \(1, 8, 4\), but noise has \(1, 8, 8\)"),
        (lambda x: x.expand(-1, 3, -1, -1), r"gives images \(3, 8, 8\)"),
    ],
)
def test_what_is_no_image_is_a_sentence_and_no_number(data, made, sentence):
    model = Noise(0.9, made)
    with pytest.raises(InputError, match=sentence):
        evaluator(data).measure(model)
    assert model.training


def test_without_a_prior_of_its_own_a_model_gets_reconstruction_scores_only(data):
    model = Noise()
    model.prior.empirical = True
    assert {*evaluator(data).measure(model)} == {"reconstruction_fd_tiny"}


def test_every_rank_measures_with_the_batch_statistics_of_the_first(tmp_path: Path) -> None:
    def work(rank: int) -> None:
        network = torch.nn.BatchNorm1d(2)
        network.running_mean.fill_(rank + 1.0)  # type: ignore[union-attr]
        with evaluating(network):
            torch.save(network(torch.ones(1, 2)), tmp_path / f"rank{rank}.pt")

    on_ranks(work, tmp_path)
    first, second = (torch.load(tmp_path / f"rank{rank}.pt") for rank in (0, 1))
    assert torch.equal(first, second)
    assert torch.equal(first, torch.zeros(1, 2))


def test_points_that_come_from_points_are_reconstructions_too() -> None:
    (points := Images("grid25")).setup("fit")
    measuring = Evaluation(["modes", "diversity"], num_samples=200).evaluator(points)
    game = make_sae()
    assert all(name.startswith("reconstruction_") for name in measuring.measure(game))


def test_real_statistics_are_kept_for_the_next_run_and_for_nothing_else(data, tmp_path):
    def network_calls(**settings: Any) -> int:
        measuring = evaluator(data, cache=tmp_path, num_samples=500, **settings)
        measuring.measure(Noise())
        return sum(measuring.network.seen) - 500

    assert network_calls() == 120
    assert network_calls() == 0
    assert network_calls(num_real=50) == 50
    assert network_calls(split="train") == 120
    assert len(list(tmp_path.glob("*.npz"))) == 3


@pytest.mark.parametrize("world", [2, 4])
def test_any_number_of_ranks_gives_the_same_numbers_even_with_nothing_to_do(data, tmp_path, world):
    def work(rank: int) -> None:
        found: dict[str, Any] = {"all": evaluator(data, ALL).measure(Noise())}
        broken = Noise(made=lambda images: images * torch.nan if rank == 0 else images)
        try:
            evaluator(data).measure(broken)
        except InputError as error:
            found["broken"] = str(error)
        (tmp_path / f"{rank}.json").write_text(json.dumps(found))

    alone = evaluator(data, ALL).measure(Noise())
    on_ranks(work, tmp_path, world)
    for rank in range(world):
        found = json.loads((tmp_path / f"{rank}.json").read_text())
        assert found["all"] == pytest.approx(alone, rel=1e-6)
        assert "NaN" in found["broken"]


def test_kernel_distance_and_neighbourhoods_are_those_of_the_definitions(data: Images) -> None:
    measuring, model = evaluator(data, ALL, num_samples=120), Noise()
    found = measuring.measure(model)
    asked = torch.cat([c for c in model.conditions if c is not None])
    fakes = torch.cat([quantise(some) for some in samples(model, 120, 0, condition=lambda numbers: asked)])
    a, b = Tiny()(quantise(data.real("test", measuring.real.rows))).double(), Tiny()(fakes).double()
    n, m = len(a), len(b)
    kernel = lambda x, y: (x @ y.T / 8 + 1) ** 3  # noqa: E731
    within = [(kernel(x, x).sum() - kernel(x, x).trace()) / (len(x) * (len(x) - 1)) for x in (a, b)]
    assert found["kid_tiny"] == pytest.approx(float(sum(within) - 2 * kernel(a, b).sum() / (n * m)), rel=1e-4)
    cross, of_real, of_fake = torch.cdist(a, b), *(torch.cdist(x, x).sort(1).values for x in (a, b))
    assert found["precision_tiny"] == pytest.approx(float((cross <= of_real[:, 3:4]).any(0).double().mean()))
    assert found["recall_tiny"] == pytest.approx(float((cross <= of_fake[:, 3]).any(1).double().mean()))
    assert found["density_tiny"] == pytest.approx(float((cross < of_real[:, 5:6]).sum() / (5 * m)))
    assert found["coverage_tiny"] == pytest.approx(float((cross.amin(1) < of_real[:, 5]).double().mean()))


@pytest.mark.parametrize(("n", "fair"), [(65, 6.5), (195, 19.5)])
def test_conditions_are_those_of_all_classes_alike_where_the_data_is_sorted(tmp_path: Path, n: int, fair: float) -> None:
    data = noise_images(tmp_path, lambda size: np.sort(np.arange(size) % 10))
    evaluator(data, num_samples=n, num_real=130).measure(model := Noise())
    asked = torch.bincount(torch.cat([c for c in model.conditions if c is not None]), minlength=10)
    assert (asked - fair).abs().max() < 6


class FailsAlone(Tiny):
    def forward(self, images: Tensor) -> Tensor:
        if torch.distributed.is_initialized() and torch.distributed.get_rank() == 1:
            raise InputError("an image is damaged")
        return super().forward(images)


def test_a_rank_that_fails_at_the_real_images_does_not_fail_alone(data: Images, tmp_path: Path) -> None:
    def work(rank: int) -> None:
        try:
            evaluator(data, network=FailsAlone()).measure(Noise())
        except (InputError, RuntimeError) as error:
            (tmp_path / str(rank)).write_text(type(error).__name__)

    on_ranks(work, tmp_path, 2)
    assert [(tmp_path / str(rank)).read_text() for rank in (0, 1)] == ["InputError"] * 2
