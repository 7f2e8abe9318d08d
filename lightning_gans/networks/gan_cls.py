"""The networks of GAN-CLS (Reed et al. 2016) as reedscot/icml2016 at 1d561af has them; the paper prints plain ones of DCGAN.

Kernels are 4 wide. Convolutions have no biases: the code sets them to 0 before each step. G has two residual blocks; in D's the
code builds the layers and then adds another name, ``skipD``, which is nothing, so that as it runs D has none.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from lightning_gans.networks.dcgan import doublings
from lightning_gans.networks.layers import Activation, Network, activation, check_sizes, initialise

_SIDE = 4  # pixels of a side where the text joins D, and where G's maps begin


class Residual(nn.Module):
    """Maps ``(N, C, H, W)`` and what three convolutions, a quarter as wide between, make of them, in sum.

    Args:
        channels: C.
        name: of the activation between the convolutions.
    """

    def __init__(self, channels: int, name: Activation) -> None:
        super().__init__()
        narrow = max(1, channels // 4)
        steps = [*_convolved(channels, narrow, name, kernel=1), *_convolved(narrow, narrow, name, kernel=3)]
        self.steps = nn.Sequential(*steps, *_convolved(narrow, channels, None, kernel=3))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.steps(x)


class GANCLSGenerator(Network):
    """Latents and the numbers of a text to images, by transposed convolutions with batch norm.

    Args:
        inputs: numbers of a latent and of its condition together: 100 and 128.
        image_shape: ``(C, H, W)`` of the images made, of 16, 32, 64, ... pixels a side.
        width: channels before the last layer, doubled with every halving of the side: the code's ngf.
        residual: whether there are residual blocks, at 4 and at 8 pixels.
    """

    def __init__(
        self, inputs: int = 228, image_shape: tuple[int, int, int] = (3, 64, 64), width: int = 128, residual: bool = True
    ) -> None:
        check_sizes(self, inputs=inputs, image_shape=image_shape, width=width)
        times = _doublings(image_shape)
        stages: dict[str, nn.Module] = {}
        below = inputs
        for number in range(times):
            channels = width * 2 ** (times - 1 - number)
            blocks = residual and number < 2
            how: dict[str, Any] = {"stride": 2, "padding": 1} if number else {}
            deconvolution = nn.ConvTranspose2d(below, channels, 4, bias=False, **how)
            finish = [Residual(channels, "relu")] if blocks else []
            first = [] if number else [nn.Unflatten(1, (below, 1, 1))]
            stages[f"deconv{number + 1}"] = nn.Sequential(
                *first, deconvolution, nn.BatchNorm2d(channels), *finish, activation("relu")
            )
            below = channels
        stages["output"] = nn.ConvTranspose2d(below, image_shape[0], 4, stride=2, padding=1, bias=False)
        super().__init__(stages, "tanh")
        initialise(self, "dcgan")


class GANCLSDiscriminator(Network):
    """Images to a logit ``(N, 1)``; the text's numbers join at 4 pixels, so it is for ``Conditioned`` alone.

    Args:
        image_shape: ``(C, H, W)`` of the images, of 16, 32, 64, ... pixels a side.
        condition: numbers of the text's condition.
        width: channels after the first layer, doubled with every halving of the side: the code's ndf.
        residual: whether a residual block follows the last halving, as main_cls_int.lua builds it and leaves it out.
        linear_before_last: whether the layer before the last halving has no activation, as main_cls_int.lua has it; all have
            one in main_cls.lua, for COCO.

    Attributes:
        condition_widths: where the condition joins, and its numbers.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        condition: int = 128,
        width: int = 64,
        residual: bool = False,
        linear_before_last: bool = True,
    ) -> None:
        check_sizes(self, image_shape=image_shape, condition=condition, width=width)
        halvings = _doublings(image_shape)
        stages: dict[str, nn.Module] = {}
        below = image_shape[0]
        for number in range(1, halvings + 1):
            channels = width * 2 ** (number - 1)
            norm = [nn.BatchNorm2d(channels)] if number > 1 else []
            block = [Residual(channels, "lrelu")] if residual and number == halvings else []
            linear = linear_before_last and 1 < number == halvings - 1
            convolution = nn.Conv2d(below, channels, 4, stride=2, padding=1, bias=False)
            stages[f"conv{number}"] = nn.Sequential(convolution, *norm, *block, activation(None if linear else "lrelu"))
            below = channels
        stages["joint"] = nn.Sequential(*_convolved(below + condition, below, "lrelu", kernel=1))
        stages["output"] = nn.Sequential(nn.Conv2d(below, 1, _SIDE, bias=False), nn.Flatten())
        super().__init__(stages)
        self.condition_widths = {"joint": condition}
        initialise(self, "dcgan")


def _convolved(inputs: int, outputs: int, name: Activation | None, kernel: int) -> list[nn.Module]:
    """A convolution that keeps the sides, batch norm and an activation."""
    convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), *([activation(name)] if name else [])]


def _doublings(image_shape: tuple[int, int, int]) -> int:
    """How often a side of 4 pixels is doubled."""
    return doublings(image_shape, _SIDE, 2, "GAN-CLS's networks have sides of 16, 32, 64, ... pixels")
