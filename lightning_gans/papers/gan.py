"""Generative Adversarial Nets (Goodfellow et al., 2014)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.errors import InputError
from lightning_gans.game import Game
from lightning_gans.losses import AdversarialKind, bce, discriminator_loss, generator_loss
from lightning_gans.networks import Network
from lightning_gans.priors import Prior


class GAN(Game):
    """A generator G maps noise z to samples, a discriminator D (a logit; sigma its sigmoid) tells them from data x:

        max over D of E log sigma(D(x)) + E log(1 - sigma(D(G(z))))     Eqn. 1
        max over G of E log sigma(D(G(z)))                              section 3, instead of min E log(1 - sigma(D(G(z))))

    The authors' code moves both players at once, one step each, and halves D's loss; the paper's Algorithm 1 alternates, with
    k steps of D. Both are options.

    Args:
        generator: G, latents ``(N, dim)`` to samples.
        discriminator: D, samples to logits ``(N, 1)``.
        prior: the distribution of z.
        loss: ``ns``, ``minimax`` (Eqn. 1 for both), ``lsgan``, ``wgan`` or ``hinge``: see ``lightning_gans.losses``.
        simultaneous: move both players at the same parameters, as the authors' code does.
        discriminator_steps: k of Algorithm 1, each on a fresh minibatch; more than one only where the players alternate.
        generator_steps: steps of G after those of D, each on noise of its own; more than one only where the players alternate.
        discriminator_scale: factor of D's loss, 0.5 in the authors' code.
        label_smoothing: how far D's labels are from 1 for data and from 0 for samples; for ``ns`` and ``minimax``.
        **game: see ``lightning_gans.Game``.
    """

    def __init__(
        self,
        generator: Network,
        discriminator: Network,
        prior: Prior,
        loss: AdversarialKind = "ns",
        simultaneous: bool = True,
        discriminator_steps: int = 1,
        generator_steps: int = 1,
        discriminator_scale: float = 0.5,
        label_smoothing: float = 0.0,
        **game: Any,
    ) -> None:
        super().__init__(**game)
        steps = {"discriminator_steps": discriminator_steps, "generator_steps": generator_steps}
        checks.positive(**steps, discriminator_scale=discriminator_scale)
        checks.one_of(AdversarialKind, loss=loss)
        checks.one_move_each(simultaneous, **steps)
        checks.smoothing(label_smoothing)
        if label_smoothing and loss not in ("ns", "minimax"):
            raise InputError(f"label_smoothing is {label_smoothing}, but the loss {loss!r} has no labels; set it to 0")
        self.generator, self.discriminator, self.prior = generator, discriminator, prior
        self.loss, self.simultaneous = loss, simultaneous
        self.discriminator_steps, self.generator_steps = discriminator_steps, generator_steps
        self.discriminator_scale, self.label_smoothing = discriminator_scale, label_smoothing

    def players(self) -> dict[str, list[Network]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def step(self, batch: Batch) -> None:
        if self.simultaneous:
            self.minimize_together(self.both_losses, batch.images, self.noise_like(batch))
            return
        for number in range(self.discriminator_steps):  # Algorithm 1, lines 2 to 5
            x = batch.images if number == 0 else batch.fresh().images
            self.minimize("discriminator", self.discriminator_loss, x, self.noise_like(batch))
        for _ in range(self.generator_steps):  # lines 7 and 8
            self.minimize("generator", self.generator_loss, self.noise_like(batch))

    def both_losses(self, x: Tensor, z: Tensor) -> dict[str, Tensor]:
        """Of both players on the same samples."""
        fake = self.generator(z)
        return {
            "discriminator": self.value(x, fake.detach()),
            "generator": generator_loss(self.discriminator(fake), self.loss),
        }

    def discriminator_loss(self, x: Tensor, z: Tensor) -> Tensor:
        """What D minimises."""
        return self.value(x, self.generator(z))

    def generator_loss(self, z: Tensor) -> Tensor:
        """What G minimises."""
        return generator_loss(self.discriminator(self.generator(z)), self.loss)

    def value(self, x: Tensor, fake: Tensor) -> Tensor:
        """Minus the value of Eqn. 1, scaled."""
        real, generated, smoothing = self.discriminator(x), self.discriminator(fake), self.label_smoothing
        if smoothing:
            return self.discriminator_scale * (bce(real, 1 - smoothing) + bce(generated, smoothing))
        return self.discriminator_scale * discriminator_loss(real, generated, self.loss)
