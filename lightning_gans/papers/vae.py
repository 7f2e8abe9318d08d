"""Auto-Encoding Variational Bayes (Kingma and Welling, 2014)."""

from __future__ import annotations

import math
from typing import Any, Literal

from torch import Tensor
from torch.nn import functional as F

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.game import Game
from lightning_gans.losses import at_least_float32
from lightning_gans.networks import Network
from lightning_gans.posteriors import DiagonalNormal
from lightning_gans.priors import Normal, Prior

Likelihood = Literal["bernoulli", "gaussian", "laplace"]


class VAE(Game):
    """An encoder gives a normal posterior q(z|x), the generator G the mean of p(x|z).

    Together they minimise minus the bound on log p(x), in nats: a sum over dimensions, a mean over the batch alone:

        - E_q log p(x|z) + KL(q(z|x) || p(z))                             Eqn. 3; z = mu + std * epsilon, a draw a sample
        KL = - 1/2 sum of 1 + log std^2 - mu^2 - std^2                    appendix B, against a standard normal prior
        KL = E_q of log q(z|x) - log p(z)                                 Eqn. 6, at the same draw, against any other

        bernoulli  - log p(x|z) = - sum of x log G(z) + (1 - x) log(1 - G(z)), with grey levels x taken as probabilities
        gaussian   - log p(x|z) = sum of (x - G(z))^2 / (2 sigma^2) + log sigma + log(2 pi) / 2
        laplace    - log p(x|z) = sum of |x - G(z)| / sigma + log(2 sigma)

    Constants are in, so that the bound of ``gaussian`` and ``laplace`` is one on a log-density, in the networks' units of x.
    ``bernoulli`` on grey levels is no density, and not comparable with numbers of binarised digits. Averages over pixels, which
    much code takes, would multiply KL by their number.

    Args:
        encoder: samples to ``(N, 2 * dim)``: means mu, then log-variances.
        generator: G, latents to samples; with a sigmoid for ``bernoulli``.
        prior: the distribution p(z).
        likelihood: p(x|z), see above.
        sigma: standard deviation of ``gaussian``, scale of ``laplace``, in the units of ``data_range``.
        **game: see ``lightning_gans.Game``.
    """

    stochastic_encoder = True
    features_of = "encoder"

    def __init__(
        self,
        encoder: Network,
        generator: Network,
        prior: Prior,
        likelihood: Likelihood = "gaussian",
        sigma: float = 0.1,
        **game: Any,
    ) -> None:
        super().__init__(**game)
        checks.one_of("likelihood", likelihood, Likelihood)
        checks.positive(sigma=sigma)
        checks.has_density_everywhere(prior)
        self.encoder, self.generator, self.prior = encoder, generator, prior
        self.likelihood, self.sigma = likelihood, sigma

    def players(self) -> dict[str, list[Network]]:
        return {"autoencoder": [self.encoder, self.generator]}

    def step(self, batch: Batch) -> None:
        self.minimize("autoencoder", self.loss, batch.images, self.normal(len(batch), self.prior.dim))

    def loss(self, x: Tensor, epsilon: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Minus the bound, and its terms: minus the expected log-likelihood, and KL; nats, means over the batch."""
        q = DiagonalNormal.of(self.encoder(x), self.prior.dim)
        z = q.at(epsilon)
        likelihood, kl = -self.log_density(x, z).mean(), self.divergence(q, z).mean()
        return likelihood + kl, {"likelihood": likelihood, "kl": kl}

    def divergence(self, q: DiagonalNormal, z: Tensor) -> Tensor:
        """KL(q(z|x) || p(z)) in nats ``(N,)``, exactly or at draws ``z`` ``(N, dim)``."""
        if isinstance(self.prior, Normal):
            return q.kl_to_normal(self.prior.std)
        return q.log_prob(z) - self.prior.log_prob(z)

    def log_density(self, x: Tensor, z: Tensor) -> Tensor:
        """``log p(x|z)`` in nats ``(N,)`` of data in the networks' units under latents ``(N, dim)``."""
        z, x = z.to(self.dtype), at_least_float32(x).flatten(1)
        if self.likelihood == "bernoulli":
            logits = at_least_float32(self.generator_logits(z)).flatten(1)
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
