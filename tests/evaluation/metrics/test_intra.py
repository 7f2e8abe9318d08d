"""Fréchet distance and diversity within a label, colour or caption: against the same taken group by group by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_gans import InputError, evaluate
from lightning_gans.evaluation.choices import chosen
from lightning_gans.evaluation.features.frechet import FeatureSums, frechet_distance
from lightning_gans.evaluation.measure import Evaluator
from lightning_gans.evaluation.metrics.intra import IntraDiversity, IntraFD
from lightning_gans.evaluation.real.images import RealSet
from lightning_gans.evaluation.records import is_better
from lightning_gans.evaluation.refusals import say_what_is_left_out
from lightning_gans.evaluation.samples.drawing import samples
from lightning_gans.evaluation.samples.quantise import quantise
from tests.evaluation.metrics.test_caption_agreement import Captioned
from tests.evaluation.tiny import Noise, Tiny, noise_images
from tests.helpers import on_ranks

METRICS = ("intra_fd", "intra_diversity")


class Labelled(Noise):
    conditional = True


class Described(Labelled):
    """Is given captions, alone or by name, and makes noise around a level of their first letter."""

    def decode(self, z: Tensor, condition: Any = None) -> Tensor:
        captions = condition["captions"] if isinstance(condition, dict) else condition
        return super().decode(z, captions[:, 0] % 7)


@pytest.fixture(autouse=True)
def _small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(IntraFD, "least", 10)
    monkeypatch.setattr(IntraDiversity, "least", 5)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return noise_images(tmp_path_factory.mktemp("noise"))


def evaluator(data: Any, network: Any = None, metrics: Any = METRICS, num_samples: int = 700) -> Evaluator:
    return Evaluator(RealSet(data, network=network or Tiny()), metrics, num_samples=num_samples)


def fd(real: Tensor, fake: Tensor) -> float:
    sums = [FeatureSums(8), FeatureSums(8)]
    for of, features in zip(sums, (real, fake), strict=True):
        of.update(features)
    return frechet_distance(sums[0].gaussian(), sums[1].gaussian())


def by_hand(data: Any, model: Any, real_groups: list[Any], group_of: Any) -> dict[str, float]:
    """Both measures, group by group."""
    measuring = evaluator(data)
    real = Tiny()(quantise(data.real("test", measuring.real.rows)))
    fake = Tiny()(torch.cat([quantise(some) for some in samples(model, 700, 0, condition=measuring.condition)]))
    asked = group_of(measuring.condition(torch.arange(700)))
    pairs = []
    for group in dict.fromkeys(real_groups):
        of_group = [torch.tensor([one == group for one in groups]) for groups in (real_groups, asked)]
        pairs.append((real[of_group[0]], fake[of_group[1]]))
    spread = [[float(torch.pdist(features.double()).mean()) for features in pair] for pair in pairs]
    means = torch.tensor(spread).mean(0)
    return {
        "intra_fd_tiny": pytest.approx(sum(fd(*pair) for pair in pairs) / len(pairs), rel=1e-6),
        "intra_diversity_tiny": pytest.approx(float(means[1] / means[0]), rel=1e-6),
    }


def test_they_are_means_over_what_is_taken_label_by_label(data: Any) -> None:
    model = Labelled()
    real = data.labels("test").tolist()
    assert evaluator(data).measure(model) == by_hand(data, model, real, lambda labels: labels.tolist())


@pytest.mark.parametrize("by_name", [False, True])
def test_a_group_of_captions_is_a_colour_where_features_are_of_colours_and_else_a_label_or_caption(
    tmp_path: Path, by_name: bool
) -> None:
    data = Captioned(tmp_path, by_name)
    network: Any = Tiny()
    network.colour_of = "hair"
    measure: Any = evaluator(data, network)._measures[0]
    measure.reset(torch.device("cpu"))
    assert list(measure._numbers) == ["blue", "red", "green", "white"]
    assert measure._numbered(["red", None, "brown"]).tolist() == [1, -1, -1]
    without: Any = evaluator(data)._measures[0]
    without.reset(torch.device("cpu"))
    assert len(without._numbers) == (130 if by_name else 6), "each of these has a label of its own, where it has one"
    assert {*evaluator(data, network).measure(Described())} == {"intra_fd_tiny", "intra_diversity_tiny"}


def test_samples_that_are_not_as_asked_for_are_far_away_within_groups_though_not_altogether() -> None:
    images = torch.linspace(-0.8, 0.8, 10).repeat(30).view(-1, 1, 1, 1) + 0.1 * torch.rand(300, 1, 8, 8)
    labels = torch.arange(300) % 10

    class Sampler:
        def __init__(self, obeys: bool) -> None:
            self.obeys = obeys

        def sample(self, n: int, condition: Tensor, generator: torch.Generator) -> Tensor:
            label = condition if self.obeys else torch.randint(10, (n,), generator=generator)
            noise = 0.1 * torch.rand(n, 1, 8, 8, generator=generator)
            return torch.linspace(-0.8, 0.8, 10)[label].view(-1, 1, 1, 1) + noise

    settings: dict[str, Any] = {"features": "tests.evaluation.tiny.Tiny", "num_samples": 600}
    good, bad = (evaluate(Sampler(obeys), (images, labels), ["fd", "intra_fd"], **settings) for obeys in (True, False))
    assert abs(good["fd_tiny"] - bad["fd_tiny"]) < 0.1 * (bad["intra_fd_tiny"] - good["intra_fd_tiny"])
    assert good["intra_fd_tiny"] < 0.01 * bad["intra_fd_tiny"]


def test_a_model_that_ignores_its_noise_has_no_diversity_within_a_label(data: Any) -> None:
    class Same(Labelled):
        def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
            return super().decode(torch.linspace(-1, 1, 64).expand_as(z), condition)

    found = evaluator(data, metrics=("intra_diversity", "diversity")).measure(Same())
    assert found["intra_diversity_tiny"] < 1e-6 < found["diversity_tiny"]


def test_two_ranks_give_the_same_numbers(data: Any, tmp_path: Path) -> None:
    def work(rank: int) -> None:
        (tmp_path / f"{rank}.json").write_text(json.dumps(evaluator(data).measure(Labelled())))

    on_ranks(work, tmp_path)
    expected = evaluator(data).measure(Labelled())
    for rank in (0, 1):
        assert json.loads((tmp_path / f"{rank}.json").read_text()) == pytest.approx(expected, rel=1e-5)


def test_too_few_of_each_are_refused(data: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(IntraFD, "least", 100)
    with pytest.raises(InputError, match=r"no label or caption has 100 samples and real images, which intra_fd needs; raise"):
        evaluator(data).measure(Labelled())


def test_what_is_asked_for_nothing_is_left_out(data: Any) -> None:
    assert evaluator(data).measure(Noise()) == {}
    with pytest.warns(UserWarning, match="is not measured, for neither labels nor captions are asked of the model"):
        say_what_is_left_out(chosen(["intra_fd"]), Noise(), data, measurable=True)


def test_which_way_is_better_is_known() -> None:
    assert is_better("intra_fd_tiny", 1.0, 2.0)
    assert is_better("intra_diversity_tiny", 2.0, 1.0)
