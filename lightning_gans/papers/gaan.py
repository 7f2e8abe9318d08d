"""Generative Adversarial Autoencoder Networks (Tran, Bui and Cheung, 2018)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, cast

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.optim.lr_scheduler import StepLR

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.game import Game, ScheduleCounts
from lightning_gans.losses import at_least_float32, bce_fake, bce_real, binary_cross_entropy, mean_squared_error
from lightning_gans.networks import MLP, Network
from lightning_gans.optimizers import Adam
from lightning_gans.penalties import PenaltyKind, gradient_penalty
from lightning_gans.priors import Prior, Uniform


class GAAN(Game):
    """Generative Adversarial Autoencoder Networks (Tran, Bui and Cheung, 2018).

    An encoder E and the generator G form an autoencoder; its reconstructions G(E(x)) count as real for the discriminator D (a
    logit; sigma is its sigmoid), which slows D down, and W ties distances between samples to distances between latents, which
    keeps modes apart. Phi is a layer of D, or the identity on points; M_d averages over dimensions:

        min over E, G of R + lambda_r W                                                             Eqn. 3
        R = || Phi(x) - Phi(G(E(x))) ||^2
        W = (f - lambda_w g)^2                                                                      Eqn. 5
        f = M_d(E Phi(x) - E Phi(G(z))),  g = M_d(E E(x) - E z)                                     Eqn. 6, 7
        min over D of -E log sigma(D(x)) - E log sigma(D(G(E(x)))) - E log(1 - sigma(D(G(z)))) + lambda_p P    Eqn. 4
        min over G of | E sigma(D(x)) - E sigma(D(G(z))) |        the paper prints max E log sigma(D(G(z))), Alg. 1

    The defaults are the 25-Gaussian experiment (section 4.1), read where paper and code differ so that Table 2 comes out:

    - P is the code's mean form (||grad D|| / sqrt(d) - 1)^2; Eqn. 4 prints the squared norm, and a sign by which D would
      maximise P. The option ``printed`` keeps the squared norm, never that sign.
    - D's two "real" terms share one weight, (1 - w) x + w G(E(x)) with w = 0.5. The code released for points labels
      reconstructions as fake, against the paper and all its other code.
    - R on points is the cross-entropy between G's sigmoid and data in [0, 1]; f is taken from G(E(x)) instead of x.
    - Each batch makes one step on Eqn. 3, five on Eqn. 4 and one of G, each on a minibatch of its own; Algorithm 1 shows
      one of each on the same. All three rates decay on one counter of all steps.

    GAAN_1 of Table 2 is ``lambda_r`` 0, GAAN_2 the default. For images use ``reconstruction="features"``, ``match="data"``,
    lambda_p = lambda_r = 1, one discriminator step and ``lambda_w`` none.

    Args:
        encoder: E, samples to latents ``(N, dim)``.
        generator: G, latents to samples; ``bce`` needs its ``logits``.
        discriminator: D, samples to logits ``(N, 1)``; Phi needs its ``features``.
        prior: the distribution of z.
        lambda_r: weight of W in Eqn. 3.
        lambda_p: weight of P in Eqn. 4.
        lambda_w: scale of g in Eqn. 5; none takes sqrt(d / D), for d latent and D feature dimensions.
        reconstruction: R as ``bce`` or ``mse`` on samples (then Phi is the identity), or as mean squared error of ``features``.
        feature_layer: the layer of D that is Phi.
        match: what f compares samples with: the ``data`` (Eqn. 6) or its ``reconstruction``.
        autoencoder_moves: whether Eqn. 3 moves ``both`` E and G or the ``encoder`` alone; the code has had either.
        reconstruction_label: what D is told of reconstructions.
        reconstruction_weight: w above; 0.05 in the authors' later code.
        penalty: P: ``mean``, ``sum`` (WGAN-GP's), ``printed`` or ``one_sided``; see ``lightning_gans.penalties``.
        generator_loss: ``score_match`` as in the code, ``ns`` as printed.
        discriminator_steps: steps on Eqn. 4 in each batch.
        fresh: give every step a minibatch of its own; otherwise all see the batch, as in Algorithm 1.
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
        prior: Prior | None = None,
        lambda_r: float = 0.1,
        lambda_p: float = 0.1,
        lambda_w: float | None = 1.0,
        reconstruction: Literal["bce", "mse", "features"] = "bce",
        feature_layer: str = "last",
        match: Literal["data", "reconstruction"] = "reconstruction",
        autoencoder_moves: Literal["both", "encoder"] = "both",
        reconstruction_label: Literal["real", "fake"] = "real",
        reconstruction_weight: float = 0.5,
        penalty: PenaltyKind = "mean",
        generator_loss: Literal["score_match", "ns"] = "score_match",
        discriminator_steps: int = 5,
        fresh: bool = True,
        data_range: tuple[float, float] = (0.0, 1.0),
        data_scale: float = 4.180112,
        optimizer: OptimizerCallable = lambda p: Adam(p, lr=1e-3, beta1=0.8, beta2=0.999),
        scheduler: LRSchedulerCallable | None = lambda o: StepLR(o, step_size=10_000, gamma=0.9),
        schedule_counts: ScheduleCounts = "shared",
        **game: Any,
    ) -> None:
        units: dict[str, Any] = {"data_range": data_range, "data_scale": data_scale}
        super().__init__(optimizer=optimizer, scheduler=scheduler, schedule_counts=schedule_counts, **units, **game)
        checks.not_negative(lambda_r=lambda_r, lambda_p=lambda_p, lambda_w=lambda_w or 0.0)
        checks.fractions(reconstruction_weight=reconstruction_weight)
        checks.positive(discriminator_steps=discriminator_steps)
        self.prior = prior or Uniform(2)
        self.encoder = encoder or MLP(2, self.prior.dim)
        self.generator = generator or MLP(self.prior.dim, 2, output="sigmoid")
        self.discriminator = cast(Network, discriminator or MLP(2, 1))
        if lambda_p:
            checks.rows_are_independent(self.discriminator)
        checks.has_layer(self.discriminator, feature_layer)
        if reconstruction == "bce":
            checks.has_logits(self.generator)
        self.lambda_r, self.lambda_p, self.lambda_w = lambda_r, lambda_p, lambda_w
        self.reconstruction = reconstruction
        self.feature_layer, self.match = feature_layer, match
        self.autoencoder_moves = autoencoder_moves
        self.reconstruction_label = reconstruction_label
        self.reconstruction_weight = reconstruction_weight
        self.penalty = penalty
        self.generator_loss = generator_loss
        self.discriminator_steps = discriminator_steps
        self.fresh = fresh

    def players(self) -> dict[str, list[nn.Module]]:
        autoencoder = [self.encoder] if self.autoencoder_moves == "encoder" else [self.encoder, self.generator]
        return {"autoencoder": autoencoder, "discriminator": [self.discriminator], "generator": [self.generator]}

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        with self.turn("autoencoder") as minimize:  # Eqn. 3
            minimize(self.autoencoder_loss(batch.images, self.noise_like(batch)))

        for _ in range(self.discriminator_steps):
            x = self.next_images(batch)
            with self.turn("discriminator") as minimize:  # Eqn. 4
                minimize(self.discriminator_loss(x, self.noise_like(batch)))

        x = self.next_images(batch)
        with self.turn("generator") as minimize:  # Alg. 1, line 10
            minimize(self.adversarial_loss(x, self.generator(self.noise_like(batch))))

    def autoencoder_loss(self, x: Tensor, z: Tensor) -> Tensor:
        """Eqn. 3."""
        codes = self.encoder(x)
        if self.reconstruction == "bce":
            logits = cast(Network, self.generator).logits(codes)
            reconstructed = logits.sigmoid()
            error = binary_cross_entropy(logits, x)
        else:
            reconstructed = self.generator(codes)
            error = mean_squared_error(self.phi(x), self.phi(reconstructed))
        if not self.lambda_r:
            return error
        reference = x if self.match == "data" else reconstructed
        return error + self.lambda_r * self.distance(reference, self.generator(z), codes, z)

    def distance(self, reference: Tensor, fake: Tensor, codes: Tensor, z: Tensor) -> Tensor:
        """W of Eqn. 5: a scalar, from means over the global batch and all dimensions."""
        real, made = at_least_float32(self.phi(reference)), at_least_float32(self.phi(fake))
        lambda_w = math.sqrt(z[0].numel() / real[0].numel()) if self.lambda_w is None else self.lambda_w
        f = self.batch_mean(real - made).mean()
        g = self.batch_mean(at_least_float32(codes) - z).mean()
        return (f - lambda_w * g).square()

    def discriminator_loss(self, x: Tensor, z: Tensor) -> Tensor:
        """Minus Eqn. 4, with the penalty to be minimised too."""
        fake, reconstructed = self.generator(z), self.generator(self.encoder(x))
        label = bce_real if self.reconstruction_label == "real" else bce_fake
        w = self.reconstruction_weight
        real = (1 - w) * bce_real(self.discriminator(x)) + w * label(self.discriminator(reconstructed))
        loss = real + bce_fake(self.discriminator(fake))
        if not self.lambda_p:
            return loss
        return loss + self.lambda_p * gradient_penalty(self.discriminator, x, fake, self.uniform(len(x)), self.penalty)

    def adversarial_loss(self, x: Tensor, fake: Tensor) -> Tensor:
        """What the generator's own turn minimises."""
        if self.generator_loss == "ns":
            return bce_real(self.discriminator(fake))
        scores = at_least_float32(self.discriminator(x)).sigmoid(), at_least_float32(self.discriminator(fake)).sigmoid()
        return (self.batch_mean(scores[0]) - self.batch_mean(scores[1])).abs().squeeze()

    def phi(self, x: Tensor) -> Tensor:
        """The space of R and W: a layer of D, whose parameters are frozen in E's and G's turns, or samples as they are."""
        return self.discriminator.features(x, [self.feature_layer])[0] if self.reconstruction == "features" else x

    def next_images(self, batch: Batch) -> Tensor:
        """Data for the next step of this batch."""
        return batch.fresh().images if self.fresh else batch.images

    def encode(self, images: Tensor, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """Latents ``(N, dim)`` of images; E is deterministic."""
        return self.encoder(self.normalize(images))

    def features(self, images: Tensor, layers: Sequence[str]) -> list[Tensor]:
        """Layers of D."""
        return self.discriminator.features(self.normalize(images), layers)
