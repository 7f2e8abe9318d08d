"""The MODE score."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from lightning_gans.errors import InputError
from lightning_gans.evaluation.features.colours import classes_for, labels_for
from lightning_gans.evaluation.features.find import FeatureNetwork
from lightning_gans.evaluation.metrics import checks
from lightning_gans.evaluation.metrics.base import FeatureMetric
from lightning_gans.evaluation.real.images import RealImages


class ModeScore(FeatureMetric):
    """The MODE score, by a classifier of the dataset."""

    name = "mode_score"
    higher = ("mode_score",)

    @classmethod
    def why_not(cls, network: FeatureNetwork, data: RealImages) -> str | None:
        labels = labels_for(network, data, "train")
        if labels is None or labels.dim() != 1:
            return f"evaluation.metrics has mode_score, which needs a class for every image of {data.name}; leave it out"
        classes = len(classes_for(network, data)) or int(labels.max()) + 1
        if getattr(network, "fc", 0) is None or network.logits(torch.zeros(1, network.dim)).shape[1] != classes:
            return (
                f"evaluation.metrics has mode_score, which needs a classifier of the {classes} classes of {data.name}; "
                "set evaluation.features to classifier"
            )
        return None

    def score(self, features: Tensor) -> Mapping[str, float]:
        counts = self.comparison.label_counts(self.comparison.network, "train")
        assert counts is not None
        return mode_score(self.logits(features), counts)


@torch.no_grad()
def mode_score(logits: Tensor, reference: Tensor) -> dict[str, float]:
    """MODE score (Che et al. 2017), ``exp(E KL(p(y|x) || p*(y)) - KL(p(y) || p*(y)))`` with p* the labels of training data.

    p* cancels from it: ``mode_score`` is the Inception score of the undivided set, in [1, K], whatever the training data.
    ``mode_score_reversed`` has ``KL(p*(y) || p(y))`` in the last place, which tends to infinity with a class that is missing,
    so that the score tends to 0, and lies in [0, 1 / min p*]; equal frequencies and sure predictions make both K.

    Both are biased downwards, since the entropy of n samples is that of their law less about ``(K - 1) / 2n`` nats: compare at
    equal n, and with the score of real images, since a classifier that is trained with smoothed labels is never quite sure.
    Neither says more than the classifier: it may be sure of what is no image at all, and one good image of each class gets the
    highest score; see ``diversity``.

    Args:
        logits: ``(N, K)`` of generated images, by a classifier of the training data's classes.
        reference: p*, as shares or counts ``(K,)``, all above 0.

    Raises:
        InputError: there are no samples, logits that are not finite, other classes, or one that no training image has.
    """
    checks.check_set(logits, "logits", 1)
    if reference.shape != logits.shape[1:]:
        raise InputError(f"{len(reference)} classes of training images cannot be compared with {logits.shape[1]} of logits")
    if not (reference > 0).all():
        raise InputError(f"no training image is of class {int(reference.argmin())}, and the MODE score takes all; leave it out")
    log_p = logits.double().log_softmax(dim=1)
    log_marginal = log_p.logsumexp(dim=0) - math.log(len(log_p))
    log_reference = (reference.to(log_p) / reference.sum()).log()
    told_apart = _kl(log_p, log_reference).mean()
    return {
        "mode_score": (told_apart - _kl(log_marginal, log_reference)).exp().item(),
        "mode_score_reversed": (told_apart - _kl(log_reference, log_marginal)).exp().item(),
    }


def _kl(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(p || q) in nats over the last dimension."""
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)
