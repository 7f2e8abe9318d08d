"""Networks for MNIST-1K from the appendix of Unrolled GAN (Metz et al., 2017), as two groups have written them again.

PacGAN's (kernels of 3, batch norm everywhere, slope 0.3) are closest to the paper's text; the group of GAAN later used kernels
of 5, no norm in the discriminator, slope 0.2, and a sigmoid. ``K/4`` and ``K/2`` say how wide the discriminator is beside the
generator: first layers of 2 and 4 channels.
"""

from __future__ import annotations

from torch import nn

from lightning_gans.networks.dcgan import Crop
from lightning_gans.networks.layers import Initialisation, Network, Norm, Output, check_sizes, initialise, normalisation


class UnrolledGenerator(Network):
    """Latent to 3x28x28: a dense layer to 4x4x64, transposed convolutions to 7, 14 and 28 pixels, a convolution to RGB.

    Args:
        latent_dim: numbers a latent.
        kernel: width of the kernels, 3 or 5.
        output: after the last layer.
        init: see ``lightning_gans.networks.initialise``.
        norm: before each activation: ``batch``, ``layer`` or none.
    """

    def __init__(
        self,
        latent_dim: int = 256,
        kernel: int = 3,
        output: Output | None = "tanh",
        init: Initialisation = "normal",
        norm: Norm | None = "batch",
    ) -> None:
        check_sizes(self, latent_dim=latent_dim, kernel=kernel)
        around = kernel // 2
        dense = [nn.Linear(latent_dim, 4 * 4 * 64), nn.Unflatten(1, (64, 4, 4)), *normalisation(norm, 64), nn.ReLU()]
        stages: dict[str, nn.Module] = {"dense": nn.Sequential(*dense)}
        for number, (inputs, outputs, side) in enumerate([(64, 32, 7), (32, 16, 14), (16, 8, 28)], 1):
            up = nn.ConvTranspose2d(inputs, outputs, kernel, stride=2, padding=around, output_padding=1)
            stages[f"deconv{number}"] = nn.Sequential(up, Crop((side, side)), *normalisation(norm, outputs), nn.ReLU())
        stages["output"] = nn.Conv2d(8, 3, kernel, padding=around)
        super().__init__(stages, output)
        initialise(self, init)


class UnrolledDiscriminator(Network):
    """3x28x28 to a logit: convolutions of stride 2 to ``width``, 2 ``width`` and 4 ``width`` channels, a dense layer.

    Args:
        width: channels of the first layer: 2 for K/4, 4 for K/2, 8 for K/1.
        kernel: width of the kernels, 3 or 5.
        batch_norm: normalise after every convolution, the first too.
        slope: of the leaky ReLUs.
        init: see ``lightning_gans.networks.initialise``.
        channels: of the images; 3 for each image of a pack.
    """

    def __init__(
        self,
        width: int = 2,
        kernel: int = 3,
        batch_norm: bool = True,
        slope: float = 0.3,
        init: Initialisation = "normal",
        channels: int = 3,
    ) -> None:
        check_sizes(self, width=width, kernel=kernel, channels=channels)
        stages: dict[str, nn.Module] = {}
        inputs = channels
        for number in range(3):
            outputs = width * 2**number
            convolution = nn.Conv2d(inputs, outputs, kernel, stride=2, padding=kernel // 2)
            norm = [nn.BatchNorm2d(outputs)] if batch_norm else []
            stages[f"conv{number + 1}"] = nn.Sequential(convolution, *norm, nn.LeakyReLU(slope))
            inputs = outputs
        stages["output"] = nn.Sequential(nn.Flatten(), nn.Linear(inputs * 4 * 4, 1))
        super().__init__(stages)
        initialise(self, init)
