"""Dist-GAN: Generative Adversarial Autoencoder Networks (Tran, Bui and Cheung, 2018) as their authors' later code has it."""

from __future__ import annotations

from lightning_gans.papers.gaan import GAAN


class DistGAN(GAAN):
    """``GAAN`` under its later name, "sharper" and "slightly stabler" in its authors' words (gaan_image, and msgan of 2019).

    What differs:

        f = M_d(E Phi(G(E(x))) - E Phi(G(z)))                           for Eqn. 6, on features as on points
        min over D of -0.95 E log sigma(D(x)) - 0.05 E log sigma(D(G(E(x)))) - E log(1 - sigma(D(G(z)))) + lambda_p P
    """

    reconstruction_weight = 0.05
    matches_reconstructions = True
