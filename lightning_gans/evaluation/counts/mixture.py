"""How many modes of a known mixture a sampler covers, by the counting rules of three papers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torchmetrics import Metric

from lightning_gans.errors import InputError

Protocol = Literal["gaan", "ali", "veegan"]


def nearest_mode(samples: Tensor, centres: Tensor, radius: float) -> Tensor:
    """The centre ``(N,)`` within ``radius`` that each sample ``(N, 2)`` is nearest to, or -1."""
    # As a matrix product, distances would lose half their digits, and under TF32 all that matter here.
    distances = torch.cdist(samples.to(centres), centres, compute_mode="donot_use_mm_for_euclid_dist")
    distance, nearest = distances.min(dim=1)
    return torch.where((distance <= radius) & distance.isfinite(), nearest, -1)


@dataclass(frozen=True)
class _Rule:
    radius: float  # in standard deviations of a mode and axis
    share: float  # of all samples that a covered mode has at least; 0: one sample is enough


_RULES = {
    "gaan": _Rule(radius=2 * math.sqrt(2), share=0.01),
    "ali": _Rule(radius=math.inf, share=0.0),
    "veegan": _Rule(radius=3.0, share=0.0),
}
_REPORTED: tuple[Protocol, ...] = ("gaan", "ali")  # whatever the protocol: the numbers of papers are by one or the other


class ModeCount(Metric):
    """Registers every sample with its nearest centre, if it is near enough, and counts.

    The published protocols on the 25-Gaussian grid:

    - ``gaan`` (Tran et al. 2018, Table 2, and the authors' code): 2,000 samples; registered within 0.1 * sqrt(2), which is
      2 * sqrt(2) standard deviations; a mode is covered by 20 of the 2,000 registered samples, taken here as 1 %;
    - ``ali`` (Dumoulin et al. 2017, section 4.5): 10,000 samples, each assigned to the component of the largest
      responsibility, which is the nearest since all are alike; a mode is dropped only if it has no sample;
    - ``veegan`` (Srivastava et al. 2017; PacGAN alike): 2,500 samples; high-quality within 3 standard deviations; a mode is
      covered by one high-quality sample.

    ``compute`` gives, for n samples, K modes and counts n_i:

    - ``modes``: covered modes by the protocol; ``modes_gaan`` and ``modes_ali`` those of the same samples by these two rules,
      which can be 5 and 25 where a model smears its samples;
    - ``registered``: sum of n_i; ``registered_share`` is that over n, PacGAN's share of high-quality samples;
    - ``tv_differential``: sum of |n_i / n - 1 / K|, neither halved nor renormalised;
    - ``tv_true``: the same with what is not registered as one more bin. Both follow the arithmetic of GAAN's Table 2, which
      defines neither and seems to clip the latter at 1; ``tv_differential_halved`` and ``tv_true_halved`` are total variations
      as usually defined.

    Args:
        centres: ``(K, 2)``.
        std: standard deviation of each mode and axis.
        protocol: the rule.
        settings: of torchmetrics' ``Metric``.
    """

    full_state_update = False
    higher_is_better = True
    by_rule: Tensor
    total: Tensor

    def __init__(self, centres: Tensor, std: float, protocol: Protocol = "gaan", **settings: Any) -> None:
        super().__init__(**settings)
        if protocol not in _RULES:
            raise InputError(f"there is no counting protocol {protocol!r}; name one of {', '.join(_RULES)}")
        self.protocol, self.std = protocol, std
        self.register_buffer("centres", centres, persistent=False)
        self.add_state("by_rule", torch.zeros(len(_RULES), len(centres), dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("total", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, samples: Tensor) -> None:
        """Count ``samples`` ``(N, 2)`` in the units of the centres; what is not finite is registered nowhere."""
        assert isinstance(self.centres, Tensor)
        if samples.dim() != 2 or samples.shape[1] != self.centres.shape[1]:
            raise InputError(f"modes are counted of points (N, {self.centres.shape[1]}), not of {tuple(samples.shape)}")
        for number, rule in enumerate(_RULES.values()):
            mode = nearest_mode(samples, self.centres, rule.radius * self.std)
            self.by_rule[number] += torch.bincount(mode[mode >= 0], minlength=len(self.centres))
        self.total += len(samples)

    @property
    def counts(self) -> Tensor:
        """``(K,)``: samples that are registered with each mode by the protocol."""
        return self.by_rule[[*_RULES].index(self.protocol)]

    def covered(self, protocol: Protocol) -> Tensor:
        """How many modes are covered by a rule."""
        counts, least = self.by_rule[[*_RULES].index(protocol)], _RULES[protocol].share * self.total
        return (counts >= least.clamp(min=1)).sum()

    def compute(self) -> dict[str, Tensor]:
        share = self.counts.double() / self.total
        registered = share.sum()
        differential = (share - 1 / len(share)).abs().sum()
        true = differential + (1 - registered)
        return {
            "modes": self.covered(self.protocol),
            **{f"modes_{rule}": self.covered(rule) for rule in _REPORTED},
            "registered": self.counts.sum(),
            "registered_share": registered,
            "tv_true": true,
            "tv_differential": differential,
            "tv_true_halved": true / 2,
            "tv_differential_halved": differential / 2,
        }


def perfect_mixture(centres: Tensor, std: float, protocol: Protocol, n: int, draws: int = 50) -> list[dict[str, float]]:
    """What ``n`` exact draws from the mixture get, ``draws`` times: the best that can be hoped for."""
    random = torch.Generator().manual_seed(0)
    scores = []
    for _ in range(draws):
        metric = ModeCount(centres, std, protocol, sync_on_compute=False)
        chosen = centres[torch.randint(len(centres), (n,), generator=random)]
        metric.update(chosen + std * torch.randn(chosen.shape, generator=random))
        scores.append({name: float(value) for name, value in metric.compute().items()})
    return scores
