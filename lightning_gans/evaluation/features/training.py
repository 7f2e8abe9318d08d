"""Trains a classifier of a dataset and stores it where evaluation finds it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Protocol

import torch
import torch.nn.functional as F
from lightning.pytorch.utilities.rank_zero import rank_zero_info, rank_zero_warn
from torch import Tensor
from tqdm import tqdm

from lightning_gans.data import Images
from lightning_gans.errors import InputError
from lightning_gans.evaluation.features.classifiers import KIND, Classifier, load_classifier, name_of
from lightning_gans.evaluation.features.colours import colour_labels
from lightning_gans.evaluation.features.recipes import RECIPES, Recipe, classifier_path, packaged_file
from lightning_gans.evaluation.samples.drawing import private_streams
from lightning_gans.randomness import keyed_generator
from lightning_gans.stored import is_rounded, round_weights, write_stored
from lightning_gans.strategy import by_first_rank

Device = Literal["auto", "cpu"]


class Augmentation(Protocol):
    """How images are moved about, see ``Recipe``."""

    @property
    def degrees(self) -> float: ...
    @property
    def scale(self) -> float: ...
    @property
    def shift(self) -> int: ...
    @property
    def flip(self) -> bool: ...


_BLOCK = 1000


def classifier_for(dataset: str, root: str | Path = "data") -> Classifier:
    """The classifier of a dataset by name: the package's, else one's own, which is trained first where there is none.

    All ranks must call this; the first trains while the others wait.

    Args:
        dataset: one of ``RECIPES``.
        root: folder with the datasets' files; classifiers are kept below it.

    Raises:
        InputError: nothing is known of this dataset, its files are missing, or the classifier errs too often.
    """
    if dataset not in RECIPES:
        raise InputError(
            f"there is no classifier recipe for {dataset!r}, only for {', '.join(RECIPES)}; "
            "train one with lightning classifier --dataset and give its path"
        )
    path = classifier_path(RECIPES[dataset].architecture, dataset, root)
    if (packaged := packaged_file(dataset)) is not None:
        if path.is_file():
            rank_zero_info(f"measuring by the package's classifier of {dataset}; for your own: --evaluation.features {path}")
        return load_classifier(packaged)
    by_first_rank(lambda: _train_missing(dataset, root, path))
    return load_classifier(path)


def _train_missing(dataset: str, root: str | Path, path: Path) -> None:
    if not path.is_file():
        Images(RECIPES[dataset].dataset, root=str(root)).prepare_data()  # refuses files that are missing first
        rank_zero_info(f"there is no classifier of {dataset} in {path.parent} yet; training one first")
        train_classifier(RECIPES[dataset], root)


@torch.inference_mode(False)
@torch.enable_grad()
def train_classifier(recipe: Recipe, root: str | Path = "data", out: str | Path | None = None, device: Device = "auto") -> Path:
    """Train by a recipe, measure on the test images, store; gives the file. Random streams of others are left alone.

    Args:
        recipe: what and how.
        root: folder with the datasets' files.
        out: the file, ``root/classifiers/ARCHITECTURE_DATASET.pt`` where none; the weights of a ``.safetensors`` are rounded to
            half precision.
        device: ``auto`` trains on a GPU where there is one.

    Raises:
        InputError: the dataset is missing, has no labels or no images.
    """
    data = Images(recipe.dataset, root=str(root), image_size=recipe.image_size, held_out=recipe.held_out)
    data.prepare_data()
    data.setup("fit")
    train, classes = _examples(data, "train", recipe.colour_of)
    test, _ = _examples(data, "test", recipe.colour_of, classes)
    where = "cuda" if device == "auto" and torch.cuda.is_available() else "cpu"
    channels, height, width = data.shape
    with private_streams():
        torch.manual_seed(recipe.seed)
        shape = channels, height, width
        known = (recipe.architecture, data.name, classes, shape)
        classifier = Classifier(*known, recipe.colour_of, recipe.image_size).to(where)
        _train(classifier, train, recipe)
    name = name_of(data.name, recipe.colour_of, recipe.image_size)
    path = Path(out) if out else classifier_path(recipe.architecture, name, root)
    if is_rounded(path):
        round_weights(classifier)  # before it is measured
    classifier.test_error = measure_error(classifier, data)
    classifier.majority_error = float((test.labels != train.labels.bincount().argmax()).double().mean())
    held_out_error = measure_error(classifier, data, "valid") if recipe.held_out else None
    _save(classifier, recipe, train, test, held_out_error, path)
    held_out = "" if held_out_error is None else f"{held_out_error:.2%} error on training images held out, "
    rank_zero_info(
        f"{classifier.name}: {held_out}{classifier.test_error:.2%} test error ({classifier.majority_error:.2%} for the "
        f"commonest class alone) on {len(test.rows):,} of {data.size('test'):,} images, trained on {len(train.rows):,} of "
        f"{data.size('train'):,}; in {path}"
    )
    if not classifier.test_error <= recipe.max_error:
        rank_zero_warn(f"{classifier.name} errs more often than max_error {recipe.max_error:.2%} allows: its use is refused")
    return path


@dataclass(frozen=True)
class _Examples:
    """The images of a split that have a label, by number ``(n,)``, and their labels ``(n,)``."""

    data: Images
    split: str
    rows: Tensor
    labels: Tensor


def _examples(
    data: Images, split: str, colour_of: str | None, classes: tuple[str, ...] | None = None
) -> tuple[_Examples, tuple[str, ...]]:
    """What there is to learn or to test on, and the names of the classes."""
    if colour_of is None:
        labels, classes = data.labels(split), data.classes
    else:
        labels, classes = colour_labels(data, split, colour_of, classes)
    if labels is None or len(data.shape) != 3 or not (labels >= 0).any():
        what = f"images with a colour of {colour_of} in their captions" if colour_of else "labelled images"
        raise InputError(f"{data.name} ({split}) has no {what} to train a classifier on; choose another dataset")
    rows = (labels >= 0).nonzero().flatten()
    return _Examples(data, split, rows, labels[rows]), classes


def _train(classifier: Classifier, train: _Examples, recipe: Recipe) -> None:
    device = next(classifier.parameters()).device
    labels = train.labels
    generator = keyed_generator("classifier", recipe.seed)
    size = min(recipe.batch_size, len(labels))
    steps = len(labels) // size
    optimizer = torch.optim.AdamW(classifier.parameters(), weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.lr, recipe.epochs * steps)
    classifier.to(memory_format=torch.channels_last).train()
    with tqdm(total=recipe.epochs * steps, desc=f"training {classifier.name}", delay=1, unit=" steps") as bar:
        for _ in range(recipe.epochs):
            for rows in torch.randperm(len(labels), generator=generator)[: steps * size].split(size):
                images = augment(train.data.real(train.split, train.rows[rows]), recipe, generator).to(device)
                loss = F.cross_entropy(
                    classifier.classify(images), labels[rows].to(device), label_smoothing=recipe.label_smoothing
                )
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                bar.update()
            bar.set_postfix(loss=f"{loss.item():.3f}")
    classifier.to(memory_format=torch.contiguous_format).eval()


def augment(images: Tensor, recipe: Augmentation, generator: torch.Generator) -> Tensor:
    """Images ``(N, C, H, W)`` turned, scaled, moved and mirrored at random, each on its own; the border is continued."""
    n, _, height, width = images.shape
    angle, scale, right, down, mirror = torch.rand(5, n, generator=generator) * 2 - 1
    angle, scale = angle * math.radians(recipe.degrees), 1 + scale * recipe.scale
    cos, sin = angle.cos() * scale, angle.sin() * scale
    side = mirror.sign() if recipe.flip else torch.ones(n)
    right, down = (recipe.shift * right).round() * 2 / width, (recipe.shift * down).round() * 2 / height
    move = torch.stack([cos * side, -sin, right, sin * side, cos, down], 1).view(n, 2, 3)
    grid = F.affine_grid(move, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


@torch.no_grad()
def measure_error(classifier: Classifier, data: Images, split: str = "test") -> float:
    """The share of a split's images with a label that is put into a wrong class."""
    test, _ = _examples(data, split, classifier.colour_of, classifier.classes)
    device = next(classifier.parameters()).device
    wrong = 0
    for rows, labels in zip(test.rows.split(_BLOCK), test.labels.split(_BLOCK), strict=True):
        predicted = classifier.classify(data.real(split, rows).to(device)).argmax(1).cpu()
        wrong += int((predicted != labels).sum())
    return wrong / len(test.labels)


def _save(
    classifier: Classifier,
    recipe: Recipe,
    train: _Examples,
    test: _Examples,
    held_out_error: float | None,
    path: Path,
) -> None:
    content = {
        "kind": KIND,
        "architecture": classifier.architecture,
        "dataset": classifier.dataset,
        "colour_of": classifier.colour_of,
        "image_size": classifier.image_size,
        "classes": list(classifier.classes),
        "shape": list(classifier.shape),
        "weights": {name: value.cpu() for name, value in classifier.state_dict().items()},
        "sha256": classifier.identity,
        "test_error": classifier.test_error,
        "majority_error": classifier.majority_error,
        "held_out_error": held_out_error,
        "data": {examples.split: examples.data.fingerprint(examples.split) for examples in (train, test)},
        "labelled": {examples.split: len(examples.rows) for examples in (train, test)},
        "recipe": asdict(recipe),
    }
    write_stored(content, path, "classifier")
