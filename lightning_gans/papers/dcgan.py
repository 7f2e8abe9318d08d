"""Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks (Radford et al., 2016)."""

from __future__ import annotations

from typing import Any

from lightning_gans.losses import AdversarialKind
from lightning_gans.networks import Tapped
from lightning_gans.papers.gan import GAN
from lightning_gans.priors import Prior


class DCGAN(GAN):
    """A GAN of convolutions of stride 2, whose players alternate: D on data and samples, then G on noise of its own.

        min over D of -E log sigma(D(x)) - E log(1 - sigma(D(G(z))))
        min over G of -E log sigma(D(G(z)))

    What is new are the networks and how they start (section 3; ``ConvGenerator`` and ``ConvNet``, ``init`` ``dcgan``): batch
    norm everywhere but at G's output and D's input, ReLU in G, leaky ReLU with slope 0.2 in D, no hidden dense layers. Data
    and samples go through D apart, each with batch statistics of its own. The authors' code (Newmu/dcgan_code,
    faces/train_uncond_dcgan.py) gives every other minibatch to G, which uses none of it; here D has them all, so that an epoch
    has twice their updates. carpedm20's TensorFlow code, on which SAE was built, takes two steps of G for each of D.

    Args:
        generator: G, latents ``(N, dim)`` to images.
        discriminator: D, images to logits ``(N, 1)``; its layers are features to classify by (section 5).
        prior: the distribution of z, uniform in [-1, 1] in the paper.
        loss: as for ``GAN``.
        discriminator_steps: as for ``GAN``.
        generator_steps: as for ``GAN``; 2 in carpedm20's code.
        discriminator_scale: factor of D's loss.
        label_smoothing: as for ``GAN``.
        same_noise: as for ``GAN``.
        **game: see ``lightning_gans.Game``.
    """

    def __init__(
        self,
        generator: Tapped,
        discriminator: Tapped,
        prior: Prior,
        loss: AdversarialKind = "ns",
        discriminator_steps: int = 1,
        generator_steps: int = 1,
        discriminator_scale: float = 1.0,
        label_smoothing: float = 0.0,
        same_noise: bool = False,
        **game: Any,
    ) -> None:
        super().__init__(
            generator,
            discriminator,
            prior,
            loss,
            simultaneous=False,
            discriminator_steps=discriminator_steps,
            generator_steps=generator_steps,
            discriminator_scale=discriminator_scale,
            label_smoothing=label_smoothing,
            same_noise=same_noise,
            **game,
        )
