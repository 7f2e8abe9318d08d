"""Latent distributions of several classes or components, each of which can be drawn by its number."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lightning_gans.errors import InputError
from lightning_gans.losses import at_least_float32
from lightning_gans.priors import LARGEST, Prior, middles, straight_way


class Labelled(Prior):
    """A prior whose draws belong to classes, which may be asked for.

    Attributes:
        components: how many classes.
    """

    components: int

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

    @property
    def components(self) -> int:  # type: ignore[override]
        return self.dim

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

    def manifold(self, steps: int) -> dict[str, Tensor]:
        """Each component along its middle, outwards."""
        distances = self.radius + self.along * torch.special.ndtri(middles(steps))
        return {f"component {number}": distances[:, None] * out for number, out in enumerate(self._axes(distances)[0])}

    def _axes(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Unit vectors ``(K, 2)`` of each component: outwards, and at right angles."""
        angle = torch.arange(self.components, device=like.device, dtype=like.dtype) * (2 * math.pi / self.components)
        return torch.stack([angle.cos(), angle.sin()], 1), torch.stack([-angle.sin(), angle.cos()], 1)


class SwissRoll(Labelled):
    """A curve in the plane that winds twice around the origin (Makhzani et al. 2015, Fig. 2).

    A latent at u in [0, 1] is ``radius sqrt(u)`` from the origin, at the angle ``4 pi sqrt(u)``; component k of K is u from
    k / K to (k + 1) / K. All u are equally likely, so all of the curve is nearly so. The paper shows a picture and no numbers;
    these are those of the sampler of musyoku/adversarial-autoencoder. On a curve there is no density.

    Args:
        components: K.
        radius: of the outer end.
    """

    def __init__(self, components: int = 10, radius: float = 3.0) -> None:
        super().__init__(2)
        if components < 1 or not 0 < radius <= LARGEST:
            raise InputError(f"a swiss roll needs components and a radius above 0, not {components} and {radius}; set them")
        self.components, self.radius = components, radius

    def sample(self, n: int, generator: torch.Generator | None = None, labels: Tensor | None = None) -> Tensor:
        which = _classes(n, self.components, generator, labels)
        within = torch.rand(n, generator=generator, device=which.device)
        return self._at(((which + within) / self.components).sqrt())

    def interpolate(self, a: Tensor, b: Tensor, steps: int) -> Tensor:
        """Along the curve, where ``a`` and ``b`` are on it; an offset from it goes over from one's to the other's."""
        begin, end = self._nearest(a), self._nearest(b)
        t = torch.linspace(0, 1, steps, device=a.device, dtype=a.dtype).view(-1, 1)
        offset = straight_way(a - self._at(begin), b - self._at(end), steps)
        return self._at((begin + t * (end - begin)).flatten()).view_as(offset) + offset

    def project(self, z: Tensor) -> Tensor:
        """The latent of the curve on the same ray from the origin whose radius is nearest."""
        return self._at(self._nearest(z))

    def manifold(self, steps: int) -> dict[str, Tensor]:
        """Each component along its stretch of the curve, outwards."""
        return {f"component {k}": self._at(((k + middles(steps)) / self.components).sqrt()) for k in range(self.components)}

    def _at(self, way: Tensor) -> Tensor:
        """``(N, 2)``: the curve at ``sqrt(u)``, ``(N,)``."""
        angle = 4 * math.pi * way
        return self.radius * way[:, None] * torch.stack([angle.cos(), angle.sin()], 1)

    def _nearest(self, z: Tensor) -> Tensor:
        """``(N,)``: ``sqrt(u)`` of the curve at the angle of each latent, in the turn that is nearer."""
        first = torch.atan2(z[:, 1], z[:, 0]).remainder(2 * math.pi) / (4 * math.pi)
        way = z.norm(dim=1) / self.radius
        return first + 0.5 * (way - first > 0.25)
