"""Adversarial Autoencoders (Makhzani et al., 2015)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.game import Game
from lightning_gans.losses import bce_fake, bce_real, mean_absolute_error, mean_squared_error
from lightning_gans.networks import Tapped
from lightning_gans.posteriors import Posterior, PosteriorKind
from lightning_gans.priors import Prior

Distance = Literal["squared", "absolute"]


class AAE(Game):
    """An autoencoder E, G whose codes are matched to a prior by a discriminator D of latents.

    z^ = E(x), or a draw of q(z|x), is the code of x. Each batch has three phases, each with an optimiser of its own and noise
    of its own (section 2):

        reconstruction   min over E, G of lambda_r |G(z^) - x|^2
        regularisation   min over D of    - E log sigma(D(z)) - E log(1 - sigma(D(z^)))
                         min over E of    - E log sigma(D(z^))

    The paper prints the minimax value and raises log sigma(D(z^)), as GANs do. It says "Euclidean cost" of the reconstruction,
    which can be a sum or a mean: here a mean over batch and dimensions, so half the sum over D dimensions is lambda_r = D / 2.

    Args:
        encoder: E, samples to latents ``(N, dim)``; for a Gaussian posterior ``(N, 2 * dim)``: means, then log-variances.
        generator: G, the paper's decoder, latents to samples.
        latent_discriminator: D, latents to logits ``(N, 1)``; of several judges ``(N, judges)``, whose losses are summed.
        prior: the distribution of z.
        posterior: ``deterministic``, ``gaussian``, or ``implicit``, the paper's universal approximator E(x, epsilon).
        lambda_r: weight of the reconstruction, which matters to plain gradient descent.
        distance: the ``squared`` difference of the paper, or the ``absolute`` one of AEGAN's comparison.
        discriminator_noise: standard deviation of normal noise on the latents that D is given: one-hot vectors are told from a
            softmax by their corners alone. Not in the paper; 0.3 in musyoku/adversarial-autoencoder.
        **game: see ``lightning_gans.Game``.
    """

    features_of = "encoder"
    inference: Posterior

    def __init__(
        self,
        encoder: Tapped,
        generator: Tapped,
        latent_discriminator: nn.Module,
        prior: Prior,
        posterior: PosteriorKind = "deterministic",
        lambda_r: float = 1.0,
        distance: Distance = "squared",
        discriminator_noise: float = 0.0,
        **game: Any,
    ) -> None:
        super().__init__(**game)
        checks.positive(lambda_r=lambda_r)
        checks.one_of("distance", distance, Distance)
        checks.not_negative(discriminator_noise=discriminator_noise)
        self.inference = Posterior(posterior, encoder, self.drawn_part(prior).dim)
        self.encoder, self.generator, self.prior = encoder, generator, prior
        self.latent_discriminator = latent_discriminator
        self.lambda_r, self.distance, self.discriminator_noise = lambda_r, distance, discriminator_noise

    def players(self) -> dict[str, list[nn.Module]]:
        return {
            "autoencoder": [self.encoder, self.generator],
            "discriminator": [self.latent_discriminator],
            "encoder": [self.encoder],
        }

    def step(self, batch: Batch) -> None:
        x = batch.images
        self.minimize("autoencoder", self.autoencoder_loss, x, self.posterior_noise(x))
        self.regularise(x, self.noise_like(batch))

    def regularise(self, x: Tensor, z: Tensor, *given: Tensor) -> None:
        """The second phase: D's step and then E's, on samples x and draws z of the prior, of which D may be told something."""
        z = z + self.blur(z)
        self.minimize("discriminator", self.discriminator_loss, x, z, self.posterior_noise(x), self.blur(z), *given)
        self.minimize("encoder", self.encoder_loss, x, self.posterior_noise(x), self.blur(z), *given)

    def posterior_noise(self, x: Tensor) -> Tensor:
        """Standard normal noise of the posterior for each sample."""
        return self.normal(len(x), self.inference.width)

    def blur(self, z: Tensor) -> Tensor:
        """The noise on latents that D is given."""
        if not self.discriminator_noise:
            return z.new_zeros(())
        return self.discriminator_noise * self.normal(*z.shape)

    def autoencoder_loss(self, x: Tensor, epsilon: Tensor) -> Tensor:
        """What E and G minimise: the reconstruction."""
        distance = mean_squared_error if self.distance == "squared" else mean_absolute_error
        return self.lambda_r * distance(self.generator(self.codes(x, epsilon)), x)

    def discriminator_loss(self, x: Tensor, z: Tensor, epsilon: Tensor, blur: Tensor, *given: Tensor) -> Tensor:
        """What D minimises."""
        return self.told(bce_real, z, *given) + self.told(bce_fake, self.codes(x, epsilon) + blur, *given)

    def encoder_loss(self, x: Tensor, epsilon: Tensor, blur: Tensor, *given: Tensor) -> Tensor:
        """What E minimises besides: D is to take its codes for draws of the prior."""
        return self.told(bce_real, self.codes(x, epsilon) + blur, *given)

    def told(self, loss: Callable[[Tensor], Tensor], z: Tensor, *given: Tensor) -> Tensor:
        """A loss of D's logits of latents, which D may be told something of, summed over its judges."""
        logits = self.latent_discriminator(z, *given)
        return torch.stack([loss(each) for each in logits.unbind(1)]).sum()

    def codes(self, x: Tensor, epsilon: Tensor) -> Tensor:
        """z^ of samples in the networks' units, ``(N, dim)``."""
        return self.inference.draw(self.encoder, x, epsilon).to(x.dtype)

    @classmethod
    def drawn_part(cls, prior: Prior) -> Prior:
        """The part of the latent that the posterior draws: all of it."""
        return prior
