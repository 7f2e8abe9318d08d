"""Numbers of a table: intervals by hand, the words of a comparison, and what a column takes out of a run."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from lightning_gans.tables.cells import Estimate, our_text, published_text, verdict
from lightning_gans.tables.column import Column

VALUES = [20.0, 24.0, 15.0]


def line(**numbers: Any) -> dict[str, Any]:
    last = {name: {"value": value, "step": 100} for name, value in numbers.items()}
    best = {name: {"value": value + 1, "step": 50} for name, value in numbers.items()}
    curves = [
        {"step": [10, 50, 100], "modes": [3.0, 25.0, 24.0], "fid": [90.0, 40.0, 50.0]},
        {"step": [20, 40], "change/samples": [0.4, 0.2]},
    ]
    return {"seconds": 90.0, "steps": 100, "results": {"last": last, "best": best}, "curves": curves}


def test_the_interval_is_that_of_all_resamples() -> None:
    means = [float(np.mean(drawn)) for drawn in itertools.product(VALUES, repeat=3)]
    found = Estimate.of(VALUES)
    assert found.mean == pytest.approx(59 / 3)
    assert (found.low, found.high) == pytest.approx((min(means), max(means)))  # each is 1 of 27 resamples, above 2.5 %
    many = Estimate.of([float(number) for number in range(100)])
    assert (many.low, many.high) == pytest.approx((49.5 - 1.96 * 2.887, 49.5 + 1.96 * 2.887), abs=0.3)
    assert Estimate.of(VALUES) == found  # drawn alike every time


def test_one_seed_has_no_interval_and_equal_ones_a_point() -> None:
    alone = Estimate.of([24.5])
    assert math.isnan(alone.low)
    assert alone.text(2) == "24.50"
    assert Estimate.of([25.0, 25.0]).text(1) == "25.0 [25.0, 25.0]"


@pytest.mark.parametrize(
    ("ours", "published", "higher", "said"),
    [
        ((24.0, 23.0, 25.0), [26.0, 1.0], True, "within"),
        ((24.0, 23.0, 24.9), [26.0, 1.0], True, "worse by 2.0"),
        ((24.0, 23.0, 24.9), [26.0, 1.0], False, "better by 2.0"),
        ((28.0, 27.2, 29.0), [26.0, 1.0], True, "better by 2.0"),
        ((27.0, math.nan, math.nan), [26.0, 1.0], True, "within"),
        ((27.2, math.nan, math.nan), [26.0, 1.0], True, "better by 1.2"),
        ((26.04, math.nan, math.nan), [26.0], True, "within"),  # as printed
        ((26.2, math.nan, math.nan), [26.0], False, "worse by 0.2"),
    ],
)
def test_ours_is_within_better_or_worse(ours: tuple[float, ...], published: list[float], higher: bool, said: str) -> None:
    assert verdict(Estimate(*ours), published, higher, digits=1) == said


def test_directions_are_known_or_given() -> None:
    assert Column("modes").higher_is_better
    assert not Column("fid").higher_is_better
    assert not Column("minutes").higher_is_better
    assert not Column("modes", reaches=25).higher_is_better  # the sooner the better
    assert Column("svm_accuracy", better="higher").higher_is_better


def test_a_column_takes_its_number_out_of_a_run() -> None:
    run = line(modes=24.0, fid=50.0)
    assert Column("modes").value(run) == 24
    assert Column("modes").value(run, "best") == 25
    assert Column("minutes").value(run) == 1.5
    assert Column("minutes", at=50).value(run) == 0.75
    assert Column("minutes", at=200).value(run) is None
    assert Column("x", measure="change/samples", at=40).value(run) == 0.2
    assert Column("fid", at=50).value(run) == 40
    assert Column("fid", at=60).value(run) is None
    assert Column("modes", reaches=25).value(run) == 50
    assert Column("fid", reaches=60).value(run) == 50
    assert Column("fid", reaches=30).value(run) is None
    assert Column("fid", below=60).value(run) == 1
    assert Column("fid", below=50).value(run) == 0
    assert Column("kid").value(run) is None
    assert Column("fid", times=100).value(run) == 5000
    assert Column("fid", times=100, at=50).value(run) == 4000


def test_cells_as_they_are_read() -> None:
    lines = [line(modes=value) for value in VALUES]
    assert our_text(Column("modes", digits=1), lines, "last", [21.5, 2.0]) == "19.7 [15.0, 24.0], within"
    assert our_text(Column("modes", digits=1), lines[:1], "last", [25.0, 0.0]) == "20.0, worse by 5.0"
    assert our_text(Column("modes", digits=1), lines, "best") == "20.7 [16.0, 25.0]"
    assert our_text(Column("kid"), lines, "last", [1.0]) == "-"
    assert our_text(Column("modes", reaches=99), lines, "last") == "never"
    assert our_text(Column("modes", below=21), lines, "last", [3, 3]) == "2 of 3, not so"
    assert our_text(Column("modes", below=30), lines, "last", [6, 6]) == "3 of 3, within"
    some = [*lines, line(fid=3.0)]
    assert our_text(Column("modes", digits=0), some, "last") == "20 [15, 24] (3 of 4 runs)"
    assert published_text(Column("modes"), [21.5, 2.0]) == "21.50 ± 2.00"
    assert published_text(Column("modes", below=1), [6, 6]) == "6 of 6"
    assert published_text(Column("modes"), None) == ""
