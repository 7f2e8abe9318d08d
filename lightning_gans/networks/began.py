"""The networks of BEGAN (Berthelot et al. 2017, section 3.5), as carpedm20/BEGAN-tensorflow at 722b3f1 has them.

Kernels are 3 wide, ELU follows each but the last; there are neither norms nor an output activation. 64 pixels are four blocks
of two convolutions, 128 are five. The paper's vanishing residuals are not in that code, and not here.
"""

from __future__ import annotations

from typing import Any

from lightning_gans.networks.dcgan import doublings
from lightning_gans.networks.layers import check_sizes
from lightning_gans.networks.table import Layer, LayerTable

_BASE = 8
"""Pixels of a side where the convolutions begin, or end."""
_CONVOLUTION: dict[str, Any] = {"kernel": 3, "padding": 1, "activation": "elu"}


class BEGANGenerator(LayerTable):
    """Latents to images: a linear layer to 8x8 maps, two convolutions at each size, pixels repeated between.

    Args:
        latent_dim: numbers a latent, the paper's h.
        image_shape: ``(C, H, W)`` of the images made, of 8, 16, 32, 64, ... pixels a side.
        width: channels of every layer, the paper's n.
    """

    def __init__(self, latent_dim: int = 64, image_shape: tuple[int, int, int] = (3, 64, 64), width: int = 128) -> None:
        check_sizes(self, latent_dim=latent_dim, image_shape=image_shape, width=width)
        super().__init__(latent_dim, _decoder(image_shape, width), init="glorot_uniform")


class BEGANDiscriminator(LayerTable):
    """Images to images: an encoder, a code of ``latent_dim`` numbers, and a decoder of the generator's architecture.

    The encoder has two convolutions at each size, ``width`` channels wider at each than before, and one of stride 2 between.

    Args:
        image_shape: ``(C, H, W)`` of the images, of 8, 16, 32, 64, ... pixels a side.
        latent_dim: numbers a code, the paper's h.
        width: channels of the first layers, the paper's n.
    """

    def __init__(self, image_shape: tuple[int, int, int] = (3, 64, 64), latent_dim: int = 64, width: int = 128) -> None:
        check_sizes(self, image_shape=image_shape, latent_dim=latent_dim, width=width)
        blocks = _blocks(image_shape)
        rows = [Layer(width, **_CONVOLUTION)]
        for number in range(1, blocks + 1):
            rows += [Layer(number * width, **_CONVOLUTION), Layer(number * width, **_CONVOLUTION)]
            if number < blocks:
                rows.append(Layer(number * width, stride=2, **_CONVOLUTION))
        rows.append(Layer(latent_dim, name="code"))
        super().__init__(image_shape, [*rows, *_decoder(image_shape, width)], init="glorot_uniform")


def _decoder(image_shape: tuple[int, int, int], width: int) -> list[Layer]:
    rows = [Layer(width * _BASE**2, image=(width, _BASE, _BASE), name="dense")]
    for number in range(_blocks(image_shape)):
        rows += [Layer(width, upsample=2 if number else None, **_CONVOLUTION), Layer(width, **_CONVOLUTION)]
    return [*rows, Layer(image_shape[0], kernel=3, padding=1)]


def _blocks(image_shape: tuple[int, int, int]) -> int:
    """How many sizes there are from 8 pixels on."""
    return 1 + doublings(image_shape, _BASE, 0, f"BEGAN's networks have sides of {_BASE} pixels and doublings of it")
