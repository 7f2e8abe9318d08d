"""Unrolled Generative Adversarial Networks (Metz, Poole, Pfau and Sohl-Dickstein, 2017)."""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.errors import InputError
from lightning_gans.game import Game
from lightning_gans.losses import bce_fake, bce_real, generator_loss
from lightning_gans.networks import Tapped
from lightning_gans.priors import Prior


class UnrolledGAN(Game):
    """A generator that looks K steps of the discriminator ahead.

        f(G, D) = -E log sigma(D(x)) - E log(1 - sigma(D(G(z))))
        D_0 = D,  D_(k+1) = the optimiser's step from D_k on f(G, D_k)     Eqn. 8
        min over D of f(G, D);  max over G of f(G, D_K)                    Eqn. 9 to 11

    G's gradient goes through all K steps, Adam's moments among it, which begin as the optimiser has them. As in the author's
    notebook (poolio/unrolled_gan at 67e2c7a) all steps are on the same minibatch, D itself takes one step from D_0 at the same
    parameters as G, and G has the saturating loss of Eqn. 1; ``ns`` is the other. K = 0 is a plain GAN. On several ranks each
    imagines the steps on the global batch.

    Args:
        generator: G, latents ``(N, dim)`` to samples.
        discriminator: D, samples to logits ``(N, 1)``.
        prior: the distribution of z.
        unrolling_steps: K.
        loss: G's, ``minimax`` or ``ns``.
        **game: see ``lightning_gans.Game``; the discriminator's optimiser must be Adam.
    """

    def __init__(
        self,
        generator: Tapped,
        discriminator: Tapped,
        prior: Prior,
        unrolling_steps: int = 5,
        loss: Literal["minimax", "ns"] = "minimax",
        **game: Any,
    ) -> None:
        super().__init__(**game)
        if unrolling_steps < 0:
            raise InputError(f"unrolling_steps is {unrolling_steps}, but must be at least 0")
        checks.one_of("loss", loss, ("minimax", "ns"))
        self.generator, self.discriminator, self.prior = generator, discriminator, prior
        self.unrolling_steps, self.loss = unrolling_steps, loss

    def players(self) -> dict[str, list[Tapped]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def step(self, batch: Batch) -> None:
        x, z = batch.images, self.noise_like(batch)
        self.minimize_together(self.both_losses, x, z, self.gather(x), self.gather(z))

    def both_losses(self, x: Tensor, z: Tensor, all_x: Tensor, all_z: Tensor) -> dict[str, Tensor]:
        """Of both players at the same parameters."""
        return {"discriminator": self.discriminator_loss(x, z), "generator": self.unrolled_loss(z, all_x, all_z)}

    def unrolled_loss(self, z: Tensor, all_x: Tensor, all_z: Tensor) -> Tensor:
        """G's loss against D_K."""
        if not self.unrolling_steps:
            return self.generator_loss(z)
        ahead = self.functional("discriminator")
        for _ in range(self.unrolling_steps):
            ahead = ahead.minimize(self.discriminator_loss, all_x, all_z)
        loss: Tensor = ahead.evaluate(self.generator_loss, z)
        return loss

    def discriminator_loss(self, x: Tensor, z: Tensor) -> Tensor:
        """f, which D minimises."""
        return bce_real(self.discriminator(x)) + bce_fake(self.discriminator(self.generator(z)))

    def generator_loss(self, z: Tensor) -> Tensor:
        """The part of -f, or of what takes its place, that depends on G."""
        return generator_loss(self.discriminator(self.generator(z)), self.loss)
