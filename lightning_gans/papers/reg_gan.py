"""Mode Regularized Generative Adversarial Networks (Che et al., 2017), with one discriminator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.optim.lr_scheduler import StepLR

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.game import Game, ScheduleCounts
from lightning_gans.losses import bce_real, discriminator_loss, mean_squared_error
from lightning_gans.networks import MLP, Network
from lightning_gans.optimizers import Adam
from lightning_gans.priors import Prior, Uniform


class RegGAN(Game):
    """The regularised GAN of Mode Regularized Generative Adversarial Networks (Che et al., 2017).

    A GAN whose generator G is also the decoder of an encoder E: reconstructions G(E(x)) must be near the data x and look real,
    so that G is drawn to every mode that has data (D is a logit, sigma its sigmoid):

        max over D of E log sigma(D(x)) + E log(1 - sigma(D(G(z))))
        min over G of -E log sigma(D(G(z))) + T,    min over E of T
        T = E[lambda_1 d(x, G(E(x))) - lambda_2 log sigma(D(G(E(x))))]

    D is shown no reconstructions. The paper prints ``+ lambda_2 log D`` in T, by which reconstructions would learn to look
    generated; that sign is no option here. E and G are one player: the first term has no gradient for E, so that one loss
    serves both. d is the squared distance. The paper's form with two discriminators is ``MDGAN``. The defaults are the
    25-Gaussian experiment of GAAN (Tran et al., 2018, Table 1) with the weights of this paper's MNIST experiment.

    Args:
        encoder: E, samples to latents ``(N, dim)``.
        generator: G, latents to samples.
        discriminator: D, samples to logits ``(N, 1)``.
        prior: the distribution of z.
        lambda_1: weight of the distance between data and their reconstructions.
        lambda_2: weight of D's opinion of reconstructions.
        distance: d as the ``mean`` over dimensions or their ``sum``, the squared norm.
        data_range: the interval of G's output.
        data_scale: what points are divided by; 1 for images.
        optimizer: of both players.
        scheduler: of both optimisers.
        schedule_counts: what advances the schedules.
        **game: see ``lightning_gans.Game``.
    """

    def __init__(
        self,
        encoder: nn.Module | None = None,
        generator: nn.Module | None = None,
        discriminator: nn.Module | None = None,
        prior: Prior | None = None,
        lambda_1: float = 0.2,
        lambda_2: float = 0.4,
        distance: Literal["mean", "sum"] = "mean",
        data_range: tuple[float, float] = (0.0, 1.0),
        data_scale: float = 4.180112,
        optimizer: OptimizerCallable = lambda p: Adam(p, lr=1e-3, beta1=0.8, beta2=0.999),
        scheduler: LRSchedulerCallable | None = lambda o: StepLR(o, step_size=10_000, gamma=0.9),
        schedule_counts: ScheduleCounts = "shared",
        **game: Any,
    ) -> None:
        units: dict[str, Any] = {"data_range": data_range, "data_scale": data_scale}
        super().__init__(optimizer=optimizer, scheduler=scheduler, schedule_counts=schedule_counts, **units, **game)
        checks.not_negative(lambda_1=lambda_1, lambda_2=lambda_2)
        self.prior = prior or Uniform(2)
        self.encoder = encoder or MLP(2, self.prior.dim)
        self.generator = generator or MLP(self.prior.dim, 2, output="sigmoid")
        self.discriminator = discriminator or MLP(2, 1)
        self.lambda_1, self.lambda_2 = lambda_1, lambda_2
        self.distance = distance

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator, self.encoder]}

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        x = batch.images

        with self.turn("discriminator") as minimize:
            fake = self.generator(self.noise_like(batch))
            minimize(discriminator_loss(self.discriminator(x), self.discriminator(fake)))

        with self.turn("generator") as minimize:
            adversarial = bce_real(self.discriminator(self.generator(self.noise_like(batch))))
            distance, opinion = self.regularisers(x)
            loss = adversarial + self.lambda_1 * distance + self.lambda_2 * opinion
            minimize(loss, adversarial=adversarial, distance=distance, opinion=opinion)

    def regularisers(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The two terms of T without their weights: d, and minus D's opinion of the reconstructions; scalars."""
        reconstructed = self.generator(self.encoder(x))
        distance = mean_squared_error(reconstructed, x) * (x[0].numel() if self.distance == "sum" else 1)
        return distance, bce_real(self.discriminator(reconstructed))

    def encode(self, images: Tensor, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """Latents ``(N, dim)`` of images; E is deterministic."""
        return self.encoder(self.normalize(images))

    def features(self, images: Tensor, layers: Sequence[str]) -> list[Tensor]:
        """Layers of D, for probes."""
        return cast(Network, self.discriminator).features(self.normalize(images), layers)
