"""Codes that are a cluster's head and a style added up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gans.networks.around import Around
from lightning_gans.networks.layers import Tapped, check_sizes


class ClusterHeads(Around):
    """A generator behind the codes W y + z of n dimensions (Makhzani et al. 2015, section 7).

    y ``(N, K)`` are the first numbers of a latent, z ``(N, n)`` the others; W's K rows are where the clusters are.

    Args:
        network: codes ``(N, n)`` to samples.
        clusters: K.
        dim: n.
        apart: the distance below which ``crowding`` is above 0, the paper's eta, which it does not give.
        init_scale: standard deviation of the heads' first places.
    """

    def __init__(self, network: Tapped, clusters: int, dim: int, apart: float = 1.0, init_scale: float = 1.0) -> None:
        super().__init__()
        check_sizes(self, clusters=clusters, dim=dim)
        self.network, self.apart = network, apart
        self.heads = nn.Parameter(torch.randn(clusters, dim) * init_scale)

    def codes(self, latents: Tensor) -> Tensor:
        """W y + z, ``(N, n)``, of latents ``(N, K + n)``."""
        y, z = latents.split(list(self.heads.shape), 1)
        return y @ self.heads.to(y.dtype) + z

    def crowding(self) -> Tensor:
        """How much nearer than ``apart`` each two heads are, summed over the pairs."""
        first, second = torch.triu_indices(len(self.heads), len(self.heads), 1)
        square = (self.heads[first] - self.heads[second]).square().sum(1)
        return (self.apart - (square + torch.finfo(square.dtype).tiny).sqrt()).clamp(min=0).sum()

    def walk(self, latents: Tensor, *others: Any) -> Iterator[tuple[str, Tensor]]:
        yield from self.network.walk(self.codes(latents), *others)
