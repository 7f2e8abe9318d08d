"""Whether samples are of the class that was asked for, of samplers who are right as often as we say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lightning_gans import Evaluation, Images, InputError
from lightning_gans.evaluation.choices import chosen
from lightning_gans.evaluation.measure import Evaluator
from lightning_gans.evaluation.metrics.base import takes_labels
from lightning_gans.evaluation.real.images import RealSet
from lightning_gans.evaluation.real.in_memory import InMemory
from lightning_gans.evaluation.records import is_better
from lightning_gans.evaluation.refusals import say_what_is_left_out
from lightning_gans.evaluation.samples.sampler import as_model
from tests.evaluation.tiny import Noise, noise_images
from tests.helpers import on_ranks


class Brightest(nn.Module):
    """A classifier by the brightest of the first ten pixels; remembers how many images it was given."""

    test_error = 0.1

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def forward(self, images: Tensor) -> Tensor:
        self.seen += len(images)
        return images.flatten(1).float()

    def logits(self, features: Tensor) -> Tensor:
        return features[:, :10]


class Obedient(Noise):
    """Seven of ten samples are of the class that was asked for, the others of the next one."""

    conditional = True

    def sample(self, n: int, condition: Any = None, generator: torch.Generator | None = None) -> Tensor:
        labels = condition["labels"] if isinstance(condition, dict) else condition
        return self._of(labels, n)

    def _of(self, labels: Tensor, n: int) -> Tensor:
        classes = torch.where(torch.arange(n) % 10 < 7, labels, (labels + 1) % 10)
        images = torch.zeros(n, 1, 64)
        images[torch.arange(n), 0, classes] = 0.5 + self.spread.detach() / 2
        return images.view(n, 1, 8, 8) - 0.1


class Stacked(Obedient):
    """Its images are of three digits, whose last one is wrong as often."""

    def sample(self, n: int, condition: Any = None, generator: torch.Generator | None = None) -> Tensor:
        hundreds, tens, ones = condition // 100, condition // 10 % 10, condition % 10
        right = [self._of((digit - (torch.arange(n) % 10 >= 7).long()) % 10, n) for digit in (hundreds, tens)]
        return torch.cat([*right, self._of(ones, n)], dim=1)


@pytest.fixture
def data(tmp_path: Path) -> Images:
    return labelled(tmp_path)


def labelled(folder: Path, shape: tuple[int, ...] = (8, 8), condition: Any = "labels") -> Images:
    data = Images(noise_images(folder, shape=shape).dataset, root=str(folder), batch_size=20, condition=condition)
    data.setup("fit")
    return data


def evaluator(data: Any, *metrics: Any, **settings: Any) -> Evaluator:
    classifier: Any = Brightest()
    return Evaluator(RealSet(data), metrics or ("label_agreement",), classifier, **{"num_samples": 700, **settings})


@pytest.mark.parametrize("condition", ["labels", ["labels"]])
def test_it_is_the_share_of_samples_that_are_of_the_class_asked_for(tmp_path: Path, condition: Any) -> None:
    assert evaluator(labelled(tmp_path, condition=condition)).measure(Obedient()) == {"label_agreement": 0.7}


def test_three_digits_must_all_be_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = noise_images(tmp_path, shape=(8, 8, 3))
    data.name = "mnist1k"
    monkeypatch.setattr(data, "conditions", lambda split, rows: 37 * rows % 1000)
    measuring = evaluator(data)
    assert measuring.measure(Stacked()) == {"label_agreement": 0.7}
    assert measuring.floor["label_agreement"] == pytest.approx(0.9**3)


def test_a_perfect_sampler_gets_what_the_classifier_gets_of_real_images(data: Images) -> None:
    measuring = evaluator(data)
    assert measuring.floor == {"label_agreement": 0.9}
    assert measuring.floor_is == "perfect sampler"
    del Brightest.test_error
    try:
        assert evaluator(data).floor == {}
    finally:
        Brightest.test_error = 0.1


def test_images_go_through_the_classifier_once_for_it_and_the_modes(data: Images) -> None:
    found = (measuring := evaluator(data, "modes", "label_agreement")).measure(Obedient())
    assert (found["modes"], found["label_agreement"]) == (10, 0.7)
    assert measuring.classifier.seen == 700  # type: ignore[union-attr]


@pytest.mark.parametrize("world", [2, 4])
def test_any_number_of_ranks_gives_the_same_number(data: Images, tmp_path: Path, world: int) -> None:
    def work(rank: int) -> None:
        found = [evaluator(data, num_samples=n).measure(Obedient()) for n in (1_100, 90)]  # of the latter not all have some
        (tmp_path / f"{rank}.json").write_text(json.dumps(found))

    on_ranks(work, tmp_path, world)
    expected = [{"label_agreement": 0.7}] * 2
    assert [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(world)] == [expected] * world


def test_models_and_data_without_labels_have_none_and_it_is_said(data: Images, tmp_path: Path) -> None:
    assert evaluator(data).measure(Noise()) == {}
    (plain := Images(data.dataset, root=str(tmp_path), batch_size=20)).setup("fit")
    plain.condition_kinds.clear()
    assert not takes_labels(Obedient(), plain)
    assert evaluator(plain).measure(Obedient()) == {}


def test_what_is_left_out_is_said(data: Images) -> None:
    with pytest.warns(UserWarning, match="label_agreement is not measured, for no labels are asked of the model"):
        say_what_is_left_out(chosen(["label_agreement"]), Noise(), data, measurable=True)


def test_any_sampler_that_takes_a_condition_can_be_asked() -> None:
    images = torch.randint(60, 200, (50, 1, 8, 8), dtype=torch.uint8)
    data = InMemory(images, np.arange(50) % 10, "mine", "")
    obedient = Obedient()

    def sampler(n: int, condition: Tensor) -> Tensor:
        return obedient.sample(n, condition)

    assert evaluator(data).measure(as_model(sampler, "cpu")) == {"label_agreement": 0.7}
    assert evaluator(data).measure(as_model(lambda n: sampler(n, torch.zeros(n).long()), "cpu")) == {}


def test_a_classifier_of_other_classes_is_refused(data: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(data), "classes", ("a", "b"))
    with pytest.raises(InputError, match="the classifier tells 10 classes apart, which are not the 2 of noise"):
        evaluator(data).measure(Obedient())


def test_it_can_be_asked_for_by_name_and_more_is_better() -> None:
    assert Evaluation(["label_agreement"]).settings.metrics == ["label_agreement"]
    assert is_better("label_agreement", 0.8, 0.7)
