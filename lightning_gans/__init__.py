"""GANs that carry an autoencoder, and the models they grew from, as LightningModules."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from functools import partial
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
    "Apart": "networks",
    "AttributeCondition": "networks",
    "ClusterHeads": "networks",
    "Conditioned": "networks",
    "Heads": "networks",
    "LabelCondition": "networks",
    "Layer": "networks",
    "LayerTable": "networks",
    "MLP": "networks",
    "Packed": "networks",
    "PairNetwork": "networks",
    "Reinjected": "networks",
    "SetDiscriminator": "networks",
    "AEGANDiscriminator": "networks",
    "AEGANEncoder": "networks",
    "AEGANGenerator": "networks",
    "AEGANLatentDiscriminator": "networks",
    "ALIDiscriminator": "networks",
    "ALIEncoder": "networks",
    "ALIGenerator": "networks",
    "BEGANDiscriminator": "networks",
    "BEGANGenerator": "networks",
    "ConvGenerator": "networks",
    "ConvNet": "networks",
    "GANCLSDiscriminator": "networks",
    "GANCLSGenerator": "networks",
    "UnrolledDiscriminator": "networks",
    "UnrolledGenerator": "networks",
    "VAEGANDiscriminator": "networks",
    "VAEGANEncoder": "networks",
    "VAEGANGenerator": "networks",
    "VAEGANMLP": "networks",
    "WGANGPCritic": "networks",
    "WGANGPGenerator": "networks",
    "CharCNNRNN": "text",
    "PretrainedTextEncoder": "text",
    "ProjectedTextEncoder": "text",
    "StoredEmbeddings": "text",
    "TextEncoder": "text",
    "load_text_encoder": "text",
    "load_exported": "export",
    "Uniform": "priors",
    "Normal": "priors",
    "Empirical": "priors",
    "MixtureOfGaussians": "labelled_priors",
    "SwissRoll": "labelled_priors",
    "Categorical": "labelled_priors",
    "Product": "product",
    "Adam": "optimizers",
    "RMSprop": "optimizers",
    "ConstantThenExponential": "optimizers",
    "ConstantThenLinear": "optimizers",
    "ExponentialWithMomentum": "optimizers",
    "EMA": "ema",
    "Evaluation": "evaluation",
    "evaluate": "evaluation",
    "Pictures": "figures",
    "InputError": "errors",
    "CheckpointFiles": "checkpoint_files",
}


def paper_modules() -> list[str]:
    """The modules of ``lightning_gans.papers``, by name."""
    return [f"{__name__}.papers.{module.name}" for module in pkgutil.iter_modules([str(Path(__file__).parent / "papers")])]


def __dir__() -> list[str]:
    """What can be had from here; papers are read and not imported."""
    files = (Path(__file__).parent / "papers").glob("*.py")
    parts = (part for file in files for part in ast.parse(file.read_text()).body)
    papers = {part.name for part in parts if isinstance(part, ast.ClassDef) and not part.name.startswith("_")}
    return sorted({*_LAZY, *papers, "__version__", "paper_modules"})


def _likeness(name: str, module: str) -> int:
    """How much of a class's name is that of a module: papers are named as their files, their variants begin so."""
    short = module.rpartition(".")[2].replace("_", "")
    return len(short) if name.lower().startswith(short) else 0


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    if name[:1].isupper():  # a class, not a module that an import looks for
        for module in sorted(paper_modules(), key=partial(_likeness, name), reverse=True):
            found = vars(importlib.import_module(module)).get(name)
            if getattr(found, "__module__", None) == module:
                return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
