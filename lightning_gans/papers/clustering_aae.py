"""Adversarial Autoencoders that find clusters without labels (Makhzani et al., 2015, sections 6 and 7)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lightning_gans.errors import InputError
from lightning_gans.labelled_priors import Categorical
from lightning_gans.losses import at_least_float32
from lightning_gans.networks import ClusterHeads
from lightning_gans.papers.aae import AAE
from lightning_gans.priors import Prior
from lightning_gans.product import Product


class ClusteringAAE(AAE):
    """An AAE whose code is a category y, matched to one-hot vectors, and a style z, matched to a normal distribution.

    E gives the logits of q(y|x), of which y^ is the softmax, and z^; G is given both. D_y and D_z judge them apart, so that in
    the regularisation of ``AAE`` the sums of both losses are minimised. y^ stays a probability: nothing is drawn or rounded.

    With ``ClusterHeads`` in front of G its input is W y^ + z^, a code in as many dimensions as z has: dimensionality reduction
    (section 7). The distances of the heads, W's rows, join the reconstruction.

    Args:
        encoder: E, samples to ``(N, K + n)``: logits of q(y|x), then the style; for a Gaussian posterior its means and
            log-variances.
        generator: G, latents ``(N, K + n)``, y and then z, to samples.
        latent_discriminator: D_y and D_z, ``Apart``: latents to the logits of both ``(N, 2)``.
        prior: a ``Product`` of ``category``, ``Categorical`` of K classes, and ``style`` of n numbers, in this order.
        posterior: of the style, as for ``AAE``.
        lambda_r: as for ``AAE``.
        distance: as for ``AAE``.
        discriminator_noise: as for ``AAE``.
        **game: see ``lightning_gans.Game``.

    Raises:
        InputError: the prior has other parts.
    """

    prior: Product

    @classmethod
    def drawn_part(cls, prior: Prior) -> Prior:
        """The part of the latent that the posterior draws: the style.

        Raises:
            InputError: the prior has other parts.
        """
        parts = getattr(prior, "parts", {})
        if [*parts] != ["category", "style"] or not isinstance(parts["category"], Categorical):
            raise InputError(
                f"the prior of {cls.__name__} is a Product of two parts, category, a Categorical, and style, not {prior}; "
                "set prior.parts"
            )
        return parts["style"]

    def autoencoder_loss(self, x: Tensor, epsilon: Tensor) -> Tensor:
        """What E and G minimise: the reconstruction, and where there are cluster heads how much too near they are."""
        loss = super().autoencoder_loss(x, epsilon)
        return loss + self.generator.crowding() if isinstance(self.generator, ClusterHeads) else loss

    def codes(self, x: Tensor, epsilon: Tensor) -> Tensor:
        """y^ and z^ of samples in the networks' units, ``(N, K + n)``."""
        logits, style = self.inferred(x, epsilon)
        return torch.cat([at_least_float32(logits).softmax(1), style], 1).to(x.dtype)

    def inferred(self, x: Tensor, epsilon: Tensor) -> tuple[Tensor, Tensor]:
        """The logits of q(y|x) ``(N, K)``, and z^ ``(N, n)``."""
        numbers = self.encoder(x, *self.inference.inputs(epsilon))
        logits, style = numbers.tensor_split([self.prior.parts["category"].dim], 1)
        return logits, self.inference.at(style, epsilon)

    def encode(self, images: Tensor, condition: Any = None, generator: torch.Generator | None = None) -> Tensor:
        """Latents ``(N, K + n)`` of images: probabilities of the classes, then the style; with a generator a draw of it."""
        x = self.normalize(images)
        return self.codes(x, self.inference.noise(x, generator))

    def classify(self, images: Tensor) -> Tensor:
        """The logits of q(y|x) ``(N, K)``."""
        x = self.normalize(images)
        return self.inferred(x, self.inference.noise(x))[0]
