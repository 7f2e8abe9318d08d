"""Likelihoods of models that know no densities, against one whose likelihood has a closed form."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from lightning_gans import InputError
from lightning_gans.commands.probe import main as probe
from lightning_gans.evaluation.probes.assumed import AssumedNormal, assume_normal
from lightning_gans.evaluation.probes.likelihood import HasLikelihood, log_likelihood
from lightning_gans.labelled_priors import Categorical, MixtureOfGaussians, SwissRoll
from lightning_gans.priors import Empirical, Normal, Prior
from lightning_gans.product import Product
from tests.evaluation.probes.test_likelihood import IMAGES, LinearGaussian, trained


class LinearAutoencoder:
    """The encoder and generator of a ``LinearGaussian``, which keeps its laws for itself."""

    def __init__(self, prior: Prior | None = None, off: float = 0.0) -> None:
        self.known, self.off = LinearGaussian(), off
        self.prior = prior or self.known.prior

    def decode(self, z: Tensor) -> Tensor:
        return z.double() @ self.known.W.T + self.known.b

    def encode(self, images: Tensor) -> Tensor:
        return self.known.posterior(images).mean + self.off

    def exact(self, images: Tensor, sigma: float) -> Tensor:
        W = self.known.W
        covariance = W @ W.T + sigma**2 * torch.eye(3, dtype=torch.float64)
        return MultivariateNormal(self.known.b, covariance).log_prob(images)


@pytest.mark.parametrize("s", [0.2, 0.4])
def test_many_draws_come_near_the_exact_value_whatever_s_is(s: float) -> None:
    model = AssumedNormal(LinearAutoencoder(), 0.5, s)
    assert isinstance(model, HasLikelihood)
    torch.testing.assert_close(log_likelihood(model, IMAGES, 20_000), LinearGaussian().exact(IMAGES), rtol=0, atol=0.1)


def test_sigma_is_the_error_of_the_reconstructions_and_s_the_best_of_several() -> None:
    model = LinearAutoencoder()
    images = LinearAutoencoder().decode(model.prior.sample(300, torch.Generator().manual_seed(1)))
    images = images + 0.5 * torch.randn(images.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    found = assume_normal(model, images, 2000)
    error = model.decode(model.encode(images)) - images
    assert found.sigma == pytest.approx(float(error.square().mean().sqrt()))
    # The deviations of the exact posterior under this sigma
    exact_s = (1 / (1 + model.known.W.square().sum(0) / found.sigma**2)).sqrt()
    assert 0.4 * float(exact_s.min()) < found.s < 2.5 * float(exact_s.max())
    estimate, exact = log_likelihood(found, images, 5000).mean(), model.exact(images, found.sigma).mean()
    assert float(estimate) == pytest.approx(float(exact), abs=0.05)


def test_an_encoder_that_is_off_has_wider_draws() -> None:
    z, noise = (torch.randn(100, n, generator=torch.Generator().manual_seed(n), dtype=torch.float64) for n in (2, 3))
    images = LinearAutoencoder().decode(z) + 0.1 * noise
    right, wrong = (assume_normal(LinearAutoencoder(off=off), images, 200) for off in (0.0, 1.0))
    assert wrong.s > right.s


def test_a_wide_prior_has_a_wide_choice_and_a_mixture_has_a_density() -> None:
    for prior in (Normal(2, std=50.0), MixtureOfGaussians()):
        found = assume_normal(LinearAutoencoder(prior), IMAGES, 50)
        assert math.isfinite(float(log_likelihood(found, IMAGES, 50).mean()))


@pytest.mark.parametrize(
    "prior",
    [SwissRoll(), Empirical(2), Product({"category": Categorical(2), "style": Normal(2)})],
    ids=["curve", "images", "classes"],
)
def test_a_prior_without_a_density_is_refused(prior: Prior) -> None:
    with pytest.raises(InputError, match=r"a likelihood needs a prior with a density, which .* has not; the parzen probe"):
        assume_normal(LinearAutoencoder(prior), IMAGES, 10)


def test_an_exact_reconstruction_is_refused() -> None:
    class Copy(LinearAutoencoder):
        def decode(self, z: Tensor) -> Tensor:
            return z

        def encode(self, images: Tensor) -> Tensor:
            return images

    with pytest.raises(InputError, match="a reconstruction error above 0 and finite, not 0"):
        assume_normal(Copy(Normal(3)), IMAGES, 10)


@pytest.mark.filterwarnings("ignore")
def test_the_probe_says_which_laws_were_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = trained("GAAN", tmp_path, monkeypatch)
    probe(["likelihood", "--ckpt_path", str(checkpoint), "--num_samples=20", "--draws=30", "--trainer.accelerator=cpu"])
    said = capsys.readouterr().out
    assert "30 draws each, p(x|z) = N(G(z), " in said
    assert "both chosen on held-out samples" in said
    assert "bound" not in said
