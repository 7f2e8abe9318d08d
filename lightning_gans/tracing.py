"""An update as a graph of tensor operations, with all that it reads and changes as inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from types import NoneType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode
from torch.utils import _pytree as pytree

from lightning_gans.functional import at_parameters, names_of
from lightning_gans.optimizers import AdamStep, moments
from lightning_gans.players import clip_gradients
from lightning_gans.updates import LossFunction, evaluate, gradients_of

if TYPE_CHECKING:
    from lightning_gans.compiled import Compiler
    from lightning_gans.game import Game


class Untraceable(Exception):
    """Why an update cannot be traced."""


@dataclass
class State:
    """All that an update may read or change besides its inputs, as tensors that share memory with the game's own.

    Attributes:
        tensors: by kind and name: the loss's ``scale``, ``parameters`` of the players who may move, all ``others`` and buffers,
            the ``names`` of every player's parameters, and of every player with Adam the moments (``first``, ``second``), the
            ``count`` of its steps and its ``rates``.
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
            "names": {name: names_of(game, parameters) for name, parameters in players.parameters.items()},
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


class Trace:
    """Traces one update.

    Attributes:
        terms: the names of the terms beside each player's loss.
        given: which parameters of each player have a gradient.
        stepped: the players who move in it.
        settings: plain attributes of the game that were read, which are constants in the graph.
    """

    def __init__(self, compiler: Compiler, player: str | None, loss: LossFunction) -> None:
        self.compiler, self.player, self.loss = compiler, player, loss
        self.terms: dict[str, tuple[str, ...]] = {}
        self.given: dict[str, list[bool]] = {}
        self.stepped: list[str] = []
        self.settings: dict[str, Any] = {}

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

        game = self.compiler.game
        with game.being_traced() as traced, reading(game) as self.settings:
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
        players, game = self.compiler.players, self.compiler.game
        trainable = {name for name, parameter in game.named_parameters() if parameter.requires_grad}
        leaves = {name: tensor.detach().requires_grad_(name in trainable) for name, tensor in state["parameters"].items()}
        losses = at_parameters(game, leaves | state["others"], evaluate, self.player, self.loss, inputs, players.parameters)
        values: list[Tensor] = []
        gradients: dict[str, dict[str, Tensor | None]] = {}
        for name, (value, terms) in losses.items():
            own = state["names"][name]
            scaled = value if state["scale"] is None else value * state["scale"]
            found = gradients_of(scaled, [leaves[each] for each in own], retain_graph=True)
            gradients[name] = dict(zip(own, found, strict=True))
            values += [value, *terms.values()]
            self.terms[name], self.given[name] = tuple(terms), [each is not None for each in found]
        if not steps_inside:
            return [*values, *(each for own in gradients.values() for each in own.values() if each is not None)]
        self.stepped = list(losses)
        with torch.no_grad():
            for player, of_player in gradients.items():
                given = [each for each in of_player.values() if each is not None]
                clip_gradients(given, game.gradient_clip_val, game.gradient_clip_algorithm)
                self._step(player, of_player, state)
        return values

    def _step(self, player: str, gradients: Mapping[str, Tensor | None], state: dict[str, Any]) -> None:
        """Adam in place."""
        adam, number = AdamStep.of(self.compiler.players.optimizers[player]), state["count"][player] + 1
        assert adam is not None
        for (name, gradient), first, second in zip(
            gradients.items(), state["first"][player], state["second"][player], strict=True
        ):
            if gradient is not None:
                parameter = state["parameters"][name]
                now = parameter, first, second
                after = adam(parameter, gradient, first, second, number, state["rates"][player])
                for old, new in zip(now, after, strict=True):
                    old.copy_(new)


@contextmanager
def reading(game: Game) -> Iterator[dict[str, Any]]:
    """Fills with the public plain attributes of a game that are read within the block."""
    paper, read = type(game), dict[str, Any]()

    def noting(self: Game, name: str) -> Any:
        value = paper.__getattribute__(self, name)
        if name not in read and not name.startswith("_") and _is_plain(value):
            read[name] = deepcopy(value)
        return value

    # A name of within a function: a parser that looks for a class of the paper's name passes it over for as long as it lives
    name = f"{reading.__name__}.<locals>.{paper.__name__}"
    members = {"__getattribute__": noting, "__module__": paper.__module__, "__qualname__": name}
    object.__setattr__(game, "__class__", type(paper.__name__, (paper,), members))
    try:
        yield read
    finally:
        object.__setattr__(game, "__class__", paper)


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    return isinstance(value, bool | int | float | str | NoneType)


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
