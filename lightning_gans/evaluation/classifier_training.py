"""``lightning classifier``: trains a classifier of a dataset and stores it where evaluation finds it."""

from __future__ import annotations

import argparse
import io
import math
import os
import tempfile
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Literal

import torch
import torch.distributed as dist
import torch.nn.functional as F
from jsonargparse import ArgumentParser
from lightning.pytorch.utilities.rank_zero import rank_zero_info, rank_zero_warn
from torch import Tensor
from tqdm import tqdm

from lightning_gans import checks
from lightning_gans.data import Images
from lightning_gans.errors import InputError
from lightning_gans.evaluation.classifiers import KIND, Architecture, Classifier, load_classifier
from lightning_gans.evaluation.sampling import private_streams
from lightning_gans.randomness import keyed_generator
from lightning_gans.strategy import world_size

Device = Literal["auto", "cpu"]

_BLOCK = 1000


@dataclass(frozen=True)
class Recipe:
    """How a classifier is trained: AdamW, one cycle of learning rates, images moved about a little at random.

    Args:
        dataset: a name, or the path of images in folders that are named for their classes.
        architecture: ``lenet`` for digits, ``resnet`` for colour.
        epochs: passes over the training images.
        batch_size: images a step.
        lr: the largest learning rate, reached after three tenths of the training.
        weight_decay: of AdamW.
        label_smoothing: share of a label's weight that is spread over all classes.
        degrees: images are turned by up to so many.
        scale: images are scaled by up to this fraction.
        shift: images are moved by up to so many pixels along each axis.
        flip: every second image is mirrored.
        seed: of initial weights, order and augmentation.
        max_error: use is refused above this error on the test images, as a fraction.
    """

    dataset: str = "mnist"
    architecture: Architecture = "lenet"
    epochs: int = 7
    batch_size: int = 128
    lr: float = 5e-3
    weight_decay: float = 0.01
    label_smoothing: float = 0.05
    degrees: float = 10.0
    scale: float = 0.1
    shift: int = 2
    flip: bool = False
    seed: int = 0
    max_error: float = 0.005

    def __post_init__(self) -> None:
        checks.positive(epochs=self.epochs, batch_size=self.batch_size, lr=self.lr)
        checks.not_negative(weight_decay=self.weight_decay, degrees=self.degrees, shift=self.shift)
        checks.fractions(scale=self.scale, label_smoothing=self.label_smoothing, max_error=self.max_error)


_RESNET = Recipe(architecture="resnet", epochs=40, lr=1e-2, weight_decay=0.05, degrees=0, scale=0, shift=4)
RECIPES = {
    "mnist": Recipe(),
    "digits": Recipe("digits", epochs=30, degrees=5, shift=1, max_error=0.03),
    "cifar10": replace(_RESNET, dataset="cifar10", flip=True, max_error=0.08),
    "svhn": replace(_RESNET, dataset="svhn", shift=2, max_error=0.04),
}


def classifier_path(architecture: str, dataset: str, root: str | Path) -> Path:
    """Where the classifier of a dataset by name is kept."""
    return Path(root) / "classifiers" / f"{architecture}_{dataset}.pt"


def classifier_for(dataset: str, root: str | Path = "data", max_error: float | None = None) -> Classifier:
    """The classifier of a dataset by name; it is trained first, by its recipe, if there is none yet.

    All ranks must call this; the first trains while the others wait.

    Args:
        dataset: one of ``RECIPES``.
        root: folder with the datasets' files; classifiers are kept below it.
        max_error: the largest test error to put up with, the recipe's where none.

    Raises:
        InputError: nothing is known of this dataset, its files are missing, or the classifier errs too often.
    """
    if dataset not in RECIPES:
        raise InputError(
            f"there is no classifier recipe for {dataset!r}, only for {', '.join(RECIPES)}; "
            "train one with lightning classifier --dataset and give its path"
        )
    path = classifier_path(RECIPES[dataset].architecture, dataset, root)
    problem: list[str | None] = [None]
    if (world_size() == 1 or dist.get_rank() == 0) and not path.is_file():
        rank_zero_info(f"there is no classifier of {dataset} in {path.parent} yet; training one first")
        try:
            train_classifier(RECIPES[dataset], root)
        except InputError as error:
            problem = [str(error)]
    if world_size() > 1:
        dist.broadcast_object_list(problem)
    if problem[0] is not None:
        raise InputError(problem[0])
    return load_classifier(path, max_error)


@torch.inference_mode(False)
@torch.enable_grad()
def train_classifier(recipe: Recipe, root: str | Path = "data", out: str | Path | None = None, device: Device = "auto") -> Path:
    """Train by a recipe, measure on the test images, store; gives the file. Random streams of others are left alone.

    Args:
        recipe: what and how.
        root: folder with the datasets' files.
        out: the file, ``root/classifiers/ARCHITECTURE_DATASET.pt`` where none.
        device: ``auto`` trains on a GPU where there is one.

    Raises:
        InputError: the dataset is missing, has no labels or no images.
    """
    data = Images(recipe.dataset, root=str(root))
    data.prepare_data()
    data.setup("fit")
    labels = data.labels("train")
    if labels is None or len(data.shape) != 3:
        raise InputError(f"{recipe.dataset} has no labelled images to train a classifier on; choose another dataset")
    where = "cuda" if device == "auto" and torch.cuda.is_available() else "cpu"
    channels, height, width = data.shape
    with private_streams():
        torch.manual_seed(recipe.seed)
        classifier = Classifier(recipe.architecture, data.name, data.classes, (channels, height, width)).to(where)
        _train(classifier, data, recipe)
    classifier.test_error = measure_error(classifier, data)
    path = Path(out) if out else classifier_path(recipe.architecture, data.name, root)
    _save(classifier, recipe, data, path)
    rank_zero_info(f"{classifier.name}: {classifier.test_error:.2%} test error, in {path}")
    if not classifier.test_error <= recipe.max_error:
        rank_zero_warn(f"{classifier.name} errs more often than max_error {recipe.max_error:.2%} allows: its use is refused")
    return path


def _train(classifier: Classifier, data: Images, recipe: Recipe) -> None:
    device = next(classifier.parameters()).device
    labels = data.labels("train")
    assert labels is not None
    generator = keyed_generator("classifier", recipe.seed)
    size = min(recipe.batch_size, len(labels))
    steps = len(labels) // size
    optimizer = torch.optim.AdamW(classifier.parameters(), weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.lr, recipe.epochs * steps)
    classifier.to(memory_format=torch.channels_last).train()
    with tqdm(total=recipe.epochs * steps, desc=f"training {classifier.name}", delay=1, unit=" steps") as bar:
        for _ in range(recipe.epochs):
            for rows in torch.randperm(len(labels), generator=generator)[: steps * size].split(size):
                images = augment(data.real("train", rows), recipe, generator).to(device)
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


def augment(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
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
def measure_error(classifier: Classifier, data: Images) -> float:
    """The share of the test images that is put into a wrong class."""
    labels = data.labels("test")
    assert labels is not None
    device = next(classifier.parameters()).device
    wrong = 0
    for rows in torch.arange(len(labels)).split(_BLOCK):
        found = classifier.classify(data.real("test", rows).to(device)).argmax(1).cpu()
        wrong += int((found != labels[rows]).sum())
    return wrong / len(labels)


def _save(classifier: Classifier, recipe: Recipe, data: Images, path: Path) -> None:
    content = {
        "kind": KIND,
        "architecture": classifier.architecture,
        "dataset": classifier.dataset,
        "classes": list(classifier.classes),
        "shape": list(classifier.shape),
        "weights": {name: value.cpu() for name, value in classifier.state_dict().items()},
        "sha256": classifier.identity,
        "test_error": classifier.test_error,
        "data": {split: data.fingerprint(split) for split in ("train", "test")},
        "recipe": asdict(recipe),
    }
    written = io.BytesIO()
    torch.save(content, written)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as scratch:
            Path(scratch, path.name).write_bytes(written.getbuffer())
            os.replace(Path(scratch, path.name), path)
    except OSError as error:
        raise InputError(f"cannot write the classifier {path} ({error.strerror}); set out to a place of yours") from error


def main(args: list[str]) -> None:
    """``lightning classifier [--config FILE] [--dataset NAME] [--root FOLDER] [--out FILE] ...``.

    What is not given is the dataset's recipe, where there is one.

    Raises:
        InputError: a setting does not fit, or training is not possible.
    """
    parser = ArgumentParser(prog="lightning classifier", description="Train a classifier of images.", exit_on_error=False)
    parser.add_argument("-c", "--config", action="config", help="YAML file of settings")
    parser.add_class_arguments(Recipe)
    parser.add_function_arguments(train_classifier, skip={"recipe"})
    try:
        dataset = parser.parse_args(args).dataset
        parser.set_defaults(asdict(RECIPES.get(dataset, Recipe(dataset))))
        settings = parser.parse_args(args).as_dict()
    except argparse.ArgumentError as error:
        raise InputError(f"{' '.join(str(error).split())} (see lightning classifier --help)") from error
    recipe = Recipe(**{field.name: settings[field.name] for field in fields(Recipe)})
    train_classifier(recipe, settings["root"], settings["out"], settings["device"])
