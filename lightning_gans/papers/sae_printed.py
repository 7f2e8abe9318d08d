"""Symbolic Autoencoder (Barta, 2017), as the paper prints it."""

from __future__ import annotations

from lightning_gans.papers.sae import SAE, Pair


class SAEPrinted(SAE):
    """``SAE`` with lines 6 and 7 of the algorithm as they stand: fakes are compared with the symbols of the same unit.

    min over D_0, D_1 of shell + kernel + self + sum over i of mean over j, k of h(s_i[j] . f_i[k], 0),
    min over G of sum over i of mean over j of h(s_i[j] . f_i[j], 1)
    """

    def targets(self, real: Pair) -> Pair:
        return real
