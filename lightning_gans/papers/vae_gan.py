"""Autoencoding beyond pixels using a learned similarity metric (Larsen et al., 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.optim.lr_scheduler import StepLR

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.errors import InputError
from lightning_gans.game import Game, ScheduleCounts
from lightning_gans.losses import at_least_float32, bce_fake, bce_real, generator_loss
from lightning_gans.networks import MLP, Network
from lightning_gans.optimizers import Adam
from lightning_gans.posteriors import DiagonalNormal
from lightning_gans.priors import Normal


class VAEGAN(Game):
    """Autoencoding beyond pixels using a learned similarity metric (Larsen et al., 2016): VAE/GAN.

    A variational autoencoder whose decoder is the generator G of a GAN, and whose errors are measured in a layer l of its
    discriminator D (a logit; sigma is its sigmoid) instead of in pixels. E gives a normal q(z|x), x~ = G(z) for a draw z of it,
    and x_p = G(z_p) for a draw z_p of the prior:

        L_prior = KL(q(z|x) || p(z))
        L_llike = -log N(D_l(x); D_l(x~), I) = 1/2 || D_l(x) - D_l(x~) ||^2 + const
        L_GAN   = log sigma(D(x)) + log(1 - sigma(D(x_p)))          in the paper also + log(1 - sigma(D(x~)))

        min over E of L_prior + L_llike
        min over G of gamma L_llike + (1 - gamma) L_GAN             here -log sigma(D(x_p)) for log(1 - sigma(D(x_p)))
        max over D of L_GAN

    All three move at the same parameters (Algorithm 1). L_llike never reaches D, which would make it small by seeing nothing,
    and L_GAN never reaches E. Both losses are means over the batch; over the layer's F numbers L_llike is a sum.

    Where paper and the authors' code differ: all their scripts show D draws of the prior only (``fakes``), and let G or D sit
    out where it is too far ahead (``margin``; not in the paper). Their G minimises L_GAN as it stands (``saturating``), their
    z_p is the noise that z is made of (``reuse_noise``), and their L_GAN adds 1e-3 inside each logarithm, left out here.
    As in their code, what is compared goes through D in one pass, so that batch norm sees both sides together.

    With a margin every step waits for the device, because who moves depends on the value of two losses; ``margin`` none
    lets all move always and nothing waits. The share of steps that a player sat out is logged as ``encoder/sits_out_*``.

    The defaults are the 25-Gaussian experiment of GAAN (Tran et al., 2018, Table 2), where this is the baseline "VAE-GAN".
    For the paper's images: gamma 1e-6 and l the third convolution of stride 2, before its batch norm.

    Args:
        encoder: E, samples to ``(N, 2 * dim)``: the means of q, then its log-variances.
        generator: G, latents ``(N, dim)`` to samples.
        discriminator: D, samples to logits ``(N, 1)``; a ``Network``, for its layers.
        prior: the distribution of z, normal.
        gamma: weight of L_llike beside L_GAN in G's loss, between 0 and 1.
        feature_layer: l, the layer of D in which errors are measured.
        reduction: of L_llike over the layer, ``sum``, or ``mean``, which divides L_prior by F too, so that the balance in E
            stays. What a gamma does with ``sum``, ``gamma F / (gamma F + 1 - gamma)`` does with ``mean``.
        fakes: what D is shown as generated: draws of the ``prior``, or ``both`` these and reconstructions; then G minimises
            the sum of the two terms, D their mean.
        saturating: G minimises log(1 - sigma(D)) instead of -log sigma(D).
        real_weight: share of the real term in D's loss; the generated ones have the rest.
        margin: D sits out where -log sigma(D) of real or -log(1 - sigma(D)) of generated samples is less than ``equilibrium``
            minus this, in nats, G where one is more than ``equilibrium`` plus this; where both would, both move. None lets
            both move always.
        equilibrium: what both costs are in balance, in nats; log 2 would be 0.693.
        reuse_noise: draw z_p with the noise of z, not with its own.
        data_range: the interval of G's output.
        data_scale: what points are divided by; 1 for images.
        optimizer: of all three players.
        scheduler: of all three optimisers.
        schedule_counts: what advances the schedules.
        **game: see ``lightning_gans.Game``.
    """

    def __init__(
        self,
        encoder: nn.Module | None = None,
        generator: nn.Module | None = None,
        discriminator: nn.Module | None = None,
        prior: Normal | None = None,
        gamma: float = 1e-2,
        feature_layer: str = "hidden1",
        reduction: Literal["sum", "mean"] = "sum",
        fakes: Literal["prior", "both"] = "prior",
        saturating: bool = False,
        real_weight: float = 0.5,
        margin: float | None = 0.35,
        equilibrium: float = 0.68,
        reuse_noise: bool = False,
        data_range: tuple[float, float] = (0.0, 1.0),
        data_scale: float = 4.180112,
        optimizer: OptimizerCallable = lambda p: Adam(p, lr=1e-3, beta1=0.8, beta2=0.999),
        scheduler: LRSchedulerCallable | None = lambda o: StepLR(o, step_size=10_000, gamma=0.9),
        schedule_counts: ScheduleCounts = "shared",
        **game: Any,
    ) -> None:
        units: dict[str, Any] = {"data_range": data_range, "data_scale": data_scale}
        super().__init__(optimizer=optimizer, scheduler=scheduler, schedule_counts=schedule_counts, **units, **game)
        checks.fractions(gamma=gamma, real_weight=real_weight)
        checks.positive(equilibrium=equilibrium, **({} if margin is None else {"margin": margin}))
        self.prior: Normal = prior or Normal(2)
        if not isinstance(self.prior, Normal):
            raise InputError(f"L_prior is known for a normal prior only, not for {self.prior!r}; set prior to Normal")
        self.encoder = encoder or MLP(2, 2 * self.prior.dim)
        self.generator = generator or MLP(self.prior.dim, 2, output="sigmoid")
        self.discriminator = cast(Network, discriminator or MLP(2, 1))
        if not isinstance(self.discriminator, Network):
            raise InputError("errors are measured in a layer of the discriminator, which must be a lightning_gans Network")
        checks.has_layer(self.discriminator, feature_layer)
        self.gamma = gamma
        self.feature_layer = feature_layer
        self.reduction = reduction
        self.fakes = fakes
        self.saturating = saturating
        self.real_weight = real_weight
        self.margin = margin
        self.equilibrium = equilibrium
        self.reuse_noise = reuse_noise

    def players(self) -> dict[str, list[nn.Module]]:
        return {"encoder": [self.encoder], "generator": [self.generator], "discriminator": [self.discriminator]}

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        x, epsilon = batch.images, self.normal(len(batch), self.prior.dim)
        q = self._posterior(x)
        reconstructed = self.generator(q.at(epsilon).to(x.dtype))
        generated = self.generator(epsilon * self.prior.std if self.reuse_noise else self.noise_like(batch))
        real, fake = self.discriminate(x, [generated, reconstructed] if self.fakes == "both" else [generated])

        llike, share = self.likelihood(x, reconstructed)
        prior = q.kl_to_normal(self.prior.std).mean()
        costs = torch.stack([bce_real(real), bce_fake(fake)])
        generator_moves, discriminator_moves = self.gates(costs)
        seen = {
            "L_prior": prior,
            "L_llike": llike / share,
            "cost_real": costs[0],
            "cost_generated": costs[1],
            "sits_out_generator": costs.new_full((), not generator_moves),
            "sits_out_discriminator": costs.new_full((), not discriminator_moves),
        }
        with self.simultaneously() as move:  # Algorithm 1
            move("encoder", share * prior + llike, **seen)
            if generator_moves:
                move("generator", self.gamma * llike + (1 - self.gamma) * self.adversarial_loss(fake))
            if discriminator_moves:
                move("discriminator", self.real_weight * costs[0] + (1 - self.real_weight) * costs[1])

    def _posterior(self, x: Tensor) -> DiagonalNormal:
        """q(z|x)."""
        return DiagonalNormal.of(self.encoder(x), self.prior.dim)

    def likelihood(self, x: Tensor, reconstructed: Tensor) -> tuple[Tensor, float]:
        """L_llike without its constant, mean over the batch, reduced over the layer; and that reduction's factor of a sum."""
        made, real = self.discriminator.features(torch.cat([reconstructed, x]), [self.feature_layer])[0].chunk(2)
        error = 0.5 * (at_least_float32(made) - at_least_float32(real)).square().flatten(1)
        share = 1.0 if self.reduction == "sum" else 1 / error.shape[1]
        return share * error.sum(dim=1).mean(), share

    def discriminate(self, x: Tensor, fakes: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """D's logits ``(N, 1)`` of data, and those of all fakes ``(K * N, 1)``."""
        logits = self.discriminator(torch.cat([x, *fakes]))
        return logits[: len(x)], logits[len(x) :]

    def adversarial_loss(self, fake: Tensor) -> Tensor:
        """G's part of L_GAN, given D's logits; of two kinds of fakes the sum."""
        kinds = 2 if self.fakes == "both" else 1
        return kinds * generator_loss(fake, "minimax" if self.saturating else "ns")

    @torch.no_grad()
    def gates(self, costs: Tensor) -> tuple[bool, bool]:
        """Whether G and D move, given D's costs of real and generated samples ``(2,)``; the same on all ranks."""
        if self.margin is None:
            return True, True
        costs = self.batch_mean(costs[None])
        won = (costs < self.equilibrium - self.margin).any()
        lost = (costs > self.equilibrium + self.margin).any()
        wins, loses = torch.stack([won, lost]).tolist()
        return wins or not loses, loses or not wins

    def encode(self, images: Tensor, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """The mean of q ``(N, dim)``, or with a generator a draw.

        Early in a run means are much shorter than the draws that a G with batch norm was trained on, and decode worse.
        """
        q = self._posterior(self.normalize(images))
        return q.mean.to(images.dtype) if generator is None else q.sample(generator).to(images.dtype)

    def features(self, images: Tensor, layers: Sequence[str]) -> list[Tensor]:
        """Layers of D."""
        return self.discriminator.features(self.normalize(images), layers)
