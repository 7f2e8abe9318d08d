"""How evenly samples spread over the classes that a classifier sees in them."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import Binomial
from torchmetrics import Metric

from lightning_gans.errors import InputError


class ClassCoverage(Metric):
    """A histogram of predicted classes, beside the uniform one.

    ``compute`` gives, for the shares p_i of K classes:

    - ``modes``: classes with a sample;
    - ``kl``: sum of p_i log(K p_i) in nats, KL(samples || uniform), 0 to log K; classes without a sample add nothing;
    - ``entropy``: log K - kl, in nats;
    - ``tv``: half the sum of ``|p_i - q_i|``, 0 to 1; what DAN (Li et al. 2017) reports for digits is this with uniform q.
      The TV of GAAN's table, on points, is not halved: see ``ModeCount``;
    - ``squared_distance``: sum of ``(p_i - 1 / K)^2``, 0 to 1 - 1 / K, which DAN reports, too;
    - ``kl_real``, where there is a reference that has every class: sum of p_i log(p_i / q_i) in nats, KL(samples || reference).

    Args:
        num_classes: K.
        reference: the histogram ``(K,)`` to which ``tv`` is the distance and ``kl_real`` the divergence, in counts or shares,
            such as the real data's; uniform if none.
    """

    full_state_update = False
    counts: Tensor
    reference: Tensor

    def __init__(self, num_classes: int, reference: Tensor | None = None) -> None:
        super().__init__()
        shares = torch.ones(num_classes).double() if reference is None else reference.double()
        if shares.shape != (num_classes,) or not shares.isfinite().all() or shares.min() < 0 or shares.sum() == 0:
            raise InputError(f"a histogram of {num_classes} classes is {num_classes} counts, none negative, not all zero")
        self.register_buffer("reference", shares / shares.sum(), persistent=False)
        self._compares = reference is not None and bool((shares > 0).all())
        self.add_state("counts", torch.zeros(num_classes, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, predicted: Tensor) -> None:
        """Count labels ``(N,)``, integers from 0 to K - 1, or the largest of logits ``(N, K)``."""
        k = len(self.counts)
        self._count(_labels(predicted, k, f"(N,), or logits (N, {k})", dim=1))

    def compute(self) -> dict[str, Tensor]:
        total = self.counts.sum()
        if total == 0:
            raise InputError("no sample was classified; raise num_samples")
        share = self.counts.double() / total
        entropy = -torch.special.xlogy(share, share).sum()
        scores = {
            "modes": (self.counts > 0).sum(),
            "kl": math.log(len(share)) - entropy,
            "entropy": entropy,
            "tv": (share - self.reference).abs().sum() / 2,
            "squared_distance": (share - 1 / len(share)).square().sum(),
        }
        return scores | ({"kl_real": -entropy - share @ self.reference.log()} if self._compares else {})

    def _count(self, labels: Tensor) -> None:
        self.counts += torch.bincount(labels.to(self.counts.device), minlength=len(self.counts))


class StackedClassCoverage(ClassCoverage):
    """MNIST-1K: three digits, one in each channel, are the class 100 a + 10 b + c (Metz et al. 2017; Srivastava et al. 2017).

    The published protocols count non-empty classes and the KL to uniform; they differ in the number of samples, which moves
    both numbers: print ``perfect_sampler`` beside them.
    """

    def __init__(self, reference: Tensor | None = None) -> None:
        super().__init__(1000, reference)

    def update(self, predicted: Tensor) -> None:
        """Count digits ``(N, 3)``, or the largest of logits ``(N, 3, 10)``."""
        digits = _labels(predicted, 10, "(N, 3), or logits (N, 3, 10)", dim=2)
        if digits.shape[1] != 3:
            raise InputError(f"MNIST-1K takes three digits a sample, not {digits.shape[1]}")
        self._count(digits @ torch.tensor([100, 10, 1], device=digits.device))


def perfect_sampler(num_classes: int, n: int, reference: Tensor | None = None) -> dict[str, float]:
    """What ``ClassCoverage`` gives on average for ``n`` independent draws: the best that can be hoped for.

    They are from the uniform law, or from that of a reference ``(K,)`` in counts or shares, as ``ClassCoverage`` takes it.

    Exact, as sums over the binomial law of each class's count; ``kl``, or ``kl_real``, is about (K - 1) / 2n for large n.
    """
    count = torch.arange(n + 1).double()[:, None]
    share = count / n
    law = torch.full((1,), 1 / num_classes, dtype=torch.float64) if reference is None else reference.double() / reference.sum()
    times = num_classes // len(law)  # the same for every class of the uniform law
    probability = Binomial(n, law).log_prob(count).exp()
    entropy = -times * float((probability * torch.special.xlogy(share, share)).sum())
    expected = {
        "modes": times * float((1 - probability[0]).sum()),
        "kl": math.log(num_classes) - entropy,
        "entropy": entropy,
        "tv": times / 2 * float((probability * (share - law).abs()).sum()),
        "squared_distance": times * float((probability * (share - 1 / num_classes).square()).sum()),
    }
    return expected | ({"kl_real": -entropy - float(law @ law.log())} if reference is not None and (law > 0).all() else {})


def _labels(predicted: Tensor, classes: int, expected: str, dim: int) -> Tensor:
    """Checked labels of ``dim`` dimensions, the largest of logits if those were given."""
    logits = predicted.is_floating_point()
    if predicted.dim() != dim + logits or (logits and predicted.shape[-1] != classes):
        raise InputError(f"classes are counted of labels {expected}, not of {tuple(predicted.shape)}")
    if logits:
        if not predicted.isfinite().all():
            raise InputError("some logits are NaN or infinite; look at the images and the classifier")
        return predicted.argmax(dim=-1)
    labels = predicted.long()
    if ((labels < 0) | (labels >= classes)).any():
        raise InputError(f"labels run from 0 to {classes - 1}; some of these do not: is it the right classifier?")
    return labels
