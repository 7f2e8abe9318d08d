"""Any network, given a condition besides its input."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor, nn

from lightning_gans.errors import InputError
from lightning_gans.networks.around import Around
from lightning_gans.networks.conditions import Condition, Conditions, NamedConditions, join
from lightning_gans.networks.layers import Network
from lightning_gans.networks.pairs import PairNetwork
from lightning_gans.networks.table import LayerTable


class Conditioned(Around):
    """A network with a condition: ``forward(x, condition)``, or ``forward(x, z, condition)`` where the network is one of pairs.

    The condition's numbers are concatenated to flat inputs, and to images as maps that are the same at every pixel (Mirza and
    Osindero 2014; Reed et al. 2016), so the network's own input is as much wider: ``ConvNet((1 + 10, 28, 28))`` for ten
    classes. In a network of pairs they join x and z at the entrance of its joint part (ALI, Dumoulin et al. 2017, section 4.4).

    Args:
        network: takes x and the condition side by side.
        condition: what makes numbers of the condition; several by name for a condition that is a dict of tensors.
        at: names of the network's stages at whose entrances the condition joins; none for the input, or for the rows of a
            ``LayerTable`` that have a ``condition``.

    Raises:
        InputError: the network has no such stage, or has other room for the condition; in calls: there is no condition, or it
            is of another kind or width.
    """

    def __init__(self, network: nn.Module, condition: Condition | dict[str, Condition], at: list[str] | None = None) -> None:
        super().__init__()
        self.network = network
        self.condition = NamedConditions(condition) if isinstance(condition, dict) else condition
        self.at = list(at or getattr(network, "condition_widths", []))
        self._inputs = 2 if isinstance(network, PairNetwork) else 1
        self._check_places()

    def forward(self, *inputs: Any, condition: Conditions | None = None) -> Tensor:
        given = inputs if condition is None else (*inputs, condition)
        return super().forward(*given) if self.at else self.network(*self._joined(given))

    def logits(self, *inputs: Any) -> Tensor:
        """What ``forward`` returns, before the output activation."""
        if self.at:
            return super().logits(*inputs)
        if not callable(logits := getattr(self.network, "logits", None)):
            raise InputError(f"{type(self.network).__name__} has no logits; give Conditioned a network that has them")
        return logits(*self._joined(inputs))

    def walk(self, *inputs: Any) -> Iterator[tuple[str, Tensor]]:
        if not self.at:
            yield from self.network.walk(*self._joined(inputs))
            return
        x, numbers = self._numbers(inputs)
        for name, stage in self.stages.items():
            x = stage(join(x, numbers) if name in self.at else x)
            yield name, x

    def features(self, x: Tensor, layers: Sequence[str], *others: Any) -> list[Tensor]:
        """The outputs of the network's named stages, see ``Tapped.features``; ``others`` are (z and) the condition.

        In a network of pairs, stages of x come without the others, too.
        """
        if self.at:
            return super().features(x, layers, *others)
        if self._inputs == 2 and not others:
            return self.network.features(x, layers)
        first, *rest = self._joined((x, *others))
        return self.network.features(first, layers, *rest)

    def check_condition(self, condition: Conditions) -> None:
        """Refuse a condition whose kind, shape or values do not fit; waits for the device, so not for a training step."""
        self.condition.check(condition)

    def example_condition(self, n: int) -> Conditions:
        """A valid condition of ``n`` samples, on the CPU."""
        return self.condition.example(n)

    def _numbers(self, inputs: Sequence[Any]) -> tuple[Any, ...]:
        """The inputs, the condition being ``(N, width)`` numbers now."""
        if len(inputs) != self._inputs + 1 or inputs[-1] is None:
            wanted = "x, z and a condition" if self._inputs == 2 else "x and a condition"
            raise InputError(
                f"a Conditioned {type(self.network).__name__} takes {wanted}; the data must have labels or attributes"
            )
        return *inputs[:-1], self.condition(inputs[-1])

    def _joined(self, inputs: Sequence[Any]) -> tuple[Any, ...]:
        """What the network takes."""
        given = self._numbers(inputs)
        return given if self._inputs == 2 else (join(*given),)

    def _check_places(self) -> None:
        network, width = self.network, self.condition.width
        own_walk = isinstance(network, Network) and type(network).walk is Network.walk
        if self.at and not own_walk:
            raise InputError(f"{type(network).__name__} has no plain row of stages to join a condition to; leave at empty")
        if unknown := set(self.at) - set(self.stages):
            raise InputError(f"there is no stage {sorted(unknown)} to join a condition to; the network has {list(self.stages)}")
        room = getattr(network, "condition_widths", None)
        if room is not None and room != dict.fromkeys(self.at, width):
            raise InputError(
                f"the condition has {width} numbers at {self.at}, but the table has room for {room}; set condition"
            )


class Reinjected(Around):
    """A table of layers whose own input joins again at the rows that have a ``condition``, as z does in BiGAN's generator.

    Args:
        network: from a flat input; rows with a ``condition`` must have it as wide as that.

    Raises:
        InputError: the table has no such row, or one of another width.
    """

    def __init__(self, network: LayerTable) -> None:
        super().__init__()
        widths = set(network.condition_widths.values())
        if widths != {math.prod(network.input_shape)}:
            raise InputError(
                f"the input of {math.prod(network.input_shape)} numbers joins again where a row has a condition of that width, "
                f"but the rows have {sorted(widths) or 'none'}; set condition"
            )
        self.network = network

    def walk(self, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        again = x
        for name, stage in self.stages.items():
            x = stage(join(x, again) if name in self.network.condition_widths else x)
            yield name, x
