"""Autoencoding beyond pixels using a learned similarity metric (Larsen et al., 2016), as the paper prints it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lightning_gans.losses import generator_loss
from lightning_gans.papers.vae_gan import VAEGAN


class VAEGANPrinted(VAEGAN):
    """``VAEGAN`` by Algorithm 1 of the paper: D is shown reconstructions too, G minimises L_GAN as it stands, all always move.

        L_GAN = log sigma(D(x)) + log(1 - sigma(D(x~))) + log(1 - sigma(D(x_p)))
        min over G of gamma L_llike + L_GAN                         the authors' code has (1 - gamma) L_GAN
        max over D of L_GAN

    Args:
        **arguments: those of ``VAEGAN``, of which ``margin`` and ``equilibrium`` do nothing.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.margin = None

    def discriminate(self, x: Tensor, generated: Tensor, reconstructed: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.discriminator(torch.cat([x, generated, reconstructed]))
        return logits[: len(x)], logits[len(x) :]

    def adversarial_loss(self, fake: Tensor) -> Tensor:
        """Of both kinds of fakes the sum."""
        return 2 * generator_loss(fake, "minimax")

    def discriminator_loss(self, costs: Tensor) -> Tensor:
        """Minus L_GAN; the second cost is the mean over both kinds of fakes."""
        return costs[0] + 2 * costs[1]
