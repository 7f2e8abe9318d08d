"""MNIST's original files: found where people keep them, and refused when they are not what they should be."""

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from lightning_gans.data.pack import open_pack
from lightning_gans.data.source import Request, Samples, find_source
from lightning_gans.errors import InputError

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
LABELS = np.array([5, 0, 4, 1, 9], np.uint8)
IMAGES_FILE, LABELS_FILE = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def idx(array: np.ndarray) -> bytes:
    return b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}i", *array.shape) + array.tobytes()


def lay_out(folder: Path, pixels: np.ndarray = PIXELS, labels: np.ndarray = LABELS) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / IMAGES_FILE).write_bytes(idx(pixels))
    (folder / LABELS_FILE).write_bytes(idx(labels))


def samples(root: Path, split: str = "train", size: int | None = None, channels: int | None = None) -> Samples:
    return find_source(Request("mnist", root, size, channels)).samples(split)


@pytest.mark.parametrize("place", ["MNIST/raw", "mnist", "."])
def test_unpacked_files_are_found_in_each_documented_place(tmp_path, place):
    lay_out(tmp_path / place)
    found = samples(tmp_path)
    assert np.array_equal(np.stack([found.image(i) for i in range(5)]), PIXELS[:, None])
    assert found.labels.tolist() == LABELS.tolist()
    assert found.labels.dtype == np.int64


def test_the_training_files_come_from_train_and_the_test_files_from_t10k(tmp_path):
    lay_out(tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx(PIXELS[:2]))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(LABELS[:2]))
    assert (samples(tmp_path).size, samples(tmp_path, "test").size) == (5, 2)


def test_digits_are_scaled_and_coloured_as_asked(tmp_path):
    lay_out(tmp_path, np.full((5, 28, 28), 77, np.uint8))
    image = samples(tmp_path, size=32, channels=3).image(0)
    assert image.shape == (3, 32, 32)
    assert (image == 77).all()


@pytest.mark.parametrize("missing", [IMAGES_FILE, LABELS_FILE])
def test_a_missing_file_is_named_with_where_to_put_and_get_it(tmp_path, missing):
    lay_out(tmp_path / "MNIST" / "raw")
    (tmp_path / "MNIST" / "raw" / missing).unlink()
    with pytest.raises(InputError, match=rf"{missing}\.gz is not under {tmp_path}.*MNIST/raw.*data\.download.*data\.root"):
        samples(tmp_path)


@pytest.mark.parametrize("raw", [gzip.compress(idx(PIXELS)), gzip.compress(idx(PIXELS))[:-9], b"", b"text"])
def test_a_compressed_file_that_is_not_the_original_is_refused_with_its_md5(tmp_path, raw):
    lay_out(tmp_path)
    (tmp_path / f"{IMAGES_FILE}.gz").write_bytes(raw)
    with pytest.raises(InputError, match=rf"{IMAGES_FILE}\.gz is not the original: its md5 is [0-9a-f]{{32}} instead of"):
        samples(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda raw: b"", id="empty"),
        pytest.param(lambda raw: raw[:3], id="magic cut"),
        pytest.param(lambda raw: raw[:4], id="no shape"),
        pytest.param(lambda raw: raw[:10], id="shape cut"),
        pytest.param(lambda raw: raw[:16], id="no pixels"),
        pytest.param(lambda raw: raw[:-1], id="pixels cut"),
        pytest.param(lambda raw: raw + b"\0", id="too long"),
        pytest.param(lambda raw: b"text" + raw[4:], id="other magic"),
        pytest.param(lambda raw: raw[:4] + b"\xff" * 12 + raw[16:], id="negative shape"),
    ],
)
def test_a_damaged_unpacked_file_is_refused_by_name(tmp_path, damage):
    lay_out(tmp_path)
    (tmp_path / IMAGES_FILE).write_bytes(damage(idx(PIXELS)))
    with pytest.raises(InputError, match=f"{IMAGES_FILE} is damaged.*get it anew"):
        samples(tmp_path)


def test_files_that_disagree_are_refused_with_both_counts(tmp_path):
    lay_out(tmp_path, labels=LABELS[:4])
    with pytest.raises(InputError, match="5 images, 4 labels"):
        samples(tmp_path)


def test_a_pack_follows_its_files_even_where_their_size_stays(tmp_path):
    lay_out(tmp_path)
    source = find_source(Request("mnist", tmp_path))
    assert np.array_equal(open_pack(source, "train").images[:, 0], PIXELS)
    lay_out(tmp_path, 255 - PIXELS)
    os.utime(tmp_path / IMAGES_FILE, ns=(0, 0))
    assert np.array_equal(open_pack(source, "train").images[:, 0], 255 - PIXELS)


def test_a_damaged_pack_whose_files_are_gone_is_refused(tmp_path):
    lay_out(tmp_path)
    source = find_source(Request("mnist", tmp_path))
    open_pack(source, "train")
    (tmp_path / IMAGES_FILE).unlink()
    assert len(open_pack(source, "train").images) == 5
    (tmp_path / "packed" / "mnist-train" / "labels.npy").write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"mnist-train is damaged.*labels\.npy.*source is gone"):
        open_pack(source, "train")


def test_the_real_files_hold_60000_and_10000_digits(shared_data):
    train, test = samples(shared_data), samples(shared_data, "test")
    assert (train.size, test.size) == (60_000, 10_000)
    assert train.image(0).shape == (1, 28, 28)
    assert train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert np.bincount(test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
