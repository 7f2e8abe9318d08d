"""Conditional ALI (Dumoulin et al., 2017, section 4.4)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from lightning_gans.networks import Tapped
from lightning_gans.networks.conditions import Condition as ConditionNumbers
from lightning_gans.papers.ali import ALI
from lightning_gans.posteriors import PosteriorKind
from lightning_gans.priors import Prior
from lightning_gans.protocols import Condition


class ConditionalALI(ALI):
    """ALI of samples with a condition y, which all three networks are given, embedded by one linear layer (section 4.4):

        z^ drawn from E(x, y);  x~ = G(z, y);  D(x, z^, y) against D(x~, z, y)                         Eqn. 7

    y is that of the data in pairs of both kinds, so nothing but x and z tells them apart. The embedding is trained with E and
    G. In the authors' code no optimiser has it, so that it stays as it was drawn (IshmaelBelghazi/ALI at 5f2de51,
    ali_celeba_conditional.py): ``frozen`` in ``AttributeCondition``.

    Args:
        encoder: E, ``Conditioned``; besides as for ``ALI``.
        generator: G, ``Conditioned``.
        joint_discriminator: D, ``Conditioned``.
        prior: the distribution of z.
        embedding: makes the numbers of y that the networks are given, such as an ``AttributeCondition`` with ``linear``; none
            gives them y as it is.
        posterior: ``gaussian`` or ``deterministic``.
        simultaneous: as for ``ALI``.
        one_pass: as for ``ALI``.
        scale: as for ``ALI``.
        **game: see ``lightning_gans.Game``.
    """

    conditional = True

    def __init__(
        self,
        encoder: Tapped,
        generator: Tapped,
        joint_discriminator: Tapped,
        prior: Prior,
        embedding: ConditionNumbers | None = None,
        posterior: PosteriorKind = "gaussian",
        simultaneous: bool = True,
        one_pass: bool = True,
        scale: float = 1.0,
        **game: Any,
    ) -> None:
        super().__init__(encoder, generator, joint_discriminator, prior, posterior, simultaneous, one_pass, scale, **game)
        self.embedding = embedding

    def players(self) -> dict[str, list[nn.Module]]:
        embedding = [] if self.embedding is None else [self.embedding]
        return {"discriminator": [self.joint_discriminator], "autoencoder": [self.encoder, self.generator, *embedding]}

    def judged(self, x: Tensor, z: Tensor, epsilon: Tensor, *given: Condition) -> tuple[Tensor, Tensor]:
        """D's logits, all networks being given the embedded condition."""
        return super().judged(x, z, epsilon, *map(self._embedded, given))

    def _given(self, condition: Condition | None) -> tuple[Condition, ...]:
        return tuple(map(self._embedded, super()._given(condition)))

    def _embedded(self, condition: Condition) -> Condition:
        return condition if self.embedding is None else self.embedding(condition)
