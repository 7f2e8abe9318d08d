"""Adversarial Autoencoders with few labels (Makhzani et al., 2015, section 5)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from lightning_gans.batch import Batch
from lightning_gans.losses import at_least_float32
from lightning_gans.papers.clustering_aae import ClusteringAAE


class SemiSupervisedAAE(ClusteringAAE):
    """A ``ClusteringAAE`` whose categories are the classes of a few labelled samples x_s, y.

    After reconstruction and regularisation each batch has a third phase, in which E alone takes a step of its own optimiser:

        classification   min over E of - E log q(y|x_s)

    Args:
        encoder: as for ``ClusteringAAE``.
        generator: as for ``ClusteringAAE``.
        latent_discriminator: as for ``ClusteringAAE``.
        prior: as for ``ClusteringAAE``, with as many categories as the data has classes.
        posterior: as for ``AAE``.
        lambda_r: as for ``AAE``.
        distance: as for ``AAE``.
        discriminator_noise: as for ``AAE``.
        **game: see ``lightning_gans.Game``.

    Raises:
        InputError: the prior has other parts; in training: no samples are labelled, see ``data.labelled``.
    """

    learns_labels = True

    def players(self) -> dict[str, list[nn.Module]]:
        return {**super().players(), "classifier": [self.encoder]}

    def step(self, batch: Batch) -> None:
        x_s, y = batch.few_labelled()
        super().step(batch)
        self.minimize("classifier", self.classification_loss, x_s, y, self.posterior_noise(x_s))

    def classification_loss(self, x_s: Tensor, y: Tensor, epsilon: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The cross-entropy of the labels in nats, and the share of them that are right."""
        logits = at_least_float32(self.inferred(x_s, epsilon)[0])
        return F.cross_entropy(logits, y), {"labelled_accuracy": (logits.argmax(1) == y).float().mean()}
