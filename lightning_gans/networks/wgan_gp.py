"""The MNIST networks of WGAN-GP's authors: DCGAN's shape without normalisation, their own init, images in [0, 1]."""

from __future__ import annotations

from lightning_gans.networks.dcgan import ConvGenerator, ConvNet
from lightning_gans.networks.layers import Norm, check_sizes


class WGANGPGenerator(ConvGenerator):
    """Dense to 4x4x256, then transposed convolutions to 7x7x128, 14x14x64 and 28x28, ReLU between, sigmoid at the end.

    Args:
        latent_dim: numbers a latent.
        image_shape: ``(C, H, W)`` of the images made.
        width: channels of the last hidden layer.
        norm: before each activation: ``batch``, ``layer`` or none.
    """

    def __init__(
        self,
        latent_dim: int = 128,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        width: int = 64,
        norm: Norm | None = None,
    ) -> None:
        check_sizes(self, width=width)
        widths = (4 * width, 2 * width, width)
        super().__init__(latent_dim, image_shape, widths, output="sigmoid", norm=norm, init="tflib")


class WGANGPCritic(ConvNet):
    """Convolutions to 64, 128 and 256 channels with leaky ReLU, then one number.

    Args:
        image_shape: ``(C, H, W)`` of the images taken.
        width: channels after the first convolution.
        norm: before each activation but the first; see ``lightning_gans.ConvNet``.
    """

    def __init__(self, image_shape: tuple[int, int, int] = (1, 28, 28), width: int = 64, norm: Norm | None = None) -> None:
        check_sizes(self, width=width)
        super().__init__(image_shape, 1, (width, 2 * width, 4 * width), norm=norm, init="tflib")
