"""A model as evaluation, figures and ``lightning predict`` see it: see protocols.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from lightning_gans import checks
from lightning_gans.errors import InputError
from lightning_gans.lent import draw
from lightning_gans.lightning_internals import SET_AT_EVERY_HOOK
from lightning_gans.posteriors import DiagonalNormal, Posterior
from lightning_gans.priors import Prior
from lightning_gans.protocols import Condition, to_device


class Doors(LightningModule):
    """Converts once on the way in and once on the way out between the doors' units and those of the networks.

    What a model with a ``generator``, an ``encoder`` and a ``discriminator`` can be asked for is here; a paper overrides what
    is special in it.

    Args:
        data_range: the interval in which the networks work; none takes that of the generator's output, [-1, 1] if it is linear.
            Its ends may be exchanged: in [1, -1] the networks see images inverted.
        data_scale: what the data is divided by before it is mapped from [-1, 1] to that interval.
    """

    prior: Prior
    generator: Any  # a network; the papers say which
    encoder: Any
    classifier: nn.Module
    features_of = "discriminator"
    """The network whose layers are shown."""
    conditional = False
    """Whether the networks are given what travels with the images, such as labels."""
    averages_captions = False
    """Whether several captions of an image can be given, of whose numbers the networks see the mean."""
    encoder_is_told = True
    """Whether of a conditional model the encoder is given that, too."""
    stochastic_encoder = False
    """Whether an encoder that is completed gives a normal distribution: means, then log-variances."""
    discriminator_norm: Literal["batch", "layer"] | None = "batch"
    """Of discriminators that are completed; one whose slopes are penalised has none over the batch."""
    learns_labels = False
    """Whether a training takes labelled samples beside its batches; a completed discriminator tells their classes apart."""
    averaged = "generator"
    """The network whose weights ``EMA`` averages."""
    stores_latents = False
    """Whether training fills an empirical prior."""
    inference: Posterior | None = None
    """How codes are drawn, where it is not as ``encode`` finds by the number of the encoder's outputs."""

    def __init__(self, data_range: tuple[float, float] | None, data_scale: float) -> None:
        super().__init__()
        checks.positive(data_scale=data_scale)
        if data_range is not None:
            checks.positive(**{"the width of data_range": abs(data_range[1] - data_range[0])})
        self._given_range, self.data_scale = data_range, data_scale

    def __setattr__(self, name: str, value: Any) -> None:
        if name == SET_AT_EVERY_HOOK:
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    @property
    def data_range(self) -> tuple[float, float]:
        """The interval in which the networks work."""
        low, high = self._given_range or getattr(self.generator, "output_range", None) or (-1.0, 1.0)
        return float(low), float(high)

    def normalize(self, images: Tensor) -> Tensor:
        """Images in [-1, 1], or points in data units, as the networks take them."""
        slope, offset = self._units()
        return images if (slope, offset) == (1, 0) else images * slope + offset

    def denormalize(self, data: Tensor) -> Tensor:
        """The inverse of ``normalize``."""
        slope, offset = self._units()
        return data if (slope, offset) == (1, 0) else (data - offset) / slope

    def _units(self) -> tuple[float, float]:
        low, high = self.data_range
        return (high - low) / 2 / self.data_scale, (high + low) / 2

    def to_model(self, x: Tensor) -> Tensor:
        """``x`` on the model's device and in the precision of its parameters."""
        return x.to(self.device, cast(torch.dtype, self.dtype))

    def decode(self, z: Tensor, condition: Condition | None = None) -> Tensor:
        """The images ``(N, C, H, W)`` in [-1, 1], or the points in data units, of latents ``z`` ``(N, dim)``."""
        return self.denormalize(self.generator(z, *self._given(condition)))

    def sample(self, n: int, condition: Condition | None = None, generator: torch.Generator | None = None) -> Tensor:
        """``n`` images from the prior; ``generator`` may be on any device."""
        return self.decode(self.to_model(self.prior.sample(n, generator)), condition)

    def encode(self, images: Tensor, condition: Condition | None = None, generator: torch.Generator | None = None) -> Tensor:
        """Latents ``(N, dim)`` of images: of a stochastic encoder the mean, or with a generator a draw.

        An implicit posterior has no mean that is known; in its place is the code of noise 0.
        """
        if self.inference is not None:
            x = self.normalize(images)
            codes = self.inference.draw(self.encoder, x, self.inference.noise(x, generator), *self._given(condition))
            return codes.to(x.dtype)
        numbers = self.encoder(self.normalize(images), *self._given(condition))
        width, dim = numbers.shape[1], self.prior.dim
        if width == dim or (width != 2 * dim and not self.stochastic_encoder):
            return numbers
        q = DiagonalNormal.of(numbers, dim)
        return (q.mean if generator is None else q.sample(generator)).to(numbers.dtype)

    def features(self, images: Tensor, layers: Sequence[str], condition: Condition | None = None) -> list[Tensor]:
        """Layers of the network that ``features_of`` names; of an encoder that is given noise, at noise 0."""
        network, x = getattr(self, self.features_of), self.normalize(images)
        noise = () if self.inference is None or network is not self.encoder else self.inference.inputs(self.inference.noise(x))
        return cast(list[Tensor], network.features(x, layers, *noise, *self._given(condition)))

    def generator_logits(self, z: Tensor) -> Tensor:
        """What the generator computes before its sigmoid.

        Raises:
            InputError: it has no sigmoid, or no ``logits``.
        """
        if not hasattr(self.generator, "logits") or self.data_range != (0, 1):
            raise InputError(
                f"{type(self).__name__} takes the logarithm of the generator's output here, which needs a sigmoid and a method "
                "logits(z); set the generator's output to sigmoid"
            )
        return self.generator.logits(z)

    def classify(self, images: Tensor) -> Tensor:
        """Logits ``(N, classes)`` of the network ``classifier``, where there is one."""
        return self.classifier(self.normalize(images))

    @property
    def can_encode(self) -> bool:
        """Whether there is an encoder, or a way of the model's own."""
        return isinstance(getattr(self, "encoder", None), nn.Module) or type(self).encode is not Doors.encode

    @property
    def can_show_features(self) -> bool:
        """Whether the network of ``features_of`` has named layers, of each sample and not of packs."""
        network = getattr(self, self.features_of, None)
        return hasattr(network, "features") and getattr(network, "pack", 1) == 1

    @property
    def can_classify(self) -> bool:
        """Whether there is a classifier."""
        return isinstance(getattr(self, "classifier", None), nn.Module) or type(self).classify is not Doors.classify

    def _given(self, condition: Condition | None) -> tuple[Condition, ...]:
        """What the networks are given besides their input."""
        return (to_device(condition, self.device),) if self.conditional and condition is not None else ()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Nothing: the evaluation callback measures when the loop is through."""

    def test_step(self, batch: Any, batch_idx: int) -> None:
        """Nothing: the evaluation callback measures when the loop is through."""

    def predict_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        """As many samples as the batch is long, from noise keyed by the first number in it, under conditions of test rows."""
        return draw(self, batch)
