"""A whole batch, all updates of all players, as one CUDA graph: a launch instead of thousands.

What a step reads lies in buffers that never move: data, conditions, noise, learning rates. Noise and fresh batches are drawn
outside, by the same keys as ever, and copied in; then the graph runs. The first batches are eager: it is noted what they draw.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch import Tensor
from torch.utils import _pytree as pytree

from lightning_gans.batch import Batch
from lightning_gans.operations import Operations
from lightning_gans.strategy import world_size

if TYPE_CHECKING:
    from lightning_gans.game import Game

Losses = list[dict[str, tuple[Tensor, dict[str, Tensor]]]]

# Batches before the capture: moments exist after the first, and what is left out at the very first step is done at the second.
_EAGER = 2


class Graph(Protocol):
    """Runs once what it is given, and the same again at every ``replay``."""

    def capture(self, step: Callable[[], None]) -> None:
        """Record."""

    def replay(self) -> None:
        """Run what was recorded."""


class CUDAGraph:
    """torch's, recorded on a stream of its own after a warm-up that leaves no trace.

    Args:
        state: all that a step changes; it is put back after the warm-up.
    """

    def __init__(self, state: list[Tensor]) -> None:
        self.graph = torch.cuda.CUDAGraph()
        self.state = state

    def capture(self, step: Callable[[], None]) -> None:
        before = [tensor.clone() for tensor in self.state]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                step()
        torch.cuda.current_stream().wait_stream(stream)
        torch._foreach_copy_(self.state, before)
        with torch.cuda.graph(self.graph):
            step()
        torch._foreach_copy_(self.state, before)  # what was recorded has not run

    def replay(self) -> None:
        self.graph.replay()


@dataclass
class Tape:
    """What one step draws, in order, and the buffers that it is drawn into.

    Attributes:
        draws: samplers and numbers of rows.
        fresh: number of further batches.
        noise: a buffer for each draw.
        batches: buffers for the batch and for each further one.
    """

    draws: list[tuple[Callable[[int, torch.Generator], Tensor], int]] = field(default_factory=list)
    fresh: int = 0
    noise: list[Tensor] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)

    def fill(self, game: Game, batch: Batch) -> None:
        """Draw, and put what is drawn into the buffers; they are made at the first time."""
        noise = [game._draw(sampler, n) for sampler, n in self.draws]
        batches = [batch, *(batch.fresh() for _ in range(self.fresh))]
        if not self.batches:
            self.noise = [tensor.clone() for tensor in noise]
            self.batches = [_map_batch(each, torch.clone) for each in batches]
        else:
            torch._foreach_copy_([*self.noise, *_tensors(self.batches)], [*noise, *_tensors(batches)], non_blocking=True)


class CapturedStep:
    """Takes the steps of a game through a graph.

    Args:
        game: in training.
        make_graph: of the state of a step.
    """

    def __init__(self, game: Game, make_graph: Callable[[list[Tensor]], Graph] = CUDAGraph) -> None:
        self.game, self.make_graph = game, make_graph
        self.tape = Tape()
        self.graph: Graph | None = None
        self.losses: Losses = []
        self.shapes: Any = None
        self.seen = 0
        self.eager = ""
        if why := why_eager(game):
            self._run_eagerly(why)
        else:
            hold_settings(game)

    def __call__(self, batch: Batch) -> None:
        """One step."""
        shapes = [tensor.shape for tensor in _tensors([batch])]
        self.seen += 1
        if self.seen == _EAGER and not self.eager:
            self._record(batch, shapes)
            return
        if self.eager or self.seen < _EAGER or shapes != self.shapes:
            self.game.whole_step(batch)
            return
        self.tape.fill(self.game, batch)
        if self.graph is None:
            self.graph = self.make_graph(_state(self.game))
            self.graph.capture(self.step)
        self.graph.replay()
        for losses in self.losses:
            copies = {name: (loss.clone(), {k: v.clone() for k, v in terms.items()}) for name, (loss, terms) in losses.items()}
            self.game._remember(copies)

    def step(self) -> None:
        """One step on what lies in the buffers."""
        self.losses = []
        first, *others = self.tape.batches
        further, noise = iter(others), iter(self.tape.noise)
        with _replaced(self.game, _draw=lambda *_: next(noise), _remember=self._keep):
            self.game.whole_step(replace(first, draw_again=lambda: next(further)))

    def _keep(self, losses: Any) -> dict[str, Any]:
        self.losses.append(dict(losses))
        return {player: terms for player, (_, terms) in losses.items()}

    def _record(self, batch: Batch, shapes: Any) -> None:
        """One eager step; writes down what is drawn, and whether it waits for the device, which a graph cannot."""
        self.shapes, tape, draw = shapes, self.tape, self.game._draw

        def noted(sampler: Callable[[int, torch.Generator], Tensor], n: int) -> Tensor:
            tape.draws.append((sampler, n))
            return draw(sampler, n)

        def again() -> Batch:
            tape.fresh += 1
            return batch.fresh()

        with _replaced(self.game, _draw=noted), Operations() as trace:
            self.game.whole_step(replace(batch, draw_again=again))
        if trace.waits:
            self._run_eagerly("it reads the value of a tensor, which waits for the device")

    def _run_eagerly(self, why: str) -> None:
        self.eager = why
        rank_zero_warn(f"steps of {type(self.game).__name__} are not captured as a graph: {why}")


def why_eager(game: Game) -> str:
    """Why the steps of a game cannot be captured, empty where they can."""
    updates = game._updates
    if updates.scaler is not None:
        return "its loss is scaled for 16 bits, which branches on an overflow; use bf16-mixed"
    if game.steps_differ:
        return "what a step does depends on its number"
    if world_size() > 1:
        return "gradients are averaged over several ranks"
    if updates.before_step:
        return "a callback asks for gradients before each step"
    for name, optimizer in updates.players.optimizers.items():
        if "capturable" not in optimizer.defaults:
            return f"{type(optimizer).__name__}, the optimizer of the {name}, cannot be captured; use Adam"
    return ""


def hold_settings(game: Game) -> None:
    """Keep learning rates in tensors, where schedules change them in place and a graph sees it."""
    for optimizer in game._updates.players.optimizers.values():
        for group in optimizer.param_groups:
            group["capturable"] = game.device.type == "cuda"
            if not isinstance(group["lr"], Tensor):
                group["lr"] = torch.tensor(float(group["lr"]), device=game.device)


def _state(game: Game) -> list[Tensor]:
    """All that a step changes."""
    optimizers = game._updates.players.optimizers.values()
    moments = [each for optimizer in optimizers for state in optimizer.state.values() for each in state.values()]
    averages = [tensor for each in game.after_step for tensor in each.state()]
    tensors = [*game.parameters(), *game.buffers(), *(each for each in moments if isinstance(each, Tensor)), *averages]
    return [tensor.detach() for tensor in tensors]


@contextmanager
def _replaced(game: Game, **attributes: Any) -> Iterator[None]:
    for name, value in attributes.items():
        object.__setattr__(game, name, value)
    try:
        yield
    finally:
        for name in attributes:
            object.__delattr__(game, name)


def _map_batch(batch: Batch, change: Callable[[Tensor], Tensor]) -> Batch:
    conditions = pytree.tree_map(lambda each: change(each) if isinstance(each, Tensor) else each, batch.conditions)
    labelled = None if batch.labelled is None else _map_batch(batch.labelled, change)
    return Batch(change(batch.images), conditions, None, labelled)


def _tensors(batches: list[Batch]) -> list[Tensor]:
    batches = [*batches, *(each.labelled for each in batches if each.labelled is not None)]
    leaves = pytree.tree_leaves([(each.images, each.conditions) for each in batches])
    return [leaf for leaf in leaves if isinstance(leaf, Tensor)]
