"""InfoGAN: Interpretable Representation Learning by Information Maximizing GANs (Chen et al., 2016)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.errors import InputError
from lightning_gans.game import Game
from lightning_gans.labelled_priors import Categorical
from lightning_gans.losses import at_least_float32, bce_fake, bce_real
from lightning_gans.networks import Heads, Network
from lightning_gans.posteriors import DiagonalNormal
from lightning_gans.product import Product


class InfoGAN(Game):
    """A GAN whose latent has codes c beside noise, which a network Q, on top of D's trunk, reads from the samples.

        L_I = sum over codes of lambda (H(c) + E log Q(c | G(z, c)))                       Eqn. 5
        min over D, Q of -E log sigma(D(x)) - E log(1 - sigma(D(G(z, c)))) - L_I
        min over G of -E log sigma(D(G(z, c))) - L_I                                       Eqn. 6

    As in the authors' code (openai/InfoGAN, infogan/algos/infogan_trainer.py) Q and the trunk that it shares move with D, so
    the trunk is told of the codes too, by samples alone. Q is a softmax for categories and a normal distribution for numbers,
    whose deviation the code fixes at 1. Its weights are 1; the paper takes less for numbers (0.1, section 7). L_I is in nats.

    Args:
        generator: G, latents ``(N, dim)`` to samples.
        discriminator: D and Q, ``Heads``: the first gives the logit ``(N, 1)``; a head, or one within a nested head, with the
            name of a part of the prior makes that part a code: K logits for K categories; for n numbers their means and then
            log-variances ``(N, 2n)``, or with ``fixed_std`` the means alone.
        prior: a ``Product`` of named parts; those without a head are noise.
        lambda_categorical: lambda of categories.
        lambda_continuous: lambda of numbers.
        fixed_std: Q's deviation is 1, and what a head gives for it counts for nothing.
        informs: whether G and the trunk are told of L_I; if not Q learns what it can of a plain GAN (Fig. 1).
        **game: see ``lightning_gans.Game``.

    Raises:
        InputError: no part of the prior has a head, or a head is of another width than its part.
    """

    prior: Product
    noise_part = "noise"
    """Of a prior that is completed, the part that is no code."""

    def __init__(
        self,
        generator: Network,
        discriminator: Heads,
        prior: Product,
        lambda_categorical: float = 1.0,
        lambda_continuous: float = 1.0,
        fixed_std: bool = True,
        informs: bool = True,
        **game: Any,
    ) -> None:
        super().__init__(**game)
        checks.not_negative(lambda_categorical=lambda_categorical, lambda_continuous=lambda_continuous)
        self.generator, self.discriminator, self.prior = generator, discriminator, prior
        self.lambda_categorical, self.lambda_continuous = lambda_categorical, lambda_continuous
        self.fixed_std, self.informs = fixed_std, informs
        heads = {name.rpartition(".")[2]: name for name in discriminator.names}
        self.codes = {part: heads[part] for part in prior.parts if part in heads}
        if not self.codes:
            raise InputError(f"no head of {[*heads]} has the name of a part of {prior!r}; name one as the code that it reads")

    def players(self) -> dict[str, list[nn.Module]]:
        if self.informs:
            return {"discriminator": [self.discriminator], "generator": [self.generator]}
        first, *others = self.discriminator.branches.values()
        return {"discriminator": [self.discriminator.trunk, first], "generator": [self.generator], "codes": others}

    def step(self, batch: Batch) -> None:
        self.minimize("discriminator", self.discriminator_loss, batch.images, z := self.noise_like(batch))
        self.minimize("generator", self.generator_loss, self.noise_like(batch))
        if not self.informs:
            self.minimize("codes", self.codes_loss, z)

    def discriminator_loss(self, x: Tensor, z: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """What D and Q minimise."""
        real, (fake, information, told) = self.discriminator(x), self.judged(z)
        return bce_real(real) + bce_fake(fake) - self.informs * information, told

    def generator_loss(self, z: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """What G minimises."""
        fake, information, told = self.judged(z)
        return bce_real(fake) - self.informs * information, told

    def codes_loss(self, z: Tensor) -> Tensor:
        """What Q minimises where nobody else is told."""
        return -self.judged(z)[1]

    def judged(self, z: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """D's logits of samples ``(N, 1)``, L_I, and the bound of each code's information in nats."""
        outputs, parts = self.discriminator.heads(self.generator(z)), self.prior.split(z)
        bounds = {name: self.information(name, outputs[head], parts[name]) for name, head in self.codes.items()}
        weights = {name: self.lambda_categorical if self.is_category(name) else self.lambda_continuous for name in bounds}
        told = {f"information_{name}": bound.detach() for name, bound in bounds.items()}
        total = torch.stack([weights[name] * bound for name, bound in bounds.items()]).sum()
        return next(iter(outputs.values())), total, told

    def information(self, name: str, given: Tensor, code: Tensor) -> Tensor:
        """H(c) + E log Q(c | x) of one code in nats, by what its head gives of the samples."""
        part, given, code = self.prior.parts[name], at_least_float32(given), at_least_float32(code)
        widths = [part.dim] if self.is_category(name) else [2 * part.dim, *([part.dim] if self.fixed_std else [])]
        if given.shape[1] not in widths:
            raise InputError(
                f"the head {name!r} gives {given.shape[1]} numbers, but {part!r} takes {widths[0]}; set its outputs"
            )
        if self.is_category(name):
            log_q = (code * F.log_softmax(given, 1)).sum(1)
        elif self.fixed_std:
            log_q = DiagonalNormal(mean := given[:, : part.dim], torch.zeros_like(mean)).log_prob(code)
        else:
            log_q = DiagonalNormal.of(given, part.dim).log_prob(code)
        return (log_q - part.log_prob(code)).mean()

    def is_category(self, name: str) -> bool:
        """Whether a part of the prior is one of several categories."""
        return isinstance(self.prior.parts[name], Categorical)

    @property
    def can_classify(self) -> bool:
        """Whether a code is a category."""
        return any(map(self.is_category, self.codes))

    def classify(self, images: Tensor) -> Tensor:
        """Q's logits ``(N, K)`` of the first code that is a category."""
        name = next(filter(self.is_category, self.codes))
        return self.discriminator.heads(self.normalize(images))[self.codes[name]]
