"""A generator's inverse, learned afterwards (Dumoulin et al., 2017, section 2.2)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from lightning_gans.batch import Batch
from lightning_gans.game import Game
from lightning_gans.losses import mean_squared_error
from lightning_gans.networks import Tapped
from lightning_gans.posteriors import Posterior, PosteriorKind
from lightning_gans.priors import Prior
from lightning_gans.protocols import Condition


class InverseMapping(Game):
    """An encoder E that finds the latents of what a trained generator G makes, which stays as it is:

        min over E of || z - E(G(z)) ||^2                              section 2.2, where G_x(x) is a misprint of G_x(z)

    G comes out of a checkpoint, ``start_from``; E never sees data, and reconstructs what of it G covers. The mean is over the
    batch and all numbers.

    Args:
        encoder: E, samples to latents.
        generator: G, latents to samples.
        prior: the distribution of z.
        posterior: how E gives a code, see ``lightning_gans.ALI``; for the paper's toy study ``implicit``, ALI's encoder.
        **game: see ``lightning_gans.Game``; ``start_from`` says where G comes from.
    """

    features_of = "encoder"
    taken_over = "generator"
    inference: Posterior

    def __init__(
        self, encoder: Tapped, generator: Tapped, prior: Prior, posterior: PosteriorKind = "deterministic", **game: Any
    ) -> None:
        super().__init__(**game)
        self.inference = Posterior(posterior, encoder, prior.dim, "log_sigma")
        self.encoder, self.generator, self.prior = encoder, generator, prior

    def players(self) -> dict[str, list[Tapped]]:
        return {"encoder": [self.encoder]}

    def step(self, batch: Batch) -> None:
        z = self.noise_like(batch)
        self.minimize("encoder", self.loss, z, self.normal(len(batch), self.inference.width), *self.given(batch))

    def loss(self, z: Tensor, epsilon: Tensor, *given: Condition) -> Tensor:
        """The squared distance of latents and their codes."""
        return mean_squared_error(self.inference.draw(self.encoder, self.generator(z, *given), epsilon), z)
