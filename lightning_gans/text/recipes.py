"""How the text encoders of known datasets are trained, and where they are kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from lightning_gans import checks
from lightning_gans.errors import InputError

CHAR_CNN_RNN = "char_cnn_rnn"
_FOLDER = "text_encoders"


@dataclass(frozen=True)
class TextRecipe:
    """How a text encoder is trained: AdamW, one cycle of learning rates, images moved about a little at random.

    Args:
        dataset: a name, or the path of one's own images with captions.
        image_size: side in pixels that images are scaled to for this, none for the dataset's usual one.
        width: of the embedding.
        channels: of the three convolutions; the last is the recurrent width, too.
        length: bytes that are read of a caption.
        images: what embeds the images: ``lenet`` or ``resnet``, trained with the encoder; or a network that stays as it is,
            under one linear layer, as the authors' GoogLeNet: a classifier's file, ``inception`` or ``inception768``.
        texts: what embeds the captions: ``char_cnn_rnn``; or the folder of a pretrained encoder, which stays as it is, under
            one linear layer, see ``PretrainedTextEncoder``; then channels and length count for nothing.
        epochs: passes over the training images, each time with one caption of each.
        batch_size: pairs a step; the authors' 40 are of as many classes.
        lr: the largest learning rate, reached after three tenths of the training.
        weight_decay: of AdamW.
        degrees: images are turned by up to so many.
        scale: images are scaled by up to this fraction.
        shift: images are moved by up to so many pixels along each axis.
        flip: every second image is mirrored.
        seed: of initial weights, order, captions and augmentation.
        min_score: use is refused below this share of a held-out class's images that retrieve it first, mean over classes.
    """

    dataset: str = "anime"
    image_size: int | None = None
    width: int = 1024
    channels: tuple[int, int, int] = (384, 512, 512)
    length: int = 201
    images: str = "lenet"
    texts: str = CHAR_CNN_RNN
    epochs: int = 8
    batch_size: int = 128
    lr: float = 2e-3
    weight_decay: float = 0.01
    degrees: float = 5.0
    scale: float = 0.05
    shift: int = 2
    flip: bool = True
    seed: int = 0
    min_score: float = 0.0

    def __post_init__(self) -> None:
        checks.positive(epochs=self.epochs, lr=self.lr)
        if self.batch_size < 2:
            raise InputError(f"batch_size is {self.batch_size}, but must be at least 2: a caption is compared with others")
        checks.not_negative(weight_decay=self.weight_decay, degrees=self.degrees, shift=self.shift)
        checks.fractions(scale=self.scale, min_score=self.min_score)


_PAPER = TextRecipe("cub200", images="resnet", epochs=60, batch_size=40, degrees=0, scale=0, shift=4, min_score=0.04)
TEXT_RECIPES = {
    "anime": TextRecipe("anime", 32, width=128, channels=(64, 128, 128), length=128, epochs=5, lr=3e-3, min_score=0.02),
    "cub200": _PAPER,
    "oxford102": replace(_PAPER, dataset="oxford102", min_score=0.1),
}


def text_encoder_path(dataset: str, root: str | Path, texts: str = CHAR_CNN_RNN) -> Path:
    """Where the text encoder of a dataset is kept."""
    return Path(root) / _FOLDER / f"{Path(texts).resolve().name}_{dataset}.pt"


def named_path(path: str, root: str) -> Path:
    """Where an encoder is: a mere name is that of a file or a folder of ours below the root."""
    if Path(path).name != path or Path(path).suffix or Path(path).exists():
        return Path(path)
    below = Path(root) / _FOLDER / path
    return below if below.is_dir() else below.with_name(f"{path}.pt")


def recipe_at(path: Path) -> str | None:
    """The dataset with a recipe whose encoder is kept in a file, if there is one."""
    return next((name for name in TEXT_RECIPES if path == text_encoder_path(name, path.parent.parent)), None)
