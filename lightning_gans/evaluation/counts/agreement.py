"""How far two ways of putting the same samples into groups agree."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment
from torch import Tensor


def nmi_of_counts(counts: Tensor | np.ndarray) -> float:
    """Normalised mutual information of two labellings by how often each pair is met ``(groups, groups)``.

    I(a, b) over the mean of H(a) and H(b); two labellings of a single group are the same.
    """
    table = np.asarray(counts, dtype=np.float64)
    joint = table / table.sum()
    independent = joint.sum(1, keepdims=True) * joint.sum(0)
    met = joint > 0
    information = float((joint[met] * np.log(joint[met] / independent[met])).sum())
    entropies = [-float((p[p > 0] * np.log(p[p > 0])).sum()) for p in (joint.sum(0), joint.sum(1))]
    return max(information, 0.0) / (sum(entropies) / 2) if any(entropies) else 1.0


def assigned_error(counts: Tensor | np.ndarray) -> float:
    """The share of samples that is in a group of another class, by how often each pair is met ``(groups, classes)``.

    Groups are named by these samples themselves as well as can be: each by a class of its own (Kuhn, 1955), or where there are
    more groups than classes each by its most frequent one.
    """
    table = np.asarray(counts, dtype=np.float64)
    groups, classes = table.shape
    of_each = table.max(1) if groups > classes else table[linear_sum_assignment(table, maximize=True)]
    return 1 - float(of_each.sum() / table.sum())
