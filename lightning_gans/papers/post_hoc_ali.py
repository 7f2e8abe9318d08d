"""Inference learned by ALI's game after the generator (Dumoulin et al., 2017, section 2.2)."""

from __future__ import annotations

from typing import Any

from lightning_gans import checks
from lightning_gans.networks import Tapped
from lightning_gans.papers.ali import ALI
from lightning_gans.posteriors import PosteriorKind
from lightning_gans.priors import Prior


class PostHocALI(ALI):
    """ALI whose generator is a trained one that stays as it is: an encoder and a new discriminator of pairs play its game.

    Args:
        encoder: as for ``ALI``.
        generator: G, latents to samples; ``start_from`` says where it comes from.
        joint_discriminator: as for ``ALI``.
        prior: the distribution of z that G was trained with.
        posterior: as for ``ALI``.
        simultaneous: as for ``ALI``.
        one_pass: as for ``ALI``.
        scale: as for ``ALI``.
        **game: see ``lightning_gans.Game``.
    """

    def __init__(
        self,
        encoder: Tapped,
        generator: Tapped,
        joint_discriminator: Tapped,
        prior: Prior,
        posterior: PosteriorKind = "gaussian",
        simultaneous: bool = True,
        one_pass: bool = True,
        scale: float = 1.0,
        **game: Any,
    ) -> None:
        super().__init__(encoder, generator, joint_discriminator, prior, posterior, simultaneous, one_pass, scale, **game)
        checks.takes_over("generator", game.get("start_from"))
