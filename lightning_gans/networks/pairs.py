"""Networks of pairs of a sample and a latent, as ALI and BiGAN judge them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from lightning_gans.errors import InputError
from lightning_gans.networks.conditions import join
from lightning_gans.networks.layers import Tapped


class PairNetwork(Tapped):
    """A part for x, a part for z, and a joint part on what both make: ``forward(x, z, condition=None)``.

    Outputs of the parts are joined along their channels; numbers meet maps as maps that are the same at every pixel. ALI's
    parts end in one pixel and its joint part is made of 1x1 convolutions (Dumoulin et al. 2017, Tables 3 to 6). In BiGAN's
    networks of dense layers x has a part of one hidden layer and z none (Donahue et al. 2017; their code).

    Args:
        joint: takes the parts' outputs side by side, x's first.
        x: the part of samples; none flattens them.
        z: the part of latents; none leaves them as they are.

    Attributes:
        stages: of all parts, by names such as ``x.conv1``, ``z.hidden1`` and ``joint.output``.
    """

    def __init__(self, joint: nn.Module, x: nn.Module | None = None, z: nn.Module | None = None) -> None:
        super().__init__()
        self.x = nn.Flatten() if x is None else x
        self.z = nn.Identity() if z is None else z
        self.joint = joint

    @property
    def stages(self) -> Any:
        parts = {"x": self.x, "z": self.z, "joint": self.joint}
        return {f"{name}.{stage}": module for name, part in parts.items() for stage, module in _stages(part).items()}

    @property
    def squash(self) -> Any:
        return getattr(self.joint, "squash", nn.Identity())

    @property
    def output_range(self) -> tuple[float, float] | None:
        return getattr(self.joint, "output_range", None)

    def forward(self, x: Tensor, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """What the joint part says of each pair.

        Args:
            x: samples ``(N, ...)``.
            z: latents ``(N, dim)``.
            condition: numbers ``(N, K)`` that join the parts' outputs, behind z's; ``Conditioned`` makes them of labels.
        """
        return self.joint(join(self.x(x), self.z(z), condition))

    def logits(self, x: Tensor, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """What ``forward`` returns, before the output activation."""
        return getattr(self.joint, "logits", self.joint)(join(self.x(x), self.z(z), condition))

    def walk(self, x: Tensor, z: Tensor | None = None, condition: Tensor | None = None) -> Iterator[tuple[str, Tensor]]:
        """The name and the output of every stage; those of x come without latents, too."""
        of_x = yield from _walk("x", self.x, x)
        if z is None:
            raise InputError("layers beyond those of x need latents; give features(x, layers, z)")
        of_z = yield from _walk("z", self.z, z)
        yield from _walk("joint", self.joint, join(of_x, of_z, condition))


def _stages(part: nn.Module) -> Any:
    return getattr(part, "stages", {})


def _walk(name: str, part: nn.Module, x: Tensor) -> Any:
    """Yields the stages of a part under its name, and returns what the part makes."""
    if not isinstance(part, Tapped):
        return part(x)
    output = x
    for stage, output in part.walk(x):
        yield f"{name}.{stage}", output
    return part.squash(output)
