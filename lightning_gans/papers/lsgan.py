"""Least Squares Generative Adversarial Networks (Mao et al., 2017)."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from lightning_gans import checks
from lightning_gans.errors import InputError
from lightning_gans.losses import least_squares
from lightning_gans.networks import Tapped
from lightning_gans.papers.gan import GAN
from lightning_gans.priors import Prior


class LSGAN(GAN):
    """A GAN whose discriminator has targets instead of labels, so that samples that it takes for real still have gradients:

        min over D of E (D(x) - b)^2 / 2 + E (D(G(z)) - a)^2 / 2     Eqn. 2
        min over G of E (D(G(z)) - c)^2 / 2

    a = 0, b = c = 1 is Eqn. 9; a = -1, b = 1, c = 0 is Eqn. 8, where b - c = 1 and b - a = 2 make it Pearson's chi-square
    divergence. The authors' code (xudonmao/LSGAN at 3b13d36) sums over the batch, which Adam undoes, and gives both players of
    a batch the same noise; on its ring they move at once.

    Args:
        generator: G, latents ``(N, dim)`` to samples.
        discriminator: D, samples to one number each, ``(N, 1)``.
        prior: the distribution of z.
        a: D's target for samples.
        b: D's target for data.
        c: what G wants of D.
        on_sigmoid: take the distances from D's sigmoid, as the code behind the numbers that GAAN's Table 4 quotes has it
            (google/compare_gan at 49495fd).
        simultaneous: as for ``GAN``.
        discriminator_steps: as for ``GAN``.
        generator_steps: as for ``GAN``.
        same_noise: as for ``GAN``.
        **game: see ``lightning_gans.Game``.

    Raises:
        InputError: a target is no number, or data and samples have the same one.
    """

    def __init__(
        self,
        generator: Tapped,
        discriminator: Tapped,
        prior: Prior,
        a: float = 0.0,
        b: float = 1.0,
        c: float = 1.0,
        on_sigmoid: bool = False,
        simultaneous: bool = False,
        discriminator_steps: int = 1,
        generator_steps: int = 1,
        same_noise: bool = False,
        **game: Any,
    ) -> None:
        super().__init__(
            generator,
            discriminator,
            prior,
            simultaneous=simultaneous,
            discriminator_steps=discriminator_steps,
            generator_steps=generator_steps,
            discriminator_scale=1.0,
            same_noise=same_noise,
            **game,
        )
        for name, target in {"a": a, "b": b, "c": c}.items():
            if not math.isfinite(target):
                raise InputError(f"the target {name} is {target}, but must be a finite number")
            if on_sigmoid:
                checks.fractions(**{name: target})
        if a == b:
            raise InputError(f"a and b are both {a}, so nothing tells data from samples; set b to another target")
        self.a, self.b, self.c, self.on_sigmoid = a, b, c, on_sigmoid

    def judged(self, logits: Tensor, real: bool) -> Tensor:
        """The part of D's loss that is of data, or that of samples."""
        return least_squares(self.output(logits), self.b if real else self.a)

    def opposed(self, logits: Tensor) -> Tensor:
        """G's loss on D's outputs for samples."""
        return least_squares(self.output(logits), self.c)

    def output(self, logits: Tensor) -> Tensor:
        """What the targets are for."""
        return logits.sigmoid() if self.on_sigmoid else logits
