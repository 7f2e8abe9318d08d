"""Autoencoding Generative Adversarial Networks (Lazarou, 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.game import Game
from lightning_gans.losses import bce, bce_real, mean_absolute_error, mean_squared_error
from lightning_gans.networks import Network, eval_mode
from lightning_gans.priors import Prior

_FAKES = {"image_discriminator": ("x_hat", "x_tilde"), "latent_discriminator": ("z_hat", "z_tilde")}
"""What each discriminator tells from reals."""


class AEGAN(Game):
    """A bijection between samples and latents: an encoder E and a generator G that undo each other.

    x^ = G(z), z^ = E(x), x~ = G(E(x)), z~ = E(G(z)); two discriminators (D_x and D_z are logits here, sigma their sigmoid) tell
    each of these from data x or noise z:

        max over D_x of 2 E log sigma(D_x(x)) + E log(1 - sigma(D_x(x^))) + E log(1 - sigma(D_x(x~)))      Eqn. 2, 3
        max over D_z of 2 E log sigma(D_z(z)) + E log(1 - sigma(D_z(z^))) + E log(1 - sigma(D_z(z~)))      Eqn. 4, 5
        min over E, G of lambda_rx |x~ - x| + lambda_rz (z~ - z)^2                                         Eqn. 6
            - E log sigma(D_x(x^)) - E log sigma(D_x(x~)) - E log sigma(D_z(z^)) - E log sigma(D_z(z~))

    E and G have one optimiser and both get every term that depends on them: D_x(x~) trains E as well, D_z(z~) trains G as well.
    Where paper and code differ the code is followed: distances are means over batch and dimensions (not norms without weights),
    E and G raise log sigma(D) (not minimax), and the discriminators' labels are smoothed, while those for E and G are 1.

    Fakes are made by E and G in evaluation mode. A batch is a step of D_x and one of D_z, each on its two equations at once,
    and one of E and G. ``burst`` is the code's schedule: D_x takes four steps, on x, x^, x, x~ one by one, D_z four likewise,
    E and G four, each on x and z drawn afresh. So a batch is four of the paper's "steps": its 300,000 are 75,000 batches.

    The paper compares with a GAN and an adversarial autoencoder: ``lightning_gans.GAN`` and ``lightning_gans.AAE``.

    Args:
        encoder: E, samples to latents ``(N, dim)``.
        generator: G, latents to samples.
        image_discriminator: D_x, samples to logits ``(N, 1)``.
        latent_discriminator: D_z, latents to logits ``(N, 1)``.
        prior: the distribution of z.
        lambda_rx: weight of the mean of |x~ - x|.
        lambda_rz: weight of the mean of (z~ - z)^2.
        lambda_x_hat: weight of D_x's opinion of samples x^.
        lambda_x_tilde: weight of D_x's opinion of reconstructions x~.
        lambda_z_hat: weight of D_z's opinion of codes z^.
        lambda_z_tilde: weight of D_z's opinion of reconstructed latents z~.
        label_smoothing: how far the discriminators' labels are from 1 and 0.
        burst: let each network take several steps in a row, the discriminators on samples of a single kind.
        **game: see ``lightning_gans.Game``.
    """

    features_of = "image_discriminator"

    def __init__(
        self,
        encoder: Network,
        generator: Network,
        image_discriminator: Network,
        latent_discriminator: Network,
        prior: Prior,
        lambda_rx: float = 10.0,
        lambda_rz: float = 5.0,
        lambda_x_hat: float = 1.0,
        lambda_x_tilde: float = 1.0,
        lambda_z_hat: float = 1.0,
        lambda_z_tilde: float = 1.0,
        label_smoothing: float = 0.05,
        burst: bool = False,
        **game: Any,
    ) -> None:
        super().__init__(**game)
        self.weights = {"rx": lambda_rx, "rz": lambda_rz, "x_hat": lambda_x_hat, "x_tilde": lambda_x_tilde}
        self.weights |= {"z_hat": lambda_z_hat, "z_tilde": lambda_z_tilde}
        checks.not_negative(**{f"lambda_{name}": weight for name, weight in self.weights.items()})
        checks.smoothing(label_smoothing)
        self.encoder, self.generator, self.prior = encoder, generator, prior
        self.image_discriminator, self.latent_discriminator = image_discriminator, latent_discriminator
        self.label_smoothing, self.burst = label_smoothing, burst

    def players(self) -> dict[str, list[Network]]:
        return {**{player: [getattr(self, player)] for player in _FAKES}, "autoencoder": [self.encoder, self.generator]}

    def step(self, batch: Batch) -> None:
        if self.burst:
            return self.take_bursts(batch)
        x, z = batch.images, self.noise_like(batch)
        made = self.fakes(x, z)
        for player, names in _FAKES.items():  # Eqn. 2 and 3, then 4 and 5
            real = x if player == "image_discriminator" else z
            self.minimize(player, self.discriminator_loss, player, real, [made[name] for name in names])
        self.minimize("autoencoder", self.autoencoder_loss, x, self.noise_like(batch))  # Eqn. 6

    def take_bursts(self, batch: Batch) -> None:
        """The steps of the code: four of each network in a row, the discriminators' on samples of a single kind."""
        images = (each.images for each in chain([batch], iter(batch.fresh, None)))
        for player, name in ((player, name) for player, names in _FAKES.items() for name in names):
            real = next(images) if player == "image_discriminator" else self.noise_like(batch)
            self.minimize(player, self.label_loss, player, real, True)
            source = next(images) if name in ("x_tilde", "z_hat") else self.noise_like(batch)  # of the one that it is made of
            self.minimize(player, self.label_loss, player, self.fake(name, source), False)
        for _ in range(4):
            self.minimize("autoencoder", self.autoencoder_loss, next(images), self.noise_like(batch))

    def label_loss(self, player: str, samples: Tensor, real: bool) -> Tensor:
        """A discriminator on samples of a single kind, with smoothed labels."""
        return bce(getattr(self, player)(samples), 1 - self.label_smoothing if real else self.label_smoothing)

    def discriminator_loss(self, player: str, real: Tensor, fakes: Sequence[Tensor]) -> Tensor:
        """Minus Eqn. 2 and 3, or 4 and 5."""
        return len(fakes) * self.label_loss(player, real, True) + sum(self.label_loss(player, fake, False) for fake in fakes)

    def autoencoder_loss(self, x: Tensor, z: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Eqn. 6, and its terms without their weights."""
        made = self.cycle(x, z)
        terms = {name: bce_real(getattr(self, player)(made[name])) for player, names in _FAKES.items() for name in names}
        terms["rx"] = mean_absolute_error(made["x_tilde"], x)
        terms["rz"] = mean_squared_error(made["z_tilde"], z)
        return torch.stack([self.weights[name] * term for name, term in terms.items()]).sum(), terms

    def fakes(self, x: Tensor, z: Tensor) -> dict[str, Tensor]:
        """``cycle`` without gradients and without noise in E and G, for discriminators to tell from reals."""
        with torch.no_grad(), eval_mode(self.encoder, self.generator):
            return self.cycle(x, z)

    def fake(self, name: str, source: Tensor) -> Tensor:
        """One of ``fakes`` alone: of latents x^ or z~, of samples x~ or z^."""
        E, G = self.encoder, self.generator
        way = {"x_hat": [G], "x_tilde": [E, G], "z_hat": [E], "z_tilde": [G, E]}[name]
        with torch.no_grad(), eval_mode(E, G):
            return reduce(lambda made, network: network(made), way, source)

    def cycle(self, x: Tensor, z: Tensor) -> dict[str, Tensor]:
        """x^, x~, z^ and z~ of samples and latents."""
        z_hat = self.encoder(x)
        x_tilde, x_hat = self.generator(z_hat), self.generator(z)
        return {"x_hat": x_hat, "x_tilde": x_tilde, "z_hat": z_hat, "z_tilde": self.encoder(x_hat)}
