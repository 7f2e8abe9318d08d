"""Latent distributions: one flat tensor a sample, and the interpolation that stays inside the distribution."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lightning_gans.errors import InputError
from lightning_gans.losses import at_least_float32

_MOST_NUMBERS = 10_000_000
_LARGEST = 1e18
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
        if not -_LARGEST <= low < high <= _LARGEST:
            raise InputError(f"a uniform prior needs finite numbers low < high, not {low} and {high}")
        self.low, self.high = low, high

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        device = generator.device if generator else None
        return torch.empty(n, self.dim, device=device).uniform_(self.low, self.high, generator=generator)

    def log_prob(self, z: Tensor) -> Tensor:
        inside = ((z >= self.low) & (z <= self.high)).all(dim=1)
        density = -self.dim * math.log(self.high - self.low)
        return torch.full_like(z[:, 0], density).masked_fill(~inside, -math.inf)


class Normal(Prior):
    """Independent normal numbers with mean 0.

    Args:
        dim: length of a latent.
        std: standard deviation of each number.
    """

    def __init__(self, dim: int = 128, std: float = 1.0) -> None:
        super().__init__(dim)
        if not 0 < std <= _LARGEST:
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


class Labelled(Prior):
    """A prior whose draws belong to classes, which may be asked for."""

    def sample(self, n: int, generator: torch.Generator | None = None, labels: Tensor | None = None) -> Tensor:
        """``(n, dim)`` latents, drawn on the generator's device.

        Args:
            n: number of draws.
            generator: the stream; none takes torch's own.
            labels: int64 ``(n,)``, the class of each row, below their number; -1 leaves it to the draw. Other rows and other
                numbers do not change.
        """
        raise NotImplementedError


def _classes(n: int, count: int, generator: torch.Generator | None, labels: Tensor | None) -> Tensor:
    """``(n,)`` classes: drawn, or as ``labels`` have them; the stream advances alike."""
    drawn = torch.randint(count, (n,), generator=generator, device=generator.device if generator else None)
    if labels is None:
        return drawn
    if labels.shape != (n,) or labels.dtype != torch.int64:
        kind = f"{str(labels.dtype).removeprefix('torch.')} of shape {list(labels.shape)}"
        raise InputError(f"the labels of {n} draws must be int64 of shape [{n}], not {kind}; give one a draw")
    labels = labels.to(drawn.device)
    return torch.where(labels < 0, drawn, labels)


class Categorical(Labelled):
    """One of several classes, all equally likely, as a one-hot vector: a discrete code of InfoGAN, the clusters of an AAE.

    Args:
        classes: how many; the latent has as many numbers.
    """

    def __init__(self, classes: int = 10) -> None:
        super().__init__(classes)

    def sample(self, n: int, generator: torch.Generator | None = None, labels: Tensor | None = None) -> Tensor:
        which = _classes(n, self.dim, generator, labels)
        return (which[:, None] == torch.arange(self.dim, device=which.device)).float()

    def log_prob(self, z: Tensor) -> Tensor:
        """The log-probability in nats of each row: minus log K for a one-hot vector of K numbers, else minus infinity."""
        corner = ((z == 1).sum(dim=1) == 1) & ((z == 0).sum(dim=1) == self.dim - 1)
        return torch.full_like(z[:, 0], -math.log(self.dim)).masked_fill(~corner, -math.inf)

    def interpolate(self, a: Tensor, b: Tensor, steps: int) -> Tensor:
        """``a``, and from half-way on ``b``: a straight walk would pass through mixtures of classes, which are never drawn."""
        t = torch.linspace(0, 1, steps, device=a.device, dtype=a.dtype).view(-1, 1, 1)
        return torch.where(t < 0.5, a, b)

    def project(self, z: Tensor) -> Tensor:
        """The one-hot vector of the largest number of each row."""
        return (z.argmax(dim=1, keepdim=True) == torch.arange(self.dim, device=z.device)).to(z.dtype)


class MixtureOfGaussians(Labelled):
    """A flower of Gaussians in the plane: long petals that point away from the origin (Makhzani et al. 2015, Fig. 2).

    Component k of K is the law of ``radius + along * e_1`` on the first axis and ``across * e_2`` on the second, for standard
    normal e, turned by ``2 pi k / K``; all are equally likely. The paper shows a picture and no numbers; the defaults are
    those of the sampler of musyoku/adversarial-autoencoder, which calls these standard deviations variances.

    Args:
        components: K.
        radius: how far the centres are from the origin.
        along: standard deviation on the way out.
        across: standard deviation at right angles to it.
    """

    def __init__(self, components: int = 10, radius: float = 1.4, along: float = 0.5, across: float = 0.05) -> None:
        super().__init__(2)
        if components < 1:
            raise InputError(f"a mixture needs at least one component, not {components}; set its components")
        if not (0 <= radius < math.inf and 0 < along < math.inf and 0 < across < math.inf):
            raise InputError(
                "a mixture of Gaussians needs a radius of at least 0 and positive along and across, "
                f"not {radius}, {along} and {across}"
            )
        self.components = components
        self.radius, self.along, self.across = radius, along, across

    def sample(self, n: int, generator: torch.Generator | None = None, labels: Tensor | None = None) -> Tensor:
        which = _classes(n, self.components, generator, labels)
        local = torch.randn(n, 2, generator=generator, device=which.device)
        out, aside = self._axes(local)
        return (self.radius + self.along * local[:, :1]) * out[which] + self.across * local[:, 1:] * aside[which]

    def log_prob(self, z: Tensor) -> Tensor:
        return self.log_joint(z).logsumexp(dim=1)

    def log_joint(self, z: Tensor) -> Tensor:
        """``(N, K)``: the log-density in nats of each row of ``z`` ``(N, 2)`` together with each component."""
        z = at_least_float32(z)
        out, aside = self._axes(z)
        with torch.autocast(z.device.type, enabled=False):  # petals are too narrow for 16 bits
            square = ((z @ out.T - self.radius) / self.along).square() + (z @ aside.T / self.across).square()
        return -square / 2 - math.log(2 * math.pi * self.along * self.across * self.components)

    def interpolate(self, a: Tensor, b: Tensor, steps: int) -> Tensor:
        """Straight within a component, else at one speed through the origin: a chord would leave the petals.

        Components are the likeliest of ``a`` and ``b``.
        """
        t = torch.linspace(0, 1, steps, device=a.device, dtype=a.dtype).view(-1, 1, 1)
        there, back = (end.norm(dim=1, keepdim=True).clamp(min=torch.finfo(a.dtype).tiny) for end in (a, b))
        beyond = t * (there + back) - there  # walked beyond the origin, negative before it
        bent = a * (-beyond / there).clamp(min=0) + b * (beyond / back).clamp(min=0)
        alike = self.log_joint(a).argmax(dim=1) == self.log_joint(b).argmax(dim=1)
        return torch.where(alike[:, None], a + t * (b - a), bent)

    def _axes(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Unit vectors ``(K, 2)`` of each component: outwards, and at right angles."""
        angle = torch.arange(self.components, device=like.device, dtype=like.dtype) * (2 * math.pi / self.components)
        return torch.stack([angle.cos(), angle.sin()], 1), torch.stack([-angle.sin(), angle.cos()], 1)


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
