"""Improved Training of Wasserstein GANs (Gulrajani et al., 2017)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.game import Game
from lightning_gans.losses import discriminator_loss, generator_loss
from lightning_gans.networks import Tapped
from lightning_gans.penalties import gradient_penalty
from lightning_gans.priors import Prior


class WGANGP(Game):
    """A critic D estimates the Wasserstein distance between data x and samples G(z), kept near slope 1 by a penalty.

    At x_hat = (1 - eps) x + eps G(z), eps uniform in [0, 1]:

        min over D of E D(G(z)) - E D(x) + lambda_p E (||grad D(x_hat)||_2 - 1)^2     Eqn. 3
        min over G of -E D(G(z))

    A training batch is one iteration of G. As in the authors' code it starts with G's step (left out at the first) and goes on
    with ``critic_steps`` steps of D, each on its own minibatch and noise; ``WGANGPPrinted`` is the order of Algorithm 1.

    Args:
        generator: G, latents ``(N, dim)`` to samples.
        critic: D, samples to one number each, ``(N, 1)``; without batch norm, which would mix the samples' slopes.
        prior: the distribution of z.
        lambda_p: the penalty's weight, lambda in the paper: 10 for images, 0.1 in the authors' toy.
        critic_steps: n_critic of Algorithm 1.
        **game: see ``lightning_gans.Game``.
    """

    features_of = "critic"
    discriminator_norm = None

    def __init__(
        self, generator: Tapped, critic: Tapped, prior: Prior, lambda_p: float = 10.0, critic_steps: int = 5, **game: Any
    ) -> None:
        super().__init__(**game)
        checks.not_negative(lambda_p=lambda_p)
        checks.positive(critic_steps=critic_steps)
        checks.rows_are_independent(critic, lambda_p)
        self.generator, self.critic, self.prior = generator, critic, prior
        self.lambda_p, self.critic_steps = lambda_p, critic_steps

    def players(self) -> dict[str, list[Tapped]]:
        return {"generator": [self.generator], "critic": [self.critic]}

    def step(self, batch: Batch) -> None:
        if self.global_step > 0:
            self.move_generator(batch)
        self.move_critic(batch)

    def move_critic(self, batch: Batch) -> None:
        """Algorithm 1, lines 2 to 10: steps on Eqn. 3."""
        for number in range(self.critic_steps):
            x = batch.images if number == 0 else batch.fresh().images
            self.minimize("critic", self.critic_loss, x, self.noise_like(batch), self.uniform(len(x)))

    def move_generator(self, batch: Batch) -> None:
        """Lines 11 and 12."""
        self.minimize("generator", self.generator_loss, self.noise_like(batch))

    def critic_loss(self, x: Tensor, z: Tensor, epsilon: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Eqn. 3."""
        fake = self.generator(z)
        distance = discriminator_loss(self.critic(x), self.critic(fake), "wgan")
        penalty = gradient_penalty(self.critic, x, fake, epsilon) if self.lambda_p else x.new_zeros(())
        return distance + self.lambda_p * penalty, {"wasserstein": -distance, "penalty": penalty}

    def generator_loss(self, z: Tensor) -> Tensor:
        """The critic's opinion of samples, to be raised."""
        return generator_loss(self.critic(self.generator(z)), "wgan")


class WGANGPPrinted(WGANGP):
    """``WGANGP`` in the order of Algorithm 1: in each batch the critic's steps, then the generator's."""

    def step(self, batch: Batch) -> None:
        self.move_critic(batch)
        self.move_generator(batch)
