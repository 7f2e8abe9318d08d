"""Several outputs of one trunk, as InfoGAN's D and Q have them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from lightning_gans.errors import InputError
from lightning_gans.networks.layers import Tapped, check_sizes


class Heads(Tapped):
    """Named networks, all of which take the output of one trunk; ``forward`` gives the output of the first.

    InfoGAN's Q shares the trunk of D (Chen et al. 2016, section 6): heads ``real``, ``digit`` and ``style``. The trunk and each
    head are networks of their own, so that a player can own either: ``[net.trunk, net.branches["real"]]``. A head can be of
    this class itself, where some heads share further layers; its outputs are then named ``codes.digit``.

    Args:
        trunk: takes the input; may take several, as a network of pairs does, or be ``Conditioned``.
        heads: by name, each takes the trunk's output; the first is what the network is asked for as a plain one.

    Attributes:
        stages: the trunk's by their names, then the heads by theirs.
    """

    def __init__(self, trunk: nn.Module, heads: dict[str, nn.Module]) -> None:
        super().__init__()
        if not heads:
            raise InputError("a network of heads needs at least one; set its heads")
        if wrong := [name for name in heads if "." in name]:
            raise InputError(f"a head is named {wrong[0]!r}; set a name without a dot")
        self.trunk = trunk
        if same := set(heads) & set(getattr(trunk, "stages", {})):
            raise InputError(f"a head and a stage of the trunk are both named {sorted(same)[0]!r}; rename the head")
        self.branches = nn.ModuleDict(heads)
        self._first = next(iter(heads))

    @property
    def stages(self) -> Any:
        return {**getattr(self.trunk, "stages", {}), **self.branches}

    @property
    def names(self) -> list[str]:
        """Of all outputs, in the order of ``heads``."""
        inner = {name: head.names if isinstance(head, Heads) else [] for name, head in self.branches.items()}
        return [each for name, below in inner.items() for each in ([f"{name}.{one}" for one in below] or [name])]

    @property
    def squash(self) -> Any:
        return getattr(self.branches[self._first], "squash", nn.Identity())

    @property
    def output_range(self) -> tuple[float, float] | None:
        return getattr(self.branches[self._first], "output_range", None)

    def forward(self, *inputs: Any) -> Tensor:
        """The output of the first head."""
        return self.branches[self._first](self.trunk(*inputs))

    def logits(self, *inputs: Any) -> Tensor:
        """The output of the first head, before its output activation."""
        first = self.branches[self._first]
        return getattr(first, "logits", first)(self.trunk(*inputs))

    def heads(self, *inputs: Any) -> dict[str, Tensor]:
        """The outputs of all heads, by name, from one pass through the trunk."""
        shared = self.trunk(*inputs)
        outputs: dict[str, Tensor] = {}
        for name, head in self.branches.items():
            if isinstance(head, Heads):
                outputs |= {f"{name}.{inner}": output for inner, output in head.heads(shared).items()}
            else:
                outputs[name] = head(shared)
        return outputs

    def walk(self, *inputs: Any) -> Iterator[tuple[str, Tensor]]:
        """The trunk's stages, then each head, all from one pass through the trunk."""
        if isinstance(self.trunk, Tapped):
            shared: Tensor = inputs[0]
            for name, shared in self.trunk.walk(*inputs):
                yield name, shared
            shared = cast(Tensor, self.trunk.squash(shared))
        else:
            shared = self.trunk(*inputs)
        for name, head in self.branches.items():
            yield name, head(shared)

    def features(self, x: Tensor, layers: Sequence[str], *others: Any) -> list[Tensor]:
        """As ``Tapped.features``; ``last`` is the trunk's last stage, which all heads take."""
        last = list(getattr(self.trunk, "stages", {}))[-1:]
        return super().features(x, [last[0] if layer == "last" and last else layer for layer in layers], *others)


class Apart(nn.Module):
    """Several networks, each of which judges a part of the input alone, as an AAE's D_y and D_z do.

    Args:
        networks: of each part, in the order of their numbers, to logits ``(N, 1)``.
        widths: numbers of each part.

    Raises:
        InputError: there are more networks than parts, or fewer; in calls: the input is wider or narrower than all parts.
    """

    def __init__(self, networks: list[nn.Module], widths: list[int]) -> None:
        super().__init__()
        check_sizes(self, widths=widths)
        if not networks or len(networks) != len(widths):
            raise InputError(
                f"there are {len(networks)} networks for {len(widths)} parts; give one network and one width a part"
            )
        self.networks, self.widths = nn.ModuleList(networks), list(widths)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, sum of widths)`` to the logits of all, side by side ``(N, networks)``."""
        if x.shape[1] != sum(self.widths):
            raise InputError(f"parts of {self.widths} numbers are judged, but there are {x.shape[1]}; set widths")
        parts = x.split(self.widths, 1)
        return torch.cat([network(part) for network, part in zip(self.networks, parts, strict=True)], 1)
