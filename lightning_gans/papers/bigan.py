"""Adversarial Feature Learning (Donahue et al., 2017)."""

from __future__ import annotations

from typing import Any

from lightning_gans.networks import Tapped
from lightning_gans.papers.ali import ALI
from lightning_gans.posteriors import PosteriorKind
from lightning_gans.priors import Prior


class BiGAN(ALI):
    """The game of ``lightning_gans.ALI`` with a deterministic encoder, found at the same time.

    Losses are halved (means over both kinds of pairs), and the authors' scripts let D see each kind in a pass of its own, so
    that its batch norm is over one kind alone (``cat_inputs`` is off: jeffdonahue/bigan at 06342ee, train_mnist.sh). Codes are
    confined to where a uniform prior is (tanh of half of E's last layer: dist.py; here a tanh at the end of the network).

    Args:
        encoder: E, samples to latents ``(N, dim)``.
        generator: G, latents to samples.
        joint_discriminator: D, pairs of samples and latents to logits ``(N, 1)``; in the authors' networks z joins at hidden
            layers, which is ``Conditioned`` on z.
        prior: the distribution of z.
        posterior: as for ``ALI``.
        simultaneous: as for ``ALI``.
        one_pass: as for ``ALI``.
        scale: as for ``ALI``.
        **game: see ``lightning_gans.Game``.
    """

    stochastic_encoder = False

    def __init__(
        self,
        encoder: Tapped,
        generator: Tapped,
        joint_discriminator: Tapped,
        prior: Prior,
        posterior: PosteriorKind = "deterministic",
        simultaneous: bool = True,
        one_pass: bool = False,
        scale: float = 0.5,
        **game: Any,
    ) -> None:
        super().__init__(encoder, generator, joint_discriminator, prior, posterior, simultaneous, one_pass, scale, **game)
