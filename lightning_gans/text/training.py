"""Trains an encoder of captions with images of the classes that they describe, and stores it where it is found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_info, rank_zero_warn
from torch import Tensor, nn
from tqdm import tqdm

from lightning_gans.data import Images
from lightning_gans.errors import InputError
from lightning_gans.evaluation.features.classifiers import ARCHITECTURES
from lightning_gans.evaluation.features.find import find_network
from lightning_gans.evaluation.features.training import Device, augment
from lightning_gans.evaluation.samples.drawing import private_streams
from lightning_gans.networks import eval_mode
from lightning_gans.randomness import keyed_generator
from lightning_gans.stored import is_rounded, round_weights, write_stored
from lightning_gans.text.char_cnn_rnn import CharCNNRNN
from lightning_gans.text.encoder import TrainedTextEncoder
from lightning_gans.text.joint_embedding import class_means, joint_embedding_loss, retrieved_first
from lightning_gans.text.loading import KIND
from lightning_gans.text.pretrained import ProjectedTextEncoder
from lightning_gans.text.recipes import CHAR_CNN_RNN, TEXT_RECIPES, TextRecipe, text_encoder_path

_BLOCK = 500


def train_missing(dataset: str, path: Path) -> None:
    """Train the encoder that is kept in a file below the root of a dataset with a recipe, and say so.

    Raises:
        InputError: the dataset's files are missing.
    """
    root = path.parent.parent
    Images(dataset, root=str(root)).prepare_data()  # refuses files that are missing first
    rank_zero_info(f"there is no text encoder of {dataset} in {path.parent} yet; training one first")
    train_text_encoder(TEXT_RECIPES[dataset], root)


@torch.inference_mode(False)
@torch.enable_grad()
def train_text_encoder(
    recipe: TextRecipe, root: str | Path = "data", out: str | Path | None = None, device: Device = "auto"
) -> Path:
    """Train by a recipe, measure on the test images, store; gives the file. Random streams of others are left alone.

    Args:
        recipe: what and how.
        root: folder with the datasets' files.
        out: the file, ``root/text_encoders/TEXTS_DATASET.pt`` where none, such as ``char_cnn_rnn_anime.pt``; the weights of a
            ``.safetensors`` are rounded to half precision.
        device: ``auto`` trains on a GPU where there is one.

    Raises:
        InputError: the dataset is missing, has no captions, or fewer than two classes to learn or to test on.
    """
    data = Images(recipe.dataset, root=str(root), image_size=recipe.image_size)
    data.prepare_data()
    data.setup("fit")
    train, test = (_Pairs.of(data, split) for split in ("train", "test"))
    path = Path(out) if out else text_encoder_path(data.name, root, recipe.texts)
    where = "cuda" if device == "auto" and torch.cuda.is_available() else "cpu"
    with private_streams():
        torch.manual_seed(recipe.seed)
        encoder = _encoder(recipe).to(where)
        encoder.check_captions(data)
        tower = _tower(recipe, data, root).to(where)
        _train(encoder, tower, train, recipe)
    encoder.dataset = data.name
    if is_rounded(path):
        round_weights(encoder)  # before it is measured
    encoder.score, encoder.chance = measure_score(encoder, tower, test), 1 / test.classes
    _save(encoder, recipe, train, test, path)
    rank_zero_info(
        f"{encoder.name} of {data.name}: {encoder.score:.2%} of the images of a held-out class retrieve it first of "
        f"{test.classes:,} ({encoder.chance:.2%} by chance), {len(test.numbers):,} images in all; trained on "
        f"{len(train.numbers):,} of {train.classes:,} others; in {path}"
    )
    if not encoder.score >= recipe.min_score:
        rank_zero_warn(f"{encoder.name} of {data.name} scores less than min_score {recipe.min_score:.2%}: its use is refused")
    return path


@dataclass(frozen=True)
class _Pairs:
    """The images of a split and their captions, with the number of each image's class, int64 ``(n,)``, of so many."""

    data: Images
    split: str
    numbers: Tensor
    classes: int

    @classmethod
    def of(cls, data: Images, split: str) -> _Pairs:
        if "captions" not in data.opened.splits[split].conditions:
            raise InputError(f"{data.name} has no captions to train a text encoder on; choose another dataset")
        labels = data.labels(split)
        there, numbers = (torch.arange(data.size(split)) if labels is None else labels).unique(return_inverse=True)
        if len(there) < 2:
            raise InputError(
                f"{data.name} ({split}) has one class, a text encoder needs two to tell apart; add captions of others"
            )
        return cls(data, split, numbers, len(there))

    def images(self, rows: Tensor) -> Tensor:
        """In [-1, 1], ``(N, C, H, W)``."""
        return self.data.real(self.split, rows)

    def captions(self, rows: Tensor, which: Tensor) -> Tensor:
        """The ``which``-th of each image, byte codes int64 ``(N, L)``."""
        split = self.data.opened.splits[self.split]
        return split.condition("captions", split.stored(rows), which)

    @property
    def captions_each(self) -> int:
        return self.data.opened.splits[self.split].conditions["captions"].shape[1]


class _Frozen(nn.Module):
    """A network that stays as it is, and a linear layer."""

    def __init__(self, network: nn.Module, dim: int, width: int) -> None:
        super().__init__()
        self.network = network
        self.linear = nn.Sequential(nn.BatchNorm1d(dim), nn.Linear(dim, width))

    def forward(self, images: Tensor) -> Tensor:
        with torch.no_grad(), eval_mode(self.network):
            features = self.network(images.add(1).mul(127.5).round().clamp(0, 255).byte())
        return self.linear(features)


def _encoder(recipe: TextRecipe) -> TrainedTextEncoder:
    """What embeds captions, before it is trained."""
    if recipe.texts == CHAR_CNN_RNN:
        return CharCNNRNN(recipe.width, recipe.channels, recipe.length)
    if not Path(recipe.texts).is_dir():
        raise InputError(f"texts is {recipe.texts!r}, but must be {CHAR_CNN_RNN} or the folder of a pretrained encoder")
    return ProjectedTextEncoder(recipe.texts, recipe.width)


def _tower(recipe: TextRecipe, data: Images, root: str | Path) -> nn.Module:
    """What embeds images: ``(N, width)`` of images in [-1, 1]."""
    channels, height, width = data.shape
    if (architecture := ARCHITECTURES.get(recipe.images)) is not None:
        network = architecture((channels, height, width))
        return nn.Sequential(network, nn.Linear(network.dim, recipe.width))
    try:
        found = find_network(recipe.images, data.name, Path(root), "fp32", None, False)
    except InputError as error:
        others = ", ".join(ARCHITECTURES)
        raise InputError(f"images is {recipe.images!r}, but must be {others} or a network of features ({error})") from error
    return _Frozen(cast(nn.Module, found), found.dim, recipe.width)


def _train(encoder: TrainedTextEncoder, tower: nn.Module, train: _Pairs, recipe: TextRecipe) -> None:
    device = encoder.linear.weight.device
    generator = keyed_generator("text encoder", recipe.seed)
    count = len(train.numbers)
    size = min(recipe.batch_size, count)
    steps = count // size
    parameters = [p for p in (*encoder.parameters(), *tower.parameters()) if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.lr, recipe.epochs * steps)
    encoder.train()
    tower.to(memory_format=torch.channels_last).train()
    with tqdm(total=recipe.epochs * steps, desc=f"training {encoder.name}", delay=1, unit=" steps") as bar:
        for _ in range(recipe.epochs):
            for rows in torch.randperm(count, generator=generator)[: steps * size].split(size):
                images = augment(train.images(rows), recipe, generator).to(device)
                which = torch.randint(train.captions_each, (size,), generator=generator)
                texts = encoder(train.captions(rows, which).to(device))
                loss = joint_embedding_loss(tower(images), texts, train.numbers[rows].to(device))
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(parameters, 5.0)  # recurrent
                optimizer.step()
                schedule.step()
                bar.update()
            bar.set_postfix(loss=f"{loss.item():.3f}")
    encoder.eval()
    tower.eval()


@torch.no_grad()
def measure_score(encoder: TrainedTextEncoder, tower: nn.Module, test: _Pairs) -> float:
    """The share of a class's images that retrieve it first, by the mean of all of its captions; averaged over classes.

    So is any constant guess right for one class of K alone, however many images that has.
    """
    device = encoder.linear.weight.device
    every = torch.arange(len(test.numbers))
    texts = torch.cat(
        [
            encoder(test.captions(rows, torch.full_like(rows, which)).to(device))
            for which in range(test.captions_each)
            for rows in every.split(_BLOCK)
        ]
    )
    numbers = test.numbers.to(device)
    means = class_means(texts, numbers.repeat(test.captions_each), test.classes)
    images = torch.cat([tower(test.images(rows).to(device)) for rows in every.split(_BLOCK)])
    right = retrieved_first(images, means, numbers).double()
    return float(class_means(right[:, None], numbers, test.classes).mean())


def _save(encoder: TrainedTextEncoder, recipe: TextRecipe, train: _Pairs, test: _Pairs, path: Path) -> None:
    content = {
        "kind": KIND,
        **encoder.settings(),
        "dataset": encoder.dataset,
        "weights": {name: value.cpu() for name, value in encoder.state_dict().items()},
        "sha256": encoder.fingerprint,
        "score": encoder.score,
        "chance": encoder.chance,
        "data": {pairs.split: pairs.data.fingerprint(pairs.split) for pairs in (train, test)},
        "classes": {pairs.split: pairs.classes for pairs in (train, test)},
        "recipe": {**asdict(recipe), "channels": list(recipe.channels)},
    }
    write_stored(content, path, "text encoder")
