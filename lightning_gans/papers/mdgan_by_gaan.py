"""Mode Regularized Generative Adversarial Networks (Che et al., 2017), as the authors of GAAN train it on points."""

from __future__ import annotations

from torch import Tensor

from lightning_gans.losses import at_least_float32, mean_squared_error
from lightning_gans.papers.mdgan import MDGAN


class MDGANByGAAN(MDGAN):
    """``MDGAN`` with the manifold step of GAAN's code for one-dimensional data (Tran, Bui and Cheung, 2018):

        min over E, G of E || x - G(E(x)) ||^2 - lambda E sigma(D1(G(E(x))))

    The distance is a sum over dimensions, and what E and G raise is D1's probability itself instead of its logarithm.
    """

    def autoencoder_loss(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """E and G draw reconstructions to data; the terms are d, and minus D1's probability without its weight."""
        reconstructed = self.reconstruct(x)
        distance = mean_squared_error(reconstructed, x) * x[0].numel()
        adversarial = -at_least_float32(self.manifold_discriminator(reconstructed)).sigmoid().mean()
        return distance + self.lambda_m * adversarial, {"distance": distance, "adversarial": adversarial}
