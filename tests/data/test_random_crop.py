"""Squares that are cut out of larger images: at random places for training, in the middle for all that is measured."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lightning_gans.data import Images
from lightning_gans.data.split import cut_out
from lightning_gans.errors import InputError
from lightning_gans.evaluation.real.images import RealSet
from lightning_gans.randomness import global_seed, keyed_generator
from tests.data.test_images import CPU, batches, opened
from tests.data.test_mnist import idx
from tests.evaluation.tiny import Tiny

SIDE, CUT = 14, 10
ROOM = SIDE - CUT
CROP: dict[str, Any] = {"image_size": CUT, "random_crop": SIDE}
WHOLE = (14 * np.arange(SIDE)[:, None] + np.arange(SIDE)).astype(np.uint8)  # a pixel says in which row and column it is


@pytest.fixture
def placed(tmp_path: Path) -> Path:
    """24 training and 6 test images, all alike; labels, which count them, tell the training images apart."""
    arrays = {f"{split}_images": np.repeat(WHOLE[None], n, 0) for split, n in (("train", 24), ("test", 6))}
    np.savez(tmp_path / "own.npz", **arrays, train_labels=np.arange(24), test_labels=np.arange(6))
    return tmp_path / "own.npz"


def levels(images: Tensor) -> Tensor:
    return ((images + 1) * 255 / 2).round().long()


def corners(images: Tensor) -> list[tuple[int, int]]:
    """First row and column of each square, which is checked to be one, and not mirrored."""
    found = levels(images)
    assert images.shape[1:] == (1, CUT, CUT)
    places = [divmod(int(square[0, 0, 0]), SIDE) for square in found]
    for square, (row, column) in zip(found, places, strict=True):
        assert np.array_equal(square[0], WHOLE[row : row + CUT, column : column + CUT])
    return places


MIDDLE = torch.from_numpy(WHOLE[2:12, 2:12].astype(np.int64))[None]


def test_training_sees_squares_at_every_place_and_the_same_image_at_others(placed, tmp_path):
    data = opened(placed, tmp_path, batch_size=24, **CROP)
    loader = data.train_dataloader()
    epochs = [data.transfer_batch_to_device(rows, CPU, 0) for _ in range(15) for rows in loader]
    seen = [dict(zip(batch.conditions.tolist(), corners(batch.images), strict=True)) for batch in epochs]
    places = [place for epoch in seen for place in epoch.values()]
    assert set(places) == {(row, column) for row in range(ROOM + 1) for column in range(ROOM + 1)}
    assert max(places.count(place) for place in set(places)) < 3 * len(places) / (ROOM + 1) ** 2
    for number in range(24):
        assert len({epoch[number] for epoch in seen}) > 5


def test_places_are_drawn_from_a_stream_of_their_own_for_each_batch(placed, tmp_path):
    data = opened(placed, tmp_path, batch_size=8, **CROP)
    for position, batch in enumerate(batches(data)):
        for number, each in enumerate([batch, batch.fresh()]):
            generator = keyed_generator("crop", global_seed(), 0, position, number)
            assert corners(each.images) == [*map(tuple, torch.randint(ROOM + 1, (8, 2), generator=generator).tolist())]
    plain = opened(placed, tmp_path, batch_size=8, image_size=SIDE)
    assert [b.conditions.tolist() for b in batches(data)] == [b.conditions.tolist() for b in batches(plain)]


def test_all_that_is_measured_is_the_middle(placed, tmp_path):
    data = opened(placed, tmp_path, held_out=4, **CROP)
    assert data.shape == data.peek().shape == Images(str(placed), str(tmp_path), **CROP).peek().shape == (1, CUT, CUT)
    for split in ("train", "valid", "test"):
        assert torch.equal(levels(data.real(split)), MIDDLE.expand(data.size(split), 1, CUT, CUT))
        assert torch.equal(levels(data.real(split, torch.tensor([3, 1]))), MIDDLE.expand(2, 1, CUT, CUT))
    (batch, *_) = data._in_turn("test")
    assert torch.equal(levels(batch.images), MIDDLE.expand(6, 1, CUT, CUT))
    assert "1x10x10 out of 14x14" in data.opened.describe()


@pytest.mark.parametrize(("side", "cut", "first"), [(76, 64, 6), (72, 64, 4), (5, 2, 1), (5, 5, 0)])
def test_the_middle_is_where_as_much_is_left_on_both_sides(side, cut, first):
    images = torch.arange(side * side).view(1, 1, side, side)
    assert torch.equal(cut_out(images, cut), images[:, :, first : first + cut, first : first + cut])
    assert torch.equal(cut_out(images, cut, torch.tensor([[first, first]])), cut_out(images, cut))


def test_larger_images_are_scaled_first(tmp_path):
    (tmp_path / "faces").mkdir()
    Image.fromarray(WHOLE).resize((56, 40)).save(tmp_path / "faces" / "one.png")
    scaled = levels(opened(tmp_path / "faces", tmp_path, image_size=SIDE, crop="resize", batch_size=1).real("train"))
    data = opened(tmp_path / "faces", tmp_path, crop="resize", batch_size=1, **CROP)
    assert torch.equal(levels(data.real("train")), scaled[..., 2:12, 2:12])
    assert len([*(tmp_path / "packed").iterdir()]) == 1, "one pack for both"


@pytest.mark.parametrize("world_size", [2, 4])
@pytest.mark.parametrize("settings", [{}, {"flip": "random"}, {"flip": "copies"}, {"labelled": 24}])
def test_ranks_share_what_one_process_is_given(placed, tmp_path, world_size, settings):
    def given(rank: int, world_size: int) -> list[list[Any]]:
        batch = batches(opened(placed, tmp_path, rank, world_size, batch_size=8, **CROP, **settings))[1]
        parts = [batch, batch.fresh()]
        return [levels(b.images).tolist() for part in parts for b in (part, part.labelled) if b is not None]

    shares = [given(rank, world_size) for rank in range(world_size)]
    assert [list(chain(*parts)) for parts in zip(*shares, strict=True)] == given(0, 1)


def test_squares_are_mirrored_after_they_are_cut_out(placed, tmp_path):
    plain = batches(opened(placed, tmp_path, batch_size=24, **CROP))[0].images
    mirrored = batches(opened(placed, tmp_path, batch_size=24, flip="random", **CROP))[0].images
    kinds = [(torch.equal(a, b), torch.equal(a, b.flip(-1))) for a, b in zip(plain, mirrored, strict=True)]
    assert set(kinds) == {(True, False), (False, True)}


def test_mirrored_copies_are_cut_out_too(placed, tmp_path):
    data = opened(placed, tmp_path, batch_size=48, flip="copies", **CROP)
    assert torch.equal(levels(data.real("train", torch.tensor([1, 25]))), torch.stack([MIDDLE, MIDDLE.flip(-1)]))
    images = batches(data)[0].images
    found = levels(images)
    straight = found[:, 0, 0, 0] < found[:, 0, 0, 1]
    assert straight.sum() == 24
    assert len(set(corners(torch.where(straight[:, None, None, None], images, images.flip(-1))))) > 10


def test_labelled_samples_are_cut_out_at_places_of_their_own(placed, tmp_path):
    (batch,) = batches(opened(placed, tmp_path, batch_size=24, labelled=24, **CROP))
    assert len(set(corners(batch.labelled.images))) > 10
    assert corners(batch.labelled.images) != corners(batch.images)


def test_the_digits_of_a_sample_are_cut_out_at_one_place(tmp_path):
    (tmp_path / "mnist").mkdir()
    pixels = (5 * np.arange(28)[:, None] + 4 * np.arange(28)).astype(np.uint8)
    for part in ("train", "t10k"):
        (tmp_path / "mnist" / f"{part}-images-idx3-ubyte").write_bytes(idx(np.repeat(pixels[None], 16, 0)))
        (tmp_path / "mnist" / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(16, dtype=np.uint8) % 10))
    data = opened("mnist1k", tmp_path, image_size=25, random_crop=28, batch_size=16)
    images = levels(batches(data)[0].images)
    assert images.shape == (16, 3, 25, 25)
    assert torch.equal(images, images[:, :1].expand(-1, 3, -1, -1))
    assert len(images[:, 0, 0, 0].unique()) > 6, "of the 16 places"
    middle = torch.from_numpy(pixels[1:26, 1:26].astype(np.int64)).expand(2, 3, 25, 25)
    assert torch.equal(levels(data.real("test", torch.arange(2))), middle)


def test_samples_that_are_kept_on_a_device_are_cut_out_there(placed, tmp_path):
    data = opened(placed, tmp_path, batch_size=8, device_resident=True, **CROP)
    data.trainer.strategy.root_device = meta = torch.device("meta")
    batch = data.transfer_batch_to_device(next(iter(data.train_dataloader())), meta, 0)
    assert data.opened.splits["train"].samples.device == batch.images.device == meta
    assert batch.images.shape == (8, 1, CUT, CUT)
    assert data.real("train").shape == (24, 1, CUT, CUT)


def test_what_is_measured_is_another_set_than_larger_or_smaller_images(placed, tmp_path):
    cuts = [CROP, {**CROP, "image_size": 8}, {"image_size": SIDE}, {"image_size": CUT}]
    sets = [RealSet(opened(placed, tmp_path, **cut), network=Tiny(cut["image_size"] ** 2), cache=tmp_path) for cut in cuts]
    assert len({str(real.describe()["data"]) for real in sets}) == len(cuts)
    found, _, _, scaled = [real.statistics(CPU).mean for real in sets]
    alone = RealSet(opened(placed, tmp_path, **CROP), network=Tiny(CUT**2)).statistics(CPU).mean
    torch.testing.assert_close(found, alone)
    assert not torch.allclose(found, scaled)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"image_size": 64, "random_crop": 63},
            r"random_crop is 63, but squares of data\.image_size 64 are cut out of it; raise",
        ),
        ({"random_crop": 76}, r"data\.random_crop is 76, but of what is cut out no size is given; set data\.image_size"),
        ({"image_size": 64, "random_crop": 0}, r"data\.random_crop is 0, but must be at least 1"),
        ({"image_size": 64, "random_crop": 10**9}, "takes more memory than"),
        ({"dataset": "grid25", "image_size": 2, "random_crop": 4}, r"data\.random_crop cuts images, but grid25 are points"),
    ],
)
def test_what_cannot_be_cut_out_is_refused_by_name(placed, tmp_path, settings, sentence):
    with pytest.raises(InputError, match=sentence):
        opened(settings.pop("dataset", placed), tmp_path, **settings)


def test_images_of_the_very_size_are_left_whole(placed, tmp_path):
    data = opened(placed, tmp_path, image_size=SIDE, random_crop=SIDE, batch_size=8)
    assert torch.equal(levels(batches(data)[0].images), torch.from_numpy(WHOLE.astype(np.int64)).expand(8, 1, SIDE, SIDE))


def test_a_run_that_goes_on_with_another_cut_says_so(placed, tmp_path):
    before = opened(placed, tmp_path, image_size=CUT).state_dict()
    with pytest.warns(UserWarning, match=r"data\.random_crop was None in the checkpoint, this run goes on with 14"):
        opened(placed, tmp_path, **CROP).load_state_dict(before)
