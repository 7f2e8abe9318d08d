"""Networks written as papers print them: a table with one row a layer.

ALI's decoder for CIFAR-10 (Dumoulin et al. 2017, Table 3), for instance, is

    rows = [(4, 1, 256), (4, 2, 128), (4, 1, 64), (4, 2, 32), (5, 1, 32)]
    hidden = [Layer(c, kernel=k, stride=s, transposed=True, norm="batch", activation="lrelu") for k, s, c in rows]
    hidden += [Layer(32, kernel=1, norm="batch", activation="lrelu"), Layer(3, kernel=1, activation="sigmoid", bias="untied")]
    LayerTable(64, hidden, slope=0.1, init_scale=0.01)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

from torch import Tensor, nn

from lightning_gans.errors import InputError
from lightning_gans.networks.layers import (
    Activation,
    GaussianNoise,
    Initialisation,
    Maxout,
    Network,
    Norm,
    UntiedBias,
    activation,
    check_sizes,
    initialise,
    normalisation,
)
from lightning_gans.networks.weight_norm import WeightNorm, WeightNormed

Bias = Literal["tied", "untied", "none"]


@dataclass
class Layer:
    """A row of the table: enlarging, noise, dropout, a dense or convolutional layer, norm, activation, pooling, in this order.

    Args:
        channels: channels or units made; before ``maxout``, which leaves ``channels / pieces``.
        kernel: side of the kernel; none makes the layer dense.
        stride: of a convolution.
        transposed: whether the convolution is a transposed one.
        padding: zeros on every side (taken off a transposed convolution's output); 0 is "valid".
        output_padding: rows and columns that a transposed convolution makes besides; 1 doubles a side with kernel 5, stride 2
            and padding 2.
        norm: ``batch``, ``layer`` or none.
        activation: after the norm; ``sigmoid`` or ``tanh`` in the last row is the output activation, which ``logits`` omits.
        pieces: for ``maxout``.
        dropout: probability of dropping a number of this layer's input, each on its own.
        noise: standard deviation of normal noise that is added to this layer's input in training.
        weight_norm: length of each unit's weights, ``fixed`` or ``trained``, see ``WeightNormed``; none for plain weights.
        start_std: of the output, before the activation, where a batch of data starts the weight-normed layer.
        groups: of a convolution: its channels fall into so many parts that see nothing of each other.
        pool: side of max-pooling with stride 2 and half of the side as padding; none for no pooling.
        average: whether the output is averaged over its pixels, at the very end.
        bias: ``tied`` over the pixels of a channel, ``untied`` (one a pixel and channel) or ``none``; by default tied, and none
            where batch norm would take it away again.
        condition: channels (or numbers) that ``Conditioned`` or ``Reinjected`` adds to this layer's input; they are not in the
            table's ``input_shape`` either.
        upsample: times that the input's sides are enlarged first, each pixel repeated, as BEGAN's generator has it.
        reshape: ``(C, H, W)`` that the input is laid out in first.
        image: ``(C, H, W)`` that the output of a dense layer is laid out in.
        name: of the stage; by default ``conv``, ``deconv`` or ``hidden`` and its number among these, and ``output`` for a last
            row whose hidden activation is none.
    """

    channels: int
    kernel: int | None = None
    stride: int = 1
    transposed: bool = False
    padding: int = 0
    output_padding: int = 0
    norm: Norm | None = None
    activation: Activation | Literal["maxout"] | None = None
    pieces: int = 2
    dropout: float = 0.0
    noise: float = 0.0
    weight_norm: WeightNorm | None = None
    start_std: float | None = None
    groups: int = 1
    pool: int | None = None
    average: bool = False
    bias: Bias | None = None
    condition: int = 0
    upsample: int | None = None
    reshape: tuple[int, int, int] | None = None
    image: tuple[int, int, int] | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        sizes = {name: getattr(self, name) for name in ("channels", "kernel", "stride", "pieces", "groups", "pool", "upsample")}
        check_sizes(self, **sizes)
        if self.weight_norm and (self.norm or self.groups > 1):
            raise InputError("a layer has weight_norm beside norm or groups; set weight_norm to none, or leave these out")
        if self.start_std is not None and not (self.weight_norm and self.start_std > 0):
            raise InputError(f"start_std is {self.start_std}, but is a number above 0, for layers with weight_norm alone")
        if self.noise < 0:
            raise InputError(f"noise is {self.noise}, but must be a standard deviation of at least 0")

    @property
    def kind(self) -> str:
        """``hidden``, ``conv`` or ``deconv``."""
        if self.kernel is None:
            return "hidden"
        return "deconv" if self.transposed else "conv"

    @property
    def outputs(self) -> int:
        """Channels after the activation."""
        return self.channels // self.pieces if self.activation == "maxout" else self.channels


class Average(nn.Module):
    """The mean over an image's pixels: ``(N, C, H, W)`` to ``(N, C)``."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


class LayerTable(Network):
    """A network from a table of dense, convolutional and transposed convolutional layers.

    Numbers that meet a convolution are taken for maps of one pixel, maps that meet a dense layer are flattened, an output of
    one pixel is given as numbers ``(N, C)``, and a 1x1 convolution of one pixel is made as the dense layer that it is.

    Args:
        input_shape: numbers a sample, or ``(C, H, W)``; without what a condition adds.
        layers: the rows, from input to output.
        slope: of every leaky ReLU.
        momentum: of the running statistics of batch norm, as torch counts it; ALI's is 0.05.
        affine: whether norms have gains and biases, or biases alone (``bias``); neither in BiGAN.
        init: see ``lightning_gans.networks.initialise``.
        init_scale: for the inits that have one; ALI's is 0.01.

    Attributes:
        input_shape: of a sample, without what a condition adds.
        output_shape: of a sample.
        condition_widths: what a condition adds to the input of a stage, by the stage's name.

    Raises:
        InputError: a row does not fit its input, or two rows have one name.
    """

    def __init__(
        self,
        input_shape: int | tuple[int, ...],
        layers: list[Layer],
        slope: float = 0.2,
        momentum: float = 0.1,
        affine: bool | Literal["bias"] = True,
        init: Initialisation = "normal",
        init_scale: float = 0.02,
    ) -> None:
        if not layers:
            raise InputError("a table of layers needs at least one row; set its layers")
        check_sizes(self, input_shape=input_shape)
        first = shape = (input_shape,) if isinstance(input_shape, int) else tuple(input_shape)
        last = layers[-1].activation
        output = last if last in ("sigmoid", "tanh") else None
        stages: dict[str, nn.Module] = {}
        widths: dict[str, int] = {}
        names = _names(layers)
        for row, name in zip(layers, names, strict=True):
            finish = None if output and name == names[-1] else row.activation
            steps, shape = _steps(row, name, shape, finish, slope, momentum, affine)
            stages[name] = nn.Sequential(*steps)
            if row.condition:
                widths[name] = row.condition
        if len(shape) == 3 and shape[1:] == (1, 1):
            stages[names[-1]] = nn.Sequential(*steps, nn.Flatten())
            shape = shape[:1]
        super().__init__(stages, output)
        self.input_shape, self.output_shape = first, shape
        self.condition_widths = widths
        initialise(self, init, init_scale)


def _names(layers: list[Layer]) -> list[str]:
    """Each row's own name, or its kind and its number among those of its kind."""
    counts: dict[str, int] = {}
    names = []
    for number, row in enumerate(layers, 1):
        counts[row.kind] = counts.get(row.kind, 0) + 1
        at_the_end = number == len(layers) and row.activation in (None, "sigmoid", "tanh")
        names.append(row.name or ("output" if at_the_end else f"{row.kind}{counts[row.kind]}"))
    if twice := {name for name in names if names.count(name) > 1}:
        raise InputError(f"two rows of the table are named {sorted(twice)[0]!r}; set another name")
    if wrong := [name for name in names if "." in name]:
        raise InputError(f"a row of the table is named {wrong[0]!r}; set a name without a dot")
    return names


def _steps(
    row: Layer,
    name: str,
    shape: tuple[int, ...],
    finish: Activation | Literal["maxout"] | None,
    slope: float,
    momentum: float,
    affine: bool | Literal["bias"],
) -> tuple[list[nn.Module], tuple[int, ...]]:
    """The modules of a row whose input has ``shape``, and the shape of its output."""
    if row.kernel == 1 and math.prod(shape[1:]) == 1 and row.padding == 0 and row.groups == 1 and row.pool is None:
        row = replace(row, kernel=None)  # the same on one pixel, and three times as fast on a processor
    before, shape = _laid_out(row, name, (shape[0] + row.condition, *shape[1:]))
    if row.upsample is not None:
        if len(shape) == 1:
            raise InputError(f"{name} is to enlarge numbers, which have no sides; set its kernel, or upsample to none")
        before.append(nn.Upsample(scale_factor=row.upsample))
        shape = (shape[0], *(row.upsample * side for side in shape[1:]))
    layer, shape = _layer(row, name, shape)
    noise = [GaussianNoise(row.noise)] if row.noise else []
    steps = [*before, *noise, *([nn.Dropout(row.dropout)] if row.dropout else []), layer]
    if row.bias == "untied":
        steps.append(UntiedBias(shape))
    steps += normalisation(row.norm, row.channels, flat=row.kernel is None, momentum=momentum, affine=affine is True)
    if row.norm and affine == "bias":
        steps.append(UntiedBias([row.channels, *(1 for _ in shape[1:])]))
    if finish == "maxout":
        if row.channels % row.pieces:
            raise InputError(f"{name} has {row.channels} channels, which maxout cannot share among {row.pieces} pieces")
        steps.append(Maxout(row.pieces))
    elif finish is not None:
        steps.append(activation(finish, slope))
    if row.pool is not None:
        steps.append(nn.MaxPool2d(row.pool, stride=2, padding=row.pool // 2))
        shape = (shape[0], *((side + 2 * (row.pool // 2) - row.pool) // 2 + 1 for side in shape[1:]))
    if row.average:
        if len(shape) == 1:
            raise InputError(f"{name} makes numbers, which have no pixels to average over; set its kernel, or average to false")
        steps.append(Average())
        shape = shape[:1]
    if row.image is not None:
        if row.kernel is not None or math.prod(row.image) != row.outputs:
            raise InputError(f"{name} is to lay out {row.outputs} numbers as {list(row.image)}; set its image or its channels")
        return [*steps, nn.Unflatten(1, tuple(row.image))], tuple(row.image)
    return steps, (row.outputs, *shape[1:])


def _laid_out(row: Layer, name: str, shape: tuple[int, ...]) -> tuple[list[nn.Module], tuple[int, ...]]:
    """What brings the input into the form that the layer takes."""
    before: list[nn.Module] = []
    flat = (math.prod(shape),)
    if row.reshape is not None:
        if math.prod(row.reshape) != flat[0]:
            raise InputError(f"{name} is to lay out {flat[0]} numbers as {list(row.reshape)}; set its reshape")
        before, shape = ([nn.Flatten()] if len(shape) > 1 else []), tuple(row.reshape)
        before.append(nn.Unflatten(1, shape))
    if row.kernel is None and len(shape) > 1:
        return [*before, nn.Flatten()], flat
    if row.kernel is not None and len(shape) == 1:
        return [*before, nn.Unflatten(1, (*flat, 1, 1))], (*flat, 1, 1)
    return before, shape


def _layer(row: Layer, name: str, shape: tuple[int, ...]) -> tuple[nn.Module, tuple[int, ...]]:
    """The layer itself on an input of ``shape``, and the shape of its output, maxout apart."""
    bias = row.bias == "tied" or (row.bias is None and row.norm != "batch")
    normed = row.weight_norm is not None
    if row.kernel is None:
        return _weight_normed(row, nn.Linear(shape[0], row.channels, bias=bias and not normed), bias), (row.channels,)
    if shape[0] % row.groups or row.channels % row.groups:
        raise InputError(f"{name} makes {row.channels} channels of {shape[0]}, which do not fall into {row.groups} groups")
    settings = row.kernel, row.stride, row.padding
    common: dict[str, Any] = {"groups": row.groups, "bias": bias and not normed}
    layer: nn.Module
    if row.transposed:
        extra = row.output_padding
        layer = nn.ConvTranspose2d(shape[0], row.channels, *settings, output_padding=extra, **common)
        sides = [(side - 1) * row.stride - 2 * row.padding + row.kernel + extra for side in shape[1:]]
    else:
        layer = nn.Conv2d(shape[0], row.channels, *settings, **common)
        sides = [(side + 2 * row.padding - row.kernel) // row.stride + 1 for side in shape[1:]]
    if min(sides) < 1:
        size = "x".join(map(str, shape[1:]))
        raise InputError(f"{name} has a kernel of {row.kernel}, too large for {size} pixels; set its kernel or padding")
    return _weight_normed(row, layer, bias), (row.channels, *sides)


def _weight_normed(row: Layer, layer: nn.Module, bias: bool) -> nn.Module:
    return layer if row.weight_norm is None else WeightNormed(layer, row.weight_norm, bias, row.start_std)
