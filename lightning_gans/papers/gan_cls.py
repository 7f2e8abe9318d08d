"""Generative Adversarial Text to Image Synthesis (Reed et al., 2016)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.losses import bce_fake, bce_real
from lightning_gans.networks import Tapped
from lightning_gans.priors import Prior
from lightning_gans.texts import TextGame


class GANCLS(TextGame):
    """A GAN of images and texts t, whose discriminator is also told of real images with texts of others (GAN-CLS).

        s_r = D(x, t),  s_w = D(x^, t),  s_f = D(G(z, t), t)                               Algorithm 1
        min over D of -E log s_r - w E log(1 - s_w) - (1 - w) E log(1 - s_f)
        min over G of -E log D(G(z, t), t)

    x^ is an image of another class. That is the authors' code (reedscot/icml2016 at 1d561af, main_cls_int.lua); in Algorithm 1
    the text is the wrong one, which makes pairs of the same kind, and w is 1/2. Each player steps once, on the same texts.

    ``interpolated`` (GAN-INT) gives G and D half as many texts again, on which G alone learns (Eqn. 5, whose brackets are
    misprinted, with the loss of the code instead of log(1 - D)); t_a is a text of the batch's first half, t_b of its second:

        min over G of -E log D(G(z, t_ab), t_ab),  t_ab = (1 - beta) t_a + beta t_b

    So this is GAN-CLS as it stands, GAN-INT-CLS with ``interpolated``, GAN-INT with that and w = 0, and with w = 0 alone the
    plain conditional GAN. The text's encoder is a trained one and stays as it is. What it makes of several captions of an image
    is averaged, of four in the code, of COCO's three (``data.captions_per_image``); there the four may be the same, here not.

    Args:
        generator: G, ``Conditioned`` on the numbers that the encoder makes of a text: latents ``(N, dim)`` to images.
        discriminator: D, ``Conditioned`` on the same: images to logits ``(N, 1)``.
        prior: the distribution of z.
        text_encoder: makes the numbers of a text, see ``lightning_gans.texts.TextGame``.
        mismatched_weight: w, the weight of wrong pairs in D's loss on fakes.
        interpolated: whether there are interpolated texts.
        beta: how far they are from t_a to t_b.
        interpolation_weight: of the rows with such a text; the mean is over all rows.
        **game: see ``lightning_gans.Game``.
    """

    def __init__(
        self,
        generator: Tapped,
        discriminator: Tapped,
        prior: Prior,
        text_encoder: nn.Module,
        mismatched_weight: float = 0.5,
        interpolated: bool = False,
        beta: float = 0.5,
        interpolation_weight: float = 1.0,
        **game: Any,
    ) -> None:
        super().__init__(**game)
        self.take_text_encoder(text_encoder)
        checks.fractions(mismatched_weight=mismatched_weight, beta=beta)
        checks.not_negative(interpolation_weight=interpolation_weight)
        self.generator, self.discriminator, self.prior = generator, discriminator, prior
        self.mismatched_weight, self.interpolated = mismatched_weight, interpolated
        self.beta, self.interpolation_weight = beta, interpolation_weight

    def players(self) -> dict[str, list[Tapped]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def step(self, batch: Batch) -> None:
        (t,) = self.given(batch)
        wrong = self.wrong_images(batch) if self.mismatched_weight else None
        self.minimize("discriminator", self.discriminator_loss, batch.images, wrong, self.noise_like(batch), t)
        between = self.between(t) if self.interpolated else None
        z_between = None if between is None else self.noise(len(between))
        self.minimize("generator", self.generator_loss, self.noise_like(batch), t, z_between, between)

    def discriminator_loss(self, x: Tensor, wrong: tuple[Tensor, Tensor] | None, z: Tensor, t: Tensor) -> Tensor:
        """What D minimises; ``wrong`` are images ``(N, ...)`` for the same texts, and the weights ``(N,)`` of these pairs."""
        w = self.mismatched_weight
        loss = bce_real(self.discriminator(x, t)) + (1 - w) * bce_fake(self.discriminator(self.generator(z, t), t))
        return loss if wrong is None else loss + w * bce_fake(self.discriminator(wrong[0], t), wrong[1])

    def generator_loss(self, z: Tensor, t: Tensor, z_between: Tensor | None, between: Tensor | None) -> Tensor:
        """What G minimises: on texts of the batch, and on those ``between`` them, all in one pass."""
        if z_between is None or between is None:
            return bce_real(self.discriminator(self.generator(z, t), t))
        z, weights = torch.cat([z, z_between]), t.new_ones(len(t) + len(between))
        weights[len(t) :] = self.interpolation_weight
        t = torch.cat([t, between])
        return bce_real(self.discriminator(self.generator(z, t), t), weights)

    def wrong_images(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Other images for the texts of a batch, and the pairs' weights ``(N,)``: 0 for those of one class, the mean is 1."""
        other = batch.fresh()
        known, others = _class(batch.conditions), _class(other.conditions)
        differ = (known[:, :, None] != others[:, None]).any(3).flatten(1).all(1).to(batch.images.dtype)
        # Divided by what all ranks have, so that the devices' number changes nothing
        return other.images, differ / self.batch_mean(differ).clamp(min=torch.finfo(differ.dtype).tiny)

    def between(self, t: Tensor) -> Tensor:
        """This rank's share of the texts between the first and the second half of all ranks' batches, half as many as ``t``."""
        everybody, share = self.gather(t), len(t) // 2
        half = len(everybody) // 2
        mixed = torch.lerp(everybody[:half], everybody[len(everybody) - half :], self.beta)
        return mixed[self.global_rank * share :][:share]


def _class(conditions: Any) -> Tensor:
    """What tells classes apart, ``(N, K, numbers)``: labels where there are some beside the captions, else the K captions.

    Images that have one of these in common are of one class.
    """
    if isinstance(conditions, dict):
        conditions = conditions["labels" if "labels" in conditions else "captions"]
    known: Tensor = conditions
    return known if known.dim() == 3 else known.reshape(len(known), 1, -1)
