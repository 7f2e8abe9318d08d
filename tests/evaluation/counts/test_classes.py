"""Class histograms of labels that are placed by hand."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from lightning_gans.errors import InputError
from lightning_gans.evaluation.counts.classes import ClassCoverage, StackedClassCoverage, perfect_sampler


def count(predicted: Tensor, classes: int = 10, reference: Tensor | None = None) -> dict[str, float]:
    metric = ClassCoverage(classes, reference)
    metric.update(predicted)
    return {name: value.item() for name, value in metric.compute().items()}


def labels(*counts: int) -> Tensor:
    return torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))


@pytest.mark.parametrize(
    ("counts", "modes", "kl", "tv"),
    [
        ([7] * 10, 10, 0, 0),
        ([100], 1, math.log(10), 0.9),
        ([0] * 9 + [3], 1, math.log(10), 0.9),
        ([50, 50], 2, math.log(5), 0.8),
        ([30, 10], 2, 0.75 * math.log(7.5) + 0.25 * math.log(2.5), 0.8),
        ([11] + [10] * 8 + [9], 10, 0.11 * math.log(1.1) + 0.09 * math.log(0.9), 0.01),
    ],
)
def test_modes_divergence_and_distance_are_those_worked_out_by_hand(
    counts: list[int], modes: int, kl: float, tv: float
) -> None:
    found = count(labels(*counts))
    assert found["modes"] == modes
    assert found["kl"] == pytest.approx(kl, abs=1e-12)
    assert found["entropy"] == pytest.approx(math.log(10) - kl, abs=1e-12)
    assert found["tv"] == pytest.approx(tv, abs=1e-12)
    shares = [each / sum(counts) for each in [*counts, *[0] * (10 - len(counts))]]
    assert found["squared_distance"] == pytest.approx(sum((share - 0.1) ** 2 for share in shares), abs=1e-12)


@pytest.mark.parametrize("scale", [1, 8])
def test_the_distance_is_to_the_reference_and_nothing_else_is(scale: int) -> None:
    reference = scale * torch.tensor([2, 1, 1, 0])
    even, same = count(labels(5, 5, 5, 5), 4, reference), count(labels(10, 5, 5), 4, reference)
    assert even["tv"] == pytest.approx(0.25)
    assert even["kl"] == pytest.approx(0, abs=1e-12)
    assert same["tv"] == 0
    assert same["kl"] == pytest.approx(0.5 * math.log(2))


def test_the_divergence_from_a_reference_that_has_every_class() -> None:
    found = count(labels(2, 1, 1), 3, torch.tensor([1, 1, 2]))
    assert found["kl_real"] == pytest.approx(0.5 * math.log(2) + 0.25 * math.log(1) + 0.25 * math.log(0.5))
    assert count(labels(5, 0, 5), 3, torch.tensor([1, 2, 1]))["kl_real"] == pytest.approx(math.log(2))
    assert "kl_real" not in count(labels(2, 1, 1), 3, torch.tensor([1, 0, 1]))
    assert "kl_real" not in count(labels(2, 1, 1), 3)


def test_logits_count_for_their_largest() -> None:
    logits = torch.full((3, 4), -5.0)
    logits[[0, 1, 2], [3, 0, 3]] = -1.0
    metric = ClassCoverage(4)
    metric.update(logits.bfloat16())
    assert metric.counts.tolist() == [1, 0, 0, 2]


def test_counts_accumulate_over_updates() -> None:
    metric, given = ClassCoverage(10), labels(3, 0, 5, 1).to(torch.uint8)
    for some in given.split(2):
        metric.update(some)
    metric.update(given[:0])
    assert metric.counts.tolist() == [3, 0, 5, 1] + [0] * 6
    metric.reset()
    assert metric.counts.sum() == 0


def test_three_digits_are_read_as_a_number() -> None:
    metric = StackedClassCoverage()
    metric.update(torch.tensor([[1, 2, 3], [0, 0, 7], [9, 9, 9], [1, 2, 3]]))
    assert metric.counts.nonzero().flatten().tolist() == [7, 123, 999]
    assert metric.counts[123] == 2
    logits = torch.nn.functional.one_hot(torch.tensor([[4, 0, 6]]), 10).float()
    metric.update(logits)
    assert metric.counts[406] == 1


def test_all_numbers_once_are_a_thousand_modes_and_one_alone_is_as_far_as_can_be() -> None:
    metric = StackedClassCoverage()
    metric.update(torch.tensor(list(itertools.product(range(10), repeat=3))))
    found = metric.compute()
    assert found["modes"] == 1000
    assert found["kl"] == pytest.approx(0, abs=1e-12)
    metric.reset()
    metric.update(torch.full((25, 3), 9))
    assert metric.compute()["kl"] == pytest.approx(math.log(1000))
    assert metric.compute()["tv"] == pytest.approx(0.999)


@pytest.mark.parametrize(("classes", "n"), [(2, 3), (3, 4), (4, 1)])
def test_a_perfect_sampler_is_the_mean_over_all_its_draws(classes: int, n: int) -> None:
    draws = [count(torch.tensor(draw), classes) for draw in itertools.product(range(classes), repeat=n)]
    expected = {name: sum(draw[name] for draw in draws) / len(draws) for name in draws[0]}
    assert perfect_sampler(classes, n) == pytest.approx(expected, abs=1e-12)


def test_a_perfect_sampler_of_a_reference_is_the_mean_over_all_its_draws() -> None:
    reference, n = torch.tensor([1, 2, 5]), 4
    expected: dict[str, float] = {}
    for draw in itertools.product(range(3), repeat=n):
        weight = math.prod(float(reference[i]) / 8 for i in draw)
        for name, value in count(torch.tensor(draw), 3, reference).items():
            expected[name] = expected.get(name, 0) + weight * value
    assert perfect_sampler(3, n, reference) == pytest.approx(expected, abs=1e-12)
    assert "kl_real" not in perfect_sampler(3, n, torch.tensor([1, 0, 5]))


@pytest.mark.parametrize("n", [25_600, 26_000])
def test_a_perfect_sampler_of_mnist_1k_is_where_theory_and_draws_put_it(n: int) -> None:
    floor = perfect_sampler(1000, n)
    theory = 999 / (2 * n) + (1000**2 - 1) / (12 * n**2)  # of the expected entropy of a histogram, to second order
    assert floor["kl"] == pytest.approx(theory, rel=1e-3)
    assert floor["modes"] == pytest.approx(1000, abs=1e-6)
    drawn = count(torch.randint(1000, (n,), generator=torch.Generator().manual_seed(0)), 1000)
    assert drawn["kl"] == pytest.approx(floor["kl"], abs=4 * math.sqrt(999 / 2) / n)
    assert drawn["tv"] == pytest.approx(floor["tv"], rel=0.1)
    assert drawn["squared_distance"] == pytest.approx(floor["squared_distance"], rel=0.1)


@pytest.mark.parametrize(
    ("predicted", "says"),
    [
        (torch.zeros(4, 1).long(), r"labels \(N,\), or logits \(N, 10\), not of \(4, 1\)"),
        (torch.zeros(4, 9), r"logits \(N, 10\), not of \(4, 9\)"),
        (torch.zeros(4), r"not of \(4,\)"),
        (torch.tensor([0, 10]), "from 0 to 9"),
        (torch.tensor([-1, 0]), "from 0 to 9"),
        (torch.full((2, 10), math.nan), "NaN"),
    ],
)
def test_what_are_no_classes_is_refused(predicted: Tensor, says: str) -> None:
    with pytest.raises(InputError, match=says):
        count(predicted)


@pytest.mark.parametrize(
    ("predicted", "says"),
    [
        (torch.zeros(4).long(), r"\(N, 3\)"),
        (torch.zeros(4, 2).long(), "three digits a sample, not 2"),
        (torch.zeros(4, 2, 10), "three digits a sample, not 2"),
        (torch.zeros(4, 3), r"logits \(N, 3, 10\)"),
        (torch.full((4, 3), 10), "from 0 to 9"),
    ],
)
def test_what_are_no_three_digits_is_refused(predicted: Tensor, says: str) -> None:
    with pytest.raises(InputError, match=says):
        StackedClassCoverage().update(predicted)


@pytest.mark.parametrize(
    "reference", [torch.ones(9), torch.zeros(10), torch.tensor([-1.0] + [1] * 9), torch.full((10,), math.nan)]
)
def test_what_is_no_histogram_is_refused(reference: Tensor) -> None:
    with pytest.raises(InputError, match="10 classes"):
        ClassCoverage(10, reference)


def test_nothing_counted_is_no_result() -> None:
    with pytest.warns(UserWarning, match="before"), pytest.raises(InputError, match="no sample"):
        ClassCoverage(10).compute()
