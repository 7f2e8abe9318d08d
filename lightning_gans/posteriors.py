"""What a stochastic encoder says of a sample: a normal distribution over its latent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from lightning_gans import checks
from lightning_gans.errors import InputError
from lightning_gans.losses import at_least_float32

# exp of half of these is 5e-5 and 2e4: no posterior is narrower or wider, and no float32 overflows.
_LOG_VARIANCES = (-20.0, 20.0)

Scale = Literal["log_variance", "log_sigma"]
PosteriorKind = Literal["gaussian", "deterministic", "implicit"]


@dataclass
class DiagonalNormal:
    """Independent normal numbers.

    Args:
        mean: ``(N, dim)``.
        log_variance: ``(N, dim)``, the logarithm of the squared standard deviation (some code says log sigma and means this).
    """

    mean: Tensor
    log_variance: Tensor

    @classmethod
    def of(cls, numbers: Tensor, dim: int | None = None, scale: Scale = "log_variance") -> DiagonalNormal:
        """From an encoder's ``(N, 2 * dim)`` outputs: the means, then the scales, which are kept within bounds.

        Gradients are those without bounds: those of a plain clamp would vanish beyond them, and nothing lead back.

        Args:
            numbers: the encoder's outputs.
            dim: latent numbers a sample; none takes half of the outputs.
            scale: what the second half means: ``log_variance`` (Kingma and Welling 2014, appendix C.2) or ``log_sigma``, half
                of it (ALI, Dumoulin et al. 2017: the code).

        Raises:
            InputError: there are not ``2 * dim`` numbers, or where no ``dim`` is given not an even number.
        """
        outputs = numbers.shape[1]
        if outputs != (2 * dim if dim else outputs // 2 * 2):
            of = f"{dim} latent numbers takes {2 * dim}" if dim else "latents takes an even number"
            second = "log-variances" if scale == "log_variance" else "log-sigmas"
            raise InputError(
                f"the encoder gives {outputs} numbers a sample, but a posterior over {of}: "
                f"means, then {second}; set the encoder's outputs"
            )
        mean, unbounded = at_least_float32(numbers).chunk(2, dim=1)
        if scale == "log_sigma":
            unbounded = 2 * unbounded
        within = unbounded.detach().clamp(*_LOG_VARIANCES)
        passed = torch.where(unbounded.detach() == within, unbounded, within + (unbounded - unbounded.detach()).nan_to_num())
        return cls(mean, passed)

    def at(self, epsilon: Tensor) -> Tensor:
        """``mean + std * epsilon``: a draw, given standard normal ``epsilon`` (Kingma and Welling 2014, section 2.4)."""
        return self.mean + (0.5 * self.log_variance).exp() * epsilon

    def sample(self, generator: torch.Generator) -> Tensor:
        """A draw; the generator may be on any device."""
        epsilon = torch.randn(self.mean.shape, generator=generator, device=generator.device)
        return self.at(epsilon.to(self.mean))

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density in nats of each row of ``z`` ``(..., N, dim)``, as ``(..., N)``."""
        square = (z - self.mean).square() / self.log_variance.exp()
        return -0.5 * (square + self.log_variance + math.log(2 * math.pi)).sum(dim=-1)

    def kl_to_normal(self, std: float = 1.0) -> Tensor:
        """KL divergence in nats to independent normal numbers of mean 0, ``(N,)`` (Kingma and Welling 2014, appendix B)."""
        square = self.mean.square() + self.log_variance.exp()
        return 0.5 * (square / std**2 - 1 - self.log_variance + 2 * math.log(std)).sum(dim=1)


class Posterior:
    """How a code is drawn of what an encoder gives.

    Args:
        kind: ``gaussian``, see ``DiagonalNormal``; ``deterministic``, the encoder's output; ``implicit``, its output given
            noise besides, any distribution (ALI's code; AAE's universal approximator, Makhzani et al. 2015, section 2).
        encoder: for ``implicit`` a ``Conditioned`` one, whose condition tells how much noise there is.
        dim: latent numbers a sample.
        scale: of ``gaussian``.

    Attributes:
        width: numbers of noise a sample.

    Raises:
        InputError: there is no such kind, or the encoder of an implicit posterior takes no noise.
    """

    def __init__(self, kind: PosteriorKind, encoder: Any, dim: int, scale: Scale = "log_variance") -> None:
        checks.one_of("posterior", kind, PosteriorKind)
        condition = getattr(encoder, "condition", None)
        if kind == "implicit" and condition is None:
            raise InputError(
                "the encoder of an implicit posterior is given noise; set it to a Conditioned network with AttributeCondition"
            )
        self.kind, self.dim, self.scale = kind, dim, scale
        self.width = {"gaussian": dim, "deterministic": 0, "implicit": getattr(condition, "width", 0)}[kind]

    def draw(self, encoder: Any, x: Tensor, epsilon: Tensor, *given: Any) -> Tensor:
        """Codes ``(N, dim)`` of samples and standard normal ``epsilon`` ``(N, width)``; ``given`` is for the encoder."""
        return self.at(encoder(x, *self.inputs(epsilon), *given), epsilon)

    def at(self, numbers: Tensor, epsilon: Tensor) -> Tensor:
        """The codes ``(N, dim)`` that an encoder's outputs mean."""
        return DiagonalNormal.of(numbers, self.dim, self.scale).at(epsilon) if self.kind == "gaussian" else numbers

    def inputs(self, epsilon: Tensor) -> tuple[Tensor, ...]:
        """What of the noise the encoder is given."""
        return (epsilon,) if self.kind == "implicit" else ()

    def noise(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Noise for samples ``x``, of a generator on any device; without one, zeros."""
        if generator is None:
            return x.new_zeros(len(x), self.width)
        return torch.randn(len(x), self.width, generator=generator, device=generator.device).to(x)
