"""MNIST-1K: triples of digits, drawn anew for every batch, fixed for what is measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lightning_gans.errors import InputError
from tests.data.test_images import CPU, batches, opened
from tests.data.test_mnist import idx


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """50 digits whose every pixel tells which, 20 for testing."""
    root = tmp_path_factory.mktemp("digits")
    (root / "mnist").mkdir()
    for part, size in (("train", 50), ("t10k", 20)):
        numbers = np.arange(size, dtype=np.uint8)
        pixels = np.broadcast_to(numbers[:, None, None], (size, 28, 28))
        (root / "mnist" / f"{part}-images-idx3-ubyte").write_bytes(idx(np.ascontiguousarray(pixels)))
        (root / "mnist" / f"{part}-labels-idx1-ubyte").write_bytes(idx(numbers % 10))
    return root


def digits(images: torch.Tensor) -> torch.Tensor:
    """The number of the stored digit in each channel."""
    return ((images[..., 0, 0] + 1) * 255 / 2).round().long()


def test_three_digits_make_a_sample_and_its_label(root):
    data = opened("mnist1k", root, batch_size=10)
    assert data.shape == (3, 28, 28)
    assert len(data.classes) == 1000
    assert (data.size("train"), data.size("test")) == (50, 25_600)
    for images, labels in [(data.real("test"), data.labels("test"))] + [(b.images, b.conditions) for b in batches(data)]:
        assert torch.equal(labels, digits(images) % 10 @ torch.tensor([100, 10, 1]))


def test_training_draws_new_triples_all_the_time_and_a_run_repeats_itself(root, monkeypatch):
    data = opened("mnist1k", root, batch_size=10)
    loader = data.train_dataloader()
    first, second = ([digits(data.transfer_batch_to_device(r, CPU, 0).images) for r in loader] for _ in range(2))
    triples = torch.cat(first + second)
    assert len(triples.unique(dim=0)) > 95
    again = [digits(b.images) for b in batches(opened("mnist1k", root, batch_size=10))]
    assert all(map(torch.equal, first, again))
    monkeypatch.setenv("PL_GLOBAL_SEED", "1")
    assert not torch.equal(digits(batches(opened("mnist1k", root, batch_size=10))[0].images), first[0])


def test_every_digit_of_the_pool_is_drawn_and_no_held_out_one(root):
    data = opened("mnist1k", root, batch_size=40, held_out=10)
    held_out = set(digits(data.real("valid")).unique().tolist())
    batch = batches(data)[0]
    seen = set(torch.cat([digits(batch.fresh().images) for _ in range(20)]).unique().tolist())
    assert len(seen) == 40
    assert len(held_out) == 10
    assert not seen & held_out


@pytest.mark.parametrize("world_size", [2, 5])
def test_ranks_share_the_triples_of_one_process(root, world_size):
    def step(rank: int, world_size: int) -> torch.Tensor:
        batch = batches(opened("mnist1k", root, rank, world_size, batch_size=10))[2]
        return torch.stack([digits(batch.images), digits(batch.fresh().images)])

    shares = [step(rank, world_size) for rank in range(world_size)]
    assert torch.equal(torch.cat(shares, dim=1), step(0, 1))


def test_it_shares_the_packs_of_mnist(root):
    opened("mnist", root)
    opened("mnist1k", root)
    assert {folder.name for folder in (root / "packed").iterdir()} == {"mnist-train", "mnist-test"}


def test_its_classes_cannot_be_chosen(root):
    with pytest.raises(InputError, match="made of three digits"):
        opened("mnist1k", root, classes=[1, 2])


def test_25600_real_draws_have_1000_modes_and_the_divergence_that_chance_and_imbalance_give(shared_data):
    data = opened("mnist1k", shared_data, batch_size=25_600)
    batch = batches(data)[0]
    for labels in (batch.conditions, data.labels("test")):
        share = torch.bincount(labels, minlength=1000).double() / len(labels)
        assert (share > 0).sum() == 1000
        assert float((share * (1000 * share).log()).sum()) == pytest.approx(0.024, abs=0.004)
