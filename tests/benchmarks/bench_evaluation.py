"""A whole evaluation of a generator, real features, samples and distance, beside torchmetrics' in the same network.

Each side of each repeat is a process of its own: ms of the evaluation in it, and the most memory that it ever took, in MiB.
Weights and real images are random, which changes neither. Repeats of Inception, minutes each, are fewer.
"""

from __future__ import annotations

import argparse
import json
import resource
import runpy
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

from lightning_gans import ConvGenerator, Uniform, evaluate
from lightning_gans.evaluation.features.classifiers import Classifier

_RANDOM_WEIGHTS = runpy.run_path(str(Path(__file__).parents[1] / "evaluation" / "random_inception.py"))["write_random_weights"]
_BATCH = 100


@dataclass(frozen=True)
class Case:
    """``count`` real and as many generated images; what is compared is ``ms``, which has processor time, too, or ``MiB``."""

    name: str
    kind: str
    count: int
    unit: str
    goal: float | None = None
    repeats: int = 100


CASES = [
    Case("evaluation: 10k of 28x28, lenet, torchmetrics", "lenet", 10_000, "ms"),
    Case("evaluation: the same, memory in MiB", "lenet", 10_000, "MiB"),
    Case("evaluation: 2k of 32x32, inception768", "inception", 2000, "ms", goal=1 / 1.6, repeats=1),
    Case("evaluation: the same, memory in MiB", "inception", 2000, "MiB", repeats=1),
]


class Generator(nn.Module):
    """A DCGAN with what an evaluation asks of a model."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.prior = Uniform(64)
        self.network = ConvGenerator(64, shape, (128, 64), output="tanh")

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        return self.network(z)

    def sample(self, n: int, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        return self.decode(self.prior.sample(n, generator))


class LeNet(Classifier):
    """That of MNIST before it learns anything; ``num_features`` is for torchmetrics."""

    def __init__(self) -> None:
        super().__init__("lenet", "mnist", tuple("0123456789"), (1, 28, 28))
        self.num_features = self.dim
        self.eval().requires_grad_(False)


def ours(kind: str, generator: Generator, real: Tensor, weights: Path) -> Callable[[], float]:
    """The function that anybody would call."""
    features, key = ("bench_evaluation.LeNet", "fd_lenet_mnist") if kind == "lenet" else ("inception768", "fd_inception768")
    settings: dict[str, Any] = {"num_samples": len(real), "weights_path": str(weights), "batch_size": _BATCH, "device": "cpu"}
    return lambda: evaluate(generator, real, ["fd"], features, **settings)[key]


def theirs(kind: str, generator: Generator, real: Tensor, weights: Path) -> Callable[[], float]:
    """The loop that torchmetrics' page shows, with bytes that are rounded."""

    def run() -> float:
        feature = LeNet() if kind == "lenet" else 768
        metric = FrechetInceptionDistance(feature, feature_extractor_weights_path=str(weights), antialias=False)
        generator.eval()
        with torch.no_grad():
            for images in real.split(_BATCH):
                metric.update(images, real=True)
            for _ in range(0, len(real), _BATCH):
                images = generator.sample(_BATCH)
                metric.update(images.add(1).mul(127.5).round().clamp(0, 255).byte(), real=False)
        return float(metric.compute())

    return run


def one_side(side: str, kind: str, count: int) -> dict[str, float]:
    """Of this process."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    shape = (1, 28, 28) if kind == "lenet" else (3, 32, 32)
    generator, real = Generator(shape), torch.randint(0, 256, (count, *shape), dtype=torch.uint8)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        weights = _RANDOM_WEIGHTS(Path(folder) / "weights.pth") if kind == "inception" else Path(folder)
        run = {"raw": theirs, "ours": ours}[side](kind, generator, real, weights)
        wall, processor = time.perf_counter(), time.process_time()
        value = run()
        found = {"wall": 1000 * (time.perf_counter() - wall), "processor": 1000 * (time.process_time() - processor)}
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {**found, "value": value, "MiB": most / (2**20 if sys.platform == "darwin" else 2**10)}


def measure(case: Case, repeats: int) -> list[tuple[tuple[float, ...], tuple[float, ...]]]:
    """(raw, ours) of each repeat; which of them goes first alternates."""
    wanted = ("wall", "processor") if case.unit == "ms" else ("MiB",)
    pairs = [_pair(case.kind, case.count, repeat) for repeat in range(min(repeats, case.repeats))]
    return [(tuple(raw[name] for name in wanted), tuple(ours[name] for name in wanted)) for raw, ours in pairs]


@cache
def _pair(kind: str, count: int, repeat: int) -> tuple[dict[str, float], dict[str, float]]:
    """Time and memory of both, measured once."""
    found: dict[str, dict[str, float]] = {}
    for side in ("raw", "ours") if repeat % 2 == 0 else ("ours", "raw"):
        done = subprocess.run(
            [sys.executable, __file__, side, kind, str(count)],
            check=True,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parent,
        )
        found[side] = json.loads(done.stdout.splitlines()[-1])
    return found["raw"], found["ours"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("side", choices=["raw", "ours"])
    parser.add_argument("kind", choices=["lenet", "inception"])
    parser.add_argument("count", type=int)
    print(json.dumps(one_side(**vars(parser.parse_args()))))
