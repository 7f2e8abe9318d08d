"""The folded Inception network beside torch-fidelity's and torchmetrics', its precision, and the way of images into it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
import torch
from torch import Tensor
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x
from torchmetrics.image.fid import FrechetInceptionDistance

from lightning_gans.errors import InputError
from lightning_gans.evaluation.features import inception
from lightning_gans.evaluation.features.inception import Inception, resize_tf1
from tests.evaluation.random_inception import noise

pytestmark = pytest.mark.filterwarnings("ignore:.*is not known to be the FID network's file")
LAYERS = (64, 192, 768, 2048)
BACKENDS = ("cuda.matmul", "cudnn.conv", "mkldnn.matmul", "mkldnn.conv")


IMAGES = {"28 grey": noise(2, 1, 28, 28), "32 colour": noise(2, 3, 32, 32), "64x48 colour": noise(2, 3, 64, 48)}


@pytest.fixture(scope="module")
def ours(whole):
    return cache(lambda layer: Inception(whole, layer))


@pytest.fixture(scope="module")
def theirs(whole):
    layers = [*map(str, LAYERS), "logits_unbiased"]
    network = FeatureExtractorInceptionV3("reference", layers, feature_extractor_weights_path=str(whole))

    @cache
    def features(which: str) -> dict[str, Tensor]:
        images = IMAGES[which].expand(-1, 3, -1, -1)
        return dict(zip(layers, network(images), strict=True))

    return features


def error(found: Tensor, expected: Tensor) -> float:
    """Relative, beside what sets one image apart from the other and not beside what all images share."""
    assert found.shape == expected.shape
    assert found.dtype == torch.float32
    return ((found - expected).norm() / (expected - expected.mean(dim=0)).norm()).item()


# ---- the network


@pytest.mark.parametrize("which", IMAGES)
@pytest.mark.parametrize("layer", LAYERS)
def test_features_are_those_of_torch_fidelity(which, layer, ours, theirs):
    network = ours(layer)
    assert network.dim == layer
    assert error(network(IMAGES[which]), theirs(which)[str(layer)]) < 1e-4


def test_features_are_those_of_torchmetrics_without_antialias(whole, ours):
    reference = FrechetInceptionDistance(2048, feature_extractor_weights_path=str(whole), antialias=False)
    image = IMAGES["32 colour"][:1]
    reference.update(image, real=True)
    expected = reference.real_features_sum.float()
    assert (ours(2048)(image)[0] - expected).norm() < 1e-4 * expected.norm()


def test_logits_are_those_of_torch_fidelity_without_bias(ours, theirs):
    logits = ours(2048).logits(theirs("32 colour")["2048"])
    assert error(logits, theirs("32 colour")["logits_unbiased"]) < 1e-5


def test_logits_follow_from_no_other_layer(ours):
    with pytest.raises(InputError, match=r"layer 2048, not from 192"):
        ours(192).logits(torch.zeros(1, 192))


@pytest.mark.parametrize("size", [(28, 28), (32, 32), (64, 48), (299, 299), (400, 310), (1, 1)])
def test_the_resize_is_tensorflows(size):
    images = noise(2, 3, *size).float()
    expected = interpolate_bilinear_2d_like_tensorflow1x(images, size=(299, 299), align_corners=False)
    assert (resize_tf1(images) - expected).abs().max() < 1e-4


def test_features_do_not_depend_on_the_batch_and_an_empty_batch_has_none(ours):
    images = noise(3, 3, 32, 32)
    torch.testing.assert_close(ours(192)(images)[1:2], ours(192)(images[1:2]), rtol=1e-5, atol=1e-6)
    assert ours(192)(images[:0]).shape == (0, 192)


def test_nothing_beyond_the_layer_is_needed_or_kept(stem):
    assert sum(p.numel() for p in Inception(stem, 64).parameters()) == 32 * 27 + 32 + 32 * 288 + 32 + 64 * 288 + 64


@pytest.mark.parametrize("images", [torch.zeros(1, 3, 8, 8), noise(1, 2, 8, 8), noise(3, 8, 8)])
def test_images_of_another_type_or_shape_are_refused(images, stem):
    with pytest.raises(InputError, match=r"uint8 images \(N, 1 or 3, H, W\)"):
        Inception(stem, 64)(images)


@pytest.mark.parametrize("setting", [{"layer": 1000}, {"precision": "fp64"}])
def test_settings_that_do_not_exist_are_refused_with_those_that_do(setting, stem):
    with pytest.raises(InputError, match=r"name one of (64, 192|fp32, tf32)"):
        Inception(stem, **setting)


# ---- precision


@pytest.mark.filterwarnings("ignore:few processors are fast at fp16")
@pytest.mark.parametrize(
    ("precision", "least", "most"), [("fp32", 0, 1e-6), ("tf32", 0, 1e-2), ("fp16", 1e-5, 1e-2), ("bf16", 1e-3, 5e-2)]
)
def test_convolutions_run_in_the_precision_asked_for_and_nothing_else_does(precision, least, most, stem):
    images = noise(2, 3, 32, 32)
    network, seen = Inception(stem, 64, precision), []
    network.network.register_forward_hook(lambda module, inputs, output: seen.extend([inputs[0].dtype, output]))
    features = network(images)
    assert seen[0] == {"fp16": torch.float16, "bf16": torch.bfloat16}.get(precision, torch.float32)
    torch.testing.assert_close(features, seen[1].float().mean(dim=(2, 3)), rtol=1e-6, atol=1e-7)
    assert least <= error(features, Inception(stem, 64)(images)) <= most


def flags() -> list[str]:
    found = []
    for name in BACKENDS:
        backend, operation = name.split(".")
        found.append(getattr(getattr(torch.backends, backend), operation).fp32_precision)
    return found


def loose_by_level() -> None:
    torch.set_float32_matmul_precision("medium")


def loose_by_old_flags() -> None:
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True


def loose_by_new_flags() -> None:
    torch.backends.fp32_precision = "tf32"


@pytest.fixture
def flags_restored() -> Iterator[None]:
    before = flags()
    yield
    torch.backends.fp32_precision = "none"
    torch.set_float32_matmul_precision("highest")
    for name, value in zip(BACKENDS, before, strict=True):
        backend, operation = name.split(".")
        getattr(getattr(torch.backends, backend), operation).fp32_precision = value


@pytest.mark.usefixtures("flags_restored")
@pytest.mark.parametrize("loosen", [loose_by_level, loose_by_old_flags, loose_by_new_flags])
@pytest.mark.parametrize(("precision", "convolution"), [("fp32", "ieee"), ("tf32", "tf32")])
def test_tf32_is_off_during_the_pass_and_as_before_after_it_even_if_it_fails(loosen, precision, convolution, stem):
    network, seen = Inception(stem, 64, precision), []

    def fail(*args: object) -> None:
        seen.extend(flags())
        raise ZeroDivisionError

    loosen()
    before = flags()
    assert "tf32" in before
    network(noise(1, 3, 8, 8))
    assert flags() == before
    network.network.register_forward_hook(fail)
    with pytest.raises(ZeroDivisionError):
        network(noise(1, 3, 8, 8))
    assert seen == ["ieee", convolution, "ieee", "ieee"]
    assert flags() == before
    if loosen is loose_by_level:
        assert torch.get_float32_matmul_precision() == "medium"


@pytest.mark.usefixtures("flags_restored")
def test_an_outer_autocast_inference_mode_or_low_matmul_precision_changes_nothing(stem):
    inception._interpolation.cache_clear()
    network, images = Inception(stem, 64), noise(2, 3, 20, 20)
    torch.set_float32_matmul_precision("medium")
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        inside = network(images).clone()
    torch.set_float32_matmul_precision("highest")
    outside = network(images)
    assert torch.equal(inside, outside)
    assert not outside.requires_grad


# ---- quantisation
