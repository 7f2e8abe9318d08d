"""How far two groupings agree, against every way to name groups."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch

from lightning_gans.evaluation.counts.agreement import assigned_error


@pytest.mark.parametrize("groups", [2, 4])
def test_groups_that_are_no_more_than_the_classes_are_given_each_a_class_of_its_own_as_well_as_can_be(groups: int) -> None:
    for seed in range(20):
        counts = torch.randint(30, (groups, 4), generator=torch.Generator().manual_seed(seed))
        right = max(sum(int(counts[group, c]) for group, c in enumerate(of)) for of in permutations(range(4), groups))
        assert assigned_error(counts) == pytest.approx(1 - right / int(counts.sum()))


def test_codes_that_are_classes_by_other_numbers_have_no_error() -> None:
    counts = 7 * torch.eye(5, dtype=torch.long)[torch.tensor([3, 0, 4, 1, 2])]
    assert assigned_error(counts) == 0
    assert assigned_error(counts.numpy()) == 0


def test_a_class_is_given_once_where_groups_are_as_many_and_as_often_as_it_is_most_frequent_where_they_are_more() -> None:
    same = [[9, 1], [8, 2]]
    assert assigned_error(torch.tensor(same)) == pytest.approx(1 - 11 / 20)
    assert assigned_error(torch.tensor([*same, [0, 5]])) == pytest.approx(1 - 22 / 25)
