"""Updates as compiled functions: forward, double backward where there is one, gradients, clipping and Adam in one.

An update is traced with ``make_fx`` and compiled by inductor. ``torch.compile`` of the loss would stop at the gradient inside a
penalty, and would leave the optimiser, which takes a third of a small game's time, as it is.
"""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch import Tensor, fx
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode
from torch.utils import _pytree as pytree

from lightning_gans.errors import InputError
from lightning_gans.functional import at_parameters
from lightning_gans.optimizers import AdamStep, moments
from lightning_gans.players import ClipAlgorithm, Players, clip_gradients
from lightning_gans.strategy import world_size
from lightning_gans.updates import Gradients, Losses, evaluate, name_of

if TYPE_CHECKING:
    from lightning_gans.game import Game


class Untraceable(Exception):
    """Why an update cannot be traced."""


def require_compiler(device: torch.device) -> None:
    """Refuse to compile where there is nothing to compile with.

    Raises:
        InputError: there is no C++ compiler.
    """
    wanted = [os.environ["CXX"]] if os.environ.get("CXX") else ["g++", "clang++", "c++"]
    if device.type == "cpu" and not any(map(shutil.which, wanted)):
        raise InputError(
            f"model.compile needs a C++ compiler, and there is no {' or '.join(wanted)} on the PATH; "
            "install one, or set model.compile to false"
        )


@dataclass(eq=False)
class _Update:
    """What is known of one loss of one player.

    Attributes:
        shapes: of the inputs that it is compiled for, those of its second step; others run eagerly.
        function: compiled; ``None`` before the second step and where it cannot be traced.
        steps: taken eagerly so far.
    """

    shapes: Any
    function: Compiled | None = None
    steps: int = 0


class Compiler:
    """Gives the compiled form of a game's updates, each from its third step on.

    The first step is eager, for it makes the optimiser's moments; the second is traced.

    Args:
        game: whose networks they are.
        players: who owns which parameters, with which optimiser.
        clip: bound on the gradient of each step and what it bounds.
        scaler: of the loss, for 16 bits.
        steps_inside: whether Adam may be compiled in: not where somebody wants to see gradients before a step.
    """

    def __init__(
        self,
        game: Game,
        players: Players,
        clip: tuple[float | None, ClipAlgorithm],
        scaler: torch.amp.GradScaler | None,
        steps_inside: bool,
    ) -> None:
        self.game, self.players, self.clip, self.scaler = game, players, clip, scaler
        self.steps_inside = steps_inside and scaler is None and world_size() == 1
        self.eager: dict[str, str] = {}
        self._updates: dict[Any, _Update] = {}

    def find(self, player: str | None, loss: Callable[..., Any], inputs: Sequence[Any]) -> Compiled | None:
        """The compiled form of an update, ``None`` where it is to run eagerly."""
        leaves, structure = _flatten(inputs)
        shapes = tuple((leaf.shape, leaf.dtype) if isinstance(leaf, Tensor) else None for leaf in leaves)
        constants = tuple(leaf for leaf in leaves if not isinstance(leaf, Tensor))
        try:
            update = self._updates.setdefault((player, _identity(loss), constants, structure), _Update(shapes))
        except TypeError:  # not hashable
            self._say(player, loss, "is given what is neither a tensor nor a plain value")
            return None
        if update.shapes != shapes:
            return None
        if update.steps == 1:
            update.function = self._compile(player, loss, inputs)
        update.steps += 1
        return update.function

    def forget(self) -> None:
        """Trace anew: a setting of the game that was a constant to the traces is another now."""
        self._updates.clear()

    def _compile(self, player: str | None, loss: Callable[..., Any], inputs: Sequence[Any]) -> Compiled | None:
        try:
            if _identity(loss) is None:
                raise Untraceable("is no method of the game and no plain function")
            return Compiled(self, player, loss, inputs)
        except Untraceable as error:
            self._say(player, loss, str(error))
        return None

    def _say(self, player: str | None, loss: Callable[..., Any], why: str) -> None:
        name = name_of(loss)
        if name not in self.eager:
            self.eager[name] = why
            rank_zero_warn(f"{name} runs eagerly, for it {why}")


class Compiled:
    """One update for inputs of certain shapes.

    Args:
        compiler: knows the game and its players.
        player: whose update it is, ``None`` for those that the loss names.
        loss: of the inputs.
        inputs: tensors and plain values; the latter are constants.

    Raises:
        Untraceable: it depends on the value of a tensor, or draws random numbers.
    """

    def __init__(self, compiler: Compiler, player: str | None, loss: Callable[..., Any], inputs: Sequence[Any]) -> None:
        self.device, self.scaler = compiler.game.device, compiler.scaler
        optimizers = compiler.players.optimizers
        state = State.of(compiler, player)
        trace = _Trace(compiler, player, loss)
        graph, kept = trace(state, inputs)
        tensors = [leaf for leaf in pytree.tree_leaves(state.tensors) if isinstance(leaf, Tensor)]
        self._state = [tensor for tensor, is_kept in zip(tensors, kept, strict=False) if is_kept]
        self._kept_inputs = kept[len(tensors) :]
        self._terms, self._given = trace.terms, trace.given
        used = {id(tensor) for tensor in self._state}
        self._rates = [(rate, optimizers[name]) for name, rate in state.tensors["rates"].items() if id(rate) in used]
        self._counts = [state.counts[name] for name in trace.stepped]
        self._steps_inside = state.steps_inside
        with self._outside_autocast():
            self._run = build(graph, [*self._state, *self._inputs(inputs)])

    def __call__(self, inputs: Sequence[Any]) -> tuple[Losses, Gradients | None]:
        """The losses with their terms, and the gradients, ``None`` where they have been stepped with already."""
        for counts in self._counts:
            torch._foreach_add_(counts, 1)
        for rate, optimizer in self._rates:
            rate.fill_(optimizer.param_groups[0]["lr"])
        if self.scaler is not None:
            self._state[0].copy_(self.scaler.scale(torch.ones_like(self._state[0])))
        with self._outside_autocast():
            values = iter(self._run(*self._state, *self._inputs(inputs)))
        losses: Losses = {name: (next(values), {term: next(values) for term in terms}) for name, terms in self._terms.items()}
        if self._steps_inside:
            return losses, None
        return losses, {name: [next(values) if is_given else None for is_given in given] for name, given in self._given.items()}

    @contextmanager
    def _outside_autocast(self) -> Iterator[None]:
        """What is cast has been traced as such."""
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            yield

    def _inputs(self, inputs: Sequence[Any]) -> Iterator[Tensor]:
        tensors = (leaf for leaf in _flatten(inputs)[0] if isinstance(leaf, Tensor))
        return (tensor for tensor, is_kept in zip(tensors, self._kept_inputs, strict=True) if is_kept)


def build(graph: fx.GraphModule, inputs: list[Tensor]) -> Callable[..., Sequence[Tensor]]:
    """Machine code for a graph, out of inductor's cache on disk where it has been compiled before."""
    return cast(Any, torch._inductor).compile(graph, inputs)


@dataclass
class State:
    """All that an update may read or change besides its inputs, as tensors that share memory with the game's own.

    Attributes:
        tensors: by kind and name: the loss's ``scale``, ``parameters`` of the players who may move, all ``others`` and buffers,
            and of every player with Adam the moments (``first``, ``second``), the ``count`` of its steps and its ``rates``.
        counts: the counts of steps that each optimiser keeps, one a parameter.
        steps_inside: whether all who may move have such an Adam, whose step is then compiled in.
    """

    tensors: dict[str, Any]
    counts: dict[str, list[Tensor]]
    steps_inside: bool

    @classmethod
    def of(cls, compiler: Compiler, player: str | None) -> State:
        """Of an update of ``player``, or of any."""
        players, game = compiler.players, compiler.game
        moving = {player: players.parameters[player]} if player is not None else players.parameters
        owned = [parameter for parameters in moving.values() for parameter in parameters]
        mine = {id(parameter) for parameter in owned}
        named = dict(game.named_parameters()) | dict(game.named_buffers())
        tensors: dict[str, Any] = {
            "scale": torch.ones((), device=game.device) if compiler.scaler is not None else None,
            "parameters": {name: tensor.detach() for name, tensor in named.items() if id(tensor) in mine},
            "others": {name: tensor.detach() for name, tensor in named.items() if id(tensor) not in mine},
        }
        states = {
            name: kept
            for name, optimizer in players.optimizers.items()
            if AdamStep.of(optimizer) is not None and (kept := moments(optimizer, players.parameters[name])) is not None
        }
        tensors["first"] = {name: first for name, (first, _, _) in states.items()}
        tensors["second"] = {name: second for name, (_, second, _) in states.items()}
        tensors["count"] = {name: counts[0] for name, (_, _, counts) in states.items()}
        tensors["rates"] = {name: torch.zeros((), dtype=torch.float64, device=game.device) for name in states}
        counts = {name: counts for name, (_, _, counts) in states.items()}
        inside = compiler.steps_inside and moving.keys() <= states.keys() and len(mine) == len(owned)
        return cls(tensors, counts, inside)


class _Trace:
    """Traces one update.

    Attributes:
        terms: the names of the terms beside each player's loss.
        given: which parameters of each player have a gradient.
        stepped: the players who move in it.
    """

    def __init__(self, compiler: Compiler, player: str | None, loss: Callable[..., Any]) -> None:
        self.compiler, self.player, self.loss = compiler, player, loss
        self.terms: dict[str, tuple[str, ...]] = {}
        self.given: dict[str, list[bool]] = {}
        self.stepped: list[str] = []

    def __call__(self, state: State, inputs: Sequence[Any]) -> tuple[fx.GraphModule, list[bool]]:
        """The graph, and which of the tensors of state and inputs it takes.

        Raises:
            Untraceable: says why.
        """
        leaves, structure = pytree.tree_flatten((state.tensors, inputs))
        where = [number for number, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]

        def flat(*tensors: Tensor) -> list[Tensor]:
            filled = list(leaves)
            for number, tensor in zip(where, tensors, strict=True):
                filled[number] = tensor
            tracers, of_inputs = pytree.tree_unflatten(filled, structure)
            traced.update(tracers)
            return self._update(tracers, of_inputs, state.steps_inside)

        with self.compiler.game.being_traced() as traced:
            try:
                graph = make_fx(flat, tracing_mode="fake")(*(leaves[number] for number in where))
            except Untraceable:
                raise
            except Exception as error:  # whatever a trace meets that it cannot follow
                raise Untraceable(_reason(error)) from error
            finally:
                torch.clear_autocast_cache()
        return graph, _prune(graph)

    def _update(self, state: dict[str, Any], inputs: Sequence[Any], steps_inside: bool) -> list[Tensor]:
        players, clip = self.compiler.players, self.compiler.clip
        leaves = {name: tensor.detach().requires_grad_() for name, tensor in state["parameters"].items()}
        losses = at_parameters(
            self.compiler.game, leaves | state["others"], evaluate, self.player, self.loss, inputs, players.parameters
        )
        by_id = {id(parameter): name for name, parameter in self.compiler.game.named_parameters()}
        values: list[Tensor] = []
        gradients: dict[str, dict[str, Tensor | None]] = {}
        for name, (value, terms) in losses.items():
            own = [by_id[id(parameter)] for parameter in players.parameters[name]]
            scaled = value if state["scale"] is None else value * state["scale"]
            found = torch.autograd.grad(scaled, [leaves[each] for each in own], retain_graph=True, allow_unused=True)
            gradients[name] = dict(zip(own, found, strict=True))
            values += [value, *terms.values()]
            self.terms[name], self.given[name] = tuple(terms), [each is not None for each in found]
        if not steps_inside:
            return [*values, *(each for own in gradients.values() for each in own.values() if each is not None)]
        self.stepped = list(losses)
        with torch.no_grad():
            for player, of_player in gradients.items():
                clip_gradients([each for each in of_player.values() if each is not None], *clip)
                self._step(player, of_player, state)
        return values

    def _step(self, player: str, gradients: Mapping[str, Tensor | None], state: dict[str, Any]) -> None:
        """Adam in place."""
        adam = AdamStep.of(self.compiler.players.optimizers[player])
        assert adam is not None
        for (name, gradient), first, second in zip(
            gradients.items(), state["first"][player], state["second"][player], strict=True
        ):
            if gradient is not None:
                parameter = state["parameters"][name]
                now = parameter, first, second
                after = adam(parameter, gradient, first, second, state["count"][player], state["rates"][player])
                for old, new in zip(now, after, strict=True):
                    old.copy_(new)


def _prune(graph: fx.GraphModule) -> list[bool]:
    """Which inputs a graph uses; the others are removed.

    Raises:
        Untraceable: it draws random numbers, which would be the same at every step.
    """
    graph.graph.eliminate_dead_code()
    for node in graph.graph.nodes:
        if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
            raise Untraceable("draws random numbers inside (dropout or a noise layer)")
    kept = []
    for node in [node for node in graph.graph.nodes if node.op == "placeholder"]:
        kept.append(bool(node.users))
        if not node.users:
            graph.graph.erase_node(node)
    graph.recompile()
    return kept


def _reason(error: Exception) -> str:
    """What a trace says that cannot follow: the usual case is a branch on a value."""
    if isinstance(error, torch._subclasses.fake_tensor.DataDependentOutputException | GuardOnDataDependentSymNode):
        return "depends on the value of a tensor (a branch, .item() or .tolist())"
    return f"cannot be traced ({' '.join(str(error).split())[:200]})"


def _flatten(inputs: Sequence[Any]) -> tuple[Sequence[Any], Any]:
    """Leaves and structure; a row of tensors, the usual case, is its own leaves."""
    if all(isinstance(each, Tensor) for each in inputs):
        return inputs, len(inputs)
    return pytree.tree_flatten(tuple(inputs))


def _identity(loss: Callable[..., Any]) -> Any:
    """What makes two functions the same update, ``None`` for one that is made anew at every step."""
    if isinstance(loss, functools.partial):
        inner = _identity(loss.func)
        return None if inner is None else (inner, loss.args, tuple(sorted(loss.keywords.items())))
    if (bound := getattr(loss, "__self__", None)) is not None:
        return loss.__func__, id(bound)  # type: ignore[attr-defined]
    return None if getattr(loss, "__closure__", None) else loss
