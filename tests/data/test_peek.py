"""What is told of samples and conditions before anything is packed is what there is once the data is open."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_gans.data import Images
from lightning_gans.data.description import Preview
from lightning_gans.data.npz import Npz
from lightning_gans.errors import InputError
from lightning_gans.networks.suggest import ConditionKind
from tests.data import test_celeba as celeba
from tests.data import test_cifar as cifar
from tests.data import test_mnist as mnist
from tests.data import test_svhn as svhn
from tests.data import test_tiny_imagenet as tiny
from tests.data.test_captions import faces
from tests.data.test_cub_oxford_coco import LAID_OUT
from tests.data.test_images import opened

LABELS, ATTRIBUTES = "labels", "attributes"


def kinds(**widths: int) -> dict[str, ConditionKind]:
    return {name: ConditionKind(name, width) for name, width in widths.items()}  # type: ignore[arg-type]


def save(path: Path, mode: str = "RGB", size: tuple[int, int] = (6, 4)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size).save(path)


def digits(root: Path) -> None:
    (root / "mnist").mkdir()
    for part in ("train", "t10k"):
        (root / "mnist" / f"{part}-images-idx3-ubyte").write_bytes(mnist.idx(np.zeros((5, 28, 28), np.uint8)))
        (root / "mnist" / f"{part}-labels-idx1-ubyte").write_bytes(mnist.idx(np.arange(5, dtype=np.uint8)))


def birds_without_captions(root: Path) -> None:
    LAID_OUT["cub200"](root)
    shutil.rmtree(root / "cvpr2016_cub")


def house_numbers(root: Path) -> None:
    for split in ("train", "test"):
        svhn.lay_out(root / "svhn", split)


def symbols(root: Path) -> None:
    for kind in "abc":
        save(root / "music" / kind / "1.png", "L")


LAYOUTS: dict[str, tuple[str, Callable[[Path], Any], Preview]] = {
    "points": ("grid25", lambda root: None, Preview((2,), {}, 0)),
    "spiral": ("swissroll", lambda root: None, Preview((2,), {}, 0)),
    "digits": ("digits", lambda root: None, Preview((1, 8, 8), kinds(labels=10))),
    "mnist": ("mnist", digits, Preview((1, 28, 28), kinds(labels=10))),
    "mnist1k": ("mnist1k", digits, Preview((3, 28, 28), kinds(labels=1000))),
    "cifar10": ("cifar10", lambda root: cifar.lay_out(root, "cifar10"), Preview((3, 32, 32), kinds(labels=10))),
    "cifar100": ("cifar100", lambda root: cifar.save_npz(root, "cifar100"), Preview((3, 32, 32), kinds(labels=100))),
    "svhn": ("svhn", house_numbers, Preview((3, 32, 32), kinds(labels=10))),
    "tiny": ("tiny_imagenet", tiny.lay_out, Preview((3, 64, 64), kinds(labels=4))),
    "tiny zip": ("tiny_imagenet", tiny.zip_up, Preview((3, 64, 64), kinds(labels=4))),
    "celeba": (
        "celeba",
        lambda root: celeba.lay_out(root, attributes=celeba.attribute_list(), splits=celeba.partition()),
        Preview((3, 64, 64), kinds(attributes=3)),
    ),
    "bare celeba": ("celeba", lambda root: celeba.lay_out(root, splits=celeba.partition()), Preview((3, 64, 64), {})),
    "birds": ("cub200", LAID_OUT["cub200"], Preview((3, 64, 64), kinds(captions=len("0 seen for the 0th time.")))),
    "bare birds": ("cub200", birds_without_captions, Preview((3, 64, 64), kinds(labels=4))),
    "flowers": ("oxford102", LAID_OUT["oxford102"], Preview((3, 64, 64), kinds(captions=len("0 seen for the 0th time.")))),
    "photographs": ("coco", LAID_OUT["coco"], Preview((3, 64, 64), kinds(captions=len("10 seen for the 0th time.")))),
    "anime": ("anime", lambda root: faces(root / "anime"), Preview((3, 64, 64), kinds(captions=len("white hair")))),
    "bare anime": ("anime", lambda root: save(root / "anime" / "1.png"), Preview((3, 64, 64), {})),
    "music": ("music", symbols, Preview((1, 4, 6), kinds(labels=3))),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("settings", [{}, {"image_size": 16, "channels": 1}])
def test_what_is_told_before_packing_is_what_is_there_afterwards(tmp_path: Path, layout: str, settings: dict[str, Any]) -> None:
    name, lay_out, expected = LAYOUTS[layout]
    lay_out(tmp_path)
    data = Images(name, str(tmp_path), **settings)
    seen = data.peek()
    assert not (tmp_path / "packed").exists()
    if settings and len(seen.shape) == 3:
        assert seen.shape == (3 if name == "mnist1k" else 1, 16, 16)
    else:
        assert seen.shape == expected.shape
    assert seen.extent == 1 or len(seen.shape) == 1
    data.prepare_data()
    assert data.peek() == Images(name, str(tmp_path), **settings).peek() == seen
    data.setup("fit")
    assert seen == Preview(data.shape, data.condition_kinds, data.extent)
    assert {**seen.condition_kinds} == expected.condition_kinds


def tree(*names: str) -> Callable[[Path], None]:
    def lay_out(folder: Path) -> None:
        for name in names:
            save(folder / name) if name.endswith(".png") else (folder / name).parent.mkdir(parents=True, exist_ok=True)

    return lay_out


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (["1.png", "2.png"], 0),
        (["1.png", "a/2.png"], 0),
        (["only/1.png"], 0),
        (["a/1.png", "b/1.png", "b/2.png"], 2),
        (["x/y/a/1.png", "x/y/b/z/1.png"], 2),
        (["a/1.png", "b/", "c/d/1.png"], 2),
        (["a/1.png", ".hidden/1.png", "__MACOSX/1.png"], 0),
        (["a/1.png", "b/.hidden/1.png", "c/1.png"], 2),
        (["train/a/1.png", "train/b/1.png", "test/a/1.png", "test/c/1.png"], 3),
        (["train/a/1.png", "train/b/1.png", "val/1.png"], 0),
        (["w/Train/a/1.png", "w/Train/b/1.png"], 2),
        (["train/1.png", "bus/1.png", "car/1.png"], 3),
        (["train/1.png", "test/2.png"], 0),
    ],
)
@pytest.mark.parametrize("container", [None, "zip", "gztar"])
def test_ones_own_images_are_looked_at_like_they_are_read(tmp_path, names, classes, container):
    tree(*names)(tmp_path / "own")
    path = tmp_path / "own"
    if container:
        path = Path(shutil.make_archive(str(tmp_path / "archive"), container, path))
    seen = Images(str(path), str(tmp_path / "root")).peek()
    assert seen == Preview((3, 4, 6), kinds(labels=classes) if classes else {})
    data = opened(path, tmp_path / "root", batch_size=1)
    assert seen == Preview(data.shape, data.condition_kinds, data.extent) == data.peek()


def test_of_a_folder_only_the_classes_and_one_image_are_looked_at(tmp_path, monkeypatch):
    tree(*(f"{c}/{n}.png" for c in "abc" for n in range(9)))(tmp_path / "own")
    read = []
    path_read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path) or path_read(path))
    monkeypatch.setattr(os, "walk", lambda *_, **__: pytest.fail("all of the folder was listed"))
    assert Images(str(tmp_path / "own"), str(tmp_path / "root")).peek().condition_kinds == kinds(labels=3)
    assert len(read) == 1


def test_links_do_not_lead_round_in_circles(tmp_path):
    tree("a/1.png", "b/1.png")(tmp_path / "own")
    (tmp_path / "own" / "c").mkdir()
    (tmp_path / "own" / "c" / "back").symlink_to(tmp_path / "own")
    assert Images(str(tmp_path / "own"), str(tmp_path / "root")).peek().condition_kinds == kinds(labels=2)


@pytest.mark.parametrize("shape", [(5, 4, 6), (5, 4, 6, 1), (5, 4, 6, 3), (5, 4, 6, 4)])
@pytest.mark.parametrize("settings", [{}, {"channels": 3}, {"image_size": 3}])
@pytest.mark.parametrize("labels", [None, [7, 7, 9, 7, 8]])
def test_the_header_of_an_npz_tells_its_shape(tmp_path, monkeypatch, shape, settings, labels):
    np.savez(tmp_path / "own.npz", images=np.zeros(shape, np.uint8), **({} if labels is None else {"labels": labels}))
    data = Images(str(tmp_path / "own.npz"), str(tmp_path), **settings)
    read, whole = [], Npz.read
    with monkeypatch.context() as patch:
        patch.setattr(Npz, "read", lambda arrays, *wanted: read.extend(wanted) or whole(arrays, *wanted))
        seen = data.peek()
    assert "images" not in read
    assert seen.condition_kinds == (kinds(labels=3) if labels else {})
    data.prepare_data()
    data.setup("fit")
    assert seen.shape == data.shape
    assert seen.condition_kinds == data.condition_kinds


def test_unreadable_images_are_passed_over_where_that_is_asked_for(tmp_path):
    save(tmp_path / "own" / "a" / "9.png", "L", (5, 5))
    for number in range(5):
        (tmp_path / "own" / "a" / f"{number}.png").write_bytes(b"no image")
    assert Images(str(tmp_path / "own"), str(tmp_path / "root"), skip_unreadable=True).peek().shape == (1, 5, 5)
    (tmp_path / "own" / "a" / "9.png").unlink()
    for skip, sentence in ((False, r"\d\.png in .*own cannot be read as an image"), (True, "holds no image")):
        with pytest.raises(InputError, match=sentence):
            Images(str(tmp_path / "own"), str(tmp_path / "root"), skip_unreadable=skip).peek()


@pytest.mark.parametrize(
    "name", ["mnist", "mnist1k", "cifar10", "svhn", "tiny_imagenet", "celeba", "anime", "music", "cub200", "oxford102", "coco"]
)
def test_missing_files_are_refused_with_the_sentence_of_opening(tmp_path, name):
    with pytest.raises(InputError) as opening:
        Images(name, str(tmp_path)).prepare_data()
    with pytest.raises(InputError) as peeking:
        Images(name, str(tmp_path)).peek()
    assert str(peeking.value) == str(opening.value)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"train_split": "extra"}, r"data\.train_split is extra, but own has train"),
        ({"condition": "captions"}, r"data\.condition is captions, but own has labels"),
        ({"crop": 9}, r"too small for data\.crop 9"),
    ],
)
def test_what_the_data_does_not_have_is_refused(tmp_path, settings, sentence):
    tree("a/1.png", "b/1.png")(tmp_path / "own")
    with pytest.raises(InputError, match=sentence):
        Images(str(tmp_path / "own"), str(tmp_path / "root"), **settings).peek()


def test_an_empty_folder_and_one_that_holds_the_root_are_refused(tmp_path):
    (tmp_path / "own").mkdir()
    with pytest.raises(InputError, match="own holds no image"):
        Images(str(tmp_path / "own"), str(tmp_path / "root")).peek()
    save(tmp_path / "own" / "1.png")
    with pytest.raises(InputError, match=r"holds data\.root"):
        Images(str(tmp_path / "own"), str(tmp_path / "own" / "root")).peek()


def test_kept_classes_are_counted(tmp_path):
    data = Images("grid25", str(tmp_path), classes=["3", "4"], condition="labels")
    assert data.peek().condition_kinds == data.peek().condition_kinds == kinds(labels=2)
    data.setup("fit")
    assert data.centres.tolist() == opened("grid25", tmp_path).centres[[3, 4]].tolist()
    assert Images("digits", str(tmp_path), classes=["3", "4", "9"]).peek().condition_kinds == kinds(labels=3)


def test_a_pack_tells_where_its_files_are_gone(tmp_path):
    digits(tmp_path)
    seen = Images("mnist", str(tmp_path)).peek()
    Images("mnist", str(tmp_path)).prepare_data()
    shutil.rmtree(tmp_path / "mnist")
    assert Images("mnist", str(tmp_path)).peek() == seen


def test_a_pack_that_its_files_have_outrun_tells_nothing(tmp_path):
    faces(tmp_path / "own", 60)
    Images(str(tmp_path / "own"), str(tmp_path / "root")).prepare_data()
    rows = (tmp_path / "own" / "captions.csv").read_text()
    (tmp_path / "own" / "captions.csv").write_text(rows.replace("hair", "and very long hair"))
    seen = Images(str(tmp_path / "own"), str(tmp_path / "root")).peek()
    assert seen.condition_kinds == kinds(captions=len("white and very long hair"))


def test_nothing_is_known_of_data_that_is_not_open():
    with pytest.raises(InputError, match="not open yet"):
        _ = Images("digits").shape
    assert torch.Size(Images("digits").peek().shape) == (1, 8, 8)
