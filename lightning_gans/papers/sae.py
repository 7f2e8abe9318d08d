"""Symbolic Autoencoder (Barta)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Literal

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import StepLR

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.game import Game, ScheduleCounts
from lightning_gans.losses import at_least_float32
from lightning_gans.networks import MLP
from lightning_gans.optimizers import Adam
from lightning_gans.priors import Empirical

Pair = Sequence[Tensor]

# Of (1 +- cosine) / 2: float32 cannot tell the cosines of closer symbols apart, and the logarithm stays finite.
_SMALLEST = 1e-6


class SAE(Game):
    """Symbolic Autoencoder (Barta): two encoders that agree on symbols, and a generator that is given no noise.

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
    - Lines 6 and 7 print s_i in the place of s_1-i, against the prose, which calls them inter-unit, and footnote 5:
      ``target="printed"`` keeps them.
    - A symbol's product with itself is left out of ``self``; it would be infinite for D_0, and pulls at nothing.
    - The symbols from which G makes images are given to the units' loss without gradient, as in any GAN; ``full_graph`` has it.
    - White noise (section 3.4) goes onto s_0, of which the image is made that D_1 sees: "the symbol seeding the generalising
      unit's fake image". The sum is put back on the sphere.
    - Batch norm normalises each of these passes by itself, but keeps for evaluation only statistics of what the networks are
      given there: of real samples in the units, in G of the symbols that ``encode`` returns (with noise if it is s_0).

    There is no prior. ``prior`` keeps the symbols of the last training samples: samples are reconstructions of those.

    Args:
        diversifying: D_0, samples to ``(N, dim)`` numbers that are scaled to unit length here.
        generalising: D_1, likewise.
        generator: G, symbols ``(N, dim)`` to samples.
        prior: keeps symbols; its dim is m, their length.
        symbol: the unit whose symbols ``encode`` returns and ``prior`` keeps; the paper does not say. Those of the diversifying
            one are more spread out (footnote 7), and more of an image comes back from them.
        target: whose symbols fakes are compared with: those of the other unit (``crossed``) or the same (``printed``).
        shell_weight: weight of the shell loss.
        kernel_weight: weight of the kernel loss, 0 for none.
        self_weight: weight of both self losses, 0 for none.
        sigma: standard deviation of the noise on each number of s_0 before I_0 is made of it ("semantic blurring").
        full_graph: let the units' loss reach them through G too.
        g_steps: steps of G a batch, all but the first after the common move; the DCGAN code that the author began with takes 2.
        data_range: the interval of G's output.
        data_scale: what points are divided by; 1 for images.
        optimizer: of the ``units`` together and of the ``generator``.
        scheduler: of both optimisers.
        schedule_counts: what advances the schedules.
        **game: see ``lightning_gans.Game``.
    """

    prior: Empirical
    stores_latents = True

    def __init__(
        self,
        diversifying: nn.Module | None = None,
        generalising: nn.Module | None = None,
        generator: nn.Module | None = None,
        prior: Empirical | None = None,
        symbol: Literal["diversifying", "generalising"] = "diversifying",
        target: Literal["crossed", "printed"] = "crossed",
        shell_weight: float = 1.0,
        kernel_weight: float = 1.0,
        self_weight: float = 1.0,
        sigma: float = 0.0,
        full_graph: bool = False,
        g_steps: int = 1,
        data_range: tuple[float, float] = (0.0, 1.0),
        data_scale: float = 4.180112,
        optimizer: OptimizerCallable = lambda p: Adam(p, lr=1e-3, beta1=0.8, beta2=0.999),
        scheduler: LRSchedulerCallable | None = lambda o: StepLR(o, step_size=10_000, gamma=0.9),
        schedule_counts: ScheduleCounts = "shared",
        **game: Any,
    ) -> None:
        units: dict[str, Any] = {"data_range": data_range, "data_scale": data_scale}
        super().__init__(optimizer=optimizer, scheduler=scheduler, schedule_counts=schedule_counts, **units, **game)
        checks.not_negative(shell_weight=shell_weight, kernel_weight=kernel_weight, self_weight=self_weight, sigma=sigma)
        checks.positive(g_steps=g_steps)
        self.prior = prior or Empirical(3)
        self.diversifying = diversifying or MLP(2, self.prior.dim)
        self.generalising = generalising or MLP(2, self.prior.dim)
        self.generator = generator or MLP(self.prior.dim, 2, output="sigmoid")
        self.encodes = 0 if symbol == "diversifying" else 1
        self.target = target
        self.shell_weight, self.kernel_weight, self.self_weight = shell_weight, kernel_weight, self_weight
        self.sigma = sigma
        self.full_graph = full_graph
        self.g_steps = g_steps

    @property
    def units(self) -> list[nn.Module]:
        """D_0 and D_1."""
        return [self.diversifying, self.generalising]

    @property
    def encoder(self) -> nn.Module:
        """The unit whose symbols ``encode`` returns."""
        return self.units[self.encodes]

    def players(self) -> dict[str, list[nn.Module]]:
        return {"units": self.units, "generator": [self.generator]}

    def setup(self, stage: str) -> None:
        for _ in self.units:  # either of them must take the data and fit the prior
            self.encodes = 1 - self.encodes
            super().setup(stage)

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        real, fake = self.symbols(batch.images)
        with self.simultaneously() as move:  # lines 15 and 16
            loss, terms = self.units_loss(real, fake)
            move("units", loss, **terms, cosine=cosines(real[0], real[1]).mean())
            agreement = [cosines(r, f) for r, f in zip(reversed(real), fake, strict=True)]
            move("generator", self.generator_loss(real, fake), agreement=torch.stack(agreement).mean())
        self.prior.store(real[self.encodes])

        for _ in range(self.g_steps - 1):
            with self.turn("generator") as minimize:
                minimize(self.generator_loss(*self.symbols(batch.images)))

    def symbols(self, x: Tensor) -> tuple[Pair, Pair]:
        """Lines 1 to 3: the symbols s_0, s_1 of samples and f_0, f_1 of fakes, each ``(N, dim)`` of the global batch."""
        real = [on_sphere(unit, x) for unit in self.units]
        seeds = real if self.full_graph else [s.detach() for s in real]
        if self.sigma:
            seeds = [self.prior.project(seeds[0] + self.sigma * self.normal(*seeds[0].shape)), seeds[1]]
        made = [self.make(i, seed) for i, seed in enumerate(seeds)]
        with kept_statistics(*self.units):
            fake = [on_sphere(self.diversifying, made[1]), on_sphere(self.generalising, made[0])]
        four = self.gather(torch.stack([*real, *fake], dim=1)).unbind(1)
        return four[:2], four[2:]

    def make(self, i: int, seeds: Tensor) -> Tensor:
        """I_i of line 2."""
        with nullcontext() if i == self.encodes else kept_statistics(self.generator):
            return self.generator(seeds.to(self.dtype))

    def units_loss(self, real: Pair, fake: Pair) -> tuple[Tensor, dict[str, Tensor]]:
        """l_B of line 13, to be minimised by both units, and the terms in it without their weights."""
        targets = self.targets(real)
        terms = {f"adversarial_{i}": kernel_loss(targets[i], fake[i], 0) for i in (0, 1)}
        loss = terms["adversarial_0"] + terms["adversarial_1"]
        if self.shell_weight:
            terms["shell"] = shell_loss(real[0], real[1], 1)
            loss = loss + self.shell_weight * terms["shell"]
        if self.kernel_weight:
            terms["kernel"] = kernel_loss(real[0], real[1], 1)
            loss = loss + self.kernel_weight * terms["kernel"]
        if self.self_weight:
            terms |= {f"self_{i}": self_loss(real[i], i) for i in (0, 1)}
            loss = loss + self.self_weight * (terms["self_0"] + terms["self_1"])
        return loss, terms

    def generator_loss(self, real: Pair, fake: Pair) -> Tensor:
        """l_G of line 14, to be minimised by G."""
        targets = self.targets(real)
        return shell_loss(targets[0], fake[0], 1) + shell_loss(targets[1], fake[1], 1)

    def targets(self, real: Pair) -> Pair:
        """The symbols that f_0 and f_1 are compared with."""
        return (real[1], real[0]) if self.target == "crossed" else real

    def encode(self, images: Tensor, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """The symbols ``(N, dim)`` of images, of unit length."""
        return on_sphere(self.encoder, self.normalize(images)).to(self.dtype)

    def unit_symbols(self, images: Tensor) -> Tensor:
        """``(N, 2, dim)``: the symbols of images by both units, the generalising first, as in Fig. 6."""
        x = self.normalize(images)
        return torch.stack([on_sphere(unit, x) for unit in reversed(self.units)], dim=1)

    def features(self, images: Tensor, layers: Sequence[str]) -> list[Tensor]:
        """Layers of the unit that encodes, for probes."""
        return self.encoder.features(self.normalize(images), layers)  # type: ignore[operator]


@contextmanager
def kept_statistics(*networks: nn.Module) -> Iterator[None]:
    """Within the block batch norm normalises by the batch, but does not take it up in its running statistics."""
    layers = [m for network in networks for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum


def on_sphere(unit: nn.Module, x: Tensor) -> Tensor:
    """What a unit makes of samples, scaled to unit length, in at least float32."""
    return F.normalize(at_least_float32(unit(x)), dim=1)


def h(cosine: Tensor, p: float) -> Tensor:
    """Section 3.5: -p log((1 + x) / 2) - (1 - p) log((1 - x) / 2) for a cosine x; p = 1 attracts, p = 0 repels."""
    near, far = ((1 + cosine) / 2).clamp(min=_SMALLEST), ((1 - cosine) / 2).clamp(min=_SMALLEST)
    return -p * near.log() - (1 - p) * far.log()


def cosines(a: Tensor, b: Tensor) -> Tensor:
    """``(N,)``: of each symbol of ``a`` with that of ``b`` in the same row, both ``(N, dim)``."""
    return (a * b).sum(dim=1)


def all_cosines(a: Tensor, b: Tensor) -> Tensor:
    """``(N, M)``: of each symbol of ``a`` ``(N, dim)`` with each of ``b`` ``(M, dim)``."""
    with torch.autocast(a.device.type, enabled=False):  # in 16 bits most symbols of the generalising unit would coincide
        return a @ b.T


def shell_loss(a: Tensor, b: Tensor, p: float) -> Tensor:
    """The mean of h over rows (lines 11 and 12)."""
    return h(cosines(a, b), p).mean()


def kernel_loss(a: Tensor, b: Tensor, p: float) -> Tensor:
    """The mean of h over all pairs of a symbol of ``a`` and one of ``b`` (lines 9 and 10)."""
    return h(all_cosines(a, b), p).mean()


def self_loss(symbols: Tensor, p: float) -> Tensor:
    """The mean of h over all pairs of different rows (line 8), 0 for a single one."""
    n = len(symbols)
    itself = torch.eye(n, dtype=torch.bool, device=symbols.device)
    return h(all_cosines(symbols, symbols), p).masked_fill(itself, 0).sum() / max(1, n * (n - 1))
