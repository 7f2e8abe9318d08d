"""Kernel distance, Inception and MODE score, precision, recall, density, coverage, diversity of features extracted already.

The only file that calls torch-fidelity's functions of features. All draw from private streams.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import pdist
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric

from lightning_gans.errors import InputError

_ELEMENTS = 2**25  # of one matrix of distances
_PAIRED = 1000  # rows of which distances are taken one by one: the slower, the exact way for near ones


@torch.no_grad()
def kid(real: Tensor, fake: Tensor, subsets: int = 100, subset_size: int = 1000, seed: int = 2020) -> dict[str, float]:
    """Kernel Inception distance (Binkowski et al. 2018): unbiased squared MMD with the kernel ``(x.y / D + 1)^3``.

    The mean over random subsets, ``kid``, may be slightly negative; ``kid_std`` is the subsets' standard deviation. Sets with
    fewer than ``subset_size`` samples are compared in subsets of what there is: ``kid_subset_size`` says of how many.

    Args:
        real: features ``(N, D)``.
        fake: features ``(M, D)``.
        subsets: how many.
        subset_size: samples in each, without replacement.
        seed: of the subsets; torch-fidelity's by default.

    Raises:
        InputError: a set has fewer than two samples, features that are not finite, or the sets do not fit together.
    """
    real, fake = _checked(real, fake, 2)
    size = min(subset_size, len(real), len(fake))
    found = kid_features_to_metric(fake, real, kid_subsets=subsets, kid_subset_size=size, rng_seed=seed, verbose=False)
    return {
        "kid": found["kernel_inception_distance_mean"],
        "kid_std": found["kernel_inception_distance_std"],
        "kid_subset_size": size,
    }


@torch.no_grad()
def inception_score(logits: Tensor, splits: int = 10, seed: int = 2020) -> dict[str, float]:
    """Inception score (Salimans et al. 2016), ``exp E KL(p(y|x) || p(y))``, in [1, K].

    Args:
        logits: ``(N, K)`` of generated images; the published score has the FID network's without their bias.
        splits: parts of the shuffled set; ``is`` is their mean and ``is_std`` their (biased) standard deviation.
        seed: of the shuffle; torch-fidelity's by default.

    Raises:
        InputError: there are fewer samples than splits, or logits that are not finite.
    """
    _check(logits, "logits", splits)
    # A probability that underflows to 0 in a whole part would become 0 * inf there
    log_p = logits.cpu().double().log_softmax(dim=1).clamp(min=-700)
    found = isc_features_to_metric(log_p, splits=splits, shuffle=True, rng_seed=seed)
    return {"is": found["inception_score_mean"], "is_std": found["inception_score_std"]}


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
    _check(logits, "logits", 1)
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


@torch.no_grad()
def diversity(points: Tensor) -> float:
    """The mean Euclidean distance between two different samples; a generator that makes one image only has 0.

    Exact, in double precision, over all N (N - 1) / 2 pairs, a block of rows at a time, and without bias. Its ratio to that of
    real samples is 1 for equal laws and falls towards 0 as a generator collapses; above 1 samples are scattered more widely
    than real ones. It does not notice modes that are lost while others stay far apart: see ``recall`` and ``modes``.

    Args:
        points: features ``(N, D)``, or coordinates of points.

    Raises:
        InputError: there are fewer than two samples, or features that are not finite.
    """
    _check(points, "features", 2)
    points = points.double()
    points = points - points.mean(dim=0)
    total = points.new_zeros(())
    start = 0
    for some in points.split(min(_rows(points), _PAIRED)):
        start += len(some)
        total += pdist(some).sum() + torch.cdist(some, points[start:]).sum()
    return total.item() / (len(points) * (len(points) - 1) / 2)


@torch.no_grad()
def prdc(real: Tensor, fake: Tensor, k: int = 5, precision_k: int = 3) -> dict[str, float]:
    """Precision and recall (Kynkaanniemi et al. 2019), density and coverage (Naeem et al. 2020).

    The ball of a sample reaches to its k-th nearest neighbour in its own set, itself not counted.

    - ``precision``: share of generated samples in the ball of a real one, its edge included;
    - ``recall``: share of real samples in the ball of a generated one, its edge included;
    - ``density``: real balls around a generated sample, edges excluded, over k; about 1 for equal laws, and can be above;
    - ``coverage``: share of real samples with a generated one in their ball, edge excluded.

    Memory is bounded: distances are computed a block of rows at a time, and each only once but for those within a set.

    Args:
        real: features ``(N, D)``.
        fake: features ``(M, D)``.
        k: of density and coverage; 5 in the paper.
        precision_k: of precision and recall; 3 in the paper.

    Raises:
        InputError: a set has no more than k samples, features that are not finite, or the sets do not fit together.
    """
    real, fake = _checked(real, fake, max(k, precision_k) + 1)
    centre = real.mean(dim=0)  # distances are found by way of products, which are exact for short vectors only
    real, fake = real - centre, fake - centre
    real_radius, density_radius = _radii(real, precision_k, k)
    (fake_radius,) = _radii(fake, precision_k)
    precise = inside = 0
    recalled = torch.zeros(len(real), dtype=torch.bool, device=real.device)
    nearest = torch.full((len(real),), torch.inf, dtype=real.dtype, device=real.device)
    rows = _rows(real)
    for some, radius in zip(fake.split(rows), fake_radius.split(rows), strict=True):
        distance = torch.cdist(some, real)
        precise += int((distance <= real_radius).any(dim=1).sum())
        inside += int((distance < density_radius).sum())
        recalled |= (distance <= radius[:, None]).any(dim=0)
        nearest = nearest.minimum(distance.amin(dim=0))
    return {
        "precision": precise / len(fake),
        "recall": recalled.double().mean().item(),
        "density": inside / (k * len(fake)),
        "coverage": (nearest < density_radius).double().mean().item(),
    }


def _radii(points: Tensor, *ks: int) -> list[Tensor]:
    """The distance ``(N,)`` of every point to its k-th nearest other, for each k."""
    nearest = [torch.cdist(some, points).topk(max(ks) + 1, largest=False).values for some in points.split(_rows(points))]
    return [torch.cat(nearest)[:, k] for k in ks]


def _rows(points: Tensor) -> int:
    return max(1, _ELEMENTS // len(points))


def _checked(real: Tensor, fake: Tensor, at_least: int) -> tuple[Tensor, Tensor]:
    """Both in single precision or better, if they can be compared at all."""
    _check(real, "features of real images", at_least)
    _check(fake, "features of generated images", at_least)
    if real.shape[1] != fake.shape[1]:
        raise InputError(f"features of {real.shape[1]} and of {fake.shape[1]} dimensions cannot be compared; use one network")
    dtype = torch.promote_types(torch.promote_types(real.dtype, fake.dtype), torch.float32)
    return real.to(fake.device, dtype), fake.to(dtype)


def _check(values: Tensor, what: str, at_least: int) -> None:
    if values.dim() != 2:
        raise InputError(f"the {what} are {tuple(values.shape)}, not (N, D)")
    if len(values) < at_least:
        raise InputError(f"the {what} are of {len(values)}, and {at_least} or more are needed; raise num_samples")
    if not values.isfinite().all():
        raise InputError(f"some {what} are NaN or infinite; look at the images and the precision of the feature network")
