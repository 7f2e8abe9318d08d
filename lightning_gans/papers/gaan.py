"""Generative Adversarial Autoencoder Networks (Tran, Bui and Cheung, 2018)."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.game import Game
from lightning_gans.losses import at_least_float32, bce_fake, bce_real, binary_cross_entropy, mean_squared_error
from lightning_gans.networks import Tapped
from lightning_gans.penalties import gradient_penalty
from lightning_gans.priors import Prior


class GAAN(Game):
    """An autoencoder E, G whose reconstructions G(E(x)) count as real for the discriminator D (a logit; sigma its sigmoid).

    W ties distances between samples to distances between latents, which keeps modes apart. Phi is a layer of D, or the identity
    on points; M_d is the mean over dimensions:

        min over E, G of R + lambda_r W                                                             Eqn. 3
        R = || Phi(x) - Phi(G(E(x))) ||^2                                      (points: cross-entropy of x and G(E(x)))
        W = (f - lambda_w g)^2                                                                      Eqn. 5
        f = M_d(E Phi(x) - E Phi(G(z))),  g = M_d(E E(x) - E z)                (points: f from G(E(x)))      Eqn. 6, 7
        min over D of -E log sigma(D(x)) / 2 - E log sigma(D(G(E(x)))) / 2
                      -E log(1 - sigma(D(G(z)))) + lambda_p P                                       Eqn. 4
        min over G of | E sigma(D(x)) - E sigma(D(G(z))) |                                          Alg. 1, line 10

    This is the authors' code, from which Table 2 comes out; ``GAANPrinted`` is the text. Each step has its own minibatch; on
    points that of G is the autoencoder's. (For points their code counts G(E(x)) as fake, against their text and other code.)

    Args:
        encoder: E, samples to latents ``(N, dim)``.
        generator: G, latents to samples; for ``phi`` none with a sigmoid and its ``logits``.
        discriminator: D, samples to logits ``(N, 1)``.
        prior: the distribution of z.
        lambda_r: weight of W; 0 is GAAN_1 of Table 2.
        lambda_p: weight of P, ``(||grad D|| / sqrt(d) - 1)^2``.
        lambda_w: scale of g; none takes sqrt(d / D), for d latent and D feature dimensions.
        phi: the layer of D that is Phi; none for points.
        encoder_alone: Eqn. 3 moves E and not G, as in the authors' last code for CelebA and CIFAR-10. Section 3.2 and Alg. 1
            move both, and their history once calls E alone a bug (4d002f2).
        discriminator_steps: steps on Eqn. 4 in each batch.
        **game: see ``lightning_gans.Game``.
    """

    discriminator_norm = None
    reconstruction_weight = 0.5
    """Of G(E(x)) in what D takes for real."""
    matches_reconstructions = False
    """Whether f is taken from G(E(x)) on features too."""

    def __init__(
        self,
        encoder: Tapped,
        generator: Tapped,
        discriminator: Tapped,
        prior: Prior,
        lambda_r: float = 1.0,
        lambda_p: float = 1.0,
        lambda_w: float | None = None,
        phi: str | None = "last",
        encoder_alone: bool = False,
        discriminator_steps: int = 1,
        **game: Any,
    ) -> None:
        super().__init__(**game)
        checks.not_negative(lambda_r=lambda_r, lambda_p=lambda_p, lambda_w=lambda_w or 0.0)
        checks.positive(discriminator_steps=discriminator_steps)
        checks.rows_are_independent(discriminator, lambda_p)
        self.encoder, self.generator, self.discriminator, self.prior = encoder, generator, discriminator, prior
        self.lambda_r, self.lambda_p, self.lambda_w = lambda_r, lambda_p, lambda_w
        self.layer, self.encoder_alone, self.discriminator_steps = phi, encoder_alone, discriminator_steps

    def players(self) -> dict[str, list[Tapped]]:
        autoencoder = [self.encoder] if self.encoder_alone else [self.encoder, self.generator]
        return {"autoencoder": autoencoder, "discriminator": [self.discriminator], "generator": [self.generator]}

    def step(self, batch: Batch) -> None:
        self.minimize("autoencoder", self.autoencoder_loss, batch.images, self.noise_like(batch))  # Eqn. 3
        for _ in range(self.discriminator_steps):
            x, z, epsilon = batch.fresh().images, self.noise_like(batch), self.uniform(len(batch))
            self.minimize("discriminator", self.discriminator_loss, x, z, epsilon)  # Eqn. 4
        x = batch.images if self.layer is None else batch.fresh().images
        self.minimize("generator", self.generator_loss, x, self.noise_like(batch))  # Alg. 1, line 10

    def autoencoder_loss(self, x: Tensor, z: Tensor) -> Tensor:
        """Eqn. 3; on points R is a cross-entropy, and f is taken from G(E(x))."""
        codes = self.encoder(x)
        if self.layer is None:
            logits = self.generator_logits(codes)
            reference, error = logits.sigmoid(), binary_cross_entropy(logits, x)
        else:
            real, again = self.phi(x), self.phi(self.generator(codes))
            reference, error = again if self.matches_reconstructions else real, mean_squared_error(real, again)
        if not self.lambda_r:
            return error
        return error + self.lambda_r * self.distance(reference, self.phi(self.generator(z)), codes, z)

    def distance(self, reference: Tensor, fake: Tensor, codes: Tensor, z: Tensor) -> Tensor:
        """W of features, or points, from means over the global batch."""
        lambda_w = math.sqrt(z[0].numel() / fake[0].numel()) if self.lambda_w is None else self.lambda_w
        f = self.batch_mean(at_least_float32(reference) - at_least_float32(fake)).mean()
        g = self.batch_mean(at_least_float32(codes) - z).mean()
        return (f - lambda_w * g).square()

    def discriminator_loss(self, x: Tensor, z: Tensor, epsilon: Tensor) -> Tensor:
        """Minus Eqn. 4, with the penalty to be minimised too."""
        D, weight = self.discriminator, self.reconstruction_weight
        fake, reconstructed = self.generator(z), self.generator(self.encoder(x))
        loss = (1 - weight) * bce_real(D(x)) + weight * bce_real(D(reconstructed)) + bce_fake(D(fake))
        return loss + self.lambda_p * gradient_penalty(D, x, fake, epsilon, "mean") if self.lambda_p else loss

    def generator_loss(self, x: Tensor, z: Tensor) -> Tensor:
        """The difference between D's mean scores."""
        real, fake = (self.batch_mean(at_least_float32(self.discriminator(each)).sigmoid()) for each in (x, self.generator(z)))
        return (real - fake).abs().squeeze()

    def phi(self, x: Tensor) -> Tensor:
        """A layer of D, whose parameters are frozen in E's and G's turns, or samples as they are."""
        return x if self.layer is None else self.discriminator.features(x, [self.layer])[0]
