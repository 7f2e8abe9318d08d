"""Wasserstein GAN (Arjovsky, Chintala and Bottou, 2017)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.game import Game
from lightning_gans.losses import discriminator_loss, generator_loss
from lightning_gans.networks import Tapped
from lightning_gans.priors import Prior

_FIRST, _EVERY = 25, 500  # iterations of G with more steps of the critic before them, in the authors' code


class WGAN(Game):
    """A critic D, whose weights are kept in a box, estimates the Wasserstein distance between data x and samples G(z):

        max over D of E D(x) - E D(G(z)),  every weight in [-c, c]     Eqn. 3, Algorithm 1, lines 2 to 8
        max over G of E D(G(z))                                        lines 9 to 11

    A training batch is one iteration of G: ``critic_steps`` steps of D, each on its own minibatch and noise and followed by
    clipping (the authors' code clips just before each step instead), then one of G. Both have RMSProp, for momentum makes the
    critic unstable (section 4). Code: martinarjovsky/WassersteinGAN at 2cf43ba, main.py.

    Args:
        generator: G, latents ``(N, dim)`` to samples.
        critic: D, samples to one number each, ``(N, 1)``.
        prior: the distribution of z.
        clip: c, for weights and biases and the gains of norms alike.
        critic_steps: n_critic.
        first_critic_steps: the same at the first 25 iterations and at every 500th one, 100 in the authors' code; none takes
            ``critic_steps``.
        **game: see ``lightning_gans.Game``; the paper's optimiser is ``lightning_gans.RMSprop`` with rate 5e-5.
    """

    features_of = "critic"

    def __init__(
        self,
        generator: Tapped,
        critic: Tapped,
        prior: Prior,
        clip: float = 0.01,
        critic_steps: int = 5,
        first_critic_steps: int | None = None,
        **game: Any,
    ) -> None:
        super().__init__(**game)
        first = critic_steps if first_critic_steps is None else first_critic_steps
        checks.positive(clip=clip, critic_steps=critic_steps, first_critic_steps=first)
        self.generator, self.critic, self.prior = generator, critic, prior
        self.clip, self.critic_steps, self.first_critic_steps = clip, critic_steps, first
        self.steps_differ = first != critic_steps

    def players(self) -> dict[str, list[Tapped]]:
        return {"critic": [self.critic], "generator": [self.generator]}

    def step(self, batch: Batch) -> None:
        for number in range(self.critic_steps_now()):
            x = batch.images if number == 0 else batch.fresh().images
            self.minimize("critic", self.critic_loss, x, self.noise_like(batch))
            self.clip_weights()
        self.minimize("generator", self.generator_loss, self.noise_like(batch))

    def critic_steps_now(self) -> int:
        """Steps of D in this iteration."""
        if not self.steps_differ:
            return self.critic_steps
        return self.first_critic_steps if self.global_step < _FIRST or self.global_step % _EVERY == 0 else self.critic_steps

    @torch.no_grad()
    def clip_weights(self) -> None:
        """Algorithm 1, line 7."""
        for weights in self.critic.parameters():
            weights.clamp_(-self.clip, self.clip)

    def critic_loss(self, x: Tensor, z: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Minus the estimate of the distance, which is to be raised."""
        loss = discriminator_loss(self.critic(x), self.critic(self.generator(z)), "wgan")
        return loss, {"wasserstein": -loss.detach()}

    def generator_loss(self, z: Tensor) -> Tensor:
        """The critic's opinion of samples, to be raised."""
        return generator_loss(self.critic(self.generator(z)), "wgan")
