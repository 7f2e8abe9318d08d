"""The weights of the FID Inception network: found, checked, and read with batch norm folded in."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lightning_gans.errors import InputError

WEIGHTS_VARIABLE = "LIGHTNING_GANS_INCEPTION_WEIGHTS"
_SHA256 = "6726825d"
_URL = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"
_NAMES = ("weights-inception-2015-12-05-6726825d.pth", "pt_inception-2015-12-05-6726825d.pth")  # the same bytes
# Of the genuine network's folded convolutions up to Mixed_6e at half precision.
_FOLDED_SHA256 = "ac88549b4399dac77a7042c38987d0278cc534f330a322642d4811638ecc123b"
_BATCH_NORM_EPS = 1e-3


def find_weights(weights_path: str | Path | None = None, download: bool = False) -> Path:
    """The file of the Inception weights: ``weights_path``, else the environment's, else torch hub's under both known names.

    Args:
        weights_path: a ``.pth`` in torch-fidelity's format or a folded ``.npz``; nothing else is looked at if it is given.
        download: fetch torch-fidelity's published file (91 MiB) into torch hub's cache if it is not there; several processes
            that do so at once are safe, but each fetches.

    Raises:
        InputError: there is no such file, or it could not be fetched.
    """
    hub = Path(torch.hub.get_dir()) / "checkpoints"
    given = weights_path or os.environ.get(WEIGHTS_VARIABLE)
    places = [Path(given).expanduser()] if given else [hub / name for name in _NAMES]
    for place in places:
        if place.is_file():
            return place
    if download and not given:
        return _download(places[0])
    if given:
        origin = "weights_path" if weights_path else f"${WEIGHTS_VARIABLE}"
        raise InputError(f"there is no file {places[0]}, where {origin} says that the Inception weights are; correct it")
    raise InputError(
        f"a FID needs the Inception weights (91 MiB), but there is neither {places[0]} nor {places[1]}, and neither "
        f"weights_path nor ${WEIGHTS_VARIABLE} names another place; put them there, set download, or choose the features of a "
        "classifier, whose distance is not a FID"
    )


def _download(target: Path) -> Path:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(_URL, str(target), hash_prefix=_SHA256)
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"the Inception weights could not be fetched from {_URL} ({error}); put the file at {target}"
        ) from error
    return target


@dataclass(frozen=True)
class InceptionWeights:
    """Folded weights of the network, or of a part of it.

    Attributes:
        tensors: float32 ``<convolution>.weight`` (OIHW) and ``<convolution>.bias``, and ``fc.weight`` (1008, 2048).
        path: the file that they were read from.
        identity: sha256 of that file.
    """

    tensors: dict[str, Tensor]
    path: Path
    identity: str

    @classmethod
    def read(cls, path: Path) -> InceptionWeights:
        """Read a ``.pth`` in torch-fidelity's format or a folded ``.npz``.

        Raises:
            InputError: the file is neither, or damaged.
        """
        try:
            with open(path, "rb") as file:
                identity = hashlib.file_digest(file, "sha256").hexdigest()
            tensors = (
                _read_folded(path) if path.suffix == ".npz" else _fold(torch.load(path, map_location="cpu", weights_only=True))
            )
            if "Conv2d_1a_3x3.weight" not in tensors:
                raise ValueError("it has no Conv2d_1a_3x3")
            if not all(tensor.isfinite().all() for tensor in tensors.values()):
                raise ValueError("not all numbers are finite")
        except Exception as error:  # a damaged file can make NumPy and torch raise anything
            raise InputError(
                f"{path} does not hold Inception weights, or is damaged ({_first_sentence(error)}); "
                f"give {_NAMES[0]} or a folded .npz of it"
            ) from error
        return cls(tensors, path, identity)

    def genuine(self, layer: int) -> bool:
        """Whether a tap is known to be the published network's: by the file's sha256, or up to 768 by the folded numbers."""
        return self.identity.startswith(_SHA256) or (layer < 2048 and self._folded_sha256() == _FOLDED_SHA256)

    def _folded_sha256(self) -> str:
        digest = hashlib.sha256()
        for name in sorted(self.tensors):
            if not name.startswith(("Mixed_7", "fc")):
                digest.update(name.encode() + self.tensors[name].half().numpy().tobytes())
        return digest.hexdigest()


def _read_folded(path: Path) -> dict[str, Tensor]:
    with np.load(path, allow_pickle=False) as arrays:
        return {name: torch.from_numpy(arrays[name]).float() for name in arrays}


def _fold(state: dict[str, Any]) -> dict[str, Tensor]:
    """Each convolution takes over the scale and the shift of the batch norm behind it."""
    folded = {}
    for name in (key.removesuffix(".conv.weight") for key in state if key.endswith(".conv.weight")):
        norm = {part: state[f"{name}.bn.{part}"].double() for part in ("weight", "bias", "running_mean", "running_var")}
        scale = norm["weight"] / (norm["running_var"] + _BATCH_NORM_EPS).sqrt()
        folded[f"{name}.weight"] = (state[f"{name}.conv.weight"].double() * scale[:, None, None, None]).float()
        folded[f"{name}.bias"] = (norm["bias"] - norm["running_mean"] * scale).float()
    if "fc.weight" in state:
        folded["fc.weight"] = state["fc.weight"].float()
    return folded


def _first_sentence(error: Exception) -> str:
    return re.split(r"\n|\. ", f"{type(error).__name__}: {error}", maxsplit=1)[0]
