"""Diversity: by its definition, and as measured of a model, of images or points."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_gans import Images, InputError, evaluate
from lightning_gans.evaluation.measure import Evaluator
from lightning_gans.evaluation.metrics import checks
from lightning_gans.evaluation.metrics import diversity as module
from lightning_gans.evaluation.metrics.diversity import diversity
from lightning_gans.evaluation.real.images import RealSet
from lightning_gans.evaluation.samples.drawing import samples
from lightning_gans.evaluation.samples.quantise import quantise
from tests.evaluation.metrics.draws import features
from tests.evaluation.tiny import Noise, Tiny, noise_images


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize(("n", "elements", "paired"), [(2, 2**25, 1000), (57, 2**25, 1000), (57, 300, 1000), (57, 2**25, 10)])
def test_diversity_is_the_mean_of_all_pairwise_distances(
    n: int, elements: int, paired: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "ELEMENTS", elements)
    monkeypatch.setattr(module, "_PAIRED", paired)
    points = features(n, 7, mean=3.0).to(dtype)
    assert diversity(points) == pytest.approx(float(torch.pdist(points.double()).mean()), rel=1e-12)


def test_diversity_is_known_for_few_points_and_falls_to_nothing_as_they_collapse() -> None:
    triangle = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    assert diversity(triangle) == pytest.approx(4.0)
    assert diversity(triangle[[0, 0, 1]]) == pytest.approx(2.0)  # 0, 3 and 3
    assert diversity(triangle[:1].expand(1500, 2)) < 1e-6
    near = 1000 + 1e-4 * features(1200, 3)
    assert diversity(near) == pytest.approx(float(torch.pdist(near.double()).mean()), rel=1e-6)
    scaled = [diversity(spread * features(300)) for spread in (1.0, 0.5, 0.1, 0.0)]
    assert scaled == pytest.approx([scaled[0], 0.5 * scaled[0], 0.1 * scaled[0], 0.0])


def test_diversity_takes_blocks_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    cdist, sizes = torch.cdist, []

    def noted(a: Tensor, b: Tensor) -> Tensor:
        sizes.append(len(a) * len(b))
        return cdist(a, b)

    monkeypatch.setattr(torch, "cdist", noted)
    monkeypatch.setattr(checks, "ELEMENTS", 1400)
    diversity(features(200))
    assert max(sizes) <= 1400


# As measured of a model


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Images:
    return noise_images(tmp_path_factory.mktemp("noise"))


def evaluator(data: Images) -> Evaluator:
    return Evaluator(RealSet(data, num_real=90, network=Tiny()), ("diversity",), num_samples=1100)


def spread(points: Tensor) -> float:
    return float(torch.pdist(points.double()).mean())


def test_diversity_is_that_of_the_features_over_that_of_the_real_ones(data: Images) -> None:
    measuring, model = evaluator(data), Noise()
    fakes = torch.cat([quantise(some) for some in samples(model, 1100, 0, condition=measuring.condition)])
    expected = spread(Tiny()(fakes)) / spread(Tiny()(quantise(data.real("test", measuring.real.rows))))
    assert measuring.measure(model) == {"diversity_tiny": pytest.approx(expected, rel=1e-9)}
    assert measuring.measure(model) == {"diversity_tiny": pytest.approx(expected, rel=1e-9)}  # with the real one kept


def test_diversity_falls_as_samples_become_alike(data: Images) -> None:
    def mixed(share: float) -> Noise:
        one = torch.rand(1, 1, 8, 8) - 0.5
        return Noise(made=lambda images: share * images + (1 - share) * one)

    found = [evaluator(data).measure(mixed(share))["diversity_tiny"] for share in (1.0, 0.5, 0.1, 0.0)]
    assert found[0] > 0.9
    assert found == sorted(found, reverse=True)
    assert found[-1] < 1e-6


def test_diversity_of_points_is_that_of_their_coordinates() -> None:
    data = Images("grid25")
    found = evaluate(lambda n: 2.0 * torch.ones(n, 2), data, ["diversity"], num_samples=900)
    assert found == {"diversity": pytest.approx(0.0, abs=1e-9)}

    def drawn(n: int, generator: torch.Generator) -> Tensor:
        return torch.randn(n, 2, generator=generator)

    real = RealSet(data, num_real=900)
    settings: dict[str, Any] = {"num_samples": 900, "modes": "gaan"}
    found = evaluate(drawn, data, ["diversity"], **settings)
    made = torch.cat(list(samples(_Drawing(drawn), 900, 0)))
    assert found["diversity"] == pytest.approx(spread(made) / spread(data.real("test", real.rows)), rel=1e-6)
    assert {*evaluate(drawn, data, ["diversity", "modes"], **settings)} > {"diversity", "modes"}


class _Drawing(torch.nn.Module):
    """A function of (n, generator) as a model."""

    def __init__(self, draw: Any) -> None:
        super().__init__()
        self.prior, self.draw = None, draw

    def sample(self, n: int, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        return self.draw(n, generator)

    decode = sample


def test_real_samples_that_are_all_the_same_are_no_measure() -> None:
    same = torch.full((20, 1, 8, 8), -0.5)
    with pytest.raises(InputError, match=r"all real samples are the same"):
        evaluate(Noise(), same, ["diversity"], features="tests.evaluation.tiny.Tiny", num_samples=500)
