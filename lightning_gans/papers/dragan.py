"""On Convergence and Stability of GANs: DRAGAN (Kodali et al., 2017)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from lightning_gans import checks
from lightning_gans.networks import Tapped
from lightning_gans.papers.gan import GAN
from lightning_gans.penalties import gradient_penalty
from lightning_gans.priors import Prior
from lightning_gans.protocols import Condition


class DRAGAN(GAN):
    """A GAN whose discriminator is kept near slope 1 around the data:

        min over D of -E log sigma(D(x)) - E log(1 - sigma(D(G(z)))) + lambda_p E (||grad D(x + u (x' - x))|| - 1)^2
        x' = x + s std(x) n,  u and every number of n uniform in [0, 1], std over all numbers of the minibatch

    The paper writes the noise as normal (Algorithm 1); this is the authors' code (kodalinaveen3/DRAGAN at 29fb907), whose noise
    only ever makes numbers larger. G's loss is that of ``GAN``.

    Args:
        generator: G, latents ``(N, dim)`` to samples.
        discriminator: D, samples to logits ``(N, 1)``; without batch norm, which would mix the samples' slopes.
        prior: the distribution of z.
        lambda_p: the penalty's weight.
        spread: s, how far from the data.
        discriminator_steps: as for ``GAN``.
        generator_steps: as for ``GAN``.
        **game: see ``lightning_gans.Game``.
    """

    discriminator_norm = None

    def __init__(
        self,
        generator: Tapped,
        discriminator: Tapped,
        prior: Prior,
        lambda_p: float = 10.0,
        spread: float = 0.5,
        discriminator_steps: int = 1,
        generator_steps: int = 1,
        **game: Any,
    ) -> None:
        super().__init__(
            generator,
            discriminator,
            prior,
            simultaneous=False,
            discriminator_steps=discriminator_steps,
            generator_steps=generator_steps,
            discriminator_scale=1.0,
            **game,
        )
        checks.not_negative(lambda_p=lambda_p)
        checks.positive(spread=spread)
        checks.rows_are_independent(discriminator, lambda_p)
        self.lambda_p, self.spread = lambda_p, spread

    def move_discriminator(self, x: Tensor, z: Tensor, *given: Condition) -> None:
        perturbed = x + self.spread * self.deviation(x) * self.uniform(len(x), *x.shape[1:])
        self.minimize("discriminator", self.penalised_loss, x, z, perturbed, self.uniform(len(x)))

    def penalised_loss(self, x: Tensor, z: Tensor, perturbed: Tensor, u: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """What D minimises."""
        penalty = gradient_penalty(self.discriminator, x, perturbed, u) if self.lambda_p else x.new_zeros(())
        return self.discriminator_loss(x, z) + self.lambda_p * penalty, {"penalty": penalty.detach()}

    def deviation(self, x: Tensor) -> Tensor:
        """The standard deviation of all numbers of the minibatch, on all ranks."""
        mean = self.batch_mean(x.flatten(1).mean(1))
        return self.batch_mean((x - mean).square().flatten(1).mean(1)).sqrt()
