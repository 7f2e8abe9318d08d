"""How the classifiers of known datasets are trained, and where they are kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from lightning_gans import checks
from lightning_gans.evaluation.features.classifiers import Architecture


@dataclass(frozen=True)
class Recipe:
    """How a classifier is trained: AdamW, one cycle of learning rates, images moved about a little at random.

    Args:
        dataset: a name, or the path of images in folders that are named for their classes.
        colour_of: a noun in the images' captions, such as ``hair``, whose colour is the class; images whose captions name none
            or several are left out. None for the dataset's own classes.
        image_size: side in pixels that images are scaled to for this, none for the dataset's usual one.
        architecture: ``lenet`` for digits and drawings, ``resnet`` for photographs.
        epochs: passes over the training images.
        batch_size: images a step.
        lr: the largest learning rate, reached after three tenths of the training.
        weight_decay: of AdamW.
        label_smoothing: share of a label's weight that is spread over all classes.
        degrees: images are turned by up to so many.
        scale: images are scaled by up to this fraction.
        shift: images are moved by up to so many pixels along each axis.
        flip: every second image is mirrored.
        held_out: a number or share of the training images that are kept from training, for an error on images of the same law,
            where the test images are of another: captioned faces are split by what their captions say.
        seed: of initial weights, order and augmentation.
        max_error: use is refused above this error on the test images, as a fraction.
    """

    dataset: str = "mnist"
    colour_of: str | None = None
    image_size: int | None = None
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
    held_out: float | None = None
    seed: int = 0
    max_error: float = 0.005

    def __post_init__(self) -> None:
        checks.positive(epochs=self.epochs, batch_size=self.batch_size, lr=self.lr)
        checks.not_negative(weight_decay=self.weight_decay, degrees=self.degrees, shift=self.shift)
        checks.fractions(scale=self.scale, label_smoothing=self.label_smoothing, max_error=self.max_error)


_FACES = Recipe("anime", "hair", epochs=8, weight_decay=0.05, degrees=5, scale=0.05, flip=True, held_out=0.1, max_error=0.4)
_RESNET = Recipe(architecture="resnet", epochs=40, lr=1e-2, weight_decay=0.05, degrees=0, scale=0, shift=4)
RECIPES = {
    "mnist": Recipe(),
    "digits": Recipe("digits", epochs=30, degrees=5, shift=1, max_error=0.03),
    "cifar10": replace(_RESNET, dataset="cifar10", flip=True, max_error=0.08),
    "svhn": replace(_RESNET, dataset="svhn", shift=2, max_error=0.04),
    "anime_hair": _FACES,
    "anime_eyes": replace(_FACES, colour_of="eyes", max_error=0.5),
    "anime_hair32": replace(_FACES, image_size=32),
    "anime_eyes32": replace(_FACES, colour_of="eyes", image_size=32, max_error=0.6),
}


def classifier_path(architecture: str, dataset: str, root: str | Path) -> Path:
    """Where the classifier of one of ``RECIPES`` by name, or of another dataset, is kept."""
    return Path(root) / "classifiers" / f"{architecture}_{dataset}.pt"


def packaged_file(dataset: str) -> Path | None:
    """The reference classifier of a dataset, which all that measure by it share; none for most."""
    return next((Path(__file__).parent / "trained").glob(f"*_{dataset}.safetensors"), None)
