"""Weights that travel without pickle: written from a checkpoint, and put back into the model of its config."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from lightning_gans import checks, trust
from lightning_gans.command_line import make_model, make_ready
from lightning_gans.config_files import parse_config
from lightning_gans.errors import InputError
from lightning_gans.evaluation.samples.drawing import private_streams
from lightning_gans.export.folder import AVERAGED, CONFIG, WEIGHTS, read_manifest, read_part
from lightning_gans.restore import Weights, put_weights
from lightning_gans.text import CharCNNRNN, TextEncoder


def load_exported(folder: str | Path, weights: Weights = "raw", trusted: bool = False) -> LightningModule:
    """The model that ``lightning export`` has written, on the processor in evaluation mode.

    Its samples are those of the checkpoint, bit for bit. Nothing is unpickled: the folder has safetensors and YAML, whose sums
    are compared. Random streams stay as they are.

    Args:
        folder: of the export.
        weights: the generator's ``raw`` ones, or their average, ``ema``, where there is one.
        trusted: let the config name classes of any module; else of this package, torch, torchvision and lightning.

    Raises:
        InputError: there is no export, it is damaged, was changed, names other classes, or has no such weights.
    """
    checks.one_of("weights", weights, Weights)
    folder = Path(folder)
    manifest = read_manifest(folder)
    if weights == "ema" and AVERAGED not in manifest["files"]:
        raise InputError(f"the export in {folder} has no averaged weights; take the raw ones")
    settings = _settings(folder, manifest)
    make_ready()
    try:
        if trusted:
            trust.find_own([], [settings])
        else:
            trust.restrict(settings, folder / CONFIG, [])
        with private_streams():  # networks are drawn before they get their weights
            model = make_model(settings["model"])
    finally:
        trust.lift()
    put_weights(model, _read(folder, WEIGHTS, manifest), folder / WEIGHTS)
    if weights == "ema":
        put_weights(model, _read(folder, AVERAGED, manifest), folder / AVERAGED, all_of_them=False)
    return model.eval()


def to_bytes(tensors: Mapping[str, Tensor]) -> bytes:
    """Tensors by name as safetensors."""
    return save({name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}, {"format": "pt"})


def text_encoder_of(model: Any) -> dict[str, Any] | None:
    """How a text encoder is made whose weights are those of the model, instead of out of a file; ``None`` where there is none.

    Raises:
        InputError: captions are looked up, or read by an encoder of others.
    """
    encoder = getattr(model, "text_encoder", None)
    if not isinstance(encoder, TextEncoder):
        return None
    if not isinstance(encoder, CharCNNRNN):
        raise InputError(
            f"{type(model).__name__} reads captions by {encoder.name}, out of files which an export cannot have; train it "
            "with a text encoder of lightning text-encoder without --texts"
        )
    sizes = {"width": encoder.width, "channels": list(encoder.channels), "length": encoder.length}
    return {"class_path": "lightning_gans.CharCNNRNN", "init_args": sizes}


def _settings(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """``{"model": ...}`` of the config, with the text encoder that needs no file."""
    try:
        text = read_part(folder, CONFIG, dict(manifest)).decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{folder / CONFIG} is not a YAML file, but binary; export or fetch it anew") from error
    model = deepcopy(parse_config(text, str(folder / CONFIG)).get("model"))
    if not isinstance(model, dict) or "class_path" not in model:
        raise InputError(f"{folder / CONFIG} has no model; export or fetch it anew")
    if manifest.get("text_encoder"):
        model.setdefault("init_args", {})["text_encoder"] = manifest["text_encoder"]
    return {"model": model}


def _read(folder: Path, name: str, manifest: dict[str, Any]) -> dict[str, Tensor]:
    try:
        return load(read_part(folder, name, manifest))
    except SafetensorError as error:
        raise InputError(f"{folder / name} holds no weights ({error}); export or fetch it anew") from error
