"""What experiments ask of the data: kept classes, held-out and labelled samples, mirrored copies, conditions."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lightning_gans.batch import Batch
from lightning_gans.data import Images
from lightning_gans.data.loader import RowLoader
from lightning_gans.data.source import decode_caption, encode_captions
from lightning_gans.data.split import Split
from lightning_gans.errors import InputError
from tests.data.test_images import batches, opened


@pytest.fixture
def numbered(tmp_path: Path) -> Path:
    """60 training and 30 test images: the left pixel is the number, the right one the class, 0 to 5."""
    arrays: dict[str, Any] = {"classes": list("abcdef")}
    for split, size in (("train", 60), ("test", 30)):
        labels = np.arange(size) % 6
        arrays |= {
            f"{split}_images": np.stack([np.arange(size), labels], 1).astype(np.uint8)[:, None],
            f"{split}_labels": labels,
        }
    np.savez(tmp_path / "own.npz", **arrays)
    return tmp_path / "own.npz"


def pixels(images: torch.Tensor) -> list[list[int]]:
    return ((images + 1) * 255 / 2).round().int().flatten(1).tolist()


def epoch(data: Images) -> list[Batch]:
    return batches(data)


def test_kept_classes_are_counted_in_the_order_given_in_both_splits(numbered, tmp_path):
    data = opened(numbered, tmp_path, classes=["e", "b"], batch_size=4)
    assert data.classes == ("e", "b")
    for split, size in (("train", 20), ("test", 10)):
        assert data.size(split) == size
        originals = [label for _, label in pixels(data.real(split))]
        assert originals == [(4, 1)[label] for label in data.labels(split).tolist()]
    for batch in epoch(data):
        assert [label for _, label in pixels(batch.images)] == [(4, 1)[label] for label in batch.conditions.tolist()]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"classes": ["z"]}, r"data\.classes must name different ones of a, b, c, .*not z"),
        ({"classes": []}, "not nothing"),
        ({"classes": ["a", "b", "a"]}, "not a, a"),
        ({"held_out": 2.7}, r"data\.held_out is 2\.7"),
        ({"held_out": float("nan")}, r"data\.held_out is nan"),
        ({"flip": "copied"}, "flip is 'copied', but must be one of"),
        ({"channels": 4}, "channels is 4, but must be one of"),
        ({"crop": "center"}, r"data\.crop is 'center'"),
        ({"labelled": 7}, r"data\.labelled is 7, but must be a multiple of the 6 classes, of at most 10 a class"),
        ({"labelled": 66}, r"data\.labelled is 66"),
        ({"held_out": 60}, r"data\.held_out is 60, but must be a share or a number of the 60"),
        ({"held_out": 0}, r"data\.held_out is 0"),
        ({"condition": "captions"}, r"data\.condition is captions, but own has labels"),
        ({"train_split": "extra"}, r"data\.train_split is extra, but own has train, test"),
        ({"crop": 3}, "too small for data.crop 3"),
    ],
)
def test_what_the_data_does_not_have_is_refused_by_name(numbered, tmp_path, settings, sentence):
    with pytest.raises(InputError, match=sentence):
        opened(numbered, tmp_path, **settings)


@pytest.mark.parametrize("dataset", ["grid25", "swissroll"])
def test_points_cannot_be_mirrored(tmp_path, dataset):
    with pytest.raises(InputError, match=r"data\.flip mirrors images"):
        opened(dataset, tmp_path, flip="random")


def test_classes_of_images_without_labels_are_refused(tmp_path):
    np.savez(tmp_path / "own.npz", images=np.zeros((4, 2, 2), np.uint8))
    with pytest.raises(InputError, match="no labels"):
        opened(tmp_path / "own.npz", tmp_path, classes=[1])
    with pytest.raises(InputError, match="needs a dataset with labels"):
        opened(tmp_path / "own.npz", tmp_path, labelled=2)


@pytest.mark.parametrize("held_out", [15, 0.25])
def test_held_out_samples_are_never_trained_on_and_are_the_same_for_every_run(numbered, tmp_path, monkeypatch, held_out):
    data = opened(numbered, tmp_path, held_out=held_out, batch_size=9)
    train, valid = ({number for number, _ in pixels(data.real(split))} for split in ("train", "valid"))
    assert (len(train), len(valid)) == (45, 15)
    assert train | valid == set(range(60))
    seen = epoch(data)
    seen += [seen[0].fresh() for _ in range(20)]
    assert {number for batch in seen for number, _ in pixels(batch.images)} == train
    monkeypatch.setenv("PL_GLOBAL_SEED", "5")
    again = opened(numbered, tmp_path, held_out=held_out)
    assert torch.equal(again.real("valid"), data.real("valid"))
    assert data.size("test") == 30


def test_without_a_test_split_the_held_out_samples_are_it(tmp_path):
    np.savez(tmp_path / "own.npz", images=np.arange(20, dtype=np.uint8)[:, None, None])
    data = opened(tmp_path / "own.npz", tmp_path, held_out=5)
    assert torch.equal(data.real("test"), data.real("valid"))
    assert opened(tmp_path / "own.npz", tmp_path).size("test") == 20


def test_without_held_out_samples_there_is_no_valid_split(numbered, tmp_path):
    with pytest.raises(InputError, match=r"splits train, test, not valid; set data\.held_out"):
        opened(numbered, tmp_path).real("valid")


@pytest.mark.parametrize("rank", [0, 1])
def test_labelled_samples_are_few_balanced_and_beside_batches_that_have_no_labels(numbered, tmp_path, rank):
    data = opened(numbered, tmp_path, rank, 2, labelled=12, batch_size=16)
    seen = []
    for batch in epoch(data):
        assert batch.conditions is None
        assert len(batch.labelled) == len(batch)
        found = pixels(batch.labelled.images)
        assert [label for _, label in found] == batch.labelled.conditions.tolist()
        seen += [*found, *pixels(batch.fresh().labelled.images)]
    chosen = {tuple(sample) for sample in seen}
    assert len(chosen) == 12
    assert sorted(label for _, label in chosen) == sorted(list(range(6)) * 2)


def test_the_choice_of_labelled_samples_depends_on_its_own_seed_alone(numbered, tmp_path, monkeypatch):
    def chosen(**settings: Any) -> set[int]:
        batch = epoch(opened(numbered, tmp_path, labelled=6, batch_size=60, **settings))[0]
        return {number for number, _ in pixels(batch.labelled.images)}

    first = chosen()
    monkeypatch.setenv("PL_GLOBAL_SEED", "9")
    assert chosen() == first
    assert chosen(labelled_seed=1) != first


def test_every_labelled_sample_is_served_as_often_as_the_others(numbered, tmp_path):
    batch = epoch(opened(numbered, tmp_path, labelled=6, batch_size=12))[0]
    numbers = [number for number, _ in pixels(batch.labelled.images)]
    assert sorted(numbers.count(number) for number in set(numbers)) == [2] * 6


@pytest.mark.parametrize("world_size", [2, 4])
@pytest.mark.parametrize("settings", [{"flip": "random"}, {"flip": "copies"}, {"labelled": 6}, {"held_out": 12}])
def test_ranks_share_what_one_process_is_given(numbered, tmp_path, world_size, settings):
    def step(rank: int, world_size: int) -> list[list[list[int]]]:
        batch = epoch(opened(numbered, tmp_path, rank, world_size, batch_size=8, **settings))[1]
        parts = [batch, batch.fresh()]
        return [pixels(b.images) for part in parts for b in (part, part.labelled) if b is not None]

    shares = [step(rank, world_size) for rank in range(world_size)]
    assert [list(chain(*parts)) for parts in zip(*shares, strict=True)] == step(0, 1)


def test_random_flips_mirror_about_half_and_leave_what_is_measured_alone(numbered, tmp_path):
    data = opened(numbered, tmp_path, flip="random", batch_size=60)
    (batch,) = epoch(data)
    mirrored = [right == number % 6 for number, right in (sample[::-1] for sample in pixels(batch.images))]
    straight = [label == number % 6 for number, label in pixels(batch.images)]
    assert 15 < sum(m and not s for m, s in zip(mirrored, straight, strict=True)) < 45
    assert [number for number, _ in pixels(data.real("train"))] == list(range(60))


def test_mirrored_copies_double_the_epoch_and_carry_their_labels(numbered, tmp_path):
    data = opened(numbered, tmp_path, flip="copies", batch_size=8)
    assert (data.size("train"), data.size("test")) == (120, 30)
    samples = [
        (*pixel, label) for b in epoch(data) for pixel, label in zip(pixels(b.images), b.conditions.tolist(), strict=True)
    ]
    straight = [(number, number % 6, number % 6) for number in range(60)]
    assert sorted(samples) == sorted(straight + [(label, number, c) for number, label, c in straight])
    assert pixels(data.real("train", torch.tensor([7, 67]))) == [[7, 1], [1, 7]]
    assert data.labels("train").tolist() == [*range(6)] * 20


def test_the_condition_asked_for_travels(tmp_path):
    split = Split(
        torch.arange(4, dtype=torch.uint8).view(4, 1, 1, 1),
        {
            "labels": torch.tensor([3, 2, 1, 0]),
            "attributes": torch.tensor([[0, 1], [1, 0], [1, 1], [0, 0]], dtype=torch.uint8),
            "captions": torch.from_numpy(encode_captions([["a", "b"], ["çé"], ["d"], ["e", "f"]])),
        },
    )
    rows = torch.tensor([3, 1])
    assert split.condition("labels", rows, rows).tolist() == [0, 2]
    assert split.condition("attributes", rows, rows).tolist() == [[0.0, 0.0], [1.0, 0.0]]
    assert [decode_caption(c) for c in split.condition("captions", rows, torch.tensor([5, 0]))] == ["f", "çé"]


def test_an_image_without_a_caption_is_refused_by_number():
    with pytest.raises(InputError, match="image 1 has no caption"):
        encode_captions([["a"], []])


def test_a_sheet_of_samples_says_what_a_split_is_made_of(numbered, tmp_path):
    line = opened(numbered, tmp_path, classes=["a", "b"], held_out=2).opened.describe()
    assert line.startswith("own; 18 train, 10 test, 2 valid; 1x1x2; no pixel is brighter than 59 of 255")
    assert line.endswith("a 44.4%, b 55.6%")
    np.savez(tmp_path / "bare.npz", images=np.zeros((4, 2, 2), np.uint8))
    bare = opened(tmp_path / "bare.npz", tmp_path).opened.describe()
    assert bare.startswith("bare; 4 train; 1x2x2; ")
    assert bare.endswith("no test split: measured against the training images")


@pytest.mark.parametrize(
    "settings", [{}, {"classes": ["a"]}, {"held_out": 3}, {"flip": "copies"}, {"image_size": 4}, {"test_split": "train"}]
)
def test_the_fingerprint_is_that_of_the_samples_and_of_nothing_else(numbered, tmp_path, settings):
    plain = opened(numbered, tmp_path)
    assert plain.fingerprint("train") == opened(numbered, tmp_path, batch_size=3, flip="random").fingerprint("train")
    assert plain.fingerprint("train") != plain.fingerprint("test")
    other = opened(numbered, tmp_path, **settings)
    assert (other.fingerprint("train") == plain.fingerprint("train")) == (settings in ({}, {"test_split": "train"}))


def test_the_rows_of_a_batch_know_their_share():
    loaders = [RowLoader(20, 8, False, rank, 2) for rank in (0, 1)]
    for shares in zip(*loaders, strict=True):
        drawn = torch.cat([rows.drawn("test", lambda n, g: torch.rand(n, generator=g)) for rows in shares])
        alone = RowLoader(20, 8, False)
        rows = next(r for r in alone if r.position == shares[0].position)
        assert torch.equal(drawn, rows.drawn("test", lambda n, g: torch.rand(n, generator=g)))
        assert not torch.equal(drawn, rows.drawn("other", lambda n, g: torch.rand(n, generator=g)))
