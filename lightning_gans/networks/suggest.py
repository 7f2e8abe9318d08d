"""Networks that fit data of a given shape, as settings for the command: plain values, and no module is made.

Points get three hidden layers of 128 units, which the defaults of every paper have. Images get convolutions of stride 2, as
DCGAN has them (Radford et al. 2016), as many as bring the smaller side to about 4 pixels, 64 channels wide and doubling up to
512. A condition joins the input as numbers or maps, see ``lightning_gans.Conditioned``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from lightning_gans.errors import InputError
from lightning_gans.networks.layers import Norm, Output

Spec = dict[str, Any]

_HIDDEN = [128, 128, 128]
_FIRST_WIDTH, _LAST_WIDTH = 64, 512
_FEATURES = 128  # of a trunk that heads share, and of a sample in a set
_JOINT = 512  # units of the parts of a network of pairs


@dataclass(frozen=True)
class ConditionKind:
    """What a condition looks like, without having seen one.

    Attributes:
        kind: ``labels`` int64 ``(N,)``, ``attributes`` float ``(N, A)`` of zeros and ones, or ``captions`` int64 ``(N, L)``,
            UTF-8 bytes padded with zeros; the last need an encoder of text before a network can be given them.
        width: the number of classes that labels count, of attributes A, or of bytes L.
    """

    kind: Literal["labels", "attributes", "captions"]
    width: int


def suggested_encoder(
    shape: tuple[int, ...],
    outputs: int,
    condition: ConditionKind | None = None,
    norm: Norm | None = "batch",
) -> Spec:
    """Samples to ``outputs`` numbers.

    Args:
        shape: of a sample: ``(D,)`` or ``(C, H, W)``.
        outputs: the latent's dimension, or twice that for a stochastic encoder.
        condition: what the network is told besides.
        norm: of networks for images.
    """
    return _conditioned(_to_numbers(_widened(shape, condition), outputs, norm), condition)


def suggested_discriminator(
    shape: tuple[int, ...], condition: ConditionKind | None = None, norm: Norm | None = "batch", outputs: int = 1
) -> Spec:
    """Samples to a logit or several, as ``suggested_encoder`` says. A gradient penalty wants ``norm`` ``layer`` or none."""
    return suggested_encoder(shape, outputs, condition, norm)


def suggested_latent_discriminator(latent_dim: int, classes: int | None = None) -> Spec:
    """Latents of ``latent_dim`` numbers to a logit.

    Args:
        latent_dim: numbers a latent.
        classes: of which it is told one with each latent, or that none is known; none where it is told nothing.
    """
    told = None if classes is None else ConditionKind("labels", classes + 1)
    return _conditioned(_mlp(latent_dim + (told.width if told else 0), 1), told)


def suggested_judges_apart(widths: list[int]) -> Spec:
    """Latents of parts of ``widths`` numbers to a logit a part."""
    return spec("Apart", networks=[_mlp(width, 1) for width in widths], widths=widths)


def suggested_generator(
    latent_dim: int,
    shape: tuple[int, ...],
    condition: ConditionKind | None = None,
    output: Output | Literal["default"] | None = "default",
) -> Spec:
    """Latents to samples.

    Args:
        latent_dim: numbers a latent.
        shape: of a sample: ``(D,)`` or ``(C, H, W)``.
        condition: what the network is told besides.
        output: after the last layer; by default ``sigmoid`` for points, ``tanh`` for images.
    """
    inputs = latent_dim + (condition.width if condition else 0)
    if len(shape) == 1:
        network = _mlp(inputs, shape[0], output="sigmoid" if output == "default" else output)
    else:
        settings = {
            "latent_dim": inputs,
            "image_shape": list(shape),
            "widths": _widths(shape)[::-1],
            "output": "tanh" if output == "default" else output,
        }
        network = spec("ConvGenerator", **settings)
    return _conditioned(network, condition)


def suggested_pair_discriminator(
    shape: tuple[int, ...],
    latent_dim: int,
    condition: ConditionKind | None = None,
    norm: Norm | None = "batch",
    outputs: int = 1,
) -> Spec:
    """Pairs of a sample and a latent to a logit, in the manner of ALI (Dumoulin et al. 2017) for images.

    Args:
        shape: of a sample: ``(D,)`` or ``(C, H, W)``.
        latent_dim: numbers a latent.
        condition: what the network is told besides; it joins both.
        norm: of the convolutions but the first.
        outputs: logits a pair.
    """
    more = condition.width if condition else 0
    if len(shape) == 1:
        return _conditioned(spec("PairNetwork", joint=_mlp(shape[0] + latent_dim + more, outputs)), condition)
    dense = {"channels": _JOINT, "activation": "lrelu"}
    network = spec(
        "PairNetwork",
        x=_features(shape, norm, _JOINT),
        z=spec("LayerTable", input_shape=latent_dim, layers=[dense, dense]),
        joint=spec("MLP", inputs=2 * _JOINT + more, outputs=outputs, hidden=[2 * _JOINT], activation="lrelu"),
    )
    return _conditioned(network, condition)


def suggested_set_discriminator(shape: tuple[int, ...], norm: Norm | None = "batch", two_samples: bool = True) -> Spec:
    """Sets of samples to a logit (Li et al. 2017), or pairs of sets.

    Args:
        shape: of a sample: ``(D,)`` or ``(C, H, W)``.
        norm: of networks for images.
        two_samples: whether two sets are compared.
    """
    phi, head = _features(shape, norm), _mlp(_FEATURES, 1)
    return spec("SetDiscriminator", phi=phi, head=head, two_samples=two_samples)


def suggested_heads(shape: tuple[int, ...], heads: dict[str, int], norm: Norm | None = "batch") -> Spec:
    """Samples to several outputs of one trunk.

    Args:
        shape: of a sample: ``(D,)`` or ``(C, H, W)``.
        heads: numbers of each output, by name.
        norm: of networks for images.
    """
    of_trunk = {name: spec("MLP", inputs=_FEATURES, outputs=width, hidden=[]) for name, width in heads.items()}
    return spec("Heads", trunk=_features(shape, norm), heads=of_trunk)


def suggested_autoencoder(shape: tuple[int, ...], code: int) -> Spec:
    """Samples to samples, without norms or an output activation, by way of ``code`` numbers where they are images.

    Args:
        shape: of a sample: ``(D,)`` or ``(C, H, W)``.
        code: numbers in the middle.
    """
    if len(shape) == 1:
        return _mlp(shape[0], shape[0])
    widths, sides = _widths(shape), shape[1:]
    halvings = next((n for n in range(len(widths)) if any(side % 2 ** (n + 1) for side in sides)), len(widths))
    widths, sides = widths[:halvings], tuple(side // 2**halvings for side in sides)
    halving = {"kernel": 5, "stride": 2, "padding": 2, "activation": "elu"}
    down = [{"channels": width, **halving} for width in widths]
    first = widths[-1] if widths else shape[0]
    dense = {"channels": first * math.prod(sides), "image": [first, *sides], "activation": "elu" if widths else None}
    doubling = {**halving, "transposed": True, "output_padding": 1}
    up = [{"channels": width, **doubling} for width in widths[-2::-1]]
    up += [{"channels": shape[0], **doubling, "activation": None}] if widths else []
    return spec("LayerTable", input_shape=list(shape), layers=[*down, {"channels": code, "name": "code"}, dense, *up])


def suggested_condition(condition: ConditionKind) -> Spec:
    """Labels or attributes to numbers, as many as ``condition`` has classes or columns."""
    if condition.kind == "labels":
        return spec("LabelCondition", classes=condition.width)
    return spec("AttributeCondition", columns=condition.width)


def _features(shape: tuple[int, ...], norm: Norm | None, features: int = _FEATURES) -> Spec:
    """Samples to features, with an activation behind."""
    if len(shape) == 1:
        return spec("LayerTable", input_shape=shape[0], layers=[{"channels": features, "activation": "relu"}] * 3)
    halving = {"kernel": 5, "stride": 2, "padding": 2, "activation": "lrelu"}
    rows = [{"channels": width, **halving, "norm": norm if number else None} for number, width in enumerate(_widths(shape))]
    return spec("LayerTable", input_shape=list(shape), layers=[*rows, {"channels": features, "activation": "lrelu"}])


def _to_numbers(shape: tuple[int, ...], outputs: int, norm: Norm | None) -> Spec:
    if len(shape) == 1:
        return _mlp(shape[0], outputs)
    return spec("ConvNet", image_shape=list(shape), outputs=outputs, widths=_widths(shape), norm=norm)


def _widths(shape: tuple[int, ...]) -> list[int]:
    """Channels after each halving of images of ``shape``."""
    if len(shape) != 3 or min(shape) < 1 or min(shape[1:]) < 2:
        raise InputError(f"there is no network for samples of shape {list(shape)}; give points or images (C, H, W)")
    halvings = max(1, round(math.log2(min(shape[1:]) / 4)))
    return [min(_FIRST_WIDTH * 2**number, _LAST_WIDTH) for number in range(halvings)]


def _widened(shape: tuple[int, ...], condition: ConditionKind | None) -> tuple[int, ...]:
    return (shape[0] + (condition.width if condition else 0), *shape[1:])


def _conditioned(network: Spec, condition: ConditionKind | None) -> Spec:
    if condition is None:
        return network
    return spec("Conditioned", network=network, condition=suggested_condition(condition))


def _mlp(inputs: int, outputs: int, **settings: Any) -> Spec:
    return spec("MLP", inputs=inputs, outputs=outputs, hidden=list(_HIDDEN), **settings)


def spec(name: str, **settings: Any) -> Spec:
    """A class of this package and the arguments that it is made with."""
    return {"class_path": f"lightning_gans.{name}", "init_args": settings}
