"""Statistics of real images, computed once for everything that they depend on."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from lightning.pytorch.utilities.rank_zero import WarningCache, rank_zero_warn

from lightning_gans.evaluation.features.frechet import Gaussian
from lightning_gans.strategy import world_size

_warnings = WarningCache()


def real_statistics(key: dict[str, Any], folder: Path, compute: Callable[[], Gaussian]) -> Gaussian:
    """The statistics that ``key`` describes: read if they are there and sound, else computed and written.

    The file in ``folder`` is named by the hash of ``key`` and appears whole or not at all. It is an .npz of ``mu``, ``sigma``
    (what pytorch-fid reads), ``sqrt_sigma``, ``n``, and ``key`` as JSON. Where it cannot be written, that is said once.

    Must be called on all ranks. The first one looks for the file, and others need not see it; if it is missing, ``compute``
    is called on every rank and must return the same on each, and the file is there when all of them go on.

    Args:
        key: everything that the numbers depend on, in plain JSON types: fingerprint of the data, split, number and choice of
            samples, sha256 of the feature network, layer, resize, precision, quantiser.
        folder: made if missing.
        compute: gives the statistics; may use collectives.
    """
    text = json.dumps(key, sort_keys=True)
    file = Path(folder) / f"{hashlib.sha256(text.encode()).hexdigest()}.npz"
    many = world_size() > 1
    first = not many or dist.get_rank() == 0
    stored = [_read(file, text) if first else None]
    if many:
        dist.broadcast_object_list(stored)
    if stored[0] is not None:
        return stored[0]
    computed = compute()
    if first:
        _write(file, text, computed)
    if many:
        dist.barrier()
    return computed


def _read(file: Path, key: str) -> Gaussian | None:
    try:
        with np.load(file, allow_pickle=False) as stored:
            mean, covariance, root = (torch.from_numpy(stored[name]) for name in ("mu", "sigma", "sqrt_sigma"))
            gaussian = Gaussian(mean, covariance, int(stored["n"]))
            gaussian.root = root
            if str(stored["key"]) != key:
                raise ValueError("it was made for something else")
        return gaussian
    except (FileNotFoundError, NotADirectoryError):
        return None
    except Exception as error:  # a damaged .npz raises nearly anything, and the other ranks are waiting
        rank_zero_warn(f"the statistics {file} are damaged ({error}) and are computed anew")
        return None


def _write(file: Path, key: str, gaussian: Gaussian) -> None:
    mu, sigma, sqrt_sigma = (array.numpy(force=True) for array in (gaussian.mean, gaussian.covariance, gaussian.root))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(prefix=f".{file.stem}.", dir=file.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                np.savez(stream, mu=mu, sigma=sigma, sqrt_sigma=sqrt_sigma, n=gaussian.n, key=key)
            os.chmod(scratch, 0o644)
            os.replace(scratch, file)
        finally:
            Path(scratch).unlink(missing_ok=True)
    except OSError as error:
        _warnings.warn(f"cannot keep statistics in {file.parent} ({error.strerror}): they are computed again by the next run")
