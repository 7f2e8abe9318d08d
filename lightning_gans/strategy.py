"""Data-parallel training of several players.

torch's DistributedDataParallel arms one reducer for all parameters at each backward, which a game with several optimisers
breaks (unused parameters) or silently escapes (``autograd.grad``). Here the gradients of exactly the stepped optimiser are
averaged inside its step, whatever produced them: half the traffic or less, and right for every way of writing a step.
"""

from __future__ import annotations

import os
import random
import socket
import sys
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import torch
import torch.distributed as dist
from lightning.fabric.plugins.environments import LightningEnvironment
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy, StrategyRegistry
from torch import Tensor
from torch.nn import Module
from torch.optim import Optimizer

from lightning_gans import ranks, way_out
from lightning_gans.errors import InputError, NonFiniteError
from lightning_gans.lightning_internals import launch_by, meet_at


def world_size() -> int:
    """The number of ranks, 1 where nothing is distributed."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def by_first_rank(work: Callable[[], None]) -> None:
    """Have the first rank do something while the others wait. All ranks must call this.

    Raises:
        InputError: on every rank, what the first one refused.
    """
    problem: list[str | None] = [None]
    if world_size() == 1 or dist.get_rank() == 0:
        try:
            work()
        except InputError as error:
            problem = [str(error)]
    if world_size() > 1:
        dist.broadcast_object_list(problem)
    if problem[0] is not None:
        raise InputError(problem[0])


@torch.no_grad()
def average_over_ranks(tensors: Iterable[Tensor | None]) -> None:
    """Replace each tensor by its mean over ranks, in place, with one collective a dtype. ``None`` is passed over.

    Every rank must pass the same shapes in the same order.
    """
    if world_size() == 1:
        return
    groups: dict[torch.dtype, list[Tensor]] = {}
    for tensor in tensors:
        if tensor is not None:
            groups.setdefault(tensor.dtype, []).append(tensor)
    for group in groups.values():
        flat = torch._utils._flatten_dense_tensors(group)
        dist.all_reduce(flat)
        flat.div_(world_size())
        torch._foreach_copy_(group, list(torch._utils._unflatten_dense_tensors(flat, group)))


@torch.no_grad()
def broadcast_from_first_rank(tensors: Iterable[Tensor]) -> None:
    """Give every rank the first rank's values, in place."""
    if world_size() > 1:
        for tensor in tensors:
            dist.broadcast(tensor.data, 0)


@torch.no_grad()
def check_ranks_agree(parameters: Iterable[Tensor]) -> None:
    """Raise on every rank if the parameters differ between ranks, by a checksum of two numbers.

    Raises:
        RuntimeError: they differ; averaging has been bypassed somewhere.
    """
    if world_size() == 1:
        return
    parameters = list(parameters)
    sums = torch.stack([torch.stack([p.double().sum(), p.double().square().sum()]) for p in parameters]).sum(0)
    extremes = torch.cat([sums, -sums])
    dist.all_reduce(extremes, dist.ReduceOp.MAX)
    spread = extremes[:2] + extremes[2:]
    if bool((spread != 0).logical_and(~spread.isnan()).any()):  # what is not finite is noticed by its loss
        raise RuntimeError(
            f"the ranks have drifted apart: a checksum of the parameters differs by {float(spread.abs().max()):.3g}; "
            "step every optimiser through minimize() or minimize_together(), on every rank alike"
        )


def free_port() -> int:
    """A port for the ranks to meet at, below those that the system lends to connections.

    Lightning takes one of the lent ones, seconds before it is listened at: time enough to be lent to somebody else.
    """
    try:
        lent = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        lent = 32768
    for port in random.SystemRandom().sample(range(10_000, max(lent, 20_000)), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("", port))
            return port
    raise RuntimeError("no port is free for the ranks to meet at; set MASTER_PORT")


class GameStrategy(DDPStrategy):
    """One process a device; averages the gradients of the stepped player over all of them.

    Registered as ``gan_ddp`` (processes started by re-running the command) and ``gan_ddp_spawn``. What is passed over: which
    gradients are ``None`` must be the same on every rank.
    """

    def __init__(self, timeout: timedelta = timedelta(minutes=10), **kwargs: Any) -> None:
        super().__init__(timeout=timeout, **kwargs)

    def _configure_launcher(self) -> None:
        if type(self.cluster_environment) is LightningEnvironment and "MASTER_PORT" not in os.environ:
            meet_at(self.cluster_environment, free_port())
        super()._configure_launcher()
        launch_by(self, ranks.Launcher)

    def configure_ddp(self) -> None:
        """Leave the module unwrapped: no reducer to satisfy."""

    def setup(self, trainer: Trainer) -> None:
        super().setup(trainer)
        module = self.lightning_module
        assert module is not None
        broadcast_from_first_rank([*module.parameters(), *module.buffers()])

    def optimizer_step(
        self,
        optimizer: Optimizer,
        closure: Callable[[], Any],
        model: LightningModule | Module | None = None,
        **kwargs: Any,
    ) -> Any:
        """Average, then unscale, clip and step: so that every rank finds the same overflow and the same norm."""

        def averaged() -> Any:
            result = closure()
            average_over_ranks(p.grad for group in optimizer.param_groups for p in group["params"])
            return result

        return super().optimizer_step(optimizer, averaged, model, **kwargs)

    def on_exception(self, exception: BaseException) -> None:
        """Take the other ranks down when one fails: they would wait in their next collective until it times out."""
        super().on_exception(exception)
        ends_all = isinstance(exception, InputError | NonFiniteError | KeyboardInterrupt | SystemExit)
        if self._start_method != "popen" or isinstance(exception, SystemExit):
            return
        if self.global_rank == 0:
            if not ends_all:
                ranks.failure_elsewhere()  # it may be the echo of another's, who is to be heard
            ranks.end_others()
        elif not ends_all:
            if way_out.is_open():
                ranks.leave_word(way_out.describe(cast(Exception, exception))[1])
            else:
                print(f"rank {self.global_rank} failed; the run stops", file=sys.stderr, flush=True)
                traceback.print_exception(exception)
            os._exit(1)  # a teardown would wait for the others


for _name, _start_method in (("gan_ddp", "popen"), ("gan_ddp_spawn", "spawn")):
    if _name not in StrategyRegistry:
        StrategyRegistry.register(_name, GameStrategy, start_method=_start_method)
