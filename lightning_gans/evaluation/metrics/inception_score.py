"""The Inception score."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch_fidelity.metric_isc import isc_features_to_metric

from lightning_gans.evaluation.features.find import FeatureNetwork
from lightning_gans.evaluation.metrics import checks
from lightning_gans.evaluation.metrics.base import FeatureMetric
from lightning_gans.evaluation.real.images import RealImages

_SPLITS = 10


class InceptionScore(FeatureMetric):
    """The Inception score."""

    name = "is"
    higher = ("is",)
    least_samples = _SPLITS

    @classmethod
    def why_not(cls, network: FeatureNetwork, data: RealImages) -> str | None:
        if getattr(network, "fc", 0) is None:
            return "evaluation.metrics has is, which needs features: inception (layer 2048); leave it out"
        return None

    def score(self, features: Tensor) -> Mapping[str, float]:
        return inception_score(self.logits(features))


@torch.no_grad()
def inception_score(logits: Tensor, splits: int = _SPLITS, seed: int = 2020) -> dict[str, float]:
    """Inception score (Salimans et al. 2016), ``exp E KL(p(y|x) || p(y))``, in [1, K].

    Args:
        logits: ``(N, K)`` of generated images; the published score has the FID network's without their bias.
        splits: parts of the shuffled set; ``is`` is their mean and ``is_std`` their (biased) standard deviation.
        seed: of the shuffle; torch-fidelity's by default.

    Raises:
        InputError: there are fewer samples than splits, or logits that are not finite.
    """
    checks.check_set(logits, "logits", splits)
    # A probability that underflows to 0 in a whole part would become 0 * inf there
    log_p = logits.cpu().double().log_softmax(dim=1).clamp(min=-700)
    scores = isc_features_to_metric(log_p, splits=splits, shuffle=True, rng_seed=seed)
    return {"is": scores["inception_score_mean"], "is_std": scores["inception_score_std"]}
