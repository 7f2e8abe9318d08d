"""Inception weights in torch-fidelity's format, whose numbers are random but keep activations of order one, and images."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from lightning_gans.evaluation.features.inception_layers import network


def random_state(layer: int = 2048, seed: int = 0) -> dict[str, Tensor]:
    """The convolutions and batch norms up to ``layer``, and with 2048 the last linear layer."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    state = {}
    for name, conv in network(layer).named_modules():
        if isinstance(conv, nn.Conv2d):
            outputs, *fan = conv.weight.shape
            state[f"{name}.conv.weight"] = normal(outputs, *fan) * math.sqrt(2 / math.prod(fan))
            state[f"{name}.bn.weight"] = 1 + 0.2 * normal(outputs)
            state[f"{name}.bn.bias"] = 0.1 * normal(outputs)
            state[f"{name}.bn.running_mean"] = 0.1 * normal(outputs)
            state[f"{name}.bn.running_var"] = (0.2 * normal(outputs)).exp()
    if layer == 2048:
        state |= {"fc.weight": 0.02 * normal(1008, 2048), "fc.bias": normal(1008)}
    return state


def write_random_weights(path: Path, layer: int = 2048, seed: int = 0) -> Path:
    """Save ``random_state`` and return ``path``."""
    torch.save(random_state(layer, seed), path)
    return path


def noise(*shape: int) -> Tensor:
    """Noise of another contrast in each image, because the features of noise alone are all alike."""
    contrast = torch.linspace(0.2, 1, shape[0]).reshape(-1, *[1] * (len(shape) - 1))
    return (256 * contrast * torch.rand(shape, generator=torch.Generator().manual_seed(1))).to(torch.uint8)
