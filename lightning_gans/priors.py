"""Latent distributions: one flat tensor a sample, and the interpolation that stays inside the distribution."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lightning_gans.errors import InputError

_MOST_NUMBERS = 10_000_000
LARGEST = 1e18
"""Of what is drawn: its square is still a number of 32 bits."""


class Prior:
    """A distribution over latents of ``dim`` numbers.

    Args:
        dim: length of a latent.
    """

    def __init__(self, dim: int) -> None:
        if not 1 <= dim <= _MOST_NUMBERS:
            raise InputError(f"a prior needs a latent of 1 to {_MOST_NUMBERS:,} numbers, not {dim}; set its dim")
        self.dim = dim

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """``(n, dim)`` latents, drawn on the generator's device; each row is a function of the generator's state and ``n``."""
        raise NotImplementedError

    def log_prob(self, z: Tensor) -> Tensor:
        """The log-density in nats of each row of ``z`` ``(N, dim)``, as ``(N,)``."""
        raise NotImplementedError

    def interpolate(self, a: Tensor, b: Tensor, steps: int) -> Tensor:
        """``(steps, N, dim)``: the way from ``a`` to ``b`` (both ``(N, dim)``), ends included."""
        return straight_way(a, b, steps)

    def project(self, z: Tensor) -> Tensor:
        """``z`` ``(N, dim)`` put back where latents can be: unchanged, unless the prior is on a surface."""
        return z

    def manifold(self, steps: int) -> dict[str, Tensor]:
        """Ways that together lead through all of the prior, ``(steps, dim)`` each, by name; none where it has too many numbers.

        The latents of a way are the middles of ``steps`` equally likely stretches.
        """
        return {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v}' for k, v in vars(self).items())})"


class Uniform(Prior):
    """Independent uniform numbers.

    Args:
        dim: length of a latent.
        low: lower bound of each number.
        high: upper bound of each number.
    """

    def __init__(self, dim: int = 2, low: float = -1.0, high: float = 1.0) -> None:
        super().__init__(dim)
        if not -LARGEST <= low < high <= LARGEST:
            raise InputError(f"a uniform prior needs finite numbers low < high, not {low} and {high}")
        self.low, self.high = low, high

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        device = generator.device if generator else None
        return torch.empty(n, self.dim, device=device).uniform_(self.low, self.high, generator=generator)

    def log_prob(self, z: Tensor) -> Tensor:
        inside = ((z >= self.low) & (z <= self.high)).all(dim=1)
        density = -self.dim * math.log(self.high - self.low)
        return torch.full_like(z[:, 0], density).masked_fill(~inside, -math.inf)

    def manifold(self, steps: int) -> dict[str, Tensor]:
        """Of two numbers the square at equal percentiles, see ``in_square``; of others none."""
        return in_square(self.low + (self.high - self.low) * middles(steps)) if self.dim == 2 else {}


class Normal(Prior):
    """Independent normal numbers with mean 0.

    Args:
        dim: length of a latent.
        std: standard deviation of each number.
    """

    def __init__(self, dim: int = 128, std: float = 1.0) -> None:
        super().__init__(dim)
        if not 0 < std <= LARGEST:
            raise InputError(f"a normal prior needs a positive and finite std, not {std}")
        self.std = std

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        device = generator.device if generator else None
        return torch.randn(n, self.dim, generator=generator, device=device) * self.std

    def log_prob(self, z: Tensor) -> Tensor:
        return -(z / self.std).square().sum(dim=1) / 2 - self.dim * math.log(self.std * math.sqrt(2 * math.pi))

    def interpolate(self, a: Tensor, b: Tensor, steps: int) -> Tensor:
        """Along the great circle (White, 2016): a straight line would pass through norms that the prior never has."""
        return great_circle(a, b, steps)

    def manifold(self, steps: int) -> dict[str, Tensor]:
        """Of two numbers the square at equal percentiles, see ``in_square``; of others none."""
        return in_square(self.std * torch.special.ndtri(middles(steps))) if self.dim == 2 else {}


def middles(steps: int) -> Tensor:
    """``(steps,)``: the middles of equal stretches of [0, 1]."""
    return (torch.arange(steps) + 0.5) / steps


def in_square(numbers: Tensor) -> dict[str, Tensor]:
    """The pairs of equally likely ``numbers`` ``(steps,)``, rising: a way along the first for each second one, downwards."""
    ways = torch.cartesian_prod(numbers.flip(0), numbers).flip(1).unflatten(0, (len(numbers), -1))
    return {f"z2 at {100 * share:.3g}%": way for share, way in zip(middles(len(numbers)).flip(0).tolist(), ways, strict=True)}


def straight_way(a: Tensor, b: Tensor, steps: int) -> Tensor:
    """``(steps, N, dim)``: the straight way from ``a`` to ``b`` (both ``(N, dim)``), ends included."""
    t = torch.linspace(0, 1, steps, device=a.device, dtype=a.dtype).view(-1, 1, 1)
    return a + t * (b - a)


def great_circle(a: Tensor, b: Tensor, steps: int) -> Tensor:
    """``(steps, N, dim)``: the arc from ``a`` to ``b`` (both ``(N, dim)``), a straight line where they are parallel."""
    t = torch.linspace(0, 1, steps, device=a.device, dtype=a.dtype).view(-1, 1, 1)
    cosine = torch.nn.functional.cosine_similarity(a, b, dim=1, eps=1e-12).clamp(-1, 1)
    angle = cosine.acos().view(1, -1, 1)
    sine = angle.sin()
    straight = sine < 1e-4
    sine = torch.where(straight, 1.0, sine)
    curved = (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / sine
    return torch.where(straight, a + t * (b - a), curved)


class Empirical(nn.Module, Prior):
    """Latents that an encoder on the unit sphere gave of the last training samples; they travel in checkpoints.

    Until there are any, draws are uniform on the sphere.

    Args:
        dim: length of a latent.
        size: how many of the last latents are kept.

    Attributes:
        empirical: says to evaluation that draws come from images, so that what they make are reconstructions.
    """

    empirical = True
    latents: Tensor
    stored: Tensor

    def __init__(self, dim: int = 100, size: int = 10_000) -> None:
        super().__init__()
        Prior.__init__(self, dim)
        if size < 1:
            raise InputError(f"an empirical prior must keep at least one latent, not {size}; set its size")
        self.size = size
        first = torch.randn(size, dim, generator=torch.Generator().manual_seed(0))
        self.register_buffer("latents", torch.nn.functional.normalize(first, dim=1))
        self.register_buffer("stored", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def store(self, latents: Tensor) -> None:
        """Put latents ``(N, dim)`` of unit length in the place of the oldest; the same on every rank."""
        latents = latents[-self.size :]
        rows = (self.stored + torch.arange(len(latents), device=self.stored.device)) % self.size
        self.latents[rows] = latents.to(self.latents)
        self.stored += len(latents)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        uniform = torch.rand(n, generator=generator, device=generator.device if generator else None, dtype=torch.float64)
        there = torch.where(self.stored > 0, self.stored.clamp(max=self.size), self.size)
        return self.latents[(uniform.to(there.device) * there).long()].to(uniform.device)

    def interpolate(self, a: Tensor, b: Tensor, steps: int) -> Tensor:
        """Along the great circle."""
        return great_circle(a, b, steps)

    def project(self, z: Tensor) -> Tensor:
        """``z`` scaled to unit length."""
        return torch.nn.functional.normalize(z, dim=1)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, size={self.size}"
