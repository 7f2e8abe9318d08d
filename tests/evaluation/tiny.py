"""A feature network that is small enough for tests, and images to compare in it."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gans.priors import Uniform


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
