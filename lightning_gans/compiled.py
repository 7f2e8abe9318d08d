"""Updates as compiled functions: forward, double backward where there is one, gradients, clipping and Adam in one.

An update is traced with ``make_fx`` and compiled by inductor. ``torch.compile`` of the loss would stop at the gradient inside a
penalty, and would leave the optimiser, which takes a third of a small game's time, as it is.
"""

from __future__ import annotations

import functools
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch import Tensor, fx
from torch.utils import _pytree as pytree

from lightning_gans.errors import InputError
from lightning_gans.optimizers import AdamStep
from lightning_gans.players import Players
from lightning_gans.strategy import world_size
from lightning_gans.tracing import State, Trace, Untraceable
from lightning_gans.updates import Gradients, Losses, LossFunction, name_of

if TYPE_CHECKING:
    from lightning_gans.game import Game

# Of one loss, for other plain inputs or other settings of the game: more would be compiled for ever.
_MOST_FORMS = 8


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
    """What is known of one loss of one player, given certain plain values.

    Attributes:
        shapes: of the inputs that it is compiled for, those of its first step; others run eagerly.
        forms: compiled, one for each state of the game's settings that the loss has been met with.
        eager: it cannot be compiled.
    """

    shapes: Any
    forms: list[Compiled] = field(default_factory=list)
    eager: bool = False


class Compiler:
    """Gives the compiled form of a game's updates, each from its second step on; the first makes the optimiser's moments.

    What is a constant to a trace may be another later. Plain settings that a loss has read are looked at before each update, so
    that it is traced anew where one differs; modes, what is frozen and the optimisers' settings once a batch.

    Args:
        game: whose networks they are.
        players: who owns which parameters, with which optimiser.
        scaler: of the loss, for 16 bits.
        steps_inside: whether Adam may be compiled in: not where somebody wants to see gradients before a step.

    Attributes:
        eager: why losses that cannot be compiled run eagerly, by their names.
    """

    def __init__(self, game: Game, players: Players, scaler: torch.amp.GradScaler | None, steps_inside: bool) -> None:
        self.game, self.players, self.scaler = game, players, scaler
        self.steps_inside = steps_inside and scaler is None and world_size() == 1
        self.eager: dict[str, str] = {}
        self._updates: dict[Any, _Update] = {}
        self._kinds: Counter[Any] = Counter()
        self._modules, self._parameters = list(game.modules()), list(game.parameters())
        self._frozen_in: Any = None

    def start_batch(self) -> None:
        """Trace all anew if what every trace holds for constant is another now."""
        now = (
            [module.training for module in self._modules],
            [parameter.requires_grad for parameter in self._parameters],
            [AdamStep.of(optimizer) for optimizer in self.players.optimizers.values()],
        )
        if now != self._frozen_in:
            self._updates.clear()
            self._kinds.clear()
            self._frozen_in = now

    def find(self, player: str | None, loss: LossFunction, inputs: Sequence[Any]) -> Compiled | None:
        """The compiled form of an update, ``None`` where it is to run eagerly."""
        leaves, structure = _flatten(inputs)
        shapes = [_layout(leaf) if isinstance(leaf, Tensor) else None for leaf in leaves]
        constants = tuple(leaf for leaf in leaves if not isinstance(leaf, Tensor))
        kind = player, _identity(loss)
        try:
            update = self._updates.get((kind, constants, structure))
        except TypeError:  # not hashable
            self._say(loss, "is given what is neither a tensor nor a plain value")
            return None
        if update is None:
            self._meet(kind, (kind, constants, structure), loss, shapes)
            return None
        if update.eager or update.shapes != shapes:
            return None
        for form in update.forms:
            if form.holds():
                return form
        if (traced := self._compile(update, player, loss, inputs)) is not None:
            update.forms.append(traced)
        return traced

    def _meet(self, kind: Any, key: Any, loss: LossFunction, shapes: Any) -> None:
        """Note the first step of an update."""
        if kind[1] is None:
            self._say(loss, "is no method of the game and no plain function")
        elif self._kinds[kind] == _MOST_FORMS:
            self._say(loss, "is given other plain values again and again; pass them in as tensors")
        else:
            self._kinds[kind] += 1
            self._updates[key] = _Update(shapes)

    def _compile(self, update: _Update, player: str | None, loss: LossFunction, inputs: Sequence[Any]) -> Compiled | None:
        try:
            if any(isinstance(leaf, Tensor) and leaf.requires_grad for leaf in pytree.tree_leaves(inputs)):
                raise Untraceable("is given a tensor that carries a gradient; compute it inside, or detach it")
            if len(update.forms) == _MOST_FORMS:
                changing = ", ".join(update.forms[-1].changed())
                raise Untraceable(f"reads settings that change again and again ({changing}); pass them in as tensors")
            return Compiled(self, player, loss, inputs)
        except Untraceable as error:
            update.eager = True
            self._say(loss, str(error))
            return None

    def _say(self, loss: LossFunction, why: str) -> None:
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

    def __init__(self, compiler: Compiler, player: str | None, loss: LossFunction, inputs: Sequence[Any]) -> None:
        self.device, self.scaler = compiler.game.device, compiler.scaler
        optimizers = compiler.players.optimizers
        state = State.of(compiler, player)
        trace = Trace(compiler, player, loss)
        graph, kept = trace(state, inputs)
        tensors = [leaf for leaf in pytree.tree_leaves(state.tensors) if isinstance(leaf, Tensor)]
        self._state = [tensor for tensor, is_kept in zip(tensors, kept, strict=False) if is_kept]
        self._kept_inputs = kept[len(tensors) :]
        self._terms, self._given, self.settings = trace.terms, trace.given, trace.settings
        self._game = compiler.game
        used = {id(tensor) for tensor in self._state}
        self._rates = [(rate, optimizers[name]) for name, rate in state.tensors["rates"].items() if id(rate) in used]
        self._counts = [state.counts[name] for name in trace.stepped]
        self._steps_inside = state.steps_inside
        with self._outside_autocast():
            try:
                self._run = build(graph, [*self._state, *self._inputs(inputs)])
            except Exception as error:  # whatever a compiler meets that it does not know
                raise Untraceable(f"cannot be compiled ({' '.join(str(error).split())[:200]})") from error

    def holds(self) -> bool:
        """Whether the game's settings are those of the trace."""
        return all(getattr(self._game, name) == value for name, value in self.settings.items())

    def changed(self) -> list[str]:
        """The settings that are not those of the trace."""
        return [name for name, value in self.settings.items() if getattr(self._game, name) != value]

    def __call__(self, inputs: Sequence[Any]) -> tuple[Losses, Gradients | None]:
        """The losses with their terms, and the gradients, ``None`` where they have been stepped with already."""
        for rate, optimizer in self._rates:
            rate.fill_(optimizer.param_groups[0]["lr"])
        if self.scaler is not None:
            self._state[0].copy_(self.scaler.scale(torch.ones_like(self._state[0])))
        with self._outside_autocast():
            values = iter(self._run(*self._state, *self._inputs(inputs)))
            for counts in self._counts:  # not before: steps that are differentiated through read them, too
                torch._foreach_add_(counts, 1)
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
    return torch._inductor.compile(graph, inputs)  # type: ignore[arg-type]


def _flatten(inputs: Sequence[Any]) -> tuple[Sequence[Any], Any]:
    """Leaves and structure; a row of tensors, the usual case, is its own leaves."""
    if all(isinstance(each, Tensor) for each in inputs):
        return inputs, len(inputs)
    return pytree.tree_flatten(tuple(inputs))


def _layout(tensor: Tensor) -> Any:
    return tensor.shape, tensor.stride(), tensor.dtype


def _identity(loss: LossFunction) -> Any:
    """What makes two functions the same update, ``None`` for one that is made anew at every step."""
    if isinstance(loss, functools.partial):
        inner, given = _identity(loss.func), (loss.args, tuple(sorted(loss.keywords.items())))
        held = any(isinstance(leaf, Tensor) for leaf in pytree.tree_leaves(given))
        return None if inner is None or held else (inner, given)
    if (bound := getattr(loss, "__self__", None)) is not None:
        return loss.__func__, id(bound)  # type: ignore[attr-defined]
    if getattr(loss, "__closure__", None):
        return None
    return getattr(loss, "__code__", loss), getattr(loss, "__defaults__", None)
