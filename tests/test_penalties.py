"""Gradient penalties against closed forms of critics whose slope is known everywhere."""

import math

import pytest
import torch
from torch import nn

from lightning_gans.penalties import gradient_penalty

KINDS = ["sum", "mean", "printed", "one_sided"]

# A kind's penalty and its derivative, as functions of the slope n in d dimensions.
PENALTY = {
    "sum": lambda n, d: (n - 1) ** 2,
    "mean": lambda n, d: (n / math.sqrt(d) - 1) ** 2,
    "printed": lambda n, d: (n**2 - 1) ** 2,
    "one_sided": lambda n, d: max(0.0, n - 1) ** 2,
}
DERIVATIVE = {
    "sum": lambda n, d: 2 * (n - 1),
    "mean": lambda n, d: 2 * (n / math.sqrt(d) - 1) / math.sqrt(d),
    "printed": lambda n, d: 4 * n * (n**2 - 1),
    "one_sided": lambda n, d: 2 * max(0.0, n - 1),
}


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pair(*shape: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    epsilon = torch.rand(shape[0], generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return random(*shape, seed=1), random(*shape, seed=2), epsilon


def half_square(x: torch.Tensor) -> torch.Tensor:
    """A critic whose slope at x is x."""
    return x.flatten(1).square().sum(dim=1) / 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("norm", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("shape", [(5, 2), (4, 3, 6, 6)])
@pytest.mark.parametrize("column", [False, True])
def test_penalty_of_a_linear_critic_and_its_gradient_have_their_closed_form(kind, norm, shape, column):
    d = math.prod(shape[1:])
    a = random(d)
    a = (norm * a / a.norm()).requires_grad_()
    penalty = gradient_penalty(lambda x: x.flatten(1) @ (a[:, None] if column else a), *pair(*shape), kind)
    penalty.backward()
    assert penalty.item() == pytest.approx(PENALTY[kind](norm, d), rel=1e-9, abs=1e-11)
    torch.testing.assert_close(a.grad, DERIVATIVE[kind](norm, d) * a.detach() / norm, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("shape", [(6, 2), (6, 3, 4, 4)])
def test_slope_is_taken_at_each_samples_own_point_between_data_and_samples(shape):
    real, fake, epsilon = pair(*shape)
    e = epsilon.view(-1, *[1] * (len(shape) - 1))
    between = ((1 - e) * real + e * fake).flatten(1)
    expected = (between.norm(dim=1) - 1).square().mean()
    torch.testing.assert_close(gradient_penalty(half_square, real, fake, epsilon), expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize(("epsilon", "end"), [(0.0, 0), (1.0, 1)])
def test_epsilon_0_is_the_data_and_1_the_samples(epsilon, end):
    ends = pair(4, 5)[:2]
    penalty = gradient_penalty(half_square, *ends, torch.full((4,), epsilon, dtype=torch.float64))
    torch.testing.assert_close(penalty, (ends[end].norm(dim=1) - 1).square().mean(), rtol=1e-9, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_of_the_penalty_agrees_with_finite_differences(kind):
    real, fake, epsilon = pair(3, 4)
    w, v = 2 * random(4, 5, seed=4), 2 * random(5, seed=5)

    def penalty(w, v):
        return gradient_penalty(lambda x: torch.tanh(x @ w) @ v, real, fake, epsilon, kind)

    assert torch.autograd.gradcheck(penalty, (w.requires_grad_(), v.requires_grad_()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_gradient_reaches_the_critic_but_neither_data_nor_samples(kind):
    real, fake, epsilon = pair(4, 2)
    scale = torch.tensor(5.0, dtype=torch.float64, requires_grad=True)
    gradient_penalty(lambda x: scale * half_square(x), real.requires_grad_(), fake.requires_grad_(), epsilon, kind).backward()
    assert real.grad is None
    assert fake.grad is None
    assert scale.grad > 0


@pytest.mark.parametrize(("kind", "expected"), [("sum", 1), ("mean", 1), ("printed", 1), ("one_sided", 0)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_flat_critic_has_a_finite_gradient(kind, expected, dtype):
    a = torch.zeros(2, dtype=dtype, requires_grad=True)
    penalty = gradient_penalty(lambda x: x @ a, *(t.to(dtype) for t in pair(4, 2)), kind)
    penalty.backward()
    assert penalty.item() == pytest.approx(expected, abs=1e-5)
    assert a.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sixteen_bit_samples_under_autocast_give_the_float32_penalty(dtype):
    real, fake, epsilon = (t.to(dtype) for t in pair(8, 2))
    critic = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))
    expected = gradient_penalty(critic, real.float(), fake.float(), epsilon.float())
    with torch.autocast("cpu", torch.bfloat16):
        penalty = gradient_penalty(critic, real, fake, epsilon)
    assert penalty.dtype == torch.float32
    torch.testing.assert_close(penalty, expected, rtol=1e-6, atol=0)


def test_an_unknown_kind_is_refused_by_name():
    with pytest.raises(ValueError, match="wrong_kind"):
        gradient_penalty(half_square, *pair(2, 2), "wrong_kind")
