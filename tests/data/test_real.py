"""The real datasets, where they are: they load, show what they should, and train."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch

from lightning_gans import GAN, MLP, Adam, Images, Uniform
from lightning_gans.data.source import decode_caption
from tests.helpers import make_trainer

# name: files, shape, training and test samples, classes, condition
SETS = {
    "mnist": ("MNIST", (1, 28, 28), 60_000, 10_000, 10, "labels"),
    "mnist1k": ("MNIST", (3, 28, 28), 60_000, 25_600, 1000, "labels"),
    "cifar10": ("cifar10", (3, 32, 32), 50_000, 10_000, 10, "labels"),
    "celeba": ("celeba", (3, 64, 64), 8_000, 1_000, 0, "attributes"),
    "anime": ("anime", (3, 64, 64), None, None, None, "captions"),
    "music": ("music", (1, 64, 64), 43_396, 43_396, 37, "labels"),
}


@pytest.fixture(params=SETS)
def real(request: pytest.FixtureRequest, shared_data: Path) -> Images:
    """Each of them, opened."""
    files, *_ = SETS[request.param]
    if not (shared_data / files).exists():
        pytest.skip(f"no real {files}")
    data = Images(request.param, str(shared_data), batch_size=8)
    data.prepare_data()
    data.setup("fit")
    return data


def test_it_is_all_there(real):
    _, shape, train, test, classes, condition = SETS[real.name]
    assert (real.shape, real.condition_name) == (shape, condition)
    if train is None:
        assert real.size("train") + real.size("test") == 18_121
    else:
        assert (real.size("train"), real.size("test"), len(real.classes)) == (train, test, classes)


def test_every_image_shows_something_and_no_two_of_a_few_are_alike(real):
    rows = torch.linspace(0, real.size("train") - 1, 50).long()
    images = real.real("train", rows)
    assert images.flatten(1).std(dim=1).min() > 0.05
    assert len(images.flatten(1).unique(dim=0)) == 50


def test_two_steps_train_a_gan_on_it(real):
    size = real.shape[0] * real.shape[1] ** 2
    # An MLP takes flat samples: enough to see that batches of the right kind arrive.
    generator = torch.nn.Sequential(MLP(2, size, (16,), output="tanh"), torch.nn.Unflatten(1, real.shape))
    discriminator = torch.nn.Sequential(torch.nn.Flatten(), MLP(size, 1, (16,)))
    game = GAN(generator, discriminator, Uniform(2), optimizer=partial(Adam, lr=1e-3))
    before = [p.detach().clone() for p in game.parameters()]
    make_trainer(2).fit(game, datamodule=real)
    assert all(not torch.equal(p, q) for p, q in zip(game.parameters(), before, strict=True))


def test_captions_tell_what_is_in_the_picture(shared_data):
    if not (shared_data / "anime").exists():
        pytest.skip("no real anime faces")
    data = Images("anime", str(shared_data))
    data.prepare_data()
    data.setup("fit")
    rows = torch.arange(0, data.size("train"), 5)
    captions = [decode_caption(c) for c in data.conditions("train", rows)]
    top = data.real("train", rows)[:, :, 8:24].mean(dim=(2, 3))  # hair
    blue = torch.tensor(["blue hair" in c or "blue long hair" in c or "blue short hair" in c for c in captions])
    blonde = torch.tensor(["blonde" in c for c in captions])
    assert blue.sum() > 20
    assert blonde.sum() > 20
    redness = top[:, 0] - top[:, 2]
    assert redness[blonde].mean() > redness[blue].mean() + 0.1


def test_a_partial_set_says_so(shared_data):
    if not (shared_data / "celeba").exists():
        pytest.skip("no real CelebA")
    data = Images("celeba", str(shared_data))
    data.prepare_data()
    data.setup("fit")
    assert data.partial == "10,000 of 202,599 images"
    assert "partial: 10,000 of 202,599 images" in data.opened.describe()
    # What a smile does to the middle of a mouth is known: it shows teeth.
    smiling = data.conditions("train", torch.arange(8000))[:, data.attributes.index("Smiling")] > 0
    mouth = data.real("train")[:, :, 44:48, 28:36].mean(dim=(1, 2, 3))
    assert mouth[smiling].mean() > mouth[~smiling].mean() + 0.05
