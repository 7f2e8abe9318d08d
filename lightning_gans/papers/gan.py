"""Generative Adversarial Nets (Goodfellow et al., 2014)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.optim.lr_scheduler import StepLR

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.errors import InputError
from lightning_gans.game import Game, ScheduleCounts
from lightning_gans.losses import AdversarialKind, bce, discriminator_loss, generator_loss
from lightning_gans.networks import MLP
from lightning_gans.optimizers import Adam
from lightning_gans.priors import Prior, Uniform


class GAN(Game):
    """Generative Adversarial Nets (Goodfellow et al., 2014), with the non-saturating generator loss.

    A generator G maps noise z to samples, a discriminator D tells them from data x (D is a logit here, sigma its sigmoid):

        max over D of E log sigma(D(x)) + E log(1 - sigma(D(G(z))))     Eqn. 1
        max over G of E log sigma(D(G(z)))                              section 3, instead of min E log(1 - sigma(D(G(z))))

    The authors' code moves both players at once, one step each, and halves D's loss; the paper's Algorithm 1 alternates, with
    k steps of D. Both are options. The defaults are the networks, prior, scaling and optimiser of the 25-Gaussian experiment of
    GAAN (Tran et al., 2018, Table 1), where this is the baseline "GAN"; its authors do not say how they trained it.

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
        data_range: the interval of G's output.
        data_scale: what points are divided by; 1 for images.
        optimizer: of both players.
        scheduler: of both optimisers.
        schedule_counts: what advances the schedules.
        **game: see ``lightning_gans.Game``.
    """

    def __init__(
        self,
        generator: nn.Module | None = None,
        discriminator: nn.Module | None = None,
        prior: Prior | None = None,
        loss: AdversarialKind = "ns",
        simultaneous: bool = True,
        discriminator_steps: int = 1,
        generator_steps: int = 1,
        discriminator_scale: float = 0.5,
        label_smoothing: float = 0.0,
        data_range: tuple[float, float] = (0.0, 1.0),
        data_scale: float = 4.180112,
        optimizer: OptimizerCallable = lambda p: Adam(p, lr=1e-3, beta1=0.8, beta2=0.999),
        scheduler: LRSchedulerCallable | None = lambda o: StepLR(o, step_size=10_000, gamma=0.9),
        schedule_counts: ScheduleCounts = "shared",
        **game: Any,
    ) -> None:
        units: dict[str, Any] = {"data_range": data_range, "data_scale": data_scale}
        super().__init__(optimizer=optimizer, scheduler=scheduler, schedule_counts=schedule_counts, **units, **game)
        steps = {"discriminator_steps": discriminator_steps, "generator_steps": generator_steps}
        checks.positive(**steps, discriminator_scale=discriminator_scale)
        checks.one_move_each(simultaneous, **steps)
        checks.smoothing(label_smoothing)
        if label_smoothing and loss not in ("ns", "minimax"):
            raise InputError(f"label_smoothing is {label_smoothing}, but the loss {loss!r} has no labels; set it to 0")
        self.prior = prior or Uniform(2)
        self.generator = generator or MLP(self.prior.dim, 2, output="sigmoid")
        self.discriminator = discriminator or MLP(2, 1)
        self.loss = loss
        self.simultaneous = simultaneous
        self.discriminator_steps = discriminator_steps
        self.generator_steps = generator_steps
        self.discriminator_scale = discriminator_scale
        self.label_smoothing = label_smoothing

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        if self.simultaneous:
            fake = self.generator(self.noise_like(batch))
            with self.simultaneously() as move:
                move("discriminator", self.discriminator_loss(batch.images, fake.detach()))
                move("generator", generator_loss(self.discriminator(fake), self.loss))
            return

        for step in range(self.discriminator_steps):  # Algorithm 1, lines 2 to 5
            x = batch.images if step == 0 else batch.fresh().images
            with self.turn("discriminator") as minimize:
                minimize(self.discriminator_loss(x, self.generator(self.noise_like(batch))))

        for _ in range(self.generator_steps):  # lines 7 and 8
            with self.turn("generator") as minimize:
                fake = self.generator(self.noise_like(batch))
                minimize(generator_loss(self.discriminator(fake), self.loss))

    def discriminator_loss(self, x: Tensor, fake: Tensor) -> Tensor:
        """Minus the value of Eqn. 1, scaled."""
        real, made, smoothing = self.discriminator(x), self.discriminator(fake), self.label_smoothing
        if smoothing:
            return self.discriminator_scale * (bce(real, 1 - smoothing) + bce(made, smoothing))
        return self.discriminator_scale * discriminator_loss(real, made, self.loss)

    def features(self, images: Tensor, layers: Sequence[str]) -> list[Tensor]:
        """Layers of D, for probes."""
        return self.discriminator.features(self.normalize(images), layers)  # type: ignore[operator]
