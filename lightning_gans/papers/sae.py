"""Symbolic Autoencoder (Barta, 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.cosines import cosines, kernel_loss, on_sphere, self_loss, shell_loss
from lightning_gans.game import Game
from lightning_gans.networks import Network, kept_statistics
from lightning_gans.priors import Empirical
from lightning_gans.protocols import Condition

Pair = Sequence[Tensor]


class SAE(Game):
    """Two encoders that agree on symbols, and a generator that is given no noise.

    The units D_0 (diversifying) and D_1 (generalising) map samples x to symbols on the unit sphere, the generator G symbols to
    samples. D_0 sees what G makes of D_1's symbols and the other way round. In the paper's algorithm, with h of section 3.5:

        s_i = D_i(x)                                                      line 1
        I_i = G(s_i);  f_0 = D_0(I_1),  f_1 = D_1(I_0)                    lines 2, 3
        self    = mean over j != k of h(s_i[j] . s_i[k], i), i = 0, 1     lines 4, 8: D_0 spreads its symbols, D_1 gathers them
        kernel  = mean over j, k of h(s_0[j] . s_1[k], 1)                 lines 5, 9
        shell   = mean over j of h(s_0[j] . s_1[j], 1)                    line 11
        min over D_0, D_1 of shell + kernel + self + sum over i of mean over j, k of h(s_1-i[j] . f_i[k], 0)    lines 6, 10, 13
        min over G of sum over i of mean over j of h(s_1-i[j] . f_i[j], 1)                                      lines 7, 12, 14

    All move at once (lines 15 and 16), and the means are over the global batch. Where the text leaves a choice:

    - The prose counts units from 1, and its first is the generalising one: 1, 2 there are 1, 0 in the algorithm and here.
    - Lines 6 and 7 print s_i for s_1-i, against the prose and footnote 5: ``SAEPrinted`` keeps that.
    - A symbol's product with itself is left out of ``self``; it would be infinite for D_0.
    - The symbols from which G makes images are given to the units' loss without gradient, as in any GAN.
    - White noise (section 3.4) goes onto s_0, of which the image is made that D_1 sees; the sum is put back on the sphere.
    - Batch norm normalises each pass by itself, but keeps statistics of what the networks are given at the doors alone.

    There is no prior. ``prior`` keeps symbols of the last training samples: samples are reconstructions of those. The encoder
    is D_0, whose symbols are more spread out (footnote 7), so that more of an image comes back; the paper does not say.

    Args:
        diversifying_encoder: D_0, samples to ``(N, dim)`` numbers that are scaled to unit length here.
        generalising_encoder: D_1, likewise.
        generator: G, symbols ``(N, dim)`` to samples.
        prior: keeps symbols; its dim is m, their length.
        sigma: standard deviation of the noise on each number of s_0 before I_0 is made of it ("semantic blurring").
        generator_steps: steps of G a batch, all but the first after the common move; the author's base code takes 2.
        **game: see ``lightning_gans.Game``.
    """

    prior: Empirical
    stores_latents = True
    features_of = "diversifying_encoder"

    def __init__(
        self,
        diversifying_encoder: Network,
        generalising_encoder: Network,
        generator: Network,
        prior: Empirical,
        sigma: float = 0.0,
        generator_steps: int = 1,
        **game: Any,
    ) -> None:
        super().__init__(**game)
        checks.not_negative(sigma=sigma)
        checks.positive(generator_steps=generator_steps)
        self.diversifying_encoder, self.generalising_encoder = diversifying_encoder, generalising_encoder
        self.generator, self.prior = generator, prior
        self.sigma, self.generator_steps = sigma, generator_steps

    @property
    def units(self) -> list[Network]:
        """D_0 and D_1."""
        return [self.diversifying_encoder, self.generalising_encoder]

    def players(self) -> dict[str, list[Network]]:
        return {"units": self.units, "generator": [self.generator]}

    def step(self, batch: Batch) -> None:
        x = batch.images
        terms = self.minimize_together(self.losses, x, self.blur(x))  # lines 15 and 16
        self.prior.store(terms["units"]["symbols"])
        for _ in range(self.generator_steps - 1):
            self.minimize("generator", self.generator_loss, x, self.blur(x))

    def blur(self, x: Tensor) -> Tensor | None:
        """Noise for s_0."""
        return self.sigma * self.normal(len(x), self.prior.dim) if self.sigma else None

    def losses(self, x: Tensor, blur: Tensor | None) -> dict[str, tuple[Tensor, dict[str, Tensor]]]:
        """Lines 13 and 14, with what is in them, and the symbols to be kept."""
        real, fake = self.symbols(x, blur)
        targets = self.targets(real)
        terms = {f"adversarial_{i}": kernel_loss(targets[i], fake[i], 0) for i in (0, 1)}
        terms |= {"shell": shell_loss(real[0], real[1], 1), "kernel": kernel_loss(real[0], real[1], 1)}
        terms |= {f"self_{i}": self_loss(real[i], i) for i in (0, 1)}
        loss = terms["adversarial_0"] + terms["adversarial_1"] + terms["shell"] + terms["kernel"]
        loss = loss + (terms["self_0"] + terms["self_1"])
        agreement = torch.stack([cosines(r, f) for r, f in zip(reversed(real), fake, strict=True)]).mean()
        seen = {"cosine": cosines(real[0], real[1]).mean(), "symbols": real[0].detach()}
        return {"units": (loss, terms | seen), "generator": (self.agreement_loss(real, fake), {"agreement": agreement})}

    def generator_loss(self, x: Tensor, blur: Tensor | None) -> Tensor:
        """Line 14."""
        return self.agreement_loss(*self.symbols(x, blur))

    def agreement_loss(self, real: Pair, fake: Pair) -> Tensor:
        """G draws the symbols of fakes to those that they were made for."""
        targets = self.targets(real)
        return shell_loss(targets[0], fake[0], 1) + shell_loss(targets[1], fake[1], 1)

    def targets(self, real: Pair) -> Pair:
        """The symbols that f_0 and f_1 are compared with."""
        return real[1], real[0]

    def symbols(self, x: Tensor, blur: Tensor | None) -> tuple[Pair, Pair]:
        """Lines 1 to 3: the symbols s_0, s_1 of samples and f_0, f_1 of fakes, each ``(N, dim)`` of the global batch."""
        real = [on_sphere(unit(x)) for unit in self.units]
        seeds = [s.detach() for s in real]
        if blur is not None:
            seeds[0] = self.prior.project(seeds[0] + blur)
        I_0 = self.generator(seeds[0].to(self.dtype))
        with kept_statistics(self.generator, *self.units):
            I_1 = self.generator(seeds[1].to(self.dtype))
            fake = [on_sphere(self.units[0](I_1)), on_sphere(self.units[1](I_0))]
        four = self.gather(torch.stack([*real, *fake], dim=1)).unbind(1)
        return four[:2], four[2:]

    def encode(self, images: Tensor, condition: Condition | None = None, generator: torch.Generator | None = None) -> Tensor:
        """The symbols ``(N, dim)`` of images by D_0, of unit length."""
        return on_sphere(self.diversifying_encoder(self.normalize(images))).to(self.dtype)

    def unit_symbols(self, images: Tensor) -> Tensor:
        """``(N, 2, dim)``: the symbols of images by both units, the generalising first, as in Fig. 6."""
        x = self.normalize(images)
        return torch.stack([on_sphere(unit(x)) for unit in reversed(self.units)], dim=1)
