"""Mode Regularized Generative Adversarial Networks (Che et al., 2017), trained in manifold and diffusion steps."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.game import Game
from lightning_gans.losses import bce_real, discriminator_loss, mean_squared_error
from lightning_gans.networks import Network
from lightning_gans.priors import Prior


class MDGAN(Game):
    """The manifold-diffusion GAN: an encoder E and the generator G form an autoencoder, with two discriminators.

    The manifold step draws reconstructions to the data x, the diffusion step spreads the samples G(z) over reconstructions,
    which lie near the samples as x itself does not. Each has a discriminator (a logit; sigma its sigmoid), and the four steps
    of a batch are, in this order:

        max over D1 of E log sigma(D1(x)) + E log(1 - sigma(D1(G(E(x)))))         manifold step
        min over E, G of E d(x, G(E(x))) - lambda E log sigma(D1(G(E(x))))
        max over D2 of E log sigma(D2(G(E(x)))) + E log(1 - sigma(D2(G(z))))      diffusion step
        max over G of E log sigma(D2(G(z)))

    In the diffusion step reconstructions are data: no gradient passes through them. d is the mean squared difference. G moves
    twice a batch, each time with an optimiser of its own; no authors' code says whether theirs shared one. The form of the same
    paper with one discriminator is ``RegGAN``. GAAN's authors say of MDGAN that it collapses with many datasets.

    Args:
        encoder: E, samples to latents ``(N, dim)``.
        generator: G, latents to samples.
        manifold_discriminator: D1, samples to logits ``(N, 1)``.
        diffusion_discriminator: D2, likewise.
        prior: the distribution of z.
        lambda_m: lambda, the weight of D1's opinion beside d.
        **game: see ``lightning_gans.Game``.
    """

    features_of = "manifold_discriminator"

    def __init__(
        self,
        encoder: Network,
        generator: Network,
        manifold_discriminator: Network,
        diffusion_discriminator: Network,
        prior: Prior,
        lambda_m: float = 0.01,
        **game: Any,
    ) -> None:
        super().__init__(**game)
        checks.not_negative(lambda_m=lambda_m)
        self.encoder, self.generator, self.prior = encoder, generator, prior
        self.manifold_discriminator, self.diffusion_discriminator = manifold_discriminator, diffusion_discriminator
        self.lambda_m = lambda_m

    def players(self) -> dict[str, list[Network]]:
        return {
            "manifold_discriminator": [self.manifold_discriminator],
            "autoencoder": [self.encoder, self.generator],
            "diffusion_discriminator": [self.diffusion_discriminator],
            "generator": [self.generator],
        }

    def step(self, batch: Batch) -> None:
        x = batch.images
        self.minimize("manifold_discriminator", self.manifold_loss, x)
        self.minimize("autoencoder", self.autoencoder_loss, x)
        self.minimize("diffusion_discriminator", self.diffusion_loss, x, self.noise_like(batch))
        self.minimize("generator", self.generator_loss, self.noise_like(batch))

    def manifold_loss(self, x: Tensor) -> Tensor:
        """D1 tells data from reconstructions."""
        return discriminator_loss(self.manifold_discriminator(x), self.manifold_discriminator(self.reconstruct(x)))

    def autoencoder_loss(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """E and G draw reconstructions to data; the terms are d, and minus D1's opinion without its weight."""
        reconstructed = self.reconstruct(x)
        distance = mean_squared_error(reconstructed, x)
        adversarial = bce_real(self.manifold_discriminator(reconstructed))
        return distance + self.lambda_m * adversarial, {"distance": distance, "adversarial": adversarial}

    def diffusion_loss(self, x: Tensor, z: Tensor) -> Tensor:
        """D2 tells reconstructions from samples."""
        D2 = self.diffusion_discriminator
        return discriminator_loss(D2(self.reconstruct(x)), D2(self.generator(z)))

    def generator_loss(self, z: Tensor) -> Tensor:
        """G spreads samples over reconstructions."""
        return bce_real(self.diffusion_discriminator(self.generator(z)))

    def reconstruct(self, x: Tensor) -> Tensor:
        """G(E(x))."""
        return self.generator(self.encoder(x))
