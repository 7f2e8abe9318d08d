"""What operations a step is made of, and what a graph of them would freeze: seen on a processor, without a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode


class Operations(TorchDispatchMode):
    """Writes down every operation with its constants, backward and optimisers included."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, tuple[Any, ...]]] = []
        self.random: list[str] = []
        self.waits: list[str] = []
        self._reads = _Reads(self.waits)

    def __enter__(self) -> Operations:
        self._reads.__enter__()
        return cast(Operations, super().__enter__())

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._reads.__exit__(*error)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        leaves = pytree.tree_leaves((args, kwargs or {}))
        constants = tuple(leaf for leaf in leaves if isinstance(leaf, bool | int | float | str))
        shapes = tuple(tuple(leaf.shape) for leaf in leaves if isinstance(leaf, Tensor))
        self.seen.append((str(func), (*shapes, *constants)))
        if torch.Tag.nondeterministic_seeded in func.tags:
            self.random.append(str(func))
        if func is torch.ops.aten._local_scalar_dense.default:
            self.waits.append(str(func))
        return func(*args, **(kwargs or {}))


class _Reads(TorchFunctionMode):
    """Writes down what takes numbers out of a tensor's memory, which on a processor is no operation."""

    def __init__(self, waits: list[str]) -> None:
        super().__init__()
        self.waits = waits

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (Tensor.tolist, Tensor.numpy):
            self.waits.append(func.__name__)
        return func(*args, **(kwargs or {}))


class CheckedGraph:
    """Stands in for a graph on a processor: replays by running again, and says what a graph would have done otherwise.

    Attributes:
        hazards: sentences, of the first two replays.
    """

    def __init__(self, state: list[Tensor]) -> None:
        self.traces: list[Operations] = []
        self.hazards: list[str] = []

    def capture(self, step: Callable[[], None]) -> None:
        self.step = step

    def replay(self) -> None:
        if len(self.traces) >= 2:
            self.step()
            return
        with Operations() as trace:
            self.step()
        self.traces.append(trace)
        if len(self.traces) == 2:
            self.hazards = _compare(*self.traces)


def _compare(first: Operations, second: Operations) -> list[str]:
    said = [f"a step waits for the device ({len(each.waits)} times)" for each in (first,) if each.waits]
    said += [f"{name} draws random numbers inside" for name in sorted(set(first.random))]
    if len(first.seen) != len(second.seen):
        return [*said, f"two steps differ: {len(first.seen)} operations and {len(second.seen)}"]
    changed = [(a, b) for a, b in zip(first.seen, second.seen, strict=True) if a != b]
    return said + [f"a constant changes from step to step: {a[0]} with {a[1]} and then {b[1]}" for a, b in changed[:3]]
