"""Classifiers as they are trained on scikit-learn's digits and stored, and images as they are moved for it."""

from __future__ import annotations

import errno
import math
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lightning_gans import Images, InputError
from lightning_gans.evaluation.features import find, training
from lightning_gans.evaluation.features.classifiers import load_classifier
from lightning_gans.evaluation.features.recipes import RECIPES, Recipe, classifier_path
from lightning_gans.evaluation.features.training import (
    augment,
    classifier_for,
    measure_error,
    train_classifier,
)
from lightning_gans.protocols import classifies

QUICK = replace(RECIPES["digits"], epochs=4, max_error=0.1)


STILL = Recipe(degrees=0, scale=0, shift=0)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def data(root: Path) -> Images:
    images = Images("digits", root=str(root))
    images.prepare_data()
    images.setup("fit")
    return images


@pytest.fixture(scope="module")
def file(root: Path) -> Path:
    return train_classifier(QUICK, root, root / "quick.pt", "cpu")


def test_what_is_stored_is_what_was_measured(file: Path, data: Images) -> None:
    classifier, again = load_classifier(file), load_classifier(file)
    assert 0 < classifier.test_error < 0.1
    assert classifier.test_error == measure_error(classifier, data)
    images = data.real("test")
    found = classifier.classify(images)
    assert classifies(classifier)
    assert torch.equal(found, again.classify(images))
    assert float((found.argmax(1) != data.labels("test")).float().mean()) == pytest.approx(classifier.test_error)
    assert (classifier.name, classifier.key, classifier.dim) == ("lenet_digits", "fd_lenet_digits", 128)
    assert (classifier.classes, classifier.shape) == (tuple("0123456789"), (1, 8, 8))
    assert not any(p.requires_grad for p in classifier.parameters())


def test_the_file_holds_what_there_is_to_say_about_it(file: Path, data: Images) -> None:
    stored = torch.load(file, weights_only=True)
    assert stored["recipe"]["seed"] == 0
    assert stored["data"] == {split: data.fingerprint(split) for split in ("train", "test")}
    assert stored["sha256"] == load_classifier(file).identity


def test_an_error_on_training_images_that_were_held_out_is_stored_too(file: Path, root: Path) -> None:
    path = train_classifier(replace(QUICK, epochs=2, held_out=0.25, max_error=1), root, root / "held.pt", "cpu")
    data = Images("digits", root=str(root), held_out=0.25)
    data.setup("fit")
    stored, classifier = torch.load(path, weights_only=True), load_classifier(path)
    assert stored["labelled"] == {"train": data.size("train"), "test": data.size("test")}
    assert stored["held_out_error"] == measure_error(classifier, data, "valid")
    assert stored["held_out_error"] != classifier.test_error
    assert torch.load(file, weights_only=True)["held_out_error"] is None


def test_training_is_a_function_of_the_recipe_and_leaves_random_streams_alone(root: Path) -> None:
    streams = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    short = replace(QUICK, epochs=1, max_error=1)
    with torch.inference_mode():
        one = load_classifier(train_classifier(short, root, root / "one.pt", "cpu"))
    assert torch.equal(torch.get_rng_state(), streams[0])
    assert np.array_equal(np.random.get_state()[1], streams[1])
    assert random.getstate() == streams[2]
    torch.manual_seed(5)
    other = load_classifier(train_classifier(short, root, root / "one.pt", "cpu"))
    assert other.identity == one.identity
    seeded = load_classifier(train_classifier(replace(short, seed=1), root, root / "one.pt", "cpu"))
    assert seeded.identity != one.identity


def test_a_classifier_that_errs_too_often_is_stored_with_a_warning_and_refused(root: Path) -> None:
    poor = replace(QUICK, epochs=1, max_error=0.001)
    with pytest.warns(UserWarning, match=r"lenet_digits.*max_error 0\.10%"):
        path = train_classifier(poor, root, root / "poor.pt", "cpu")
    error = load_classifier(path, max_error=1).test_error
    with pytest.raises(InputError, match=rf"poor\.pt errs on {error:.2%} of the test images, more than 0\.10%"):
        load_classifier(path)
    with pytest.raises(InputError, match="more than"):
        load_classifier(path, max_error=error - 1e-4)
    load_classifier(path, max_error=error)


def test_a_test_error_that_is_unknown_is_too_large(file: Path, tmp_path: Path) -> None:
    torch.save({**torch.load(file, weights_only=True), "test_error": float("nan")}, tmp_path / "c.pt")
    with pytest.raises(InputError, match="nan%"):
        load_classifier(tmp_path / "c.pt", max_error=1)


def test_files_that_are_damaged_or_something_else_are_refused(file: Path, tmp_path: Path) -> None:
    stored, path = torch.load(file, weights_only=True), tmp_path / "c.pt"

    def refused(*words: str) -> None:
        with pytest.raises(InputError, match=".*".join(["c.pt", *words])):
            load_classifier(path, max_error=1)

    with pytest.raises(InputError, match="there is no classifier"):
        load_classifier(path)
    for content in (file.read_bytes()[:-200], b"no classifier", b""):
        path.write_bytes(content)
        refused("damaged")
    for other in ({"state_dict": {}}, [1, 2], {**stored, "kind": "lightning_gans.classifier/0"}):
        torch.save(other, path)
        refused("not a classifier of this version")
    others = ({"architecture": "resnet"}, {"architecture": "vgg"}, {"shape": (1, 28, 28)}, {"classes": 3}, {"recipe": []})
    for other in (*others, {"test_error": "small"}, {"weights": {}}, {"weights": [1]}):
        torch.save({**stored, **other}, path)
        refused("damaged")
    for key in stored.keys() - {"kind", "colour_of", "image_size", "majority_error", "held_out_error", "data", "labelled"}:
        torch.save({name: value for name, value in stored.items() if name != key}, path)
        refused("damaged")
    raw = file.read_bytes()
    place = raw.index(b"test_error") + 14  # in the number that follows
    path.write_bytes(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
    refused("damaged")
    stored["weights"]["head.bias"][3] += 1e-6
    torch.save(stored, path)
    refused("damaged")


def test_a_disk_that_is_full_leaves_the_old_file_and_no_other(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    place = tmp_path / "c.pt"
    place.write_bytes(b"old")
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match=r"c\.pt \(No space left on device\)"):
        train_classifier(replace(QUICK, epochs=1), file.parent, place, "cpu")
    assert [p.name for p in tmp_path.iterdir()] == ["c.pt"]
    assert place.read_bytes() == b"old"


@pytest.mark.parametrize(("dataset", "words"), [("grid25", "no labelled images"), ("mnist", "train-images")])
def test_data_that_is_missing_or_without_labels_is_refused(dataset: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        train_classifier(Recipe(dataset), tmp_path)


def test_without_motion_images_stay() -> None:
    images = torch.randn(5, 2, 7, 9)
    torch.testing.assert_close(augment(images, STILL, torch.Generator()), images, rtol=0, atol=1e-5)


def test_images_are_moved_by_whole_pixels_each_on_its_own_and_the_border_is_continued() -> None:
    image = torch.rand(1, 6, 6)
    padded = torch.nn.functional.pad(image, (1, 1, 1, 1), mode="replicate")
    moved = {(r, d): padded[:, 1 + d : 7 + d, 1 + r : 7 + r] for r in (-1, 0, 1) for d in (-1, 0, 1)}
    found = augment(image.expand(300, 1, 6, 6), replace(STILL, shift=1), torch.Generator().manual_seed(0))
    seen = [[by for by, target in moved.items() if (target - one).abs().max() < 1e-4] for one in found]
    assert all(len(by) == 1 for by in seen)
    assert {by[0] for by in seen} == set(moved)


def test_half_of_the_images_are_mirrored_where_asked_for() -> None:
    image = torch.rand(3, 5, 5)
    found = augment(image.expand(400, 3, 5, 5), replace(STILL, flip=True), torch.Generator().manual_seed(0))
    mirrored = (found - image.flip(2)).abs().amax((1, 2, 3)) < 1e-4
    same = (found - image).abs().amax((1, 2, 3)) < 1e-4
    assert bool((mirrored ^ same).all())
    assert 150 < int(mirrored.sum()) < 250


def test_images_are_turned_and_scaled_within_bounds() -> None:
    line = torch.linspace(-1, 1, 65)
    bar = torch.exp(-((line[:, None] / 0.05) ** 2) - (line[None] / 0.3) ** 2)[None]  # along the width

    def angle_and_size(settings: Recipe) -> tuple[torch.Tensor, torch.Tensor]:
        found = augment(bar.expand(200, 1, 65, 65), settings, torch.Generator().manual_seed(0))[:, 0]
        xx, yy, xy = ((found * m).sum((1, 2)) / found.sum((1, 2)) for m in (line**2, line[:, None] ** 2, line[:, None] * line))
        size = (xx + yy).sqrt() / math.sqrt((0.05**2 + 0.3**2) / 2)
        return torch.rad2deg(0.5 * torch.atan2(2 * xy, xx - yy)), size

    angle, size = angle_and_size(replace(STILL, degrees=20))
    assert -20.5 < angle.min() < -18
    assert 18 < angle.max() < 20.5
    torch.testing.assert_close(size, torch.ones(200), rtol=0, atol=0.02)
    angle, size = angle_and_size(replace(STILL, scale=0.25))
    assert 0.79 < size.min() < 0.83
    assert 1.26 < size.max() < 1.35
    assert angle.abs().max() < 0.5


@pytest.fixture
def quick_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe that takes a moment, of a dataset for which the package has no classifier."""
    monkeypatch.setitem(RECIPES, "digits", QUICK)
    for module in (training, find):
        monkeypatch.setattr(module, "packaged_file", lambda dataset: None)


@pytest.mark.usefixtures("quick_digits")
def test_a_classifier_that_is_needed_is_trained_once_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(training, "rank_zero_info", said.append)
    first = classifier_for("digits", tmp_path)
    assert "no classifier of digits" in said[0]
    assert classifier_path("lenet", "digits", tmp_path) == tmp_path / "classifiers" / "lenet_digits.pt"
    monkeypatch.setattr(training, "train_classifier", None)
    assert classifier_for("digits", str(tmp_path)).identity == first.identity


@pytest.mark.usefixtures("quick_digits")
def test_other_ranks_wait_for_the_first_and_share_its_failure(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = classifier_path("lenet", "digits", tmp_path)

    def trained_meanwhile(objects: list[str | None]) -> None:
        path.parent.mkdir()
        path.write_bytes(file.read_bytes())

    def failed(objects: list[str | None]) -> None:
        objects[0] = "no space left"

    monkeypatch.setattr("lightning_gans.strategy.world_size", lambda: 2)
    monkeypatch.setattr(training, "train_classifier", None)
    monkeypatch.setattr("torch.distributed.get_rank", lambda: 1)
    monkeypatch.setattr("torch.distributed.broadcast_object_list", failed)
    with pytest.raises(InputError, match="no space left"):
        classifier_for("digits", tmp_path)
    monkeypatch.setattr("torch.distributed.broadcast_object_list", trained_meanwhile)
    assert classifier_for("digits", tmp_path).identity == load_classifier(file).identity


def test_a_dataset_without_a_recipe_is_refused_with_those_that_have_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"recipe for 'celeba', only for mnist, .*cifar10"):
        classifier_for("celeba", tmp_path)
