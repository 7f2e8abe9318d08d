"""Classifiers as files: those of the package, and rounded ones of one's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lightning_gans import Evaluation, Images, InputError
from lightning_gans.data.source import Request, Source, find_source
from lightning_gans.evaluation.features import training
from lightning_gans.evaluation.features.classifiers import KIND, Classifier, load_classifier
from lightning_gans.evaluation.features.find import counting_classifier, must_be_trained
from lightning_gans.evaluation.features.recipes import RECIPES, classifier_path, packaged_file
from lightning_gans.evaluation.features.training import classifier_for, measure_error
from lightning_gans.stored import round_weights, write_stored

# Who compares numbers compares these; another classifier is another measure, and must not go by the same name unsaid
FINGERPRINTS = {"mnist": "2d3582fb8aed4203", "digits": "2c7d7721997c47e1"}


@pytest.fixture(scope="module")
def made() -> Classifier:
    torch.manual_seed(0)
    classifier = Classifier("lenet", "mine", tuple("ab"), (1, 8, 8)).eval()
    classifier(torch.randint(256, (9, 1, 8, 8), dtype=torch.uint8))
    return classifier


def kept(classifier: Classifier, path: Path) -> Path:
    content = {
        "kind": KIND,
        "architecture": classifier.architecture,
        "dataset": classifier.dataset,
        "classes": list(classifier.classes),
        "shape": list(classifier.shape),
        "weights": classifier.state_dict(),
        "sha256": classifier.identity,
        "test_error": 0.1,
        "recipe": {"max_error": 0.2},
    }
    write_stored(content, path, "classifier")
    return path


@pytest.mark.parametrize("dataset", FINGERPRINTS)
def test_the_package_has_the_classifier_that_everybody_measures_by(dataset: str, tmp_path: Path) -> None:
    classifier = classifier_for(dataset, tmp_path)
    assert classifier.identity.startswith(FINGERPRINTS[dataset])
    assert (classifier.key, classifier.dataset) == (f"fd_lenet_{dataset}", dataset)
    assert classifier.test_error <= RECIPES[dataset].max_error
    assert not must_be_trained("classifier", dataset, tmp_path)
    assert not any(tmp_path.iterdir()), "nothing is trained or written"


def test_that_of_the_digits_errs_as_it_says(tmp_path: Path) -> None:
    data = Images("digits", root=str(tmp_path))
    data.prepare_data()
    data.setup("fit")
    classifier = classifier_for("digits", tmp_path)
    assert measure_error(classifier, data) == pytest.approx(classifier.test_error, abs=1 / 359)  # one more on another processor
    evaluator = Evaluation(["fd", "modes"], features="classifier", num_samples=100).evaluator(data)
    assert evaluator.network is evaluator.classifier
    assert evaluator.classifier.identity == classifier.identity


def test_that_of_mnist_errs_as_it_says(shared_data: Path) -> None:
    source = find_source(Request("mnist", shared_data))
    assert isinstance(source, Source)
    samples = source.samples("test")  # not packed: that would take longer than all else here
    images, labels = np.stack([samples.image(i) for i in range(2000)]), torch.as_tensor(samples.labels)[:2000]
    classifier = classifier_for("mnist", shared_data)
    assert (classifier.logits(classifier(torch.from_numpy(images))).argmax(1) != labels).float().mean() < 0.01


def test_ones_own_is_named_or_left_aside_with_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(training, "rank_zero_info", said.append)
    own = classifier_path("lenet", "digits", tmp_path)
    own.parent.mkdir()
    digits = Classifier("lenet", "digits", tuple("ab"), (1, 8, 8)).eval()
    kept(digits, own)
    assert classifier_for("digits", tmp_path).identity != digits.identity
    assert said == [f"measuring by the package's classifier of digits; for your own: --evaluation.features {own}"]
    assert counting_classifier(str(own), "digits", tmp_path).identity == digits.identity


def test_a_rounded_file_is_half_as_large_and_gives_nearly_the_same_features(made: Classifier, tmp_path: Path) -> None:
    images = torch.randint(256, (50, 1, 8, 8), dtype=torch.uint8)
    whole, features = load_classifier(kept(made, tmp_path / "c.pt")), made(images)
    round_weights(rounded := load_classifier(tmp_path / "c.pt"))
    read = load_classifier(kept(rounded, tmp_path / "c.safetensors"))
    assert torch.equal(whole(images), features)
    assert read.identity == rounded.identity != whole.identity
    assert torch.equal(read(images), rounded(images))
    assert 0 < (read(images) - features).norm() < 1e-3 * features.norm()
    assert (tmp_path / "c.safetensors").stat().st_size < 0.55 * (tmp_path / "c.pt").stat().st_size


def test_a_damaged_rounded_file_is_refused(made: Classifier, tmp_path: Path) -> None:
    round_weights(made)
    content = kept(made, tmp_path / "c.safetensors").read_bytes()
    for damaged in (content[:-100], b"", b"no classifier", content[:-1] + bytes([content[-1] ^ 1])):
        (tmp_path / "c.safetensors").write_bytes(damaged)
        with pytest.raises(InputError, match=r"c\.safetensors.*damaged"):
            load_classifier(tmp_path / "c.safetensors")


def test_the_package_has_no_others(tmp_path: Path) -> None:
    assert [name for name in RECIPES if packaged_file(name)] == [*FINGERPRINTS]
