"""SVHN's MATLAB files, made as the originals are: digits in their order, the zero where it belongs, damage refused."""

import os
from pathlib import Path

import numpy as np
import pytest
import torchvision
from scipy.io import savemat

from lightning_gans.data import Images
from lightning_gans.data.pack import open_pack
from lightning_gans.data.source import Request, Source, find_source
from lightning_gans.data.sources import svhn
from lightning_gans.errors import InputError

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
LABELS = [1, 9, 10, 3, 10]


def lay_out(folder: Path, split: str, pixels: np.ndarray = PIXELS, **changes: object) -> Path:
    """The official file of a split; ``changes`` replace its variables, ``None`` removes one."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"X": pixels.transpose(1, 2, 3, 0), "y": np.array(LABELS, np.uint8)[:, None]} | changes
    file = folder / f"{split}_32x32.mat"
    savemat(file, {key: value for key, value in content.items() if value is not None}, do_compression=True)
    return file


def source(root: Path) -> Source:
    return find_source(Request("svhn", root))


@pytest.mark.parametrize("place", ["svhn", "."])
@pytest.mark.parametrize("split", ["train", "test", "extra"])
def test_the_file_of_each_split_is_found_in_each_place_and_its_tens_are_zeros(tmp_path, place, split):
    lay_out(tmp_path / place, split)
    found = open_pack(source(tmp_path), split)
    assert np.array_equal(found.images, PIXELS.transpose(0, 3, 1, 2))
    assert found.conditions["labels"].tolist() == [1, 9, 0, 3, 0]
    assert found.conditions["labels"].dtype == np.int64
    assert found.description.classes == tuple("0123456789")
    others = {"train", "test", "extra"} - {split}
    assert [source(tmp_path).fingerprint(other) for other in others] == [None, None]


def test_part_of_a_split_is_called_partial_and_all_of_it_is_not(tmp_path, monkeypatch):
    lay_out(tmp_path, "extra")
    assert open_pack(source(tmp_path), "extra").description.partial == "5 of 531,131 images"
    monkeypatch.setattr(svhn, "_SIZES", {"extra": 5})
    whole = source(tmp_path).samples("extra")
    assert whole.description.partial == ""


def test_images_trains_on_extra_where_asked(tmp_path):
    lay_out(tmp_path, "extra")
    lay_out(tmp_path, "test", PIXELS[:2], y=np.array([[10], [4]], np.uint8))
    data = Images("svhn", str(tmp_path), batch_size=2, train_split="extra")
    data.prepare_data()
    data.setup("fit")
    assert data.shape == (3, 32, 32)
    assert data.labels("train").tolist() == [1, 9, 0, 3, 0]
    assert data.labels("test").tolist() == [0, 4]
    np.testing.assert_allclose((data.real("test").numpy() + 1) * 127.5, PIXELS[:2].transpose(0, 3, 1, 2), atol=1e-4)


@pytest.mark.parametrize("split", ["train", "test", "extra"])
def test_a_missing_file_is_named_with_where_to_get_it(tmp_path, split):
    with pytest.raises(
        InputError, match=rf"{split}_32x32\.mat is not under {tmp_path}; .*ufldl\.stanford.*download.*data\.root"
    ):
        source(tmp_path).samples(split)


def test_a_file_cut_or_altered_anywhere_is_refused(tmp_path):
    file = lay_out(tmp_path, "train")
    raw = file.read_bytes()
    damaged = [raw[:length] for length in [*range(0, len(raw), 499), len(raw) - 1]]
    damaged += [raw[:place] + bytes([raw[place] ^ 0x55]) + raw[place + 1 :] for place in range(136, len(raw), 211)]
    for content in damaged:
        file.write_bytes(content)
        with pytest.raises(InputError, match=r"train_32x32\.mat is damaged, or does not hold X and y .*get it anew"):
            source(tmp_path).samples("train")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"X": None}, "does not hold X and y"),
        ({"y": None}, "does not hold X and y"),
        ({"y": np.array([[1], [2]], np.uint8)}, "holds 5 images but 2 labels"),
        ({"y": np.array([[1], [2], [3], [4], [11]], np.uint8)}, "has labels other than 1 to 10"),
        ({"y": np.array([[1], [2], [3], [4], [0]], np.uint8)}, "has labels other than 1 to 10"),
        ({"y": np.array([[1], [2], [3], [4], [0.5]])}, "has labels other than 1 to 10"),
        ({"X": PIXELS}, r"holds X of uint8 \(5, 32, 32, 3\) instead of uint8 \(32, 32, 3, N\)"),
        ({"X": PIXELS.transpose(1, 2, 3, 0) / 255}, "holds X of float64"),
        ({"X": "text"}, "holds X of <U4"),
    ],
)
def test_a_file_with_other_content_is_refused(tmp_path, changes, sentence):
    lay_out(tmp_path, "train", **changes)
    with pytest.raises(InputError, match=rf"train_32x32\.mat .*{sentence}.*get it anew"):
        source(tmp_path).samples("train")


def test_a_pack_follows_its_file(tmp_path):
    lay_out(tmp_path, "train")
    open_pack(source(tmp_path), "train")
    os.utime(lay_out(tmp_path, "train", 255 - PIXELS), ns=(0, 0))
    assert np.array_equal(open_pack(source(tmp_path), "train").images, 255 - PIXELS.transpose(0, 3, 1, 2))


def test_what_is_not_there_is_fetched_by_torchvision(tmp_path, monkeypatch):
    lay_out(tmp_path / "svhn", "train")
    fetched = []

    def fetch(root, split, download):
        fetched.append((split, download))
        lay_out(root, split)

    monkeypatch.setattr(torchvision.datasets, "SVHN", fetch)
    source(tmp_path).download(["train", "extra"])
    assert fetched == [("extra", True)]
    assert source(tmp_path).samples("extra").size == 5
