"""The networks whose features sets of images are compared in, found by name."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import torch
from torch import Tensor

from lightning_gans.errors import InputError
from lightning_gans.evaluation.features.classifiers import Classifier, load_classifier
from lightning_gans.evaluation.features.inception import Inception, Layer, Precision
from lightning_gans.evaluation.features.recipes import RECIPES, classifier_path, packaged_file
from lightning_gans.evaluation.features.training import classifier_for
from lightning_gans.evaluation.samples.drawing import private_streams
from lightning_gans.stored import SUFFIXES

_INCEPTION: dict[str, Layer] = {"inception": 2048, "inception768": 768, "inception192": 192, "inception64": 64}


@runtime_checkable
class FeatureNetwork(Protocol):
    """What a Fréchet distance is taken in.

    Attributes:
        name: of the network.
        key: what a Fréchet distance in its features is called; ``fid`` for one network only.
        identity: sha256 of its weights.
        dim: number of features.

    Examples:
        DINOv2 by torch hub, in a file ``dino.py`` beside where the command runs, for ``--evaluation.features dino.DINOv2``;
        ``torch.hub.load("folder", ..., source="local")`` has it from a folder::

            class DINOv2(torch.nn.Module):
                name, key, dim, identity = "dinov2_vits14", "fd_dinov2_vits14", 384, "facebookresearch/dinov2:main"

                def __init__(self):
                    super().__init__()
                    self.network = torch.hub.load("facebookresearch/dinov2", self.name).eval().requires_grad_(False)

                def forward(self, images):
                    images = images.float() / 255
                    images = images.expand(-1, 3, -1, -1)
                    images = torch.nn.functional.interpolate(images, (224, 224), mode="bicubic", antialias=True)
                    mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]], device=images.device)
                    return self.network((images - mean.view(3, 1, 1)) / std.view(3, 1, 1))

                def logits(self, features):
                    raise NotImplementedError("has no classes: leave is and mode_score out")
    """

    name: str
    key: str
    dim: int

    @property
    def identity(self) -> str: ...

    def __call__(self, images: Tensor) -> Tensor:
        """Features, float32 ``(N, dim)``, of uint8 images ``(N, C, H, W)``."""

    def logits(self, features: Tensor) -> Tensor:
        """Class scores ``(N, K)`` of features ``(N, dim)``."""

    def to(self, device: torch.device) -> FeatureNetwork: ...


def find_network(
    features: str, dataset: str, root: Path, precision: Precision, weights_path: str | None, download: bool
) -> FeatureNetwork:
    """The network that a setting names.

    Args:
        features: ``inception`` and ``inception768``, ``inception192``, ``inception64``; ``classifier`` for that of the dataset,
            see ``classifier_for``; a file that ``lightning classifier`` wrote; or a class of the user's own as
            ``module.Class``, made without arguments.
        dataset: name of the data.
        root: folder of the datasets' files.
        precision: of Inception's convolutions.
        weights_path: of Inception.
        download: whether Inception's weights may be fetched.

    Raises:
        InputError: there is none, or its weights are missing.
    """
    if features in _INCEPTION:
        return cast(FeatureNetwork, Inception(weights_path, _INCEPTION[features], precision, download))
    if features == "classifier":
        return classifier_for(dataset, root)
    if features.endswith(SUFFIXES):
        return load_classifier(features)
    module, _, name = features.rpartition(".")
    try:
        kind = getattr(importlib.import_module(module), name)
        if not inspect.isclass(kind):
            raise InputError(f"evaluation.features names {features}, which is no class; give module.Class")
        with private_streams():
            network = kind()
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"evaluation.features is {features!r}, but must be {', '.join(_INCEPTION)}, classifier, a classifier's file "
            f"or module.Class ({error})"
        ) from error
    if not isinstance(network, FeatureNetwork) or "fid" in network.key:
        raise InputError(f"{features} must have name, key (without 'fid' in it), identity, dim and logits; see FeatureNetwork")
    return network


def counting_classifier(features: str, dataset: str, root: Path) -> Classifier:
    """The classifier that counts the classes of a dataset.

    It is the one that ``features`` names the file of, where that was trained on this dataset or there is no recipe for it.
    """
    return _in_file(features, dataset) or classifier_for(dataset, root)


def must_be_trained(features: str, dataset: str, root: Path) -> bool:
    """Whether the classifier of a dataset is not there yet."""
    if dataset not in RECIPES or _stored_file(dataset, root) is not None:
        return False
    return _in_file(features, dataset) is None


def classifier_at_hand(data: Any) -> Classifier | None:
    """The classifier of a dataset, if there is one that need not be trained first and takes such images.

    Raises:
        InputError: its file is damaged, or it errs too often.
    """
    name = getattr(data, "name", "")
    if name not in RECIPES or (file := _stored_file(name, Path(data.root))) is None:
        return None
    classifier = load_classifier(file)
    return classifier if classifier.shape == tuple(data.shape) else None


def _stored_file(dataset: str, root: Path) -> Path | None:
    """Where the classifier of a dataset with a recipe is kept: in the package, or where it was trained to."""
    recipe = RECIPES[dataset]
    file = packaged_file(dataset) or classifier_path(recipe.architecture, recipe.dataset, root)
    return file if file.is_file() else None


def _in_file(features: str, dataset: str) -> Classifier | None:
    """The classifier that ``features`` names, if it is the one to count the classes of a dataset with."""
    if not features.endswith(SUFFIXES):
        return None
    classifier = load_classifier(features)
    return classifier if classifier.dataset == dataset or dataset not in RECIPES else None


def describe_network(network: FeatureNetwork) -> dict[str, Any]:
    """What the features of a network depend on, in plain types."""
    return {
        "features": network.name,
        "layer": getattr(network, "layer", None),
        "sha256": network.identity,
        "resize": "tf1" if network.name == "inception" else None,
        "extraction_precision": getattr(network, "precision", "fp32"),
        "tf32": getattr(network, "precision", "fp32") == "tf32",
        "quantiser": "round",
    }
