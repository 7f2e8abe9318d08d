"""A training step under ``Trainer.fit`` beside the same step in a hand-written loop.

The raw loops have the same networks, freezing, fused Adam, rates and data as ours, and nothing else: no logging, no hooks, no
check for NaN, noise from one stream that is never re-keyed. What ours costs above that is our overhead. Both alternate in one
process, and only the steps after a warm-up count.
"""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, Trainer, seed_everything
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_gans import GAAN, GAN, MLP, Adam, ConvGenerator, ConvNet, Game, Images, Uniform


@dataclass(eq=False)
class Clock(Callback):
    """Notes the time after the first and the last of the steps that count; wall clock and processor time, in seconds."""

    first: int
    last: int
    marks: list[tuple[float, float]] = field(default_factory=list)

    def tick(self, step: int) -> None:
        if step in (self.first, self.last):
            self.marks.append((time.perf_counter(), time.process_time()))

    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        self.tick(trainer.global_step)

    def ms_per_step(self) -> tuple[float, float]:
        """Of the wall and of the processor."""
        (wall, processor), (wall_end, processor_end) = self.marks
        scale = 1000 / (self.last - self.first)
        return scale * (wall_end - wall), scale * (processor_end - processor)


@dataclass(frozen=True)
class Case:
    """One game, both ways."""

    name: str
    goal: float
    game: Callable[[], Game]
    data: Callable[[Path], Images]
    raw_step: Callable[[Game, RawData, RawNoise], Callable[[Tensor], None]]
    warmup: int
    steps: int


class RawData:
    """One tensor in memory: a permutation an epoch, and fresh batches with replacement."""

    def __init__(self, data: Images, game: Game) -> None:
        data.prepare_data()
        data.setup("fit")
        self.stored = data.opened.splits["train"].samples
        self.size, self.batch_size = len(self.stored), data.batch_size
        self.slope, self.offset = game._units()

    def __iter__(self) -> Iterator[Tensor]:
        while True:
            for rows in torch.randperm(self.size).split(self.batch_size):
                yield self.rows(rows)

    def fresh(self) -> Tensor:
        return self.rows(torch.randint(self.size, (self.batch_size,)))

    def rows(self, rows: Tensor) -> Tensor:
        x = self.stored.index_select(0, rows)
        if x.dtype == torch.uint8:
            return x.float().mul_(2 / 255).sub_(1)  # the networks work in [-1, 1] here
        return x * self.slope + self.offset


class RawNoise:
    """Uniform latents from one stream."""

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.generator = torch.Generator().manual_seed(0)

    def __call__(self, n: int) -> Tensor:
        return torch.rand(n, self.dim, generator=self.generator) * 2 - 1


class RawPlayers:
    """Fused Adam for each player, freezing, and one decay that counts the steps of all."""

    def __init__(self, *players: Iterable[nn.Module]) -> None:
        self.own = [[p for network in networks for p in network.parameters()] for networks in players]
        everyone = {id(p): p for own in self.own for p in own}
        self.others = [[p for key, p in everyone.items() if key not in set(map(id, own))] for own in self.own]
        self.optimizers = [torch.optim.Adam(own, lr=1e-3, betas=(0.8, 0.999), fused=True) for own in self.own]
        self.count = 0

    @contextmanager
    def only(self, player: int) -> Iterator[Callable[[Tensor], None]]:
        for p in self.others[player]:
            p.requires_grad_(False)
        yield lambda loss: self.minimize(player, loss)
        for p in self.others[player]:
            p.requires_grad_(True)

    def minimize(self, player: int, loss: Tensor) -> None:
        optimizer = self.optimizers[player]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        self.count += 1

    def decay(self) -> None:
        for optimizer in self.optimizers:
            optimizer.param_groups[0]["lr"] = 1e-3 * 0.9 ** (self.count // 10_000)


def raw_gaan(game: Game, data: RawData, noise: RawNoise) -> Callable[[Tensor], None]:
    """Algorithm 1 of GAAN as its grid experiment has it: an autoencoder step, five discriminator steps, a generator step."""
    E, G, D = game.encoder, game.generator, game.discriminator
    players = RawPlayers([E, G], [D], [G])

    def step(x: Tensor) -> None:
        with players.only(0) as minimize:
            z, codes = noise(len(x)), E(x)
            logits = G.logits(codes)
            f = logits.sigmoid().mean() - G(z).mean()
            g = codes.mean() - z.mean()
            minimize(F.binary_cross_entropy_with_logits(logits, x) + 0.1 * (f - g).square())
        for _ in range(5):
            other = data.fresh()
            with players.only(1) as minimize:
                fake, reconstructed = G(noise(len(other))), G(E(other))
                real = 0.5 * F.softplus(-D(other)).mean() + 0.5 * F.softplus(-D(reconstructed)).mean()
                epsilon = torch.rand(len(other), 1, generator=noise.generator)
                between = torch.lerp(other, fake, epsilon).requires_grad_()
                (slope,) = torch.autograd.grad(D(between).sum(), between, create_graph=True)
                penalty = ((slope.square().mean(dim=1) + 1e-12).sqrt() - 1).square().mean()
                minimize(real + F.softplus(D(fake)).mean() + 0.1 * penalty)
        with players.only(2) as minimize:
            minimize((D(x).sigmoid().mean() - D(G(noise(len(x)))).sigmoid().mean()).abs())
        players.decay()

    return step


def raw_gan(game: Game, data: RawData, noise: RawNoise) -> Callable[[Tensor], None]:
    """Algorithm 1 of the GAN with one discriminator step and the non-saturating loss."""
    G, D = game.generator, game.discriminator
    players = RawPlayers([D], [G])

    def step(x: Tensor) -> None:
        with players.only(0) as minimize:
            fake = G(noise(len(x)))
            minimize(0.5 * (F.softplus(-D(x)).mean() + F.softplus(D(fake)).mean()))
        with players.only(1) as minimize:
            minimize(F.softplus(-D(G(noise(len(x))))).mean())
        players.decay()

    return step


def points(**settings: Any) -> dict[str, Any]:
    """The networks, scaling and optimiser of GAAN's experiment on the 25 Gaussians."""
    schedule = partial(torch.optim.lr_scheduler.StepLR, step_size=10_000, gamma=0.9)
    training = {"optimizer": partial(Adam, lr=1e-3, beta1=0.8), "scheduler": schedule, "schedule_counts": "shared"}
    networks = {"generator": MLP(2, 2, output="sigmoid"), "discriminator": MLP(2, 1), "prior": Uniform(2)}
    return {**networks, "data_scale": 4.180112, **training, **settings}


def gaan(**settings: Any) -> GAAN:
    """Of Table 2."""
    weights = {"lambda_r": 0.1, "lambda_p": 0.1, "lambda_w": 1.0, "phi": None, "discriminator_steps": 5}
    return GAAN(MLP(2, 2), **points(**weights, **settings))


def gan(**settings: Any) -> GAN:
    """Of the same table."""
    return GAN(**points(simultaneous=False, **settings))


def dcgan(**settings: Any) -> GAN:
    """28 pixels, 64 channels, batch norm."""
    training = {"optimizer": partial(Adam, lr=1e-3, beta1=0.8), "simultaneous": False}
    return GAN(ConvGenerator(latent_dim=100), ConvNet(), Uniform(100), **training, **settings)


def made_images(folder: Path) -> Images:
    """512 grey images of 28x28 in an .npz."""
    file = folder / "made.npz"
    if not file.exists():
        np.savez(file, images=np.random.default_rng(0).integers(0, 256, (512, 28, 28), dtype=np.uint8))
    return Images(str(file), root=str(folder), batch_size=64)


CASES = [
    Case("fit: GAAN, grid25", 1.08, gaan, lambda folder: Images("grid25"), raw_gaan, warmup=50, steps=150),
    Case("fit: GAAN, grid25, compiled", 0.60, partial(gaan, compile=True), lambda folder: Images("grid25"), raw_gaan, 50, 150),
    Case("fit: GAN, grid25", 1.12, gan, lambda folder: Images("grid25"), raw_gan, warmup=50, steps=400),
    Case("fit: GAN, grid25, compiled", 0.65, partial(gan, compile=True), lambda folder: Images("grid25"), raw_gan, 50, 400),
    Case("fit: DCGAN, 28x28", 1.00, dcgan, made_images, raw_gan, warmup=3, steps=20),
    Case("fit: DCGAN, 28x28, compiled", 1.00, partial(dcgan, compile=True), made_images, raw_gan, warmup=3, steps=20),
]


def ours(case: Case, folder: Path) -> tuple[float, float]:
    """Milliseconds a step under ``Trainer.fit``, of the wall and of the processor."""
    seed_everything(0, verbose=False)
    clock = Clock(case.warmup, case.warmup + case.steps)
    trainer = Trainer(
        accelerator="cpu",
        devices=1,
        max_steps=clock.last,
        logger=CSVLogger(folder, name="ours"),
        callbacks=[clock],
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    trainer.fit(case.game(), datamodule=case.data(folder))
    return clock.ms_per_step()


def raw(case: Case, folder: Path) -> tuple[float, float]:
    """The same of the hand-written loop, which would not import Lightning and its setting, dear to torch's Adam."""
    seed_everything(0, verbose=False)
    setting = os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)
    try:
        return _raw(case, folder)
    finally:
        if setting is not None:
            os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = setting


def _raw(case: Case, folder: Path) -> tuple[float, float]:
    game = case.game()
    data = RawData(case.data(folder), game)
    step = case.raw_step(game, data, RawNoise(game.prior.dim))
    clock = Clock(case.warmup, case.warmup + case.steps)
    for number, x in enumerate(data, 1):
        step(x)
        clock.tick(number)
        if number == clock.last:
            break
    return clock.ms_per_step()


def measure(case: Case, repeats: int) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """(raw, ours) of each repeat; which of them goes first alternates."""
    torch.set_num_threads(1)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    pairs = []
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for repeat in range(repeats):
            if repeat % 2:
                ours_ms = ours(case, Path(folder))
                pairs.append((raw(case, Path(folder)), ours_ms))
            else:
                pairs.append((raw(case, Path(folder)), ours(case, Path(folder))))
    return pairs
