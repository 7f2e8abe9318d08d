"""Adversarial Autoencoders with label information in the regularisation (Makhzani et al., 2015, section 2.3)."""

from __future__ import annotations

import torch

from lightning_gans.batch import Batch
from lightning_gans.errors import InputError
from lightning_gans.labelled_priors import Labelled
from lightning_gans.papers.aae import AAE
from lightning_gans.priors import Prior


class LabelRegularisedAAE(AAE):
    """An AAE that is told the labels of some samples, so that each class is matched to a component of the prior.

    D is told besides which of K + 1 classes a latent is of, the last being "unknown". Of samples x_s with labels y and others x

        D takes for real   (z_y, y), z_y of the prior's component y;   (z, unknown), z of the whole prior
        D takes for fake   (E(x_s), y);                                (E(x), unknown)

    and E has D take its two kinds of pairs for real; losses are means over all pairs of a side, half of which are labelled.

    Args:
        encoder: E, as for ``AAE``.
        generator: G, as for ``AAE``.
        latent_discriminator: D, latents and labels in 0 to K to logits, such as ``Conditioned`` with ``LabelCondition(K + 1)``.
        prior: of K components: ``MixtureOfGaussians`` or ``SwissRoll``.
        posterior: as for ``AAE``.
        lambda_r: as for ``AAE``.
        distance: as for ``AAE``.
        discriminator_noise: as for ``AAE``.
        **game: see ``lightning_gans.Game``.

    Raises:
        InputError: the prior has no components; in training: no samples are labelled, see ``data.labelled``, or there are more
            classes than components.
    """

    learns_labels = True
    prior: Labelled

    @classmethod
    def drawn_part(cls, prior: Prior) -> Prior:
        """The part of the latent that the posterior draws: all of it, of a prior with components.

        Raises:
            InputError: it has none.
        """
        if not isinstance(prior, Labelled):
            raise InputError(
                f"{cls.__name__} matches each class to a component of the prior, which {prior} has none of; "
                "set prior to MixtureOfGaussians or SwissRoll"
            )
        return prior

    def step(self, batch: Batch) -> None:
        x_s, y = batch.few_labelled()
        x, told = torch.cat([batch.images, x_s]), torch.cat([torch.full_like(y, self.prior.components), y])
        self.minimize("autoencoder", self.autoencoder_loss, batch.images, self.posterior_noise(batch.images))
        self.regularise(x, torch.cat([self.noise_like(batch), self.noise(len(y), y)]), told)
