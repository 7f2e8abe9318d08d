"""How many runs at a time: simulated machines on which more of them help up to a point."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lightning_gans.runs.crowd import Crowd


def settle(speed: Callable[[int], float], most: int = 8, unlike: bool = False) -> Crowd:
    """A crowd after ten minutes on a machine where each of n runs goes at ``speed(n)`` of its own pace."""
    crowd = Crowd(most, grows=True)
    steps: dict[object, float] = {}
    for second in range(1200):
        while len(steps) < crowd.allowed:
            steps[len(steps)] = 0.0
        for run in steps:
            steps[run] += speed(len(steps)) * (10 + 90 * (unlike and int(str(run)) % 2))
        crowd.look({run: int(done) for run, done in steps.items()}, now=float(second))
    return crowd


@pytest.mark.parametrize("unlike", [False, True])
@pytest.mark.parametrize("cores", [1, 2, 4])
def test_it_grows_as_far_as_that_helps(cores: int, unlike: bool) -> None:
    crowd = settle(lambda runs: min(1.0, cores / runs), unlike=unlike)
    assert crowd.allowed == cores
    assert not crowd.grows


def test_a_tenth_is_worth_it_and_less_is_not() -> None:
    assert settle(lambda runs: 1.0 if runs == 1 else 0.56, most=2).allowed == 2
    assert settle(lambda runs: 1.0 if runs == 1 else 0.54, most=2).allowed == 1


def test_it_does_not_grow_beyond_the_most_nor_where_a_number_is_given() -> None:
    assert settle(lambda runs: 1.0, most=3).allowed == 3
    fixed = Crowd(4)
    fixed.look({0: 5}, now=0.0)
    assert fixed.allowed == 4


def test_it_waits_until_all_have_begun_and_begins_again_when_one_ends() -> None:
    crowd = Crowd(4, grows=True, seconds=10)
    crowd.look({"a": 0}, now=0)
    crowd.look({"a": 5}, now=100)  # begins to count
    crowd.look({"a": 15}, now=109)
    assert crowd.allowed == 1
    crowd.look({"a": 15}, now=110)
    assert crowd.allowed == 2
    crowd.look({"a": 20, "b": 0}, now=200)
    crowd.look({"b": 5, "c": 5}, now=300)  # a has ended
    crowd.look({"b": 6, "c": 6}, now=311)
    assert crowd.allowed == 3  # nothing to compare with, so one more
    assert crowd.grows
