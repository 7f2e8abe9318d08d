"""Adversarially Learned Inference (Dumoulin et al., 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.game import Game
from lightning_gans.losses import at_least_float32, bce_fake, bce_real
from lightning_gans.networks import Tapped
from lightning_gans.posteriors import Posterior, PosteriorKind
from lightning_gans.priors import Prior
from lightning_gans.protocols import Condition, map_condition


class ALI(Game):
    """An encoder E and a generator G, learned together against one discriminator D of pairs (a logit; sigma its sigmoid).

    D tells pairs (x, z^) of a sample and its code from pairs (x~, z) of what is made of noise and the noise:

        z^ = mu(x) + sigma(x) epsilon, E gives mu and log sigma;  x~ = G(z)                            section 2.1, Eqn. 2
        min over D of - E log sigma(D(x, z^)) - E log(1 - sigma(D(x~, z)))                             Algorithm 1
        min over E, G of - E log(1 - sigma(D(x, z^))) - E log sigma(D(x~, z))                          Algorithm 1

    So each of E and G is trained by the pairs that it is in. Both players move at the same parameters, from one forward, by
    Algorithm 1 and by the authors' code, whose D is given both kinds of pairs in one pass: its batch norm is over both.

    Args:
        encoder: E, samples to ``(N, 2 * dim)``: means, then log sigma (not the variance's); for other posteriors see below.
        generator: G, latents to samples.
        joint_discriminator: D, pairs of samples and latents to logits ``(N, 1)``, such as a ``PairNetwork``.
        prior: the distribution of z.
        posterior: ``gaussian``; ``deterministic``, z^ = E(x) of ``dim`` numbers; or ``implicit``, z^ = E(x, epsilon), as on
            their 25 Gaussians: E is ``Conditioned`` on as many standard normal numbers as its condition has columns.
        simultaneous: move both players at the same parameters; else D, then E and G against the new D on noise of their own.
        one_pass: give D both kinds of pairs in one batch.
        scale: factor of both losses, which matters beside weight decay.
        **game: see ``lightning_gans.Game``.
    """

    stochastic_encoder = True
    features_of = "encoder"
    inference: Posterior

    def __init__(
        self,
        encoder: Tapped,
        generator: Tapped,
        joint_discriminator: Tapped,
        prior: Prior,
        posterior: PosteriorKind = "gaussian",
        simultaneous: bool = True,
        one_pass: bool = True,
        scale: float = 1.0,
        **game: Any,
    ) -> None:
        super().__init__(**game)
        checks.positive(scale=scale)
        self.inference = Posterior(posterior, encoder, prior.dim, "log_sigma")
        self.encoder, self.generator, self.prior = encoder, generator, prior
        self.joint_discriminator = joint_discriminator
        self.simultaneous, self.one_pass, self.scale = simultaneous, one_pass, scale

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.joint_discriminator], "autoencoder": [self.encoder, self.generator]}

    def step(self, batch: Batch) -> None:
        given = self.given(batch)
        if self.simultaneous:
            self.minimize_together(self.both_losses, batch.images, *self.draws(batch), *given)
        else:
            self.minimize("discriminator", self.discriminator_loss, batch.images, *self.draws(batch), *given)
            self.minimize("autoencoder", self.autoencoder_loss, batch.images, *self.draws(batch), *given)

    def draws(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The noise z and that of the posterior, for each sample."""
        return self.noise_like(batch), self.normal(len(batch), self.inference.width)

    def both_losses(self, x: Tensor, z: Tensor, epsilon: Tensor, *given: Condition) -> dict[str, Any]:
        """Of both players, from one forward."""
        real, fake = self.judged(x, z, epsilon, *given)
        return {"discriminator": (self.right(real, fake), accuracies(real, fake)), "autoencoder": self.right(fake, real)}

    def discriminator_loss(self, x: Tensor, z: Tensor, epsilon: Tensor, *given: Condition) -> Tensor:
        """Algorithm 1, the first loss."""
        return self.right(*self.judged(x, z, epsilon, *given))

    def autoencoder_loss(self, x: Tensor, z: Tensor, epsilon: Tensor, *given: Condition) -> Tensor:
        """Algorithm 1, the second loss: that of D with the labels exchanged."""
        real, fake = self.judged(x, z, epsilon, *given)
        return self.right(fake, real)

    def right(self, real: Tensor, fake: Tensor) -> Tensor:
        """What is minimised to have the first logits high and the second ones low."""
        return self.scale * (bce_real(real) + bce_fake(fake))

    def judged(self, x: Tensor, z: Tensor, epsilon: Tensor, *given: Condition) -> tuple[Tensor, Tensor]:
        """D's logits on pairs of samples and codes, and of generated samples and noise."""
        codes, made = self.inference.draw(self.encoder, x, epsilon, *given).to(z.dtype), self.generator(z, *given)
        real, fake = self.judge((x, codes), (made, z), given=given)
        return real, fake

    def judge(self, *pairs: tuple[Tensor, Tensor], given: Sequence[Condition] = ()) -> list[Tensor]:
        """D's logits on several kinds of pairs of as many samples and latents, in one batch or each in its own."""
        if not self.one_pass:
            return [self.joint_discriminator(x, z, *given) for x, z in pairs]
        samples, latents = (torch.cat(side) for side in zip(*pairs, strict=True))
        repeated = [map_condition(each, lambda rows: torch.cat([rows] * len(pairs))) for each in given]
        return list(self.joint_discriminator(samples, latents, *repeated).split([len(x) for x, _ in pairs]))


def accuracies(real: Tensor, fake: Tensor) -> dict[str, Tensor]:
    """How probable D finds what both kinds of pairs are, by its logits, as the authors watch it."""
    named = {"real_accuracy": real, "fake_accuracy": -fake}
    return {name: at_least_float32(logits).sigmoid().mean().detach() for name, logits in named.items()}
