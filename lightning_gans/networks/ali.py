"""The networks of ALI (Dumoulin et al. 2017, Tables 3 to 6): valid convolutions down to one pixel, and their mirror image.

Rows are (kernel, stride, feature maps), as the tables have them. With 32 pixels, for instance, rows of (5, 1), (4, 2), (4, 1),
(4, 2) and (4, 1) leave 28, 13, 10, 4 and 1. Biases, which the tables leave out, are those of the authors' code
(IshmaelBelghazi/ALI at 5f2de51, experiments/): none before batch norm and none in the part of z, untied ones at the ends.
"""

from __future__ import annotations

from typing import Any

from lightning_gans.errors import InputError
from lightning_gans.networks.layers import Norm, check_sizes
from lightning_gans.networks.pairs import PairNetwork
from lightning_gans.networks.table import Layer, LayerTable

Rows = list[tuple[int, int, int]]

_TABLE: dict[str, Any] = {"momentum": 0.05, "init": "normal"}


class ALIEncoder(LayerTable):
    """Samples to ``outputs`` numbers, linear; every row has batch norm and a leaky ReLU.

    Args:
        image_shape: ``(C, H, W)`` of the images taken.
        outputs: numbers a sample: for ALI twice those of a latent.
        rows: (kernel, stride, feature maps) of each convolution.
        slope: of the leaky ReLUs.
        condition: numbers that ``Conditioned`` adds to the input of the last layer (section 4.4: the code).
        init_scale: standard deviation of the weights.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        outputs: int,
        rows: Rows,
        slope: float = 0.1,
        condition: int = 0,
        init_scale: float = 0.01,
    ) -> None:
        check_sizes(self, image_shape=image_shape, outputs=outputs)
        layers = [Layer(c, kernel=k, stride=s, norm="batch", activation="lrelu") for k, s, c in _checked(rows)]
        layers.append(Layer(outputs, condition=condition, name="output"))
        super().__init__(image_shape, layers, slope, init_scale=init_scale, **_TABLE)


class ALIGenerator(LayerTable):
    """Latents to images in [0, 1]; every row has batch norm and a leaky ReLU.

    Args:
        latent_dim: numbers a latent.
        channels: of the images made.
        rows: (kernel, stride, feature maps) of each transposed convolution; a 1x1 convolution and a sigmoid follow.
        slope: of the leaky ReLUs.
        condition: numbers that ``Conditioned`` adds to the latent.
        init_scale: standard deviation of the weights.
    """

    def __init__(
        self,
        latent_dim: int,
        channels: int,
        rows: Rows,
        slope: float = 0.1,
        condition: int = 0,
        init_scale: float = 0.01,
    ) -> None:
        check_sizes(self, latent_dim=latent_dim, channels=channels)
        rest: dict[str, Any] = {"transposed": True, "norm": "batch", "activation": "lrelu"}
        layers = [
            Layer(c, kernel=k, stride=s, condition=0 if number else condition, **rest)
            for number, (k, s, c) in enumerate(_checked(rows))
        ]
        layers.append(Layer(channels, kernel=1, activation="sigmoid", bias="untied", name="output"))
        super().__init__(latent_dim, layers, slope, init_scale=init_scale, **_TABLE)


class ALIDiscriminator(PairNetwork):
    """Pairs of an image and a latent to logits: a part of convolutions, a part of z, and a joint part of two layers.

    Args:
        image_shape: ``(C, H, W)`` of the images taken.
        latent_dim: numbers a latent.
        rows: (kernel, stride, feature maps) of each convolution; ``pieces`` divide the maps.
        z_widths: units of each layer of the part of z.
        joint_widths: units of each joint layer but the last.
        outputs: logits a pair; K for K + 1 classes.
        pieces: of maxout; 1 has leaky ReLUs instead.
        slope: of these.
        norm: of the convolutions but the first: ``batch``, ``layer`` or none.
        input_dropout: probability of dropping a number of an image or a latent.
        dropout: the same for the inputs of all other layers.
        condition: numbers that ``Conditioned`` adds to the input of the joint part.
        init_scale: standard deviation of the weights.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int,
        rows: Rows,
        z_widths: tuple[int, ...],
        joint_widths: tuple[int, ...],
        outputs: int = 1,
        pieces: int = 1,
        slope: float = 0.1,
        norm: Norm | None = "batch",
        input_dropout: float = 0.2,
        dropout: float = 0.2,
        condition: int = 0,
        init_scale: float = 0.01,
    ) -> None:
        widths = {"z_widths": z_widths, "joint_widths": joint_widths}
        check_sizes(self, image_shape=image_shape, latent_dim=latent_dim, outputs=outputs, pieces=pieces, **widths)
        table: dict[str, Any] = {"slope": slope, "init_scale": init_scale, **_TABLE}
        finish: dict[str, Any] = {"activation": "lrelu" if pieces == 1 else "maxout", "pieces": pieces}

        def dropped(number: int) -> float:
            return dropout if number else input_dropout

        of_x = [
            Layer(c, kernel=k, stride=s, norm=norm if number else None, dropout=dropped(number), **finish)
            for number, (k, s, c) in enumerate(_checked(rows))
        ]
        of_z = [Layer(units, bias="none", dropout=dropped(number), **finish) for number, units in enumerate(z_widths)]
        joint = [Layer(units, dropout=dropout, **finish) for units in joint_widths]
        x, z = LayerTable(image_shape, of_x, **table), LayerTable(latent_dim, of_z, **table)
        if len(x.output_shape) > 1:
            side = "x".join(map(str, x.output_shape[1:]))
            raise InputError(f"the convolutions leave {side} pixels of {list(image_shape)}, but must leave one; set their rows")
        width = x.output_shape[0] + z.output_shape[0] + condition
        super().__init__(LayerTable(width, [*joint, Layer(outputs, dropout=dropout)], **table), x, z)


def _checked(rows: Rows) -> Rows:
    for row in rows:
        if len(row) != 3:
            raise InputError(f"a row is {list(row)}, but must be a kernel, a stride and feature maps; set rows")
    return rows
