"""Adversarial and reconstruction terms against values worked out by hand."""

import math

import pytest
import torch
from torch.nn import functional as F

from lightning_gans.losses import (
    bce,
    bce_fake,
    bce_real,
    binary_cross_entropy,
    discriminator_loss,
    generator_loss,
    mean_absolute_error,
    mean_squared_error,
)

REAL, FAKE = torch.tensor([2.0, -1.0]), torch.tensor([0.5, -3.0])
KINDS = ["ns", "minimax", "lsgan", "wgan", "hinge"]


def softplus(*values: float) -> float:
    return sum(math.log1p(math.exp(value)) for value in values) / len(values)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("ns", softplus(-2, 1) + softplus(0.5, -3)),
        ("minimax", softplus(-2, 1) + softplus(0.5, -3)),
        ("lsgan", ((1 + 4) / 2 + (0.25 + 9) / 2) / 2),
        ("wgan", -1.25 - 0.5),
        ("hinge", (0 + 2) / 2 + (1.5 + 0) / 2),
    ],
)
def test_discriminator_loss_has_the_value_worked_out_by_hand(kind, expected):
    assert discriminator_loss(REAL, FAKE, kind).item() == pytest.approx(expected)
    assert discriminator_loss(REAL[:, None], FAKE[:, None], kind).item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("ns", softplus(-0.5, 3)),
        ("minimax", -softplus(0.5, -3)),
        ("lsgan", (0.25 + 16) / 2 / 2),
        ("wgan", 1.25),
        ("hinge", 1.25),
    ],
)
def test_generator_loss_has_the_value_worked_out_by_hand(kind, expected):
    assert generator_loss(FAKE, kind).item() == pytest.approx(expected)


@pytest.mark.parametrize("kind", KINDS)
def test_moving_fakes_the_way_the_generator_wants_raises_the_discriminators_loss(kind):
    fake = torch.tensor([0.2, 0.8], requires_grad=True)
    (wanted,) = torch.autograd.grad(generator_loss(fake, kind), fake)
    (feared,) = torch.autograd.grad(discriminator_loss(REAL, fake, kind), fake)
    assert (wanted < 0).all()
    assert (feared > 0).all()


def test_an_undecided_discriminator_pays_log_4():
    assert discriminator_loss(torch.zeros(3), torch.zeros(5)).item() == pytest.approx(math.log(4))


def test_real_and_fake_batches_of_different_sizes_weigh_the_same():
    assert discriminator_loss(torch.ones(1), torch.zeros(100), "wgan").item() == -1


@pytest.mark.parametrize(("term", "wrong"), [(bce_real, -100.0), (bce_fake, 100.0)])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_cross_entropy_of_a_certain_discriminator_neither_overflows_nor_loses_its_gradient(term, wrong, dtype):
    logit = torch.tensor([wrong], dtype=dtype, requires_grad=True)
    loss = term(logit)
    loss.backward()
    assert loss.item() == pytest.approx(100)
    assert abs(logit.grad.item()) == pytest.approx(1)
    assert 0 <= term(-logit).item() < 1e-30


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sixteen_bit_logits_give_the_float32_loss_of_the_same_logits(kind, dtype):
    real, fake = (torch.randn(64, generator=torch.Generator().manual_seed(seed)).to(dtype) for seed in (0, 1))
    for narrow, wide in (
        (discriminator_loss(real, fake, kind), discriminator_loss(real.float(), fake.float(), kind)),
        (generator_loss(fake, kind), generator_loss(fake.float(), kind)),
    ):
        assert narrow.dtype == torch.float32
        assert torch.equal(narrow, wide)


@pytest.mark.parametrize("kind", ["lsgan", "wgan", "hinge"])
def test_large_float16_logits_do_not_overflow(kind):
    assert discriminator_loss(torch.full((8,), 40_000.0).half(), torch.full((8,), -40_000.0).half(), kind).isfinite()


@pytest.mark.parametrize("kind", KINDS)
def test_float64_logits_keep_their_precision(kind):
    assert discriminator_loss(REAL.double(), FAKE.double(), kind).dtype == torch.float64
    assert generator_loss(FAKE.double(), kind).dtype == torch.float64


def test_cross_entropies_agree_with_torch():
    logits = torch.linspace(-12, 12, 41, dtype=torch.float64)
    real = F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
    fake = F.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits))
    torch.testing.assert_close(bce_real(logits), real, rtol=1e-12, atol=0)
    torch.testing.assert_close(bce_fake(logits), fake, rtol=1e-12, atol=0)


def test_reconstruction_terms_are_means_over_batch_and_dimensions():
    x = torch.rand(4, 3, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert mean_squared_error(x, x + 0.5).item() == pytest.approx(0.25)
    assert mean_absolute_error(x + 0.5, x).item() == mean_absolute_error(x - 0.5, x).item() == pytest.approx(0.5)
    entropy = -(x * x.log() + (1 - x) * (1 - x).log()).mean()
    torch.testing.assert_close(binary_cross_entropy(torch.logit(x), x), entropy)


@pytest.mark.parametrize("term", [binary_cross_entropy, mean_absolute_error, mean_squared_error])
def test_reconstruction_terms_are_float32_on_sixteen_bit_input(term):
    half = torch.full((2, 3), 0.25, dtype=torch.bfloat16)
    assert term(half, half).dtype == torch.float32
    assert torch.equal(term(half, half), term(half.float(), half.float()))


def test_an_unknown_kind_is_refused_by_name():
    with pytest.raises(ValueError, match="wasserstein"):
        discriminator_loss(REAL, FAKE, "wasserstein")
    with pytest.raises(ValueError, match="wasserstein"):
        generator_loss(FAKE, "wasserstein")


@pytest.mark.parametrize("target", [0.0, 0.05, 0.5, 0.95, 1.0])
def test_a_smoothed_label_is_a_target(target):
    expected = F.binary_cross_entropy_with_logits(REAL, torch.full_like(REAL, target))
    torch.testing.assert_close(bce(REAL, target), expected)
