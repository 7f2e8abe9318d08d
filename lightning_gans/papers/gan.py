"""Generative Adversarial Nets (Goodfellow et al., 2014)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.errors import InputError
from lightning_gans.game import Game
from lightning_gans.losses import AdversarialKind, bce, discriminator_loss_on, generator_loss
from lightning_gans.networks import Tapped
from lightning_gans.priors import Prior
from lightning_gans.protocols import Condition


class GAN(Game):
    """A generator G maps noise z to samples, a discriminator D (a logit; sigma its sigmoid) tells them from data x:

        max over D of E log sigma(D(x)) + E log(1 - sigma(D(G(z))))     Eqn. 1
        max over G of E log sigma(D(G(z)))                              section 3, instead of min E log(1 - sigma(D(G(z))))

    The authors' code moves both players at once, one step each, and halves D's loss; the paper's Algorithm 1 alternates, with
    k steps of D. Both are options (goodfeli/adversarial, ``__init__.py`` and ``mnist.yaml``).

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
        same_noise: let G's first step take the noise of D's last one, as much code does; only where the players alternate.
        split_discriminator_step: let D take a step on data and then one on samples instead of one on both, as the GAN of
            AEGAN's author does; only where the players alternate.
        **game: see ``lightning_gans.Game``.
    """

    def __init__(
        self,
        generator: Tapped,
        discriminator: Tapped,
        prior: Prior,
        loss: AdversarialKind = "ns",
        simultaneous: bool = True,
        discriminator_steps: int = 1,
        generator_steps: int = 1,
        discriminator_scale: float = 0.5,
        label_smoothing: float = 0.0,
        same_noise: bool = False,
        split_discriminator_step: bool = False,
        **game: Any,
    ) -> None:
        super().__init__(**game)
        steps = {"discriminator_steps": discriminator_steps, "generator_steps": generator_steps}
        checks.positive(**steps, discriminator_scale=discriminator_scale)
        checks.one_of("loss", loss, AdversarialKind)
        checks.one_move_each(simultaneous, **steps)
        checks.smoothing(label_smoothing)
        if label_smoothing and loss not in ("ns", "minimax"):
            raise InputError(f"label_smoothing is {label_smoothing}, but the loss {loss!r} has no labels; set it to 0")
        for name, wanted in {"same_noise": same_noise, "split_discriminator_step": split_discriminator_step}.items():
            if simultaneous and wanted:
                raise InputError(f"{name} is for players that alternate; set simultaneous to false")
        self.generator, self.discriminator, self.prior = generator, discriminator, prior
        self.loss, self.simultaneous = loss, simultaneous
        self.discriminator_steps, self.generator_steps = discriminator_steps, generator_steps
        self.discriminator_scale, self.label_smoothing = discriminator_scale, label_smoothing
        self.same_noise, self.split_discriminator_step = same_noise, split_discriminator_step

    def players(self) -> dict[str, list[Tapped]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def step(self, batch: Batch) -> None:
        if self.simultaneous:
            self.minimize_together(self.both_losses, batch.images, self.noise_like(batch), *self.given(batch))
            return
        for number in range(self.discriminator_steps):  # Algorithm 1, lines 2 to 5
            data = batch if number == 0 else batch.fresh()
            z, given = self.noise_like(data), self.given(data)
            self.move_discriminator(data.images, z, *given)
        for number in range(self.generator_steps):  # lines 7 and 8
            if number > 0 or not self.same_noise:
                z, given = self.noise_like(batch), self.given(batch)
            self.minimize("generator", self.generator_loss, z, *given)

    def move_discriminator(self, x: Tensor, z: Tensor, *given: Condition) -> None:
        """D's turn, on one minibatch."""
        if self.split_discriminator_step:
            self.minimize("discriminator", self.loss_on_data, x, *given)
            self.minimize("discriminator", self.loss_on_samples, z, *given)
        else:
            self.minimize("discriminator", self.discriminator_loss, x, z, *given)

    def both_losses(self, x: Tensor, z: Tensor, *given: Condition) -> dict[str, Tensor]:
        """Of both players on the same samples."""
        fake = self.generator(z, *given)
        return {
            "discriminator": self.loss_on_data(x, *given) + self.judged(self.discriminator(fake.detach(), *given), real=False),
            "generator": self.opposed(self.discriminator(fake, *given)),
        }

    def discriminator_loss(self, x: Tensor, z: Tensor, *given: Condition) -> Any:
        """What D minimises: minus the value of Eqn. 1, scaled."""
        return self.loss_on_data(x, *given) + self.loss_on_samples(z, *given)

    def loss_on_data(self, x: Tensor, *given: Condition) -> Tensor:
        """The part of D's loss that is of data."""
        return self.judged(self.discriminator(x, *given), real=True)

    def loss_on_samples(self, z: Tensor, *given: Condition) -> Tensor:
        """The part of D's loss that is of samples."""
        return self.judged(self.discriminator(self.generator(z, *given), *given), real=False)

    def generator_loss(self, z: Tensor, *given: Condition) -> Tensor:
        """What G minimises."""
        return self.opposed(self.discriminator(self.generator(z, *given), *given))

    def judged(self, logits: Tensor, real: bool) -> Tensor:
        """D's loss on logits of one kind, with its labels and its factor."""
        if self.label_smoothing:
            return self.discriminator_scale * bce(logits, 1 - self.label_smoothing if real else self.label_smoothing)
        return self.discriminator_scale * discriminator_loss_on(logits, real, self.loss)

    def opposed(self, logits: Tensor) -> Tensor:
        """G's loss on D's logits of its samples."""
        return generator_loss(logits, self.loss)
