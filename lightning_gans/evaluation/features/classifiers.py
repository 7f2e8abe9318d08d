"""Classifiers of images: for counting modes and classes, and for Fréchet distances in their features."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from lightning_gans.errors import InputError
from lightning_gans.stored import identity_of, read_stored

Architecture = Literal["lenet", "resnet"]
KIND = "lightning_gans.classifier/1"


class LeNet(nn.Sequential):
    """Convolution and max-pooling three times, then a hidden layer, as LeNet-5 (LeCun et al. 1998); with batch norm and ReLU.

    From 64x64 pixels on they are four times, with half as many maps in the first three.

    Args:
        shape: of an image ``(C, H, W)``, at least 8x8.
    """

    dim = 128

    def __init__(self, shape: tuple[int, int, int]) -> None:
        def stage(inputs: int, outputs: int) -> list[nn.Module]:
            convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
            return [convolution, nn.MaxPool2d(2), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]  # pooled first: cheaper

        widths = (16, 32, 64, 128) if min(shape[1:]) >= 64 else (32, 64, 128)
        stages = [layer for inputs, outputs in pairwise((shape[0], *widths)) for layer in stage(inputs, outputs)]
        flat = 128 * (shape[1] >> len(widths)) * (shape[2] >> len(widths))
        hidden = [nn.Flatten(), nn.Linear(flat, self.dim, bias=False), nn.BatchNorm1d(self.dim), nn.ReLU(inplace=True)]
        super().__init__(*stages, *hidden)


class ResNet(nn.Sequential):
    """He et al. (2016), section 4.2, for 32x32 pixels: three stages of 3 blocks, 20 layers; twice as wide, mean over pixels.

    Args:
        shape: of an image ``(C, H, W)``.
    """

    dim = 128

    def __init__(self, shape: tuple[int, int, int]) -> None:
        stem = [nn.Conv2d(shape[0], 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(inplace=True)]
        blocks: list[nn.Module] = []
        inputs = 32
        for width in (32, 64, 128):
            for _ in range(3):
                blocks.append(_Block(inputs, width))
                inputs = width
        super().__init__(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        stride = 1 if inputs == outputs else 2
        self.residual = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        down = [nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)]
        self.shortcut = nn.Identity() if stride == 1 else nn.Sequential(*down)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.residual(x) + self.shortcut(x))


ARCHITECTURES: dict[str, type[LeNet] | type[ResNet]] = {"lenet": LeNet, "resnet": ResNet}


class Classifier(nn.Module):
    """A network that tells the classes of a dataset apart, and is a feature network for Fréchet distances.

    Computes in float32 whatever it is given and whatever is cast around it.

    Args:
        architecture: of the network.
        dataset: the name of what it was trained on.
        classes: names of the K classes.
        shape: of an image ``(C, H, W)``.
        colour_of: what the classes are colours of, by the images' captions, see ``colour_labels``; none for the data's own.
        image_size: side in pixels where it is another than the dataset's usual one.

    Attributes:
        name: architecture and dataset, such as ``lenet_mnist``, what the colours are of, such as ``lenet_anime_hair``, and an
            unusual size, such as ``lenet_anime_hair32``.
        key: what a Fréchet distance in its features is called, such as ``fd_lenet_mnist``; never has ``fid`` in it.
        dim: number of features, those before the last layer.
        test_error: as a fraction, NaN before it is measured.
        majority_error: the same of calling every image what most of the training images are.
    """

    def __init__(
        self,
        architecture: Architecture,
        dataset: str,
        classes: tuple[str, ...],
        shape: tuple[int, int, int],
        colour_of: str | None = None,
        image_size: int | None = None,
    ) -> None:
        super().__init__()
        if min(shape[1:]) < 8:
            raise InputError(f"classifiers take images of at least 8x8 pixels, not {shape[2]}x{shape[1]}; set image_size")
        if len(classes) < 2:
            raise InputError(f"{dataset} has {len(classes)} classes, a classifier needs two; choose another dataset")
        self.architecture, self.dataset, self.classes, self.shape = architecture, dataset, classes, shape
        self.colour_of, self.image_size = colour_of, image_size
        self.network = ARCHITECTURES[architecture](shape)
        self.dim = self.network.dim
        self.head = nn.Linear(self.dim, len(classes))
        called = name_of(dataset, colour_of, image_size)
        self.name = f"{architecture}_{re.sub('[^a-z0-9]+', '_', called.lower())}"
        self.key = f"fd_{self.name.replace('fid', 'f_id')}"
        self.test_error = self.majority_error = math.nan

    @property
    def identity(self) -> str:
        """sha256 of the weights, in hexadecimal digits."""
        return identity_of(self)

    def forward(self, images: Tensor) -> Tensor:
        """Features ``(N, dim)`` of uint8 images ``(N, C, H, W)``.

        Raises:
            InputError: images of another type or shape.
        """
        if images.dtype != torch.uint8:
            raise InputError(f"{self.name} takes features of uint8 images, not of {images.dtype}; round them to bytes")
        return self._features(images.float().mul(2 / 255).sub(1))

    def logits(self, features: Tensor) -> Tensor:
        """Logits ``(N, K)`` of features ``(N, dim)``."""
        with torch.autocast(features.device.type, enabled=False):
            return self.head(features.float())

    def classify(self, images: Tensor) -> Tensor:
        """Logits ``(N, K)`` of images ``(N, C, H, W)`` in [-1, 1].

        Raises:
            InputError: images of another shape.
        """
        return self.logits(self._features(images))

    def _features(self, images: Tensor) -> Tensor:
        if images.dim() != 4 or tuple(images.shape[1:]) != self.shape:
            raise InputError(
                f"{self.name} takes images (N, {', '.join(map(str, self.shape))}), not {tuple(images.shape)}; "
                "choose the classifier of this dataset and size"
            )
        with torch.autocast(images.device.type, enabled=False):
            return self.network(images.float())


def name_of(dataset: str, colour_of: str | None = None, image_size: int | None = None) -> str:
    """Of what a classifier tells apart: dataset, noun and an unusual size, such as ``anime_hair32``."""
    return f"{dataset}{f'_{colour_of}' if colour_of else ''}{image_size or ''}"


def load_classifier(path: str | Path, max_error: float | None = None) -> Classifier:
    """The classifier in a file that ``lightning classifier`` wrote, in evaluation mode, with weights that need no gradients.

    Args:
        path: of the file.
        max_error: the largest test error to put up with, as a fraction; the one that it was trained for where none.

    Raises:
        InputError: there is no such file, it is damaged or something else, or the classifier errs too often.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no classifier {path}; train one with lightning classifier")
    stored = read_stored(path, "classifier", "lightning classifier")
    if stored.get("kind") != KIND:
        raise InputError(f"{path} is not a classifier of this version; train one with lightning classifier")
    try:
        with torch.device("meta"):  # draws no initial weights, so that random streams are left alone
            known = (stored["architecture"], stored["dataset"], tuple(stored["classes"]), tuple(stored["shape"]))
            classifier = Classifier(*known, stored.get("colour_of"), stored.get("image_size"))
        classifier.load_state_dict(stored["weights"], assign=True)
        classifier.test_error, classifier.majority_error = float(stored["test_error"]), stored.get("majority_error", math.nan)
        allowed = float(stored["recipe"]["max_error"])
    except InputError:
        raise
    except Exception as error:  # what was cut, altered or is of another architecture may raise anything
        raise InputError(
            f"{path} is not a classifier, a damaged one or one of another version; train it anew with lightning classifier"
        ) from error
    if classifier.identity != stored.get("sha256"):
        raise InputError(f"the weights in {path} are damaged; train the classifier anew with lightning classifier")
    bound = allowed if max_error is None else max_error
    if not classifier.test_error <= bound:
        raise InputError(
            f"the classifier {path} errs on {classifier.test_error:.2%} of the test images, more than {bound:.2%}; "
            "train a better one with lightning classifier, or allow max_error"
        )
    return classifier.eval().requires_grad_(False)
