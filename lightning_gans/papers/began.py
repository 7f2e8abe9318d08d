"""BEGAN: Boundary Equilibrium Generative Adversarial Networks (Berthelot, Schumm and Metz, 2017)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.game import Game
from lightning_gans.losses import at_least_float32
from lightning_gans.priors import Prior


class BEGAN(Game):
    """The discriminator D is an autoencoder, whose error L(v) = |v - D(v)|, a mean over pixels, is small on data:

        min over D of E L(x) - k E L(G(z))                              section 3.4
        min over G of E L(G(z))
        k <- k + lambda_k (gamma E L(x) - E L(G(z))), kept in [0, 1], from 0
        M = E L(x) + |gamma E L(x) - E L(G(z))|                         section 3.4.1, the measure of convergence

    k keeps the errors of samples at ``gamma`` times those of data: a smaller gamma gives better and less diverse images. As in
    the code that all use (carpedm20/BEGAN-tensorflow at 722b3f1, for the authors published none), both players move at once on
    the same samples, from one forward, and k moves last, by the errors before. G's gradient is both through the sample that D
    is given and through the one that it is compared with.

    Args:
        generator: G, latents ``(N, dim)`` to images.
        discriminator: D, images to images ``(N, C, H, W)``, or points to points.
        prior: the distribution of z, uniform in [-1, 1].
        gamma: the diversity ratio; 0.5 in that code, 0.7 in the paper's pictures, 0.75 in Lucic et al. (2018).
        lambda_k: how fast k moves.
        **game: see ``lightning_gans.Game``.

    Attributes:
        k: of the last step, stored in checkpoints.
    """

    discriminator_reconstructs = True
    """Whether a discriminator that is completed is an autoencoder."""
    k: Tensor

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        prior: Prior,
        gamma: float = 0.5,
        lambda_k: float = 0.001,
        **game: Any,
    ) -> None:
        super().__init__(**game)
        checks.fractions(gamma=gamma)
        checks.not_negative(lambda_k=lambda_k)
        self.generator, self.discriminator, self.prior = generator, discriminator, prior
        self.gamma, self.lambda_k = gamma, lambda_k
        self.register_buffer("k", torch.zeros(()))

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def step(self, batch: Batch) -> None:
        told = self.minimize_together(self.both_losses, batch.images, self.noise_like(batch))["discriminator"]
        balance = self.gamma * told["real_error"] - told["fake_error"]
        self.k.add_(self.lambda_k * balance.to(self.k.dtype)).clamp_(0, 1)

    def both_losses(self, x: Tensor, z: Tensor) -> dict[str, Any]:
        """Of both players, from one forward; D's comes with the errors of the global batch, M and k."""
        real, fake = self.errors(x), self.errors(self.generator(z))
        loss = real.mean() - self.k.detach() * fake.mean()
        real_error, fake_error = (self.batch_mean(errors.detach()) for errors in (real, fake))
        measure = real_error + (self.gamma * real_error - fake_error).abs()
        told = {"real_error": real_error, "fake_error": fake_error, "measure": measure, "k": self.k.clone()}
        return {"discriminator": (loss, told), "generator": fake.mean()}

    def errors(self, v: Tensor) -> Tensor:
        """L of each sample, ``(N,)``."""
        return (at_least_float32(v) - at_least_float32(self.discriminator(v))).abs().flatten(1).mean(1)
