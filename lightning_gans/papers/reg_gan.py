"""Mode Regularized Generative Adversarial Networks (Che et al., 2017), with one discriminator."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.game import Game
from lightning_gans.losses import bce_real, discriminator_loss, mean_squared_error
from lightning_gans.networks import Network
from lightning_gans.priors import Prior


class RegGAN(Game):
    """A GAN whose generator G is also the decoder of an encoder E.

    Reconstructions G(E(x)) must be near the data x and look real, so that G is drawn to every mode that has data (D is a logit,
    sigma its sigmoid):

        max over D of E log sigma(D(x)) + E log(1 - sigma(D(G(z))))
        min over G of -E log sigma(D(G(z))) + T,    min over E of T
        T = E[lambda_1 d(x, G(E(x))) - lambda_2 log sigma(D(G(E(x))))]

    D is shown no reconstructions. The paper prints ``+ lambda_2 log D`` in T, by which reconstructions would learn to look
    generated. E and G are one player: the first term has no gradient for E, so that one loss serves both. d is the mean squared
    difference. The paper's form with two discriminators is ``MDGAN``.

    Args:
        encoder: E, samples to latents ``(N, dim)``.
        generator: G, latents to samples.
        discriminator: D, samples to logits ``(N, 1)``.
        prior: the distribution of z.
        lambda_1: weight of the distance between data and their reconstructions; 0.2 in the paper's MNIST experiment.
        lambda_2: weight of D's opinion of reconstructions; 0.4 there.
        **game: see ``lightning_gans.Game``.
    """

    def __init__(
        self,
        encoder: Network,
        generator: Network,
        discriminator: Network,
        prior: Prior,
        lambda_1: float = 0.2,
        lambda_2: float = 0.4,
        **game: Any,
    ) -> None:
        super().__init__(**game)
        checks.not_negative(lambda_1=lambda_1, lambda_2=lambda_2)
        self.encoder, self.generator, self.discriminator, self.prior = encoder, generator, discriminator, prior
        self.lambda_1, self.lambda_2 = lambda_1, lambda_2

    def players(self) -> dict[str, list[Network]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator, self.encoder]}

    def step(self, batch: Batch) -> None:
        self.minimize("discriminator", self.discriminator_loss, batch.images, self.noise_like(batch))
        self.minimize("generator", self.generator_loss, batch.images, self.noise_like(batch))

    def discriminator_loss(self, x: Tensor, z: Tensor) -> Tensor:
        """What D minimises."""
        fake = self.generator(z)
        return discriminator_loss(self.discriminator(x), self.discriminator(fake))

    def generator_loss(self, x: Tensor, z: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """What G and E minimise, and its terms without their weights."""
        adversarial = bce_real(self.discriminator(self.generator(z)))
        reconstructed = self.generator(self.encoder(x))
        distance, opinion = mean_squared_error(reconstructed, x), bce_real(self.discriminator(reconstructed))
        loss = adversarial + self.lambda_1 * distance + self.lambda_2 * opinion
        return loss, {"adversarial": adversarial, "distance": distance, "opinion": opinion}
