"""The Fréchet Inception distance and no other."""

from __future__ import annotations

from lightning_gans.evaluation.features.find import FeatureNetwork
from lightning_gans.evaluation.metrics.fd import FD
from lightning_gans.evaluation.real.images import RealImages


class FID(FD):
    """``fd``, refused where it would not be called ``fid``."""

    name = "fid"

    @classmethod
    def why_not(cls, network: FeatureNetwork, data: RealImages) -> str | None:
        if network.key == "fid":
            return None
        return (
            f"evaluation.metrics asks for fid, but the distance in these features is {network.key}; ask for fd, "
            "or give the genuine Inception weights"
        )
