"""Generative Adversarial Autoencoder Networks (Tran, Bui and Cheung, 2018), as the paper prints it."""

from __future__ import annotations

from torch import Tensor

from lightning_gans.batch import Batch
from lightning_gans.losses import bce_fake, bce_real
from lightning_gans.papers.gaan import GAAN
from lightning_gans.penalties import gradient_penalty


class GAANPrinted(GAAN):
    """``GAAN`` by Algorithm 1 and Eqn. 4 of the paper instead of its authors' code.

    All players see one minibatch and one z, and after Eqn. 3:

        min over D of -E log sigma(D(x)) - E log sigma(D(G(E(x)))) - E log(1 - sigma(D(G(z)))) + lambda_p P      Eqn. 4
        P = (||grad D||^2 - 1)^2                                     printed with a sign by which D would maximise it
        max over G of E log sigma(D(G(z)))                                                          Alg. 1, line 10
    """

    def step(self, batch: Batch) -> None:
        x, z = batch.images, self.noise_like(batch)
        self.minimize("autoencoder", self.autoencoder_loss, x, z)
        for _ in range(self.discriminator_steps):
            self.minimize("discriminator", self.discriminator_loss, x, z, self.uniform(len(x)))
        self.minimize("generator", self.generator_loss, x, z)

    def discriminator_loss(self, x: Tensor, z: Tensor, epsilon: Tensor) -> Tensor:
        """Minus Eqn. 4, with the penalty to be minimised too."""
        D = self.discriminator
        fake, reconstructed = self.generator(z), self.generator(self.encoder(x))
        loss = bce_real(D(x)) + bce_real(D(reconstructed)) + bce_fake(D(fake))
        return loss + self.lambda_p * gradient_penalty(D, x, fake, epsilon, "printed") if self.lambda_p else loss

    def generator_loss(self, x: Tensor, z: Tensor) -> Tensor:
        """Minus what G maximises; it depends on no data."""
        return bce_real(self.discriminator(self.generator(z)))
