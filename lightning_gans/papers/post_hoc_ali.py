"""Inference learned by ALI's game after the generator (Dumoulin et al., 2017, section 2.2)."""

from __future__ import annotations

from lightning_gans.papers.ali import ALI


class PostHocALI(ALI):
    """ALI whose generator is a trained one that stays as it is: an encoder and a new discriminator of pairs play its game.

    ``start_from`` says where the generator comes from; the prior is the one that it was trained with.
    """

    taken_over = "generator"
