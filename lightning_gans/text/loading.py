"""Finds a text encoder: in a file or a folder, or trained first where its recipe is known."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import torch

from lightning_gans.errors import InputError
from lightning_gans.stored import SUFFIXES, identity_of, read_stored
from lightning_gans.strategy import by_first_rank
from lightning_gans.suggestions import near
from lightning_gans.text.char_cnn_rnn import CharCNNRNN
from lightning_gans.text.encoder import TextEncoder, TrainedTextEncoder
from lightning_gans.text.pretrained import PretrainedTextEncoder, ProjectedTextEncoder
from lightning_gans.text.recipes import TEXT_RECIPES, named_path, recipe_at, text_encoder_path
from lightning_gans.text.stored_embeddings import StoredEmbeddings

KIND = "lightning_gans.text_encoder/1"
COMMAND = "lightning text-encoder"
_root: ContextVar[str] = ContextVar("root", default="data")


@contextmanager
def named_below(root: str) -> Iterator[None]:
    """Meanwhile encoders that are given by name are those below ``root``: the command has it from its data.

    So a config, and a checkpoint, has the name alone, and serves whatever the root.
    """
    before = _root.set(root)
    try:
        yield
    finally:
        _root.reset(before)


def text_encoder_for(dataset: str, root: str | Path = "data") -> TextEncoder:
    """The text encoder of a dataset by name, which is trained first where there is none.

    All ranks must call this; the first trains while the others wait.

    Args:
        dataset: with a recipe.
        root: folder with the datasets' files; encoders are kept below it.

    Raises:
        InputError: nothing is known of this dataset, its files are missing, or the encoder is too poor.
    """
    if dataset not in TEXT_RECIPES:
        raise InputError(
            f"there is no text encoder recipe for {dataset!r}{near(dataset, TEXT_RECIPES)}, only for "
            f"{', '.join(TEXT_RECIPES)}; train one with {COMMAND} --dataset and give its path"
        )
    return load_text_encoder(text_encoder_path(dataset, root))


def load_text_encoder(path: str | Path, min_score: float | None = None) -> TextEncoder:
    """The text encoder in a file or a folder, in evaluation mode, with weights that need no gradients.

    All ranks must call this: where there is no file, and it is called ``ROOT/text_encoders/char_cnn_rnn_DATASET.pt`` after a
    dataset with a recipe, the first trains one while the others wait.

    Args:
        path: that ``lightning text-encoder`` wrote; an ``.npz`` of embeddings, see ``StoredEmbeddings``; the folder of a
            pretrained encoder, see ``PretrainedTextEncoder``; or a mere name, such as ``char_cnn_rnn_anime``, of a file or a
            folder in ``ROOT/text_encoders``, where ROOT is that of the command's data, else ``data``.
        min_score: the least score to put up with, as a fraction; the one that it was trained for where none.

    Raises:
        InputError: there is none, it is damaged or something else, or the encoder is too poor.
    """
    path = named_path(str(path), _root.get())
    if path.is_dir():
        if min_score is not None:
            raise InputError(
                f"the pretrained text encoder {path} has no score; leave min_score out, or train a layer over it with "
                f"{COMMAND} --texts {path}"
            )
        return PretrainedTextEncoder(path).eval()
    if path.suffix == ".npz":
        return StoredEmbeddings(path).eval()
    if path.suffix not in SUFFIXES:
        raise InputError(
            f"{path} is no text encoder; give a file {' or '.join(SUFFIXES)} of {COMMAND}, an .npz of embeddings, or the "
            "folder of a pretrained encoder"
        )
    if (dataset := recipe_at(path)) is not None:
        by_first_rank(lambda: _train_missing(dataset, path))
    if not path.is_file():
        hint = near(path.stem, [file.stem for file in path.parent.glob("*.*")])
        raise InputError(f"there is no text encoder {path}{hint}; train one with {COMMAND}")
    encoder, allowed = _read(path)
    bound = allowed if min_score is None else min_score
    if not encoder.score >= bound:
        raise InputError(
            f"the text encoder {path} retrieves {encoder.score:.2%} of the images of held-out classes, less than "
            f"{bound:.2%}; train a better one with {COMMAND}, or allow min_score"
        )
    return encoder.eval().requires_grad_(False)


def _train_missing(dataset: str, path: Path) -> None:
    if not path.is_file():
        from lightning_gans.text.training import train_missing  # which knows data and evaluation, as no paper does

        train_missing(dataset, path)


def _read(path: Path) -> tuple[TrainedTextEncoder, float]:
    """The encoder, and the score that it was trained for."""
    stored = read_stored(path, "text encoder", COMMAND)
    if stored.get("kind") != KIND:
        raise InputError(f"{path} is not a text encoder of this version; train one with {COMMAND}")
    try:
        encoder = _made(stored, path)
        encoder.load_state_dict(stored["weights"], assign=True)
        encoder.score, encoder.chance = float(stored["score"]), float(stored.get("chance", math.nan))
        encoder.dataset = stored["dataset"]
        allowed = float(stored["recipe"]["min_score"])
    except Exception as error:  # what was cut, altered or is of another architecture may raise anything
        if isinstance(error, InputError) and "texts" in stored:
            raise InputError(f"{path} cannot be used: {error}") from error
        raise InputError(
            f"{path} is not a text encoder, a damaged one or one of another version; train it anew with {COMMAND}"
        ) from error
    if identity_of(encoder) != stored.get("sha256"):
        raise InputError(f"the weights in {path} are damaged; train the text encoder anew with {COMMAND}")
    return encoder, allowed


def _made(stored: dict[str, Any], path: Path) -> TrainedTextEncoder:
    """The encoder that is stored, with weights to be put in; random streams are left alone."""
    if "texts" not in stored:
        with torch.device("meta"):
            return CharCNNRNN(stored["width"], tuple(stored["channels"]), stored["length"])
    folder = Path(stored["texts"])
    places = [place for place in (folder, path.parent / folder.name) if place.is_dir()]
    if not places:
        raise InputError(f"it is a layer over the pretrained encoder {folder}, which is not there; put that beside it")
    with torch.random.fork_rng(devices=[]):
        return ProjectedTextEncoder(places[0], stored["width"])
