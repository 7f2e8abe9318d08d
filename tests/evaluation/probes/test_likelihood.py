"""Importance-weighted log-likelihoods against a model whose likelihood has a closed form."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from lightning_gans import InputError
from lightning_gans.cli import main as train
from lightning_gans.commands.probe import main as probe
from lightning_gans.evaluation.probes import likelihood
from lightning_gans.evaluation.probes.likelihood import HasLikelihood, log_likelihood
from lightning_gans.posteriors import DiagonalNormal
from lightning_gans.priors import Normal
from lightning_gans.restore import restore
from tests.games.vae import make_image_vae, make_vae


class LinearGaussian:
    """x = W z + b + sigma * noise for z ~ N(0, I): probabilistic PCA, and a posterior that may be off.

    The columns of W are at right angles, so that the exact posterior is diagonal too.
    """

    sigma = 0.5

    def __init__(self, off: float = 0.0, dtype: torch.dtype = torch.float64) -> None:
        self.prior = Normal(2)
        self.off, self.dtype = off, dtype
        self.W = torch.tensor([[1.0, 0.5], [2.0, -0.25], [0.0, 1.5]], dtype=torch.float64)
        self.W[:, 1] -= self.W[:, 0] * (self.W[:, 0] @ self.W[:, 1]) / (self.W[:, 0] @ self.W[:, 0])
        self.b = torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64)

    def posterior(self, images: Tensor) -> DiagonalNormal:
        variance = 1 / (1 + self.W.square().sum(0) / self.sigma**2)
        mean = (images.double() - self.b) @ self.W * variance / self.sigma**2
        log_variance = variance.log().expand(len(images), -1) + self.off
        return DiagonalNormal((mean + 0.2 * self.off).to(self.dtype), log_variance.to(self.dtype))

    def log_likelihood(self, images: Tensor, z: Tensor) -> Tensor:
        error = images.double() - z.double() @ self.W.T - self.b
        normal = -error.square().sum(1) / (2 * self.sigma**2) - 3 * math.log(self.sigma * math.sqrt(2 * math.pi))
        return normal.to(self.dtype)

    def exact(self, images: Tensor) -> Tensor:
        covariance = self.W @ self.W.T + self.sigma**2 * torch.eye(3, dtype=torch.float64)
        return MultivariateNormal(self.b, covariance).log_prob(images.double())


IMAGES = 2 * torch.randn(40, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_with_the_exact_posterior_every_single_draw_gives_the_exact_value() -> None:
    model = LinearGaussian()
    assert isinstance(model, HasLikelihood)
    torch.testing.assert_close(log_likelihood(model, IMAGES, draws=1), model.exact(IMAGES), rtol=1e-12, atol=1e-12)


def test_with_a_wide_posterior_many_draws_come_near_the_exact_value_and_few_stay_below() -> None:
    model = LinearGaussian(off=0.7)
    few, some, many = (log_likelihood(model, IMAGES, draws) - model.exact(IMAGES) for draws in (1, 20, 20_000))
    assert few.mean() < some.mean() - 0.05
    assert some.mean() < 0
    assert many.abs().max() < 0.05
    assert many.mean().abs() < 0.01


def test_the_bound_of_a_single_draw_falls_short_by_the_divergence_from_the_exact_posterior() -> None:
    model, exact = LinearGaussian(off=0.7), LinearGaussian().posterior(IMAGES)
    q = model.posterior(IMAGES)
    normals = [torch.distributions.Normal(p.mean, (0.5 * p.log_variance).exp()) for p in (q, exact)]
    gap = torch.distributions.kl_divergence(*normals).sum(1)
    bounds = torch.stack([log_likelihood(model, IMAGES, draws=1, seed=seed) for seed in range(300)])
    torch.testing.assert_close(
        model.exact(IMAGES) - bounds.mean(0), gap, rtol=0, atol=5 * float(bounds.std(0).max()) / 300**0.5
    )


@pytest.mark.parametrize("numbers_at_once", [1, 50, 700])
def test_neither_chunks_nor_company_change_the_value(numbers_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = LinearGaussian(off=0.7)
    whole = log_likelihood(model, IMAGES, draws=30)
    monkeypatch.setattr(likelihood, "_NUMBERS_AT_ONCE", numbers_at_once)
    torch.testing.assert_close(log_likelihood(model, IMAGES, draws=30), whole, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(log_likelihood(model, IMAGES[7:9], draws=30, first=7), whole[7:9], rtol=1e-12, atol=1e-12)


def test_the_seed_decides_the_draws() -> None:
    model = LinearGaussian(off=0.7)
    first, again, other = (log_likelihood(model, IMAGES, draws=3, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_weights_of_networks_in_32_bits_are_summed_in_64() -> None:
    found = log_likelihood(LinearGaussian(off=0.7, dtype=torch.float32), IMAGES.float(), draws=500)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, log_likelihood(LinearGaussian(off=0.7), IMAGES, draws=500), rtol=1e-5, atol=1e-5)


def test_sums_do_not_underflow() -> None:
    model = LinearGaussian()
    far = IMAGES + 500
    assert model.exact(far).max() < -1000
    torch.testing.assert_close(log_likelihood(model, far, draws=5), model.exact(far))


def test_a_vae_at_the_door_has_the_likelihood_of_its_own_terms() -> None:
    """One draw on average gives what training minimises, whatever the door's units."""
    game = make_vae().double().eval()
    points = torch.rand(6, 2, dtype=torch.float64) * 8 - 4
    bounds = torch.stack([log_likelihood(game, points, draws=1, seed=seed) for seed in range(200)]).mean(1)
    epsilon = torch.randn(6 * 5000, 2, dtype=torch.float64)
    with torch.no_grad():
        loss, _ = game.loss(game.normalize(points).repeat(5000, 1), epsilon)
    assert bounds.mean() == pytest.approx(-loss.item(), abs=5 * bounds.std().item() / 200**0.5)


def test_images_go_through_in_their_shape_and_training_is_left_as_it_was() -> None:
    game, images = make_image_vae(), torch.rand(3, 1, 8, 8) * 2 - 1
    before = torch.random.get_rng_state()
    found = log_likelihood(game, images, draws=4)
    assert found.shape == (3,)
    assert bool((found < 0).all())
    assert not found.requires_grad
    assert torch.equal(torch.random.get_rng_state(), before)


def test_no_draws_are_refused() -> None:
    with pytest.raises(InputError, match="draws is 0"):
        log_likelihood(LinearGaussian(), IMAGES, draws=0)


# The command


def trained(paper: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The checkpoint of a short run on 25 Gaussians."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "argv", ["lightning"])
    short = ["--trainer.max_steps=2", "--trainer.accelerator=cpu", "--trainer.devices=1", "--trainer.enable_progress_bar=false"]
    quiet = ["--evaluation.modes=null", "--pictures.kinds=[]", "--trainer.enable_model_summary=false", "--trainer.logger=false"]
    train(["fit", f"--model={paper}", "--data.dataset=grid25", *short, *quiet, f"--trainer.default_root_dir={folder}"])
    return next(folder.glob("**/version_0/checkpoints/last.ckpt"))


@pytest.mark.filterwarnings("ignore")
def test_the_probe_is_the_mean_over_test_samples_in_no_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint, cpu = trained("VAE", tmp_path, monkeypatch), "--trainer.accelerator=cpu"
    probe(["likelihood", "--ckpt_path", str(checkpoint), "--num_samples=70", "--draws=9", "--seed=4", cpu])
    line = json.loads((checkpoint.parents[1] / "probes.jsonl").read_text())
    model: Any
    model, data, *_ = restore(checkpoint, [cpu])
    seen: list[Tensor] = []
    real = data.real
    monkeypatch.setattr(type(data), "real", lambda self, split, rows: (seen.append(rows), real(split, rows))[1])
    probe(["likelihood", "--ckpt_path", str(checkpoint), "--num_samples=70", "--draws=9", "--seed=5", cpu])
    rows = torch.cat(seen)
    assert len(rows.unique()) == 70
    assert not torch.equal(rows, rows.sort().values)
    for name, draws in (("log_likelihood", 9), ("bound", 1)):
        expected = log_likelihood(model.eval(), real("test", rows), draws, seed=4)
        assert line[name] == pytest.approx(float(expected.mean()))
        assert line[f"{name}_standard_error"] == pytest.approx(float(expected.std(correction=0)) / 70**0.5)
    other = json.loads((checkpoint.parents[1] / "probes.jsonl").read_text().splitlines()[1])
    assert other["log_likelihood"] != line["log_likelihood"]
    assert (line["log_likelihood_n"], line["draws"], line["protocol"]) == (70, 9, "9 draws each, data in (0.0, 1.0)")


@pytest.mark.filterwarnings("ignore")
def test_a_model_without_a_posterior_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = trained("GAN", tmp_path, monkeypatch)
    with pytest.raises(InputError, match="GAN has no posterior"):
        probe(["likelihood", "--ckpt_path", str(checkpoint), "--trainer.accelerator=cpu"])
