"""GANs that carry an autoencoder, and the models they grew from, as LightningModules."""

from __future__ import annotations

import importlib
import pkgutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

try:
    __version__ = version("lightning-gans")
except PackageNotFoundError:  # run from a checkout that is not installed
    __version__ = "0+unknown"

# What is imported on first use, so that `import lightning_gans` and `lightning --version` cost nothing.
_LAZY = {
    "Batch": "batch",
    "Game": "game",
    "Images": "data",
    "AttributeCondition": "networks",
    "Conditioned": "networks",
    "Heads": "networks",
    "LabelCondition": "networks",
    "Layer": "networks",
    "LayerTable": "networks",
    "MLP": "networks",
    "PairNetwork": "networks",
    "AEGANDiscriminator": "networks",
    "AEGANEncoder": "networks",
    "AEGANGenerator": "networks",
    "AEGANLatentDiscriminator": "networks",
    "ConvGenerator": "networks",
    "ConvNet": "networks",
    "UnrolledDiscriminator": "networks",
    "UnrolledGenerator": "networks",
    "VAEGANDiscriminator": "networks",
    "VAEGANEncoder": "networks",
    "VAEGANGenerator": "networks",
    "VAEGANMLP": "networks",
    "WGANGPCritic": "networks",
    "WGANGPGenerator": "networks",
    "Uniform": "priors",
    "Normal": "priors",
    "Empirical": "priors",
    "MixtureOfGaussians": "priors",
    "Categorical": "priors",
    "Product": "product",
    "Adam": "optimizers",
    "EMA": "ema",
    "Evaluation": "evaluation",
    "evaluate": "evaluation",
    "Pictures": "figures",
    "InputError": "errors",
}


def paper_modules() -> list[str]:
    """The modules of ``lightning_gans.papers``, by name."""
    return [f"{__name__}.papers.{module.name}" for module in pkgutil.iter_modules([str(Path(__file__).parent / "papers")])]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    if not name.startswith("_"):
        for module in paper_modules():
            if module.rpartition(".")[2].replace("_", "") == name.lower():
                return getattr(importlib.import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
