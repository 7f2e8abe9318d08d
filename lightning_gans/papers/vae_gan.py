"""Autoencoding beyond pixels using a learned similarity metric (Larsen et al., 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.game import Game
from lightning_gans.losses import at_least_float32, bce_fake, bce_real, generator_loss
from lightning_gans.networks import Network
from lightning_gans.posteriors import DiagonalNormal
from lightning_gans.priors import Normal

# A player's loss, alone or with what else is logged
Loss = Tensor | tuple[Tensor, dict[str, Tensor]]


class VAEGAN(Game):
    """VAE/GAN: a variational autoencoder whose errors are measured in a layer l of the discriminator D instead of in pixels.

    Its decoder is the generator G of a GAN (D is a logit; sigma its sigmoid). E gives a normal q(z|x), x~ = G(z) for a draw z
    of it, and x_p = G(z_p) for a draw z_p of the prior:

        L_prior = KL(q(z|x) || p(z))
        L_llike = -log N(D_l(x); D_l(x~), I) = 1/2 || D_l(x) - D_l(x~) ||^2 + const
        L_GAN   = log sigma(D(x)) + log(1 - sigma(D(x_p)))

        min over E of L_prior + L_llike
        min over G of gamma L_llike + (1 - gamma) L_GAN             here -log sigma(D(x_p)) for log(1 - sigma(D(x_p)))
        max over D of L_GAN                                         here its mean, half of each term

    All three move at the same parameters (Algorithm 1). L_llike never reaches D, which would make it small by seeing nothing,
    and L_GAN never reaches E. Losses are means over the batch; over the layer's numbers L_llike is a sum. As in the authors'
    code, what is compared goes through D in one pass, so that batch norm sees both sides together.

    From the authors' code come 1 - gamma, D that sees no reconstructions, and the margin by which G or D sits out where it is
    too far ahead; ``VAEGANPrinted`` is the paper's text. With a margin every step waits for the device, because who moves
    depends on the value of two losses; none lets all move always. The share of steps sat out is logged as
    ``loss/encoder/sits_out_*``. Their code adds 1e-3 inside each logarithm, left out here.

    Args:
        encoder: E, samples to ``(N, 2 * dim)``: the means of q, then its log-variances.
        generator: G, latents ``(N, dim)`` to samples.
        discriminator: D, samples to logits ``(N, 1)``.
        prior: the distribution of z, normal.
        gamma: weight of L_llike beside L_GAN in G's loss, between 0 and 1; 1e-6 for the paper's images.
        feature_layer: l, the layer of D in which errors are measured; for images the third convolution of stride 2.
        margin: D sits out where -log sigma(D) of real or -log(1 - sigma(D)) of generated samples is less than ``equilibrium``
            minus this, in nats, G where one is more than ``equilibrium`` plus this; where both would, both move.
        equilibrium: what both costs are in balance, in nats; log 2 would be 0.693.
        **game: see ``lightning_gans.Game``.
    """

    prior: Normal
    stochastic_encoder = True

    def __init__(
        self,
        encoder: Network,
        generator: Network,
        discriminator: Network,
        prior: Normal,
        gamma: float = 1e-2,
        feature_layer: str = "last",
        margin: float | None = 0.35,
        equilibrium: float = 0.68,
        **game: Any,
    ) -> None:
        super().__init__(**game)
        checks.fractions(gamma=gamma)
        checks.positive(equilibrium=equilibrium, **({} if margin is None else {"margin": margin}))
        checks.is_normal(prior)
        self.encoder, self.generator, self.discriminator, self.prior = encoder, generator, discriminator, prior
        self.gamma, self.feature_layer = gamma, feature_layer
        self.margin, self.equilibrium = margin, equilibrium

    def players(self) -> dict[str, list[Network]]:
        return {"encoder": [self.encoder], "generator": [self.generator], "discriminator": [self.discriminator]}

    def step(self, batch: Batch) -> None:
        epsilon, z = self.normal(len(batch), self.prior.dim), self.noise_like(batch)
        self.minimize_together(self.losses, batch.images, epsilon, z)  # Algorithm 1

    def losses(self, x: Tensor, epsilon: Tensor, z: Tensor) -> Mapping[str, Loss]:
        """Of every player that moves."""
        q = DiagonalNormal.of(self.encoder(x), self.prior.dim)
        reconstructed, generated = self.generator(q.at(epsilon).to(x.dtype)), self.generator(z)
        real, fake = self.discriminate(x, generated, reconstructed)
        llike, prior = self.likelihood(x, reconstructed), q.kl_to_normal(self.prior.std).mean()
        costs = torch.stack([bce_real(real), bce_fake(fake)])
        moves = {"generator": True, "discriminator": True} if self.margin is None else self.gates(costs)
        terms = {"L_prior": prior, "L_llike": llike, "cost_real": costs[0], "cost_generated": costs[1]}
        terms |= {f"sits_out_{player}": costs.new_full((), not moving) for player, moving in moves.items()}
        losses: dict[str, Loss] = {
            "encoder": (prior + llike, terms),
            "generator": self.gamma * llike + self.adversarial_loss(fake),
            "discriminator": self.discriminator_loss(costs),
        }
        return {player: loss for player, loss in losses.items() if moves.get(player, True)}

    def discriminate(self, x: Tensor, generated: Tensor, reconstructed: Tensor) -> tuple[Tensor, Tensor]:
        """D's logits ``(N, 1)`` of data, and those of what it is shown as generated."""
        logits = self.discriminator(torch.cat([x, generated]))
        return logits[: len(x)], logits[len(x) :]

    def likelihood(self, x: Tensor, reconstructed: Tensor) -> Tensor:
        """L_llike without its constant, mean over the batch."""
        of_both = self.discriminator.features(torch.cat([reconstructed, x]), [self.feature_layer])[0]
        made, real = of_both.chunk(2)
        return (0.5 * (at_least_float32(made) - at_least_float32(real)).square().flatten(1)).sum(dim=1).mean()

    def adversarial_loss(self, fake: Tensor) -> Tensor:
        """G's part of L_GAN with its weight, given D's logits."""
        return (1 - self.gamma) * generator_loss(fake)

    def discriminator_loss(self, costs: Tensor) -> Tensor:
        """Minus L_GAN, halved, given D's costs of real and generated samples ``(2,)``."""
        return 0.5 * costs[0] + 0.5 * costs[1]

    @torch.no_grad()
    def gates(self, costs: Tensor) -> dict[str, bool]:
        """Whether G and D move, given D's costs of real and generated samples ``(2,)``; the same on all ranks."""
        assert self.margin is not None
        costs = self.batch_mean(costs[None])
        wins = bool((costs < self.equilibrium - self.margin).any())
        loses = bool((costs > self.equilibrium + self.margin).any())
        return {"generator": wins or not loses, "discriminator": loses or not wins}
