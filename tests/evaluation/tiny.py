"""A feature network that is small enough for tests, data to compare in it, and samplers of such images."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lightning_gans import GAAN, Images
from lightning_gans.priors import Uniform
from tests.games.gaan import make_image_gaan


class Tiny(nn.Module):
    """Eight random projections of the pixels, and three scores of these."""

    name, key, dim = "tiny", "fd_tiny", 8

    def __init__(self, pixels: int = 64) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(7)
        self.register_buffer("weight", torch.randn(pixels, self.dim, generator=random) / pixels**0.5)
        self.register_buffer("head", torch.randn(self.dim, 3, generator=random))
        self.seen: list[int] = []

    @property
    def identity(self) -> str:
        return hashlib.sha256(self.weight.cpu().numpy().tobytes()).hexdigest()

    def forward(self, images: Tensor) -> Tensor:
        assert images.dtype == torch.uint8
        self.seen.append(len(images))
        return images.flatten(1).float().div(64).sub(2) @ self.weight

    def logits(self, features: Tensor) -> Tensor:
        return features @ self.head


class Called(Tiny):
    """Under a name that would be mistaken."""

    key = "fid_of_mine"


class Noise(nn.Module):
    """A sampler of grey 8x8 images: uniform noise around a level that is the condition, if it has one."""

    def __init__(self, spread: float = 0.5, made: Any = None) -> None:
        super().__init__()
        self.prior = Uniform(64)
        self.spread = nn.Parameter(torch.tensor(spread))
        self.conditions: list[Tensor | None] = []
        self.made = made

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        images = self.spread * z.view(-1, 1, 8, 8)
        return images if condition is None else images + condition.float().view(-1, 1, 1, 1) / 20

    def sample(self, n: int, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        self.conditions.append(condition)
        images = self.decode(self.prior.sample(n, generator), condition)
        return images if self.made is None else self.made(images)


class Drawing(Tiny):
    """Draws initial weights."""

    def __init__(self) -> None:
        super().__init__()
        nn.Linear(3, 3)


class Encoding(Noise):
    """Which also encodes; no LightningModule."""

    def encode(self, images: Tensor, condition: Tensor | None = None, generator: Any = None) -> Tensor:
        return images.flatten(1)

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        images = z.view(-1, 1, 8, 8) * self.spread
        return images if self.made is None else self.made(images)


def noise_images(
    folder: Path, labels: Callable[[int], np.ndarray] = lambda n: np.arange(n) % 10, shape: tuple[int, ...] = (8, 8)
) -> Images:
    """300 training and 130 test images of noise, of 10 classes; grey where the shape has two sides."""
    random = np.random.default_rng(3)
    arrays: dict[str, Any] = {"classes": list("0123456789")}
    for split, size in (("train", 300), ("test", 130)):
        arrays[f"{split}_images"] = random.integers(60, 200, (size, *shape), dtype=np.uint8)
        arrays[f"{split}_labels"] = labels(size)
    np.savez(folder / "noise.npz", **arrays)
    data = Images(str(folder / "noise.npz"), root=str(folder), batch_size=20)
    data.prepare_data()
    data.setup("fit")
    return data


def noise_of_three_classes(folder: Path, labels: bool = True) -> Images:
    """Grey noise of 8x8; class a is as frequent as b and c together."""
    random = np.random.default_rng(3)
    arrays: dict[str, Any] = {"classes": list("abc")} if labels else {}
    for split, size in (("train", 200), ("test", 120)):
        arrays[f"{split}_images"] = random.integers(60, 200, (size, 8, 8), dtype=np.uint8)
        if labels:
            arrays[f"{split}_labels"] = np.maximum(np.arange(size) % 4 - 1, 0)
    np.savez(folder / "noise.npz", **arrays)
    data = Images(str(folder / "noise.npz"), root=str(folder), batch_size=20)
    data.prepare_data()
    data.setup("fit")
    return data


def lively_gaan() -> GAAN:
    """Whose first images are not all grey."""
    game = make_image_gaan()
    with torch.no_grad():
        for parameter in game.generator.parameters():
            parameter.mul_(12)
    return game
