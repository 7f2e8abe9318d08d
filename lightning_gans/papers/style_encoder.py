"""The style of an image, apart from its text (Reed et al., 2016, section 4.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gans.networks import Tapped
from lightning_gans.papers.inverse_mapping import InverseMapping
from lightning_gans.posteriors import PosteriorKind
from lightning_gans.priors import Prior
from lightning_gans.protocols import Condition
from lightning_gans.texts import TextGame


class StyleEncoder(TextGame, InverseMapping):
    """An encoder S that finds the latents, and not the text t, of what a trained generator G of texts makes:

        min over S of || z - S(G(z, t)) ||^2                                               section 4.4

    What G leaves to z is the style: pose and background. That of an image, with another text, is ``G(S(x), t)``. S is told
    neither text nor data. t is that of the batch; the authors' released code has none of this.

    Args:
        encoder: S, images to latents.
        generator: G, as it was trained: ``Conditioned`` on the numbers of a text.
        prior: the distribution of z.
        text_encoder: that of G's training, see ``lightning_gans.texts.TextGame``.
        posterior: as for ``InverseMapping``.
        **game: see ``lightning_gans.Game``; ``start_from`` says where G, and the text's encoder, come from.
    """

    encoder_is_told = False

    def __init__(
        self,
        encoder: Tapped,
        generator: Tapped,
        prior: Prior,
        text_encoder: nn.Module,
        posterior: PosteriorKind = "deterministic",
        **game: Any,
    ) -> None:
        super().__init__(encoder, generator, prior, posterior, **game)
        self.take_text_encoder(text_encoder)

    def encode(self, images: Tensor, condition: Condition | None = None, generator: torch.Generator | None = None) -> Tensor:
        return super().encode(images, None, generator)

    def features(self, images: Tensor, layers: Sequence[str], condition: Condition | None = None) -> list[Tensor]:
        return super().features(images, layers)
