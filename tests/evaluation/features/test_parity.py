"""The whole way from images to a distance, beside torchmetrics and torch-fidelity with the same random weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torchmetrics.image.fid import FrechetInceptionDistance

from lightning_gans.evaluation.features.frechet import FeatureSums, frechet_distance
from lightning_gans.evaluation.features.inception import Inception
from tests.evaluation.random_inception import write_random_weights

CASES = [(64, 1, 28), (64, 3, 32), (64, 3, 64), (192, 3, 32), (2048, 3, 32)]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_weights(tmp_path_factory.mktemp("weights") / "weights-inception-2015-12-05-6726825d.pth")


def images(channels: int, side: int, seed: int, level: int) -> Tensor:
    """Smooth noise around a level, uint8."""
    random = torch.Generator().manual_seed(seed)
    small = torch.randn(16, channels, 8, 8, generator=random)
    smooth = torch.nn.functional.interpolate(small, (side, side), mode="bicubic")
    return (level + 40 * smooth).clamp(0, 255).to(torch.uint8)


def ours(network: Inception, *sets: Tensor) -> float:
    both = []
    for some in sets:
        sums = FeatureSums(network.dim, both[0].mean if both else None)
        for batch in some.split(5):
            sums.update(network(batch))
        both.append(sums.gaussian())
    return frechet_distance(*both)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("layer", "channels", "side"), CASES, ids=str)
def test_the_distance_is_that_of_torchmetrics_and_of_torch_fidelity(weights, layer, channels, side):
    n = 6 if layer == 2048 else 16
    real, fake = images(channels, side, 0, 128)[:n], images(channels, side, 1, 140)[:n]
    network = Inception(weights, layer)
    found = ours(network, real, fake)
    # Few images in 2048 dimensions: the references have rounding errors where eigenvalues should be zero.
    close = 1e-3 if layer == 2048 else 1e-6

    reference = FrechetInceptionDistance(layer, feature_extractor_weights_path=str(weights), antialias=False)
    features = []
    for some, is_real in ((real, True), (fake, False)):
        colour = some.expand(-1, 3, -1, -1)
        extracted = reference.inception(colour).detach()  # torch-fidelity's network
        features.append(extracted)
        # In any number of dimensions the folded features are theirs to rounding.
        assert float((network(some) - extracted).abs().max() / extracted.std()) < 1e-3
        with pytest.MonkeyPatch.context() as once:
            once.setattr(type(reference.inception), "forward", lambda *_, extracted=extracted: extracted)
            reference.update(colour, real=is_real)
    assert found == pytest.approx(float(reference.compute()), rel=close)
    theirs = fid_statistics_to_metric(*map(fid_features_to_statistics, features), verbose=False)
    assert found == pytest.approx(theirs["frechet_inception_distance"], rel=close)
