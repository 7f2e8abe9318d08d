"""How far two ways of putting the same samples into groups agree."""

from __future__ import annotations

import numpy as np
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
