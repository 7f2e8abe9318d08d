"""The posterior of a stochastic encoder against torch.distributions."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from lightning_gans import InputError
from lightning_gans.posteriors import DiagonalNormal


def posterior(n: int = 5, dim: int = 3, dtype: torch.dtype = torch.float64) -> DiagonalNormal:
    return DiagonalNormal.of(torch.randn(n, 2 * dim, generator=torch.Generator().manual_seed(4), dtype=torch.float64).to(dtype))


def reference(q: DiagonalNormal) -> Normal:
    return Normal(q.mean, q.log_variance.exp().sqrt())


def test_the_encoders_numbers_are_means_and_then_log_variances() -> None:
    q = DiagonalNormal.of(torch.tensor([[1.0, 2.0, 0.0, 1.386294361]]))
    assert q.mean.tolist() == [[1.0, 2.0]]
    torch.testing.assert_close(q.at(torch.ones(1, 2)), torch.tensor([[2.0, 4.0]]))


def test_a_draw_follows_the_distribution_and_its_generator() -> None:
    q = DiagonalNormal(torch.full((40_000, 1), 3.0), torch.full((40_000, 1), 2 * torch.tensor(0.5).log().item()))
    z = q.sample(torch.Generator().manual_seed(1))
    assert abs(z.mean() - 3) < 0.01
    assert abs(z.std() - 0.5) < 0.01
    assert torch.equal(z, q.sample(torch.Generator().manual_seed(1)))
    assert not torch.equal(z, q.sample(torch.Generator().manual_seed(2)))


def test_densities_are_torchs_for_one_draw_and_for_several() -> None:
    q = posterior()
    z = torch.randn(7, 5, 3, dtype=torch.float64)
    torch.testing.assert_close(q.log_prob(z), reference(q).log_prob(z).sum(dim=-1))
    torch.testing.assert_close(q.log_prob(z[0]), reference(q).log_prob(z[0]).sum(dim=-1))


@pytest.mark.parametrize("std", [1.0, 0.3, 5.0])
def test_the_divergence_is_torchs(std: float) -> None:
    q = posterior()
    zero = torch.zeros(3, dtype=torch.float64)
    torch.testing.assert_close(q.kl_to_normal(std), kl_divergence(reference(q), Normal(zero, zero + std)).sum(dim=1))


def test_the_divergence_of_the_standard_normal_law_from_itself_is_none() -> None:
    q = DiagonalNormal(torch.zeros(2, 4), torch.zeros(2, 4))
    assert q.kl_to_normal().tolist() == [0.0, 0.0]


def test_sixteen_bits_are_widened() -> None:
    assert posterior(dtype=torch.bfloat16).mean.dtype == posterior(dtype=torch.float16).log_variance.dtype == torch.float32
    assert posterior().mean.dtype == torch.float64


@pytest.mark.parametrize(("given", "kept"), [(1e4, 20.0), (-1e4, -20.0), (3.0, 3.0)])
def test_log_variances_are_kept_within_bounds_and_can_come_back(given: float, kept: float) -> None:
    numbers = torch.tensor([[0.0, given]], requires_grad=True)
    q = DiagonalNormal.of(numbers)
    assert q.log_variance.item() == kept
    loss = q.kl_to_normal().sum()
    assert loss.isfinite()
    loss.backward()  # type: ignore[no-untyped-call]
    assert numbers.grad is not None
    assert numbers.grad[0, 1].sign() == (1 if given > 0 else -1), "a step would not lead back"


def test_a_log_variance_that_has_overflowed_stays_a_number() -> None:
    assert DiagonalNormal.of(torch.tensor([[0.0, torch.inf], [0.0, -torch.inf]])).log_variance.tolist() == [[20.0], [-20.0]]


def test_log_sigmas_are_half_of_log_variances_in_value_bounds_and_gradient() -> None:
    halves = torch.tensor([[0.5, -1.0, 0.3, -0.2], [0.0, 2.0, 12.0, -400.0]], requires_grad=True)
    doubled = (halves.detach() * torch.tensor([1.0, 1.0, 2.0, 2.0])).requires_grad_()
    q, same = DiagonalNormal.of(halves, 2, scale="log_sigma"), DiagonalNormal.of(doubled, 2)
    assert q.log_variance[1].tolist() == [20.0, -20.0]
    torch.testing.assert_close(q.at(torch.ones(2, 2))[0], halves[0, :2] + halves[0, 2:].exp())
    for each in (q, same):
        each.kl_to_normal().sum().backward()  # type: ignore[no-untyped-call]
    assert halves.grad is not None
    assert doubled.grad is not None
    torch.testing.assert_close(halves.grad, doubled.grad * torch.tensor([1.0, 1.0, 2.0, 2.0]))
    with pytest.raises(InputError, match="means, then log-sigmas"):
        DiagonalNormal.of(torch.zeros(2, 3), scale="log_sigma")


@pytest.mark.parametrize(("numbers", "dim", "words"), [(5, None, "an even number"), (4, 4, "takes 8"), (4, 1, "takes 2")])
def test_a_number_of_outputs_that_makes_no_posterior_is_refused(numbers: int, dim: int | None, words: str) -> None:
    with pytest.raises(InputError, match=f"gives {numbers} numbers.*{words}"):
        DiagonalNormal.of(torch.zeros(2, numbers), dim)
