"""Inception features of 16 images of 32x32 beside what torchmetrics and torch-fidelity take for them; ms a batch.

torchmetrics' update also adds to its sums, less than one part in a hundred of its time. The weights are random, which
changes no time. Each side runs once before the clock starts.
"""

from __future__ import annotations

import runpy
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x
from torchmetrics.image.fid import FrechetInceptionDistance

from lightning_gans.evaluation.features.inception import Inception, resize_tf1

_RANDOM_WEIGHTS = runpy.run_path(str(Path(__file__).parents[1] / "evaluation" / "random_inception.py"))["write_random_weights"]
_IMAGES = torch.randint(0, 256, (16, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


@dataclass(frozen=True)
class Case:
    """One pass of ours beside one of theirs, each made from a weights file."""

    name: str
    goal: float | None  # our time over theirs
    raw: Callable[[Path], Callable[[], Any]]
    ours: Callable[[Path], Callable[[], Any]]


def update(antialias: bool) -> Callable[[Path], Callable[[], Any]]:
    """Of torchmetrics' FID."""

    def make(weights: Path) -> Callable[[], Any]:
        metric = FrechetInceptionDistance(2048, feature_extractor_weights_path=str(weights), antialias=antialias)
        return lambda: metric.update(_IMAGES, real=True)

    return make


def features(precision: str) -> Callable[[Path], Callable[[], Any]]:
    """Of our network."""

    def make(weights: Path) -> Callable[[], Any]:
        network = Inception(weights, precision=precision)
        return lambda: network(_IMAGES)

    return make


def resize(function: Callable[..., Any], **arguments: Any) -> Callable[[Path], Callable[[], Any]]:
    """Of the images alone."""
    images = _IMAGES.float()
    return lambda weights: lambda: function(images, **arguments)


CASES = [
    Case("inception fp32: features, torchmetrics", 1 / 1.6, update(True), features("fp32")),
    Case("inception fp32: features, antialias=False", 1 / 1.6, update(False), features("fp32")),
    Case(
        "inception bf16: features, antialias=False",
        1 / 5 if torch.cpu._is_amx_tile_supported() else None,
        update(False),
        features("bf16"),
    ),
    Case(
        "inception: resize, torch-fidelity",
        1 / 10,
        resize(interpolate_bilinear_2d_like_tensorflow1x, size=(299, 299), align_corners=False),
        resize(resize_tf1),
    ),
]


def measure(case: Case, repeats: int) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """(raw, ours) of each repeat, wall and processor time in milliseconds; which of them goes first alternates."""
    with TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        weights = _RANDOM_WEIGHTS(Path(folder) / "weights.pth")
        raw, ours = case.raw(weights), case.ours(weights)
        _milliseconds(raw), _milliseconds(ours)
        pairs = []
        for repeat in range(repeats):
            if repeat % 2:
                ours_ms = _milliseconds(ours)
                pairs.append((_milliseconds(raw), ours_ms))
            else:
                pairs.append((_milliseconds(raw), _milliseconds(ours)))
    return pairs


def _milliseconds(run: Callable[[], Any]) -> tuple[float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    run()
    return 1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - processor)
