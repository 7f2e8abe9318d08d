"""Auto-Encoding Variational Bayes (Kingma and Welling, 2014)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, cast

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.errors import InputError
from lightning_gans.game import Game
from lightning_gans.losses import at_least_float32
from lightning_gans.networks import MLP, Network
from lightning_gans.optimizers import Adam
from lightning_gans.posteriors import DiagonalNormal
from lightning_gans.priors import Normal, Prior


class VAE(Game):
    """Auto-Encoding Variational Bayes (Kingma and Welling, 2014).

    An encoder gives the mean mu and the log-variance of a normal posterior q(z|x); the generator gives the mean G(z) of p(x|z).
    Together they minimise minus the bound on log p(x), in nats: a sum over dimensions, a mean over the batch alone:

        - E_q log p(x|z) + beta KL(q(z|x) || p(z))                        Eqn. 3; z = mu + std * epsilon, L draws (Eqn. 7)
        KL = - 1/2 sum of 1 + log std^2 - mu^2 - std^2                    appendix B, against a standard normal prior
        KL = E_q of log q(z|x) - log p(z)                                 Eqn. 6, at the same draws, against any other

        bernoulli  - log p(x|z) = - sum of x log G(z) + (1 - x) log(1 - G(z)), with grey levels x taken as probabilities
        gaussian   - log p(x|z) = sum of (x - G(z))^2 / (2 sigma^2) + log sigma + log(2 pi) / 2
        laplace    - log p(x|z) = sum of |x - G(z)| / sigma + log(2 sigma)

    Constants are in, so that the bound of ``gaussian`` and ``laplace`` is one on a log-density; its unit of x is the networks':
    that of ``data_range``. ``bernoulli`` on grey levels is no density, and not comparable with numbers of binarised digits. The
    terms are logged as ``autoencoder/likelihood`` (minus log p) and ``autoencoder/kl`` (before beta). Averages over pixels,
    which much code takes, would multiply beta by their number.

    The defaults are an experiment on the 25 Gaussians that the paper does not have, with the networks of GAAN's. The modes'
    standard deviation of 0.05 is 0.006 in [0, 1] with ``data_scale`` 4.18; sigma is twice that: narrower ones learn slower.

    Args:
        encoder: samples to ``(N, 2 * dim)``: means, then log-variances.
        generator: G, latents to samples; ``bernoulli`` needs its ``logits``.
        prior: the distribution p(z).
        likelihood: p(x|z), see above.
        sigma: standard deviation of ``gaussian``, scale of ``laplace``, in the units of ``data_range``.
        beta: weight of KL; 1 makes the loss a bound.
        draws: L, draws of z for each sample; the paper's 1 suffices for batches of 100.
        kl: ``closed`` where the prior is ``Normal``, or ``monte_carlo``; none takes the first that the prior allows.
        data_range: the interval of G's output.
        data_scale: what points are divided by; 1 for images.
        optimizer: of both networks.
        scheduler: of the optimiser.
        **game: see ``lightning_gans.Game``.
    """

    def __init__(
        self,
        encoder: nn.Module | None = None,
        generator: nn.Module | None = None,
        prior: Prior | None = None,
        likelihood: Literal["bernoulli", "gaussian", "laplace"] = "gaussian",
        sigma: float = 0.012,
        beta: float = 1.0,
        draws: int = 1,
        kl: Literal["closed", "monte_carlo"] | None = None,
        data_range: tuple[float, float] = (0.0, 1.0),
        data_scale: float = 4.180112,
        optimizer: OptimizerCallable = lambda p: Adam(p, lr=1e-3, beta1=0.8, beta2=0.999),
        scheduler: LRSchedulerCallable | None = None,
        **game: Any,
    ) -> None:
        super().__init__(optimizer=optimizer, scheduler=scheduler, data_range=data_range, data_scale=data_scale, **game)
        checks.positive(sigma=sigma, draws=draws)
        checks.not_negative(beta=beta)
        self.prior = prior or Normal(2)
        self.encoder = cast(Network, encoder or MLP(2, 2 * self.prior.dim))
        self.generator = generator or MLP(self.prior.dim, 2, output="sigmoid")
        checks.has_density_everywhere(self.prior)
        if kl == "closed" and not isinstance(self.prior, Normal):
            raise InputError(f"kl 'closed' needs a Normal prior, but it is {self.prior}; set kl to monte_carlo or null")
        if likelihood == "bernoulli":
            checks.has_logits(self.generator, "likelihood 'bernoulli'", "likelihood to gaussian or laplace")
            if self.data_range != (0, 1):
                raise InputError(f"likelihood 'bernoulli' is one of data in [0, 1], but data_range is {list(self.data_range)}")
        self.likelihood = likelihood
        self.sigma = sigma
        self.beta = beta
        self.draws = draws
        self.kl = kl or ("closed" if isinstance(self.prior, Normal) else "monte_carlo")

    def players(self) -> dict[str, list[nn.Module]]:
        return {"autoencoder": [self.encoder, self.generator]}

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        epsilon = self.normal(len(batch), self.draws, self.prior.dim)
        with self.turn("autoencoder") as minimize:
            likelihood, kl = self.terms(batch.images, epsilon)
            minimize(likelihood + self.beta * kl, likelihood=likelihood, kl=kl)

    def terms(self, x: Tensor, epsilon: Tensor) -> tuple[Tensor, Tensor]:
        """Minus the expected log-likelihood, and the KL divergence: nats, means over the batch.

        Args:
            x: data in the networks' units.
            epsilon: standard normal ``(N, L, dim)``.
        """
        q = DiagonalNormal.of(self.encoder(x), self.prior.dim)
        z = q.at(epsilon.transpose(0, 1))  # (L, N, dim)
        likelihood = self.log_density(x.repeat(len(z), *[1] * (x.dim() - 1)), z.flatten(0, 1)).mean()
        return -likelihood, self.divergence(q, z).mean()

    def divergence(self, q: DiagonalNormal, z: Tensor) -> Tensor:
        """KL(q(z|x) || p(z)) in nats of each sample, exactly or at draws ``z`` ``(L, N, dim)``."""
        if self.kl == "closed":
            return q.kl_to_normal(cast(Normal, self.prior).std)
        return q.log_prob(z) - self.prior.log_prob(z.flatten(0, 1)).view(z.shape[:2])

    def log_density(self, x: Tensor, z: Tensor) -> Tensor:
        """``log p(x|z)`` in nats ``(N,)`` of data in the networks' units under latents ``(N, dim)``."""
        z, x = z.to(self.dtype), at_least_float32(x).flatten(1)
        if self.likelihood == "bernoulli":
            logits = at_least_float32(cast(Network, self.generator).logits(z)).flatten(1)
            return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(dim=1)
        error = x - at_least_float32(self.generator(z)).flatten(1)
        if self.likelihood == "gaussian":
            constant = math.log(self.sigma * math.sqrt(2 * math.pi))
            return -(error.square().sum(dim=1) / (2 * self.sigma**2) + error[0].numel() * constant)
        return -(error.abs().sum(dim=1) / self.sigma + error[0].numel() * math.log(2 * self.sigma))

    def posterior(self, images: Tensor) -> DiagonalNormal:
        """q(z|x) of images at the door."""
        return DiagonalNormal.of(self.encoder(self.normalize(images)), self.prior.dim)

    def log_likelihood(self, images: Tensor, z: Tensor) -> Tensor:
        """``log p(x|z)`` in nats ``(N,)`` of images at the door, a density in the units of ``data_range``."""
        return self.log_density(self.normalize(images), z)

    def encode(self, images: Tensor, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """Latents ``(N, dim)`` of images: the posterior's mean, or with a generator a draw of it."""
        q = self.posterior(images)
        return (q.mean if generator is None else q.sample(generator)).to(self.dtype)

    def features(self, images: Tensor, layers: Sequence[str]) -> list[Tensor]:
        """Layers of the encoder."""
        return self.encoder.features(self.normalize(images), layers)
