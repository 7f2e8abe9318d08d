"""Discriminators of several samples at a time (Lin et al. 2018, PacGAN)."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from lightning_gans.errors import InputError
from lightning_gans.networks.around import Around
from lightning_gans.networks.layers import Tapped, check_sizes


class Packed(Around):
    """A network that judges ``pack`` samples together: where modes are lacking, packs of samples are more alike than real ones.

    Samples that follow each other are laid side by side along their channels, so the network's own input is as much wider:
    ``ConvNet((2 * 3, 32, 32))`` for two RGB images. All outputs have N / pack rows, one a pack. PacGAN's code keeps the number
    of packs in a batch; a batch here then has ``pack`` times as many samples.

    Args:
        network: takes ``pack`` samples side by side.
        pack: how many, the paper's m.

    Attributes:
        pack: by which a gradient penalty takes slopes of packs.

    Raises:
        InputError: in calls: the samples do not fall into whole packs.
    """

    def __init__(self, network: Tapped, pack: int = 2) -> None:
        super().__init__()
        check_sizes(self, pack=pack)
        self.network, self.pack = network, pack

    def walk(self, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        yield from self.network.walk(self.packed(x))

    def packed(self, x: Tensor) -> Tensor:
        """``(N, C, ...)`` to ``(N / pack, pack * C, ...)``."""
        if len(x) % self.pack:
            raise InputError(
                f"{len(x)} samples do not fall into packs of {self.pack}; set data.batch_size to a multiple of it for each "
                "device, and data.drop_last to true"
            )
        return x.reshape(len(x) // self.pack, self.pack * x.shape[1], *x.shape[2:])
