"""Classifiers as networks: features, logits, names; for training see test_training.py."""

from __future__ import annotations

import pytest
import torch

from lightning_gans import InputError
from lightning_gans.evaluation.features.classifiers import Classifier


def untrained(shape: tuple[int, int, int] = (1, 28, 28), dataset: str = "mnist", architecture: str = "lenet") -> Classifier:
    return Classifier(architecture, dataset, tuple("0123456789"), shape).eval()


def pixels(n: int = 6, shape: tuple[int, int, int] = (1, 28, 28)) -> torch.Tensor:
    return torch.randint(256, (n, *shape), dtype=torch.uint8)


@pytest.mark.parametrize(
    ("architecture", "shape"),
    [
        *(("lenet", shape) for shape in ((1, 28, 28), (3, 8, 12), (3, 64, 72))),
        *(("resnet", shape) for shape in ((3, 32, 32), (1, 9, 9))),
    ],
)
def test_logits_of_features_are_what_classify_gives(architecture: str, shape: tuple[int, int, int]) -> None:
    classifier, images = untrained(shape, architecture=architecture), pixels(3, shape)
    features = classifier(images)
    assert features.shape == (3, classifier.dim)
    assert classifier.logits(features).shape == (3, 10)
    assert features.std(0).max() > 0
    assert torch.equal(classifier.logits(features), classifier.classify(images.float() * (2 / 255) - 1))
    each = torch.cat([classifier(image) for image in images.split(1)])
    torch.testing.assert_close(features, each, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("architecture", ["lenet", "resnet"])
def test_every_weight_learns(architecture: str) -> None:
    classifier = untrained((3, 16, 16), architecture=architecture).train()
    torch.nn.functional.cross_entropy(classifier.classify(torch.randn(8, 3, 16, 16)), torch.arange(8)).backward()
    for name, parameter in classifier.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_the_residual_network_is_the_papers_but_for_its_width() -> None:
    network = untrained((3, 32, 32), architecture="resnet").network
    convolutions = [layer for layer in network.modules() if isinstance(layer, torch.nn.Conv2d) and layer.kernel_size == (3, 3)]
    assert len(convolutions) + 1 == 20
    maps = torch.zeros(1, 3, 32, 32)
    sizes = []
    for layer in list(network)[:-2]:
        maps = layer(maps)
        sizes.append(tuple(maps.shape[1:]))
    assert sorted(set(sizes)) == [(32, 32, 32), (64, 16, 16), (128, 8, 8)]


def test_16_bit_inputs_and_surroundings_are_computed_in_float32() -> None:
    classifier, images = untrained(), pixels()
    door = (images.float() * (2 / 255) - 1).bfloat16()
    features, logits = classifier(images), classifier.classify(door.float())
    assert torch.equal(classifier.classify(door), logits)
    assert torch.equal(classifier.logits(features.half()), classifier.logits(features.half().float()))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(classifier(images), features)
        assert torch.equal(classifier.classify(door), logits)


@pytest.mark.parametrize("shape", [(6, 1, 32, 32), (6, 3, 28, 28), (1, 28, 28), (6, 1, 28, 27)])
def test_images_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    for ask in (lambda c: c(torch.zeros(shape, dtype=torch.uint8)), lambda c: c.classify(torch.zeros(shape))):
        with pytest.raises(InputError, match=r"lenet_mnist takes images \(N, 1, 28, 28\)"):
            ask(untrained())


def test_features_of_what_is_not_bytes_are_refused() -> None:
    with pytest.raises(InputError, match=r"uint8 images, not of torch\.float32"):
        untrained()(pixels().float())


@pytest.mark.parametrize(("classes", "shape", "words"), [("01", (1, 7, 28), "28x7"), ("0", (1, 28, 28), "1 classes")])
def test_what_no_classifier_can_be_made_for_is_refused(classes: str, shape: tuple[int, int, int], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Classifier("lenet", "mnist", tuple(classes), shape)


@pytest.mark.parametrize("dataset", ["mnist", "FIDs", "con-fid-ence", "f i d", "CIFAR-10 (copy)"])
def test_a_key_never_has_fid_in_it(dataset: str) -> None:
    classifier = untrained(dataset=dataset)
    assert classifier.key.startswith("fd_lenet_")
    assert "fid" not in classifier.key
    assert classifier.key.replace("_", "").isalnum()
    assert (classifier.key == "fd_lenet_mnist") == (dataset == "mnist")


def test_identity_is_of_the_weights_and_of_statistics() -> None:
    torch.manual_seed(1)
    one, copy = untrained(), untrained()
    copy.load_state_dict(one.state_dict())
    assert copy.identity == one.identity
    for name, value in copy.state_dict().items():
        value += 1
        assert copy.identity != one.identity, name
        value -= 1
