"""Mode Regularized Generative Adversarial Networks (Che et al., 2017), trained in manifold and diffusion steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.optim.lr_scheduler import StepLR

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.game import Game, ScheduleCounts
from lightning_gans.losses import at_least_float32, bce_real, discriminator_loss, mean_squared_error
from lightning_gans.networks import MLP, Network
from lightning_gans.optimizers import Adam
from lightning_gans.priors import Prior, Uniform


class MDGAN(Game):
    """The manifold-diffusion GAN of Mode Regularized Generative Adversarial Networks (Che et al., 2017).

    An encoder E and the generator G form an autoencoder. The manifold step draws its reconstructions to the data x, the
    diffusion step spreads the samples G(z) over the reconstructions, which lie near the samples as x itself does not. Each has
    a discriminator (a logit; sigma is its sigmoid), and the four steps of a batch are, in this order:

        max over D1 of E log sigma(D1(x)) + E log(1 - sigma(D1(G(E(x)))))         manifold step
        min over E, G of E d(x, G(E(x))) - lambda E log sigma(D1(G(E(x))))
        max over D2 of E log sigma(D2(G(E(x)))) + E log(1 - sigma(D2(G(z))))      diffusion step
        max over G of E log sigma(D2(G(z)))

    In the diffusion step reconstructions are data: no gradient passes through them. d is the squared distance. G moves twice a
    batch, each time with an optimiser of its own, unless both share one, which makes three in all; no authors' code says
    which. The form of the same paper with one discriminator is ``RegGAN``. The defaults are the 25-Gaussian experiment of GAAN
    (Tran et al., 2018, Table 1), whose authors say of MDGAN that it collapses with many datasets.

    Args:
        encoder: E, samples to latents ``(N, dim)``.
        generator: G, latents to samples.
        manifold_discriminator: D1, samples to logits ``(N, 1)``.
        diffusion_discriminator: D2, likewise.
        prior: the distribution of z.
        lambda_m: lambda, the weight of D1's opinion beside d.
        distance: d as the ``mean`` over dimensions or their ``sum``, the squared norm, as GAAN's authors have it on points.
        opinion: what G and E raise of D1's opinion: its ``log``, or the ``probability`` itself as in GAAN's authors' code.
        generator_optimizer: G's step in the diffusion step has an optimiser of its ``own``, or goes on with that of the
            manifold step (``shared``).
        data_range: the interval of G's output.
        data_scale: what points are divided by; 1 for images.
        optimizer: of all players.
        scheduler: of all optimisers.
        schedule_counts: what advances the schedules.
        **game: see ``lightning_gans.Game``.
    """

    def __init__(
        self,
        encoder: nn.Module | None = None,
        generator: nn.Module | None = None,
        manifold_discriminator: nn.Module | None = None,
        diffusion_discriminator: nn.Module | None = None,
        prior: Prior | None = None,
        lambda_m: float = 0.01,
        distance: Literal["mean", "sum"] = "mean",
        opinion: Literal["log", "probability"] = "log",
        generator_optimizer: Literal["own", "shared"] = "own",
        data_range: tuple[float, float] = (0.0, 1.0),
        data_scale: float = 4.180112,
        optimizer: OptimizerCallable = lambda p: Adam(p, lr=1e-3, beta1=0.8, beta2=0.999),
        scheduler: LRSchedulerCallable | None = lambda o: StepLR(o, step_size=10_000, gamma=0.9),
        schedule_counts: ScheduleCounts = "shared",
        **game: Any,
    ) -> None:
        units: dict[str, Any] = {"data_range": data_range, "data_scale": data_scale}
        super().__init__(optimizer=optimizer, scheduler=scheduler, schedule_counts=schedule_counts, **units, **game)
        checks.not_negative(lambda_m=lambda_m)
        self.prior = prior or Uniform(2)
        self.encoder = encoder or MLP(2, self.prior.dim)
        self.generator = generator or MLP(self.prior.dim, 2, output="sigmoid")
        self.manifold_discriminator = manifold_discriminator or MLP(2, 1)
        self.diffusion_discriminator = diffusion_discriminator or MLP(2, 1)
        self.lambda_m = lambda_m
        self.distance = distance
        self.opinion = opinion
        self.generator_optimizer = generator_optimizer

    def players(self) -> dict[str, list[nn.Module]]:
        players = {
            "manifold_discriminator": [self.manifold_discriminator],
            "autoencoder": [self.encoder, self.generator],
            "diffusion_discriminator": [self.diffusion_discriminator],
        }
        return players if self.generator_optimizer == "shared" else players | {"generator": [self.generator]}

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        x = batch.images
        D1, D2 = self.manifold_discriminator, self.diffusion_discriminator

        with self.turn("manifold_discriminator") as minimize:  # frozen networks leave nothing to detach
            minimize(discriminator_loss(D1(x), D1(self.reconstruct(x))))

        with self.turn("autoencoder") as minimize:
            distance, adversarial = self.manifold_terms(x)
            minimize(distance + self.lambda_m * adversarial, distance=distance, adversarial=adversarial)

        with self.turn("diffusion_discriminator") as minimize:
            minimize(discriminator_loss(D2(self.reconstruct(x)), D2(self.generator(self.noise_like(batch)))))

        with self.turn("autoencoder" if self.generator_optimizer == "shared" else "generator") as minimize:
            loss = bce_real(D2(self.generator(self.noise_like(batch))))
            minimize(loss, diffusion=loss)

    def manifold_terms(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """d, and minus D1's opinion of the reconstructions: scalars."""
        reconstructed = self.reconstruct(x)
        distance = mean_squared_error(reconstructed, x) * (x[0].numel() if self.distance == "sum" else 1)
        logits = self.manifold_discriminator(reconstructed)
        return distance, bce_real(logits) if self.opinion == "log" else -at_least_float32(logits).sigmoid().mean()

    def reconstruct(self, x: Tensor) -> Tensor:
        """G(E(x))."""
        return self.generator(self.encoder(x))

    def encode(self, images: Tensor, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """Latents ``(N, dim)`` of images; E is deterministic."""
        return self.encoder(self.normalize(images))

    def features(self, images: Tensor, layers: Sequence[str]) -> list[Tensor]:
        """Layers of D1, the discriminator that is shown data."""
        return cast(Network, self.manifold_discriminator).features(self.normalize(images), layers)
