"""Autoencoding Generative Adversarial Networks (Lazarou, 2020)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.errors import InputError
from lightning_gans.game import Game
from lightning_gans.losses import at_least_float32, bce, bce_real, mean_squared_error
from lightning_gans.networks import Network, eval_mode
from lightning_gans.priors import Prior

# What each discriminator tells from x or from z
_FAKES = {"image_discriminator": ("x_hat", "x_tilde"), "latent_discriminator": ("z_hat", "z_tilde")}


class AEGAN(Game):
    """A bijection between samples and latents: an encoder E and a generator G that undo each other.

    x^ = G(z), z^ = E(x), x~ = G(E(x)), z~ = E(G(z)); two discriminators (D_x and D_z are logits here, sigma their sigmoid) tell
    each of these from data x or noise z:

        max over D_x of 2 E log sigma(D_x(x)) + E log(1 - sigma(D_x(x^))) + E log(1 - sigma(D_x(x~)))      Eqn. 2, 3
        max over D_z of 2 E log sigma(D_z(z)) + E log(1 - sigma(D_z(z^))) + E log(1 - sigma(D_z(z~)))      Eqn. 4, 5
        min over E, G of lambda_rx |x~ - x| + lambda_rz (z~ - z)^2                                         Eqn. 6
            - E log sigma(D_x(x^)) - E log sigma(D_x(x~)) - E log sigma(D_z(z^)) - E log sigma(D_z(z~))

    E and G have one optimiser and both get every term that depends on them: D_x(x~) trains E as well, D_z(z~) trains G as well.
    Where paper and code differ the code is followed: the distances are means over batch and dimensions (the paper has norms and
    no weights), E and G raise log sigma(D) (the paper has its minimax form), and the discriminators' labels are smoothed, 0.95
    and 0.05, while those for E and G are 1.

    Fakes are made once for both discriminators, by E and G in evaluation mode. By default one batch makes one step of D_x and
    one of D_z, each on its two equations at once, and one of E and G. ``burst`` is the schedule of the code: D_x takes four
    steps, each on samples of a single kind (x, x^, other x, x~), then D_z (z, z^, z, z~), then E and G, each on fresh x and z.
    One batch of it is four of the "steps" that the paper counts; its 300,000 are 75,000 batches.

    A weight of 0 removes a term with all that it takes, and a discriminator without terms does not play. The paper compares
    with a GAN (``lightning_gans.GAN``) and an AAE, which is lambda_x_hat, lambda_x_tilde, lambda_z_tilde and lambda_rz 0.

    Args:
        encoder: E, samples to latents ``(N, dim)``.
        generator: G, latents to samples.
        image_discriminator: D_x, samples to logits ``(N, 1)``; none where its weights are 0.
        latent_discriminator: D_z, latents to logits ``(N, 1)``; none where its weights are 0.
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

    def __init__(
        self,
        encoder: Network,
        generator: Network,
        image_discriminator: Network | None,
        latent_discriminator: Network | None,
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
        opinions = {"x_hat": lambda_x_hat, "x_tilde": lambda_x_tilde, "z_hat": lambda_z_hat, "z_tilde": lambda_z_tilde}
        self.weights = {"rx": lambda_rx, "rz": lambda_rz} | opinions
        checks.not_negative(**{f"lambda_{name}": weight for name, weight in self.weights.items()})
        checks.smoothing(label_smoothing)
        for untrained, alone in (("encoder", "x_hat"), ("generator", "z_hat")):
            if not any(weight for name, weight in self.weights.items() if name != alone):
                raise InputError(f"no term but lambda_{alone} has a weight: nothing trains the {untrained}; give another one")
        self.encoder, self.generator, self.prior = encoder, generator, prior
        for name, network in (("image_discriminator", image_discriminator), ("latent_discriminator", latent_discriminator)):
            plays = any(opinions[fake] for fake in _FAKES[name])
            if plays and network is None:
                raise InputError(f"there is no {name}, but lambda_{_FAKES[name][0]} or lambda_{_FAKES[name][1]}; give one")
            setattr(self, name, network if plays else None)
        self.label_smoothing, self.burst = label_smoothing, burst

    @property
    def features_of(self) -> str:  # type: ignore[override]
        """D_x, or E where D_x does not play."""
        return "encoder" if self.image_discriminator is None else "image_discriminator"

    def players(self) -> dict[str, list[Network]]:
        return {**{name: [D] for name, D in self.discriminators().items()}, "autoencoder": [self.encoder, self.generator]}

    def discriminators(self) -> dict[str, Network]:
        """Those that play, by the player's name."""
        return {name: D for name in _FAKES if (D := getattr(self, name)) is not None}

    def step(self, batch: Batch) -> None:
        x, z = batch.images, self.noise_like(batch)
        fakes = self.fakes(x, z)
        if self.burst:
            self.take_bursts(batch, {"image_discriminator": (x, batch.fresh().images), "latent_discriminator": (z, z)}, fakes)
            return
        for player, real in (("image_discriminator", x), ("latent_discriminator", z)):  # Eqn. 2 and 3, then 4 and 5
            if player in fakes:
                self.minimize(player, self.discriminator_loss, player, real, fakes[player])
        self.minimize("autoencoder", self.autoencoder_loss, x, self.noise_like(batch))  # Eqn. 6

    def take_bursts(self, batch: Batch, reals: dict[str, tuple[Tensor, Tensor]], fakes: dict[str, list[Tensor]]) -> None:
        """The steps of the code: those of each network in a row, the discriminators' on samples of a single kind."""
        for player, of_player in fakes.items():
            for real, fake in zip(reals[player], of_player, strict=False):
                self.minimize(player, self.label_loss, player, real, 1 - self.label_smoothing)
                self.minimize(player, self.label_loss, player, fake, self.label_smoothing)
        for _ in range(2 * max(map(len, fakes.values()), default=2)):
            self.minimize("autoencoder", self.autoencoder_loss, batch.fresh().images, self.noise_like(batch))

    def label_loss(self, player: str, samples: Tensor, label: float) -> Tensor:
        """A discriminator on samples of a single kind."""
        return bce(self.discriminators()[player](samples), label)

    def discriminator_loss(self, player: str, real: Tensor, fakes: Sequence[Tensor]) -> Tensor:
        """Minus Eqn. 2 and 3, or 4 and 5, with smoothed labels."""
        D, smoothing = self.discriminators()[player], self.label_smoothing
        return len(fakes) * bce(D(real), 1 - smoothing) + sum(bce(D(fake), smoothing) for fake in fakes)

    def autoencoder_loss(self, x: Tensor, z: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Eqn. 6, and its terms without their weights, where these are not 0."""
        made = self.cycle(x, z, [name for name, weight in self.weights.items() if weight])
        opinions = {name: D for player, D in self.discriminators().items() for name in _FAKES[player] if self.weights[name]}
        terms = {name: bce_real(D(made[name])) for name, D in opinions.items()}
        if self.weights["rx"]:
            terms["rx"] = F.l1_loss(at_least_float32(made["x_tilde"]), at_least_float32(x))
        if self.weights["rz"]:
            terms["rz"] = mean_squared_error(made["z_tilde"], z)
        return torch.stack([self.weights[name] * term for name, term in terms.items()]).sum(), terms

    def fakes(self, x: Tensor, z: Tensor) -> dict[str, list[Tensor]]:
        """What each discriminator that plays has to tell from its reals, without gradients and without noise in E and G."""
        wanted = {player: [name for name in _FAKES[player] if self.weights[name]] for player in self.discriminators()}
        with torch.no_grad(), eval_mode(self.encoder, self.generator):
            made = self.cycle(x, z, [name for names in wanted.values() for name in names])
        return {player: [made[name] for name in names] for player, names in wanted.items()}

    def cycle(self, x: Tensor, z: Tensor, wanted: Collection[str]) -> dict[str, Tensor]:
        """Samples and latents that the ``wanted`` terms need: x^, x~, z^ and z~, and those that they are made from."""
        made: dict[str, Tensor] = {}
        if {"z_hat", "x_tilde", "rx"} & {*wanted}:
            made["z_hat"] = self.encoder(x)
        if {"x_tilde", "rx"} & {*wanted}:
            made["x_tilde"] = self.generator(made["z_hat"])
        if {"x_hat", "z_tilde", "rz"} & {*wanted}:
            made["x_hat"] = self.generator(z)
        if {"z_tilde", "rz"} & {*wanted}:
            made["z_tilde"] = self.encoder(made["x_hat"])
        return made
