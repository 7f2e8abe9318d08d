"""Improved Training of Wasserstein GANs (Gulrajani et al., 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor, nn

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.game import Game
from lightning_gans.losses import discriminator_loss, generator_loss
from lightning_gans.networks import MLP
from lightning_gans.optimizers import Adam
from lightning_gans.penalties import PenaltyKind, clip_weights_, gradient_penalty
from lightning_gans.priors import Normal, Prior


class WGANGP(Game):
    """Improved Training of Wasserstein GANs (Gulrajani et al., 2017).

    A critic D estimates the Wasserstein distance between data x and samples G(z), kept near slope 1 by a penalty at
    x_hat = (1 - eps) x + eps G(z), eps uniform in [0, 1]:

        min over D of E D(G(z)) - E D(x) + lambda_p E (||grad D(x_hat)||_2 - 1)^2     Eqn. 3
        min over G of -E D(G(z))

    A training batch is one iteration of G. As in the authors' code it starts with G's step (left out at the first) and goes on
    with ``critic_steps`` steps of D, each on its own minibatch and noise; Algorithm 1 prints D's steps first. The defaults are
    those of the authors' toy script (MLPs of 3 x 512, points divided by 2.828, lambda_p 0.1); images want lambda_p 10.

    Args:
        generator: G, latents ``(N, dim)`` to samples.
        critic: D, samples to one number each, ``(N, 1)``; without batch norm, which would mix the samples' slopes.
        prior: the distribution of z.
        lambda_p: the penalty's weight; 0 leaves it out.
        critic_steps: n_critic of Algorithm 1.
        penalty: ``sum`` as in Eqn. 3, ``one_sided``, ``mean`` or ``printed``: see ``lightning_gans.penalties``.
        weight_clip: bound on every parameter of D after its steps, as in the WGAN before this paper (0.01 there, with
            lambda_p 0); none for no clipping.
        generator_first: the order of the authors' code.
        data_range: the interval of G's output.
        data_scale: what points are divided by; 1 for images.
        optimizer: of both players.
        **game: see ``lightning_gans.Game``.
    """

    def __init__(
        self,
        generator: nn.Module | None = None,
        critic: nn.Module | None = None,
        prior: Prior | None = None,
        lambda_p: float = 0.1,
        critic_steps: int = 5,
        penalty: PenaltyKind = "sum",
        weight_clip: float | None = None,
        generator_first: bool = True,
        data_range: tuple[float, float] = (-1.0, 1.0),
        data_scale: float = 2.828,
        optimizer: OptimizerCallable = lambda p: Adam(p, lr=1e-4, beta1=0.5, beta2=0.9),
        **game: Any,
    ) -> None:
        super().__init__(data_range=data_range, data_scale=data_scale, optimizer=optimizer, **game)
        checks.not_negative(lambda_p=lambda_p)
        checks.positive(critic_steps=critic_steps, **({} if weight_clip is None else {"weight_clip": weight_clip}))
        self.prior = prior or Normal(2)
        self.generator = generator or MLP(self.prior.dim, 2, hidden=(512, 512, 512))
        self.critic = critic or MLP(2, 1, hidden=(512, 512, 512))
        if lambda_p:
            checks.rows_are_independent(self.critic)
        self.lambda_p = lambda_p
        self.critic_steps = critic_steps
        self.penalty = penalty
        self.weight_clip = weight_clip
        self.generator_first = generator_first

    def players(self) -> dict[str, list[nn.Module]]:
        return {"generator": [self.generator], "critic": [self.critic]}

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        if self.generator_first and self.global_step > 0:
            self.generator_turn(batch)
        for step in range(self.critic_steps):
            self.critic_turn(batch if step == 0 else batch.fresh())
        if not self.generator_first:
            self.generator_turn(batch)

    def critic_turn(self, batch: Batch) -> None:
        """One step on Eqn. 3."""
        x = batch.images
        with self.turn("critic") as minimize:
            fake = self.generator(self.noise_like(batch))
            distance = discriminator_loss(self.critic(x), self.critic(fake), "wgan")
            penalty = self.gradient_penalty(x, fake)
            minimize(distance + self.lambda_p * penalty, wasserstein=-distance, penalty=penalty)
        if self.weight_clip is not None:
            clip_weights_(self.critic, self.weight_clip)

    def generator_turn(self, batch: Batch) -> None:
        """One step on the critic's opinion of fresh samples."""
        with self.turn("generator") as minimize:
            minimize(generator_loss(self.critic(self.generator(self.noise_like(batch))), "wgan"))

    def gradient_penalty(self, x: Tensor, fake: Tensor) -> Tensor:
        """The second term of Eqn. 3, without its weight; 0 where it has none."""
        if not self.lambda_p:
            return x.new_zeros(())
        return gradient_penalty(self.critic, x, fake, self.uniform(len(x)), self.penalty)

    def features(self, images: Tensor, layers: Sequence[str]) -> list[Tensor]:
        """Layers of D, for probes."""
        return self.critic.features(self.normalize(images), layers)  # type: ignore[operator]
