"""The pieces that every family of networks is made of: activations, norms, initialisations, ranges and taps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lightning_gans.errors import InputError

Activation = Literal["relu", "lrelu", "elu", "softplus", "tanh", "sigmoid"]
Output = Literal["sigmoid", "tanh"]
Norm = Literal["batch", "layer"]
Initialisation = Literal["he_normal", "he_uniform", "glorot_uniform", "tflib", "normal", "uniform", "orthogonal", "dcgan"]

_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "elu": nn.ELU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}
_RANGES: dict[str | None, tuple[float, float] | None] = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), None: None}


def activation(name: Activation | None, slope: float = 0.2) -> nn.Module:
    """A new activation; ``slope`` is that of ``lrelu``, ``None`` changes nothing."""
    if name == "lrelu":
        return nn.LeakyReLU(slope)
    return nn.Identity() if name is None else _ACTIVATIONS[name]()


def normalisation(
    norm: Norm | None,
    channels: int,
    *,
    flat: bool = False,
    eps: float = 1e-5,
    momentum: float = 0.1,
    affine: bool = True,
) -> list[nn.Module]:
    """A new normalisation, or nothing.

    Args:
        norm: ``batch``, or ``layer``: over all the numbers of a sample, with a gain and a bias a channel.
        channels: C of the input ``(N, C, H, W)``, or ``(N, C)`` where it is ``flat``.
        flat: whether the input is numbers and not maps.
        eps: added to the variance.
        momentum: of the running statistics of ``batch``.
        affine: whether there are gains and biases.
    """
    match norm:
        case "batch":
            return [(nn.BatchNorm1d if flat else nn.BatchNorm2d)(channels, eps, momentum, affine)]
        case "layer":
            return [nn.GroupNorm(1, channels, eps, affine)]
        case None:
            return []
    raise ValueError(f"no normalisation {norm!r}")


class Maxout(nn.Module):
    """The largest of each ``pieces`` neighbouring channels (Goodfellow et al. 2013): ``(N, C * pieces)`` to ``(N, C)``."""

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        return x.unflatten(1, (-1, self.pieces)).amax(dim=2)


class GaussianNoise(nn.Module):
    """Adds normal noise of standard deviation ``std`` in training."""

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std

    def forward(self, x: Tensor) -> Tensor:
        return x + self.std * torch.randn_like(x) if self.training and self.std else x


class UntiedBias(nn.Module):
    """Adds a bias of its own to every number of a sample, so one a pixel and channel of an image.

    Args:
        shape: of a sample: ``(C, H, W)`` or ``(C,)``.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(*shape))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias


@torch.no_grad()
def initialise(network: nn.Module, how: Initialisation, scale: float = 0.02) -> None:
    """Draw the weights of every linear and convolutional layer anew and set its bias to 0.

    Args:
        network: is changed in place.
        how: ``he_normal`` has std ``sqrt(2 / fan_in)``; ``normal`` has std ``scale``; ``uniform`` lies in ``[-scale, scale]``.
            ``tflib`` is that of WGAN-GP's authors, whose library GAAN's use for MNIST: uniform, of std
            ``sqrt(4 / (fan_in + fan_out))`` for convolutions, whose stride thins out the taps that are counted, and of std
            ``sqrt(2 / (fan_in + fan_out))`` for linear layers. ``orthogonal`` has orthogonal rows or columns of length
            ``scale`` (Unrolled GAN). ``dcgan`` is ``normal``, with gains of norms around 1 of std ``scale`` (Newmu/dcgan_code).
        scale: for those that have none of their own.
    """
    for layer in network.modules():
        if how == "dcgan" and isinstance(layer, nn.modules.batchnorm._BatchNorm | nn.GroupNorm) and layer.weight is not None:
            nn.init.normal_(layer.weight, 1.0, scale)
        if not isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            continue
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
        match how:
            case "he_normal":
                nn.init.normal_(layer.weight, std=math.sqrt(2 / _fan_in(layer)))
            case "he_uniform":
                bound = math.sqrt(6 / _fan_in(layer))
                nn.init.uniform_(layer.weight, -bound, bound)
            case "glorot_uniform":
                nn.init.xavier_uniform_(layer.weight)
            case "tflib":
                squares = 2 if isinstance(layer, nn.Linear) else 4
                bound = math.sqrt(3 * squares / (_fan_in(layer) + _fan_out(layer)))
                nn.init.uniform_(layer.weight, -bound, bound)
            case "normal" | "dcgan":
                nn.init.normal_(layer.weight, std=scale)
            case "orthogonal":
                nn.init.orthogonal_(layer.weight, scale)
            case "uniform":
                nn.init.uniform_(layer.weight, -scale, scale)
            case _:
                raise ValueError(f"no initialisation {how!r}")


def _fan_in(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d) -> float:
    """The number of inputs that one output sums; a transposed convolution's output meets only every stride-th tap."""
    if isinstance(layer, nn.ConvTranspose2d):
        return layer.in_channels * math.prod(layer.kernel_size) / math.prod(layer.stride)
    return layer.weight[0].numel()


def _fan_out(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d) -> float:
    """The number of outputs that one input reaches; of a convolution it is at every stride-th tap alone."""
    if isinstance(layer, nn.Conv2d):
        return layer.out_channels * math.prod(layer.kernel_size) / math.prod(layer.stride)
    return layer.weight[:, 0].numel() if isinstance(layer, nn.Linear) else layer.weight[0].numel()


def check_sizes(network: object, **sizes: int | Sequence[int] | None) -> None:
    """Refuse sizes of a network below 1, which torch takes or refuses in words of its own.

    Args:
        network: what they are of.
        sizes: by the names of its arguments; none is left out.

    Raises:
        InputError: names the argument.
    """
    for name, size in sizes.items():
        each = [size] if size is None or isinstance(size, int) else [*size]
        if any(one is not None and one < 1 for one in each):
            shown = size if isinstance(size, int) else [*each]
            raise InputError(f"{name} of {type(network).__name__} is {shown}, but sizes must be at least 1; set {name}")


@contextmanager
def eval_mode(*networks: nn.Module) -> Iterator[None]:
    """Within the block every layer is in evaluation mode; afterwards, after an error too, each is in the mode it was in."""
    modes = {module: module.training for network in networks for module in network.modules()}
    for network in networks:
        network.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


@contextmanager
def kept_statistics(*networks: nn.Module) -> Iterator[None]:
    """Within the block batch norm normalises by the batch, but does not take it up in its running statistics."""
    layers = [m for network in networks for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum


class Tapped(nn.Module):
    """A network of named stages, whose outputs can be asked for, and an output activation.

    Attributes:
        stages: the stages by name, in the order of ``walk``.
        squash: the output activation.
        output_range: what the output activation confines values to, ``None`` where it is linear.
    """

    stages: Any
    squash: Any
    output_range: Any  # tuple[float, float] | None, here an attribute and there a property

    def walk(self, *inputs: Any) -> Iterator[tuple[str, Tensor]]:
        """The name and the output of every stage, one after the other."""
        raise NotImplementedError

    def logits(self, *inputs: Any) -> Tensor:
        """What ``forward`` returns, before the output activation."""
        output: Tensor = inputs[0]
        for _, output in self.walk(*inputs):  # noqa: B007 - the last one is what is wanted
            pass
        return output

    def forward(self, *inputs: Any) -> Tensor:
        return self.squash(self.logits(*inputs))

    def features(self, x: Tensor, layers: Sequence[str], *others: Any) -> list[Tensor]:
        """The outputs of the named stages, in the order asked for; ``last`` is the one before the output.

        Args:
            x: the first input.
            layers: names of stages.
            others: further inputs, as ``forward`` takes them after x.
        """
        names = list(self.stages)
        wanted = [names[-2] if layer == "last" and len(names) > 1 else layer for layer in layers]
        if unknown := set(wanted) - set(names):
            raise InputError(f"{type(self).__name__} has no layer {sorted(unknown)}; it has {names} and 'last'")
        taps: dict[str, Tensor] = {}
        for name, output in self.walk(x, *others):
            taps[name] = output
            if taps.keys() >= set(wanted):
                break
        return [taps[name] for name in wanted]

    @torch.no_grad()
    def start_output_at(self, mean: Tensor) -> None:
        """Set the bias of the last layer so that, its weights apart, the output is ``mean``; its log-odds under a sigmoid.

        GAN and ALI start the generator's bias at the mean of some training images (their code; ALI of 500). A bias that all
        pixels share starts at the mean of its channel.

        Args:
            mean: ``(C, H, W)`` or ``(D,)``, in the networks' units.

        Raises:
            InputError: the last layer has no bias or one of another size, or ``mean`` is outside the output's range.
        """
        low, high = self.output_range or (-math.inf, math.inf)
        if not bool(((mean >= low) & (mean <= high)).all()):
            raise InputError(f"the mean sample leaves the output's range {[low, high]}; give it in the networks' units")
        bias = _last_bias(list(self.stages.values())[-1] if len(self.stages) else self)
        target = mean.double()
        if bias is not None and bias.numel() == mean.shape[0] != mean.numel():
            target = target.flatten(1).mean(dim=1)
        if bias is None or bias.numel() != target.numel():
            what = "no bias" if bias is None else f"{bias.numel()} biases"
            raise InputError(
                f"the last layer has {what}, but the mean sample has {mean.numel()} numbers; "
                "set the network's output to the shape of the data, or that layer's bias"
            )
        if self.output_range is not None:
            fraction = ((target - low) / (high - low)).clamp(1e-7, 1 - 1e-7)
            target = fraction.logit() / (high - low)  # atanh(y) is half the log-odds of (y + 1) / 2
        bias.copy_(target.view_as(bias))


def _last_bias(stage: nn.Module) -> Tensor | None:
    for layer in reversed(list(stage.modules())):
        if isinstance(layer, UntiedBias | nn.Linear | nn.Conv2d | nn.ConvTranspose2d) and layer.bias is not None:
            return layer.bias
    return None


class Network(Tapped):
    """Stages in a row, each with a name by which its output can be asked for, and an output activation."""

    def __init__(self, stages: dict[str, nn.Module], output: Output | None = None) -> None:
        super().__init__()
        self.stages = nn.ModuleDict(stages)
        self.squash = activation(output)
        self.output_range = _RANGES[output]

    def walk(self, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        for name, stage in self.stages.items():
            x = stage(x)
            yield name, x
