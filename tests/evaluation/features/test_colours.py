"""Colours that captions name: read, learned, and counted in generated images."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lightning_gans import Images, InputError
from lightning_gans.evaluation import Evaluation
from lightning_gans.evaluation.evaluate import evaluate
from lightning_gans.evaluation.features.classifiers import load_classifier
from lightning_gans.evaluation.features.colours import colour_in, colour_labels, colours_named, labels_for
from lightning_gans.evaluation.features.find import counting_classifier, must_be_trained
from lightning_gans.evaluation.features.recipes import Recipe, classifier_path
from lightning_gans.evaluation.features.training import measure_error, train_classifier
from lightning_gans.evaluation.measure import Evaluator

PAINTS = {"red": (200, 40, 40), "green": (40, 200, 40), "blue": (40, 40, 200)}
EYES = ("black", "brown", "gray", "pink", "aqua", "yellow", "white", "odd")
RECIPE = Recipe("faces", "hair", epochs=6, batch_size=32, degrees=0, scale=0, max_error=0.2)


@pytest.mark.parametrize(
    ("captions", "colour"),
    [
        (["red hair and blue eyes"], "red"),
        (["Red long hair"], "red"),
        (["long red hair"], "red"),
        (["short red short hair, green eyes"], "red"),
        (["a girl with long hair and red eyes"], None),
        (["hair"], None),
        (["bicolored hair"], None),
        (["bicolored red hair"], None),
        (["black blue long short hair and green eyes"], None),
        (["red hairband"], None),
        (["red hair", "long red hair"], "red"),
        (["red hair", "pink hair"], None),
        (["red hair", "bicolored hair"], None),
        (["red eyes", "pink hair"], "pink"),
        ([], None),
    ],
)
def test_the_colour_of_hair_is_the_one_word_before_it(captions: list[str], colour: str | None) -> None:
    assert colour_in(captions, "hair") == colour


def test_classes_are_the_colours_that_are_named() -> None:
    captions = [["red hair"], ["blue long hair and pink eyes"], ["long hair"], ["red hair and white eyes"]]
    assert colours_named(captions, "hair") == ("blue", "red")
    assert colours_named(captions, "eyes") == ("pink", "white")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``faces``: images of one colour, which the captions say, and a quarter whose captions say nothing of it."""
    folder = tmp_path_factory.mktemp("data") / "faces"
    folder.mkdir()
    random, rows = np.random.default_rng(0), []
    for number, (hair, length, eyes, _) in enumerate(itertools.product((*PAINTS, ""), ("", "long "), EYES, range(4))):
        pixels = np.array(PAINTS.get(hair, (128, 128, 128))) + random.integers(-40, 41, (8, 8, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")
        rows.append((f"{number}.png", f"{f'{hair} {length}hair and ' if hair else length}{eyes} eyes"))
    with open(folder / "captions.csv", "w", newline="") as file:
        csv.writer(file).writerows([("image", "caption"), *rows])
    return folder.parent


@pytest.fixture(scope="module")
def data(root: Path) -> Images:
    images = Images("faces", root=str(root))
    images.prepare_data()
    images.setup("fit")
    return images


@pytest.fixture(scope="module")
def file(root: Path) -> Path:
    return train_classifier(RECIPE, root, device="cpu")


def test_labels_are_read_from_captions_and_others_are_left_out(data: Images) -> None:
    for split in ("train", "test"):
        labels, colours = colour_labels(data, split, "hair")
        captions = data.captions(split)
        assert captions is not None
        assert len(labels) == data.size(split) == len(captions)
        for label, (caption,) in zip(labels.tolist(), captions, strict=True):
            assert (colours[label] if label >= 0 else "") == next((name for name in PAINTS if name in caption), "")
    assert colours == ("blue", "green", "red")
    assert colour_labels(data, "train", "hair", ("red",))[0].unique().tolist() == [-1, 0]
    eyes, _ = colour_labels(data, "train", "eyes")
    captions = data.captions("train")
    assert captions is not None
    assert (eyes < 0).tolist() == ["odd" in caption for (caption,) in captions]


def test_data_without_captions_is_refused() -> None:
    digits = Images("digits")
    digits.setup("fit")
    with pytest.raises(InputError, match="digits has no captions to find the colour of hair in"):
        colour_labels(digits, "test", "hair")


def test_a_colour_is_learned_and_what_was_used_is_stored(file: Path, root: Path, data: Images) -> None:
    classifier, stored = load_classifier(file), torch.load(file, weights_only=True)
    assert file == classifier_path("lenet", "faces_hair", root)
    assert (classifier.name, classifier.key) == ("lenet_faces_hair", "fd_lenet_faces_hair")
    assert (classifier.colour_of, classifier.classes) == ("hair", ("blue", "green", "red"))
    train, test = (colour_labels(data, split, "hair")[0] for split in ("train", "test"))
    assert stored["labelled"] == {"train": int((train >= 0).sum()), "test": int((test >= 0).sum())}
    assert 0 < stored["labelled"]["train"] < len(train)
    commonest = train[train >= 0].bincount().argmax()
    assert classifier.majority_error == stored["majority_error"] == float((test[test >= 0] != commonest).double().mean())
    assert classifier.test_error == measure_error(classifier, data) < 0.1 < classifier.majority_error
    found = classifier.classify(data.real("test")).argmax(1)
    assert float((found != test)[test >= 0].double().mean()) == pytest.approx(classifier.test_error)
    assert torch.equal(labels_for(classifier, data, "test"), test[test >= 0])


@pytest.mark.parametrize(("dataset", "noun"), [("faces", "beak"), ("digits", "hair")])
def test_what_has_no_colour_is_refused(dataset: str, noun: str, root: Path) -> None:
    with pytest.raises(InputError, match=f"{dataset}.*colour of {noun}"):
        train_classifier(Recipe(dataset, noun), root, device="cpu")


def evaluator(data: Images, file: Path, metrics: list[str], num_samples: int) -> Evaluator:
    return Evaluation(metrics, features=str(file), num_samples=num_samples).evaluator(data)


def real_hair(data: Images) -> Tensor:
    labels, _ = colour_labels(data, "test", "hair")
    return data.real("test", (labels >= 0).nonzero().flatten())


@pytest.mark.parametrize("metrics", [["modes"], ["fd", "modes"]])
def test_colours_of_samples_are_counted_beside_those_of_the_split(metrics: list[str], data: Images, file: Path) -> None:
    classifier, images = load_classifier(file), real_hair(data)
    found = evaluate(lambda n: images[:n], data, metrics, str(file), len(images))
    shares = [classifier.classify(images).argmax(1).bincount(minlength=3).double() / len(images)]
    shares.append(labels_for(classifier, data, "test").bincount(minlength=3).double() / len(images))
    assert found["modes"] == int((shares[0] > 0).sum())
    assert found["tv"] == pytest.approx(float((shares[0] - shares[1]).abs().sum() / 2))
    assert ("fd_lenet_faces_hair" in found) == ("fd" in metrics)
    one = evaluate(lambda n: images[:1].expand(n, -1, -1, -1) + 0.01 * torch.rand(n, 1, 1, 1), data, metrics, str(file), 50)
    assert one["modes"] == 1
    assert one["tv"] > found["tv"] + 0.2


def test_the_best_to_hope_for_is_a_sampler_of_the_splits_colours(data: Images, file: Path) -> None:
    measuring = evaluator(data, file, ["modes"], 40)
    assert measuring.floor_is == "perfect sampler"
    shares = labels_for(load_classifier(file), data, "test").bincount(minlength=3).double()
    draws = torch.distributions.Multinomial(40, shares).sample((4000,)) / 40
    assert measuring.floor["tv"] == pytest.approx(float((draws - shares / shares.sum()).abs().sum(1).mean() / 2), rel=0.05)


def test_the_mode_score_takes_colours_too(data: Images, file: Path) -> None:
    images = real_hair(data)
    found = evaluate(lambda n: images[:n], data, ["mode_score"], str(file), len(images))
    score = found["mode_score_lenet_faces_hair"]
    assert 1.5 < score <= 3


def test_the_classifier_in_the_features_file_counts_its_own_dataset_only(root: Path, file: Path) -> None:
    classifier = load_classifier(file)
    assert counting_classifier(str(file), "faces", root).identity == classifier.identity
    assert counting_classifier(str(file), "other", root).identity == classifier.identity  # nothing else is known of it
    assert must_be_trained(str(file), "cifar10", root)  # which has a recipe of its own
    assert not must_be_trained(str(file), "faces", root)
    with pytest.raises(InputError, match="no classifier recipe for 'faces'"):
        counting_classifier("inception", "faces", root)
