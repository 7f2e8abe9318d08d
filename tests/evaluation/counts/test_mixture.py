"""Mode counts of samples that are placed by hand."""

import math

import pytest
import torch

from lightning_gans.errors import InputError
from lightning_gans.evaluation.counts.mixture import ModeCount

AXIS = torch.arange(-4.0, 5.0, 2.0)
CENTRES = torch.cartesian_prod(AXIS, AXIS)
STD = 0.05
RADIUS = {"gaan": 0.1 * math.sqrt(2), "veegan": 0.15}


def count(samples: torch.Tensor, protocol: str = "gaan", centres: torch.Tensor = CENTRES, std: float = STD) -> dict[str, float]:
    metric = ModeCount(centres, std, protocol)
    metric.update(samples)
    return {name: value.item() for name, value in metric.compute().items()}


def placed(*counts: int, outside: int = 0) -> torch.Tensor:
    """``counts[i]`` samples on the i-th centre, and some where no mode is."""
    on_modes = CENTRES[: len(counts)].repeat_interleave(torch.tensor(counts), dim=0)
    return torch.cat([on_modes, torch.full((outside, 2), 1.0)])


def mixture(n: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return CENTRES[torch.randint(25, (n,), generator=generator)] + STD * torch.randn(n, 2, generator=generator)


@pytest.mark.parametrize(("protocol", "modes"), [("gaan", 2), ("veegan", 4), ("ali", 5)])
def test_each_protocol_covers_modes_by_its_own_rule(protocol, modes):
    near_fifth = CENTRES[4] + torch.tensor([0.4, 0.0])
    samples = torch.cat([placed(1958, 20, 19, 1), near_fifth.expand(2, 2)])
    found = count(samples, protocol)
    assert found["modes"] == modes
    assert (found["modes_gaan"], found["modes_ali"]) == (2, 5), "both rules are told whatever the protocol"
    assert found["registered"] == (2000 if protocol == "ali" else 1998)
    assert found["registered_share"] == pytest.approx(found["registered"] / 2000)


@pytest.mark.parametrize("n", [100, 300, 700, 1900, 2000, 2100, 10_000, 50_000])
def test_a_mode_is_covered_by_one_in_a_hundred_samples_exactly(n):
    assert count(placed(n // 100, outside=n - n // 100))["modes"] == 1
    assert count(placed(n // 100, outside=n - n // 100 + 1))["modes"] == 0


@pytest.mark.parametrize("protocol", ["gaan", "veegan"])
@pytest.mark.parametrize("direction", [(1.0, 0.0), (0.0, -1.0), (0.6, 0.8)])
@pytest.mark.parametrize("others", [0, 100])
def test_a_sample_is_registered_within_the_radius_and_not_beyond(protocol, direction, others):
    samples = CENTRES + torch.tensor(direction) * RADIUS[protocol]
    company = torch.full((others, 2), 1.0)
    inside = CENTRES + 0.999 * (samples - CENTRES)
    outside = CENTRES + 1.001 * (samples - CENTRES)
    assert count(torch.cat([inside, company]), protocol)["registered"] == 25
    assert count(torch.cat([outside, company]), protocol)["registered"] == 0


def test_a_sample_counts_for_its_nearest_centre():
    metric = ModeCount(CENTRES, STD, "ali")
    metric.update(CENTRES[[7, 7, 19]] + torch.tensor([0.9, -0.9]))
    assert metric.counts.nonzero().flatten().tolist() == [7, 19]
    assert metric.counts[7] == 2


@pytest.mark.parametrize("protocol", ["gaan", "ali", "veegan"])
def test_what_is_counted_does_not_depend_on_where_the_mixture_lies(protocol):
    shift = 1024.0  # exact in float32, and so are the offsets
    offsets = torch.tensor([[0.0, 0.0], [0.125, 0.0], [0.125, 0.125], [0.5, 0.0]]).repeat(25, 1)
    samples = CENTRES.repeat_interleave(4, dim=0) + offsets
    assert count(samples + shift, protocol, CENTRES + shift) == count(samples, protocol)


@pytest.mark.parametrize(
    ("counts", "outside", "differential", "true"),
    [
        ([80] * 25, 0, 0, 0),
        ([2000], 0, 0.96 + 24 * 0.04, 1.92),
        ([1000, 1000], 0, 2 * 0.46 + 23 * 0.04, 1.84),
        ([40] * 25, 1000, 25 * 0.02, 0.5 + 0.5),
        ([0], 2000, 1, 2),
        ([160] * 10, 400, 10 * 0.04 + 15 * 0.04, 1 + 0.2),
    ],
)
def test_total_variations_are_those_worked_out_by_hand(counts, outside, differential, true):
    found = count(placed(*counts, outside=outside))
    assert found["tv_differential"] == pytest.approx(differential, abs=1e-12)
    assert found["tv_true"] == pytest.approx(true, abs=1e-12)
    assert found["tv_differential_halved"] == pytest.approx(differential / 2, abs=1e-12)
    assert found["tv_true_halved"] == pytest.approx(true / 2, abs=1e-12)


def test_a_perfect_sampler_registers_all_but_exp_minus_4_of_its_samples():
    found = [count(mixture(2000, seed)) for seed in range(20)]
    expected = 2000 * (1 - math.exp(-4))
    assert sum(f["registered"] for f in found) / 20 == pytest.approx(expected, abs=4 * 6 / math.sqrt(20))
    assert all(f["modes"] == 25 for f in found)
    assert sum(f["tv_differential"] for f in found) / 20 == pytest.approx(0.088, abs=0.012)


def test_a_perfect_sampler_is_of_high_quality_but_for_exp_minus_four_and_a_half():
    share = count(mixture(100_000), "veegan")["registered_share"]
    assert share == pytest.approx(1 - math.exp(-4.5), abs=4 * math.sqrt(0.0111 / 100_000))


@pytest.mark.parametrize("protocol", ["gaan", "ali", "veegan"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_samples_that_are_not_finite_are_counted_but_registered_nowhere(protocol, bad):
    lost = torch.tensor([[bad, 0.0], [0.0, bad], [bad, bad]])
    found = count(torch.cat([placed(3), lost]), protocol)
    assert found["registered"] == 3
    assert found["registered_share"] == 0.5


def test_counts_accumulate_over_updates_of_any_size():
    whole, samples = count(mixture(2000)), mixture(2000)
    metric = ModeCount(CENTRES, STD)
    for block in samples.split([1, 24, 25, 26, 924, 1000]):
        metric.update(block)
    metric.update(samples[:0])
    assert {name: value.item() for name, value in metric.compute().items()} == whole
    metric.reset()
    assert metric.total == 0
    assert metric.counts.sum() == 0


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_samples_of_any_precision_are_counted(dtype):
    assert count(placed(5, 6).to(dtype))["registered"] == 11


@pytest.mark.parametrize("shape", [(4,), (4, 3), (4, 2, 1)])
def test_samples_that_are_no_points_are_refused_by_their_shape(shape):
    with pytest.raises(InputError, match=r"\(N, 2\)"):
        count(torch.zeros(shape))


def test_an_unknown_protocol_is_refused_with_the_names_of_those_that_exist():
    with pytest.raises(InputError, match=r"'dan'.*gaan, ali, veegan"):
        ModeCount(CENTRES, STD, "dan")
