"""What stands around another network and shows its stages."""

from __future__ import annotations

from typing import Any

from torch import nn

from lightning_gans.networks.layers import Tapped


class Around(Tapped):
    """A network in front of which something is done; its stages and its output activation are those of the network.

    Attributes:
        network: any; one without named stages has none here either.
    """

    network: Any

    @property
    def stages(self) -> Any:
        return getattr(self.network, "stages", {})

    @property
    def squash(self) -> Any:
        return getattr(self.network, "squash", nn.Identity())

    @property
    def output_range(self) -> tuple[float, float] | None:
        return getattr(self.network, "output_range", None)
