"""Eight seeds of the MLP GAN on points at once beside eight steps one after the other, as raw loops on both sides.

A step is GAN's on the 25-Gaussian grid: both losses at the same parameters, both backwards, both updates by fused Adam. At once
means that parameters carry the seed in front: as batched matrix products, or as torch.func's stacked modules under vmap.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn import functional as F

from lightning_gans import MLP

SEEDS, WARMUP, STEPS = 8, 10, 60


@dataclass(frozen=True)
class Case:
    """One way of stepping all seeds at once, and the batch size of each."""

    name: str
    at_once: Callable[[list[Pair]], Callable[[Tensor, Tensor], None]]
    batch_size: int
    goal: float = 1 / 3  # where it would be worth a second way of training


Pair = tuple[MLP, MLP]


def adam(parameters: list[Tensor]) -> torch.optim.Adam:
    return torch.optim.Adam(parameters, lr=1e-3, betas=(0.8, 0.999), fused=True)


def losses(
    generate: Callable[[Tensor], Tensor], judge: Callable[[Tensor], Tensor], x: Tensor, z: Tensor
) -> tuple[Tensor, Tensor]:
    """Of discriminator and generator, summed over seeds, which leaves each seed its own gradient; x and z are (seeds, N, 2)."""
    fake = generate(z)
    of_discriminator = F.softplus(-judge(x)).mean((-2, -1)) + F.softplus(judge(fake.detach())).mean((-2, -1))
    return 0.5 * of_discriminator.sum(), F.softplus(-judge(fake)).mean((-2, -1)).sum()


def step(
    players: tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]],
    parameters: tuple[list[Tensor], list[Tensor]],
    optimizers: tuple[torch.optim.Adam, torch.optim.Adam],
    batch: tuple[Tensor, Tensor],
) -> None:
    """Move both players at the same parameters."""
    of_discriminator, of_generator = losses(*players, *batch)
    gradients = (
        torch.autograd.grad(of_generator, parameters[0]),
        torch.autograd.grad(of_discriminator, parameters[1]),
    )
    for optimizer, mine, found in zip(optimizers, parameters, gradients, strict=True):
        for parameter, gradient in zip(mine, found, strict=True):
            parameter.grad = gradient.contiguous()  # fused Adam on a CPU takes other strides for the parameter's
        optimizer.step()


def one_by_one(pairs: list[Pair]) -> Callable[[Tensor, Tensor], None]:
    parameters = [(list(generator.parameters()), list(critic.parameters())) for generator, critic in pairs]
    optimizers = [(adam(of_generator), adam(of_critic)) for of_generator, of_critic in parameters]

    def run(x: Tensor, z: Tensor) -> None:
        for number, pair in enumerate(pairs):
            step(pair, parameters[number], optimizers[number], (x[number], z[number]))

    return run


def stacked(pairs: list[Pair]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The parameters of generators and of discriminators with the seed in front."""
    return stack_module_state([pair[0] for pair in pairs])[0], stack_module_state([pair[1] for pair in pairs])[0]


def _inputs_first(value: Tensor) -> Tensor:
    return value.detach().mT.contiguous().requires_grad_() if value.ndim == 3 else value


def by_bmm(pairs: list[Pair]) -> Callable[[Tensor, Tensor], None]:
    parameters = tuple([_inputs_first(value) for value in values.values()] for values in stacked(pairs))

    def forward(values: list[Tensor], sigmoid: bool) -> Callable[[Tensor], Tensor]:
        def call(x: Tensor) -> Tensor:
            for weight, bias in zip(values[:-2:2], values[1:-2:2], strict=True):
                x = torch.baddbmm(bias[:, None], x, weight).relu()
            x = torch.baddbmm(values[-1][:, None], x, values[-2])
            return x.sigmoid() if sigmoid else x

        return call

    players = forward(parameters[0], True), forward(parameters[1], False)
    optimizers = adam(parameters[0]), adam(parameters[1])
    return lambda x, z: step(players, parameters, optimizers, (x, z))  # type: ignore[arg-type]


def by_vmap(pairs: list[Pair]) -> Callable[[Tensor, Tensor], None]:
    states = stacked(pairs)
    parameters = tuple(list(values.values()) for values in states)

    def forward(module: nn.Module, values: dict[str, Tensor]) -> Callable[[Tensor], Tensor]:
        bare = deepcopy(module).to("meta")
        return lambda x: vmap(lambda own, rows: functional_call(bare, own, (rows,)))(values, x)

    players = forward(pairs[0][0], states[0]), forward(pairs[0][1], states[1])
    optimizers = adam(parameters[0]), adam(parameters[1])
    return lambda x, z: step(players, parameters, optimizers, (x, z))  # type: ignore[arg-type]


CASES = [
    Case("8 seeds at once, bmm, batch 128", by_bmm, 128),
    Case("8 seeds at once, vmap, batch 128", by_vmap, 128),
    Case("8 seeds at once, bmm, batch 16", by_bmm, 16),
]


def measure(case: Case, repeats: int) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """(one by one, at once) of each repeat: milliseconds a step of all seeds, of the wall and of the processor."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    pairs = [(MLP(2, 2, output="sigmoid"), MLP(2, 1)) for _ in range(SEEDS)]
    x, z = torch.rand(SEEDS, case.batch_size, 2), torch.rand(SEEDS, case.batch_size, 2)
    once, one = case.at_once(pairs), one_by_one(pairs)  # stacking copies
    return [(_time(one, x, z), _time(once, x, z)) for _ in range(repeats)]


def _time(run: Callable[[Tensor, Tensor], None], x: Tensor, z: Tensor) -> tuple[float, float]:
    for _ in range(WARMUP):
        run(x, z)
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(STEPS):
        run(x, z)
    return 1000 * (time.perf_counter() - wall) / STEPS, 1000 * (time.process_time() - processor) / STEPS
