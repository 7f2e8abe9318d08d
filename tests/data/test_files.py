"""One's own images: every container, every kind of image, and one sentence for what cannot be used."""

import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_gans.data import Images
from lightning_gans.data.pack import open_pack
from lightning_gans.data.source import Request, Samples, find_source
from lightning_gans.errors import InputError

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "faces").mkdir()
    return tmp_path / "faces"


def save(path: Path, colour=RED, mode: str = "RGB", size: tuple[int, int] = (6, 4), **options) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path, **options)


def request(path: Path, *, size: int | None = None, channels: int | None = None, skip: bool = False) -> Request:
    return Request(str(path), path.parent / "root", size, channels, skip)


def samples(path: Path, split: str = "train", **cut) -> Samples:
    return find_source(request(path, **cut)).samples(split)


def images(path: Path, split: str = "train", **cut) -> np.ndarray:
    found = samples(path, split, **cut)
    return np.stack([found.image(i) for i in range(found.size)])


def colours(path: Path, split: str = "train", **cut) -> list[tuple[int, ...]]:
    return [tuple(image[:, 0, 0].tolist()) for image in images(path, split, **cut)]


@pytest.mark.parametrize("container", [None, "zip", "tar", "gztar", "bztar", "xztar"])
def test_every_container_gives_the_same_images_in_order_of_name_with_labels_and_splits(folder, container):
    for name, colour in {"train/b/1": RED, "train/a/2": GREEN, "train/a/10": BLUE, "test/b/1": BLUE, "test/a/1": RED}.items():
        save(folder / f"{name}.png", colour)
    path = Path(shutil.make_archive(str(folder.parent / "archive"), container, folder)) if container else folder
    source = find_source(request(path))
    train, test = source.samples("train"), source.samples("test")
    assert colours(path) == [BLUE, GREEN, RED]
    assert train.labels.tolist() == [0, 0, 1]
    assert train.labels.dtype == np.int64
    assert colours(path, "test") == [RED, BLUE]
    assert test.labels.tolist() == [0, 1]
    assert train.description.classes == test.description.classes == ("a", "b")


@pytest.mark.parametrize("suffix", ["png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff", "ppm", "PNG", "JPG"])
def test_every_usual_format_is_read(folder, suffix):
    save(folder / f"1.{suffix}", (200, 100, 50))
    found = images(folder)
    assert found.shape == (1, 3, 4, 6)
    assert found.dtype == np.uint8
    np.testing.assert_allclose(found[0, :, 2, 3], (200, 100, 50), atol=6)


@pytest.mark.parametrize(
    ("mode", "colour", "channels", "expected"),
    [
        ("RGB", (200, 100, 50), None, (200, 100, 50)),
        ("RGB", (200, 100, 50), 1, (124,)),
        ("RGBA", (200, 100, 50, 255), None, (200, 100, 50)),
        ("L", 90, 3, (90, 90, 90)),
        ("L", 90, 1, (90,)),
        ("LA", (90, 255), 3, (90, 90, 90)),
        ("1", 1, 1, (255,)),
        ("I;16", 128 * 256, 1, (128,)),
        ("I;16", 128 * 256, 3, (128, 128, 128)),
        ("P", 0, 3, (0, 0, 0)),
    ],
)
def test_every_kind_of_pixel_keeps_its_colour(folder, mode, colour, channels, expected):
    save(folder / "1.png", colour, mode)
    np.testing.assert_allclose(colours(folder, channels=channels)[0], expected, atol=1)


@pytest.mark.parametrize(("mode", "colour", "channels"), [("L", 90, 1), ("RGB", RED, 3)])
def test_images_keep_their_own_number_of_channels_where_none_is_set(folder, mode, colour, channels):
    save(folder / "1.png", colour, mode)
    assert images(folder).shape == (1, channels, 4, 6)


def test_a_photo_that_was_taken_sideways_is_turned_upright(folder):
    photo = Image.new("RGB", (6, 4), RED)
    photo.paste(BLUE, (0, 0, 6, 2))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated by 90 degrees clockwise
    photo.save(folder / "1.png", exif=exif)
    upright = images(folder)
    assert upright.shape == (1, 3, 6, 4)
    assert upright[0, :, 3, 0].tolist() == list(RED)
    assert upright[0, :, 3, 3].tolist() == list(BLUE)


@pytest.mark.parametrize("size", [(30, 10), (10, 30), (12, 4), (6, 2)])
def test_the_shorter_side_is_scaled_and_the_middle_cut_out(folder, size):
    width, height = size
    stripes = Image.new("RGB", size, RED)
    middle = (width // 3, 0, 2 * width // 3, height) if width > height else (0, height // 3, width, 2 * height // 3)
    stripes.paste(GREEN, middle)
    stripes.save(folder / "1.png")
    found = images(folder, size=8)
    assert found.shape == (1, 3, 8, 8)
    assert found[0, :, 2:6, 2:6].reshape(3, -1).mean(axis=1).tolist() == pytest.approx(GREEN, abs=12)


def test_images_of_one_size_are_left_as_they_are(folder):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "1.png")
    assert np.array_equal(images(folder)[0], pixels.transpose(2, 0, 1))


def test_images_of_different_sizes_need_an_image_size(folder):
    save(folder / "1.png", size=(6, 4))
    save(folder / "2.png", size=(9, 9))
    assert images(folder, size=4).shape == (2, 3, 4, 4)
    with pytest.raises(InputError, match=r"9x9.*6x4.*data\.image_size"):
        open_pack(find_source(request(folder)), "train")


def test_images_in_one_folder_have_no_labels(folder):
    save(folder / "only" / "1.png")
    assert samples(folder).labels is None
    save(folder / "2.png")
    assert samples(folder).labels is None


def test_without_a_split_the_test_images_are_the_training_images(folder):
    save(folder / "1.png", RED)
    save(folder / "2.png", BLUE)
    assert find_source(request(folder)).splits == ("train",)
    data = Images(str(folder), root=str(folder.parent / "root"))
    data.prepare_data()
    data.setup("fit")
    assert torch.equal(data.real("test"), data.real("train"))
    assert len(list((folder.parent / "root" / "packed").iterdir())) == 1


@pytest.mark.parametrize("validation", ["val", "valid", "Validation"])
def test_three_splits_stay_three(folder, validation):
    for name, colour in {"Train": RED, "test": GREEN, validation: BLUE}.items():
        save(folder / name / "a" / "1.png", colour)
    assert {*find_source(request(folder)).splits} == {"train", "valid", "test"}
    assert [colours(folder, split) for split in ("train", "test", "valid")] == [[RED], [GREEN], [BLUE]]


def test_a_class_may_be_called_like_a_split(folder):
    for name in ("bus", "car", "train"):
        save(folder / name / "1.png")
    source = find_source(request(folder))
    train = source.samples("train")
    assert train.labels.tolist() == [0, 1, 2]
    assert (train.description.classes, source.splits) == (("bus", "car", "train"), ("train",))


def test_a_folder_beside_two_splits_is_refused(folder):
    for name in ("train", "test", "other"):
        save(folder / name / "1.png")
    with pytest.raises(InputError, match="has other beside train and test; move it away"):
        find_source(request(folder)).samples("train")


def test_what_everything_is_wrapped_in_is_neither_class_nor_split(folder):
    for name in ("train/a", "train/b", "test/a"):
        save(folder / "x" / "y" / name / "1.png")
    (folder / "README").write_text("")
    source = find_source(request(folder, skip=True))
    assert source.samples("train").labels.tolist() == [0, 1]
    assert {*source.splits} == {"train", "test"}


def test_links_are_followed(folder):
    save(folder.parent / "elsewhere" / "1.png", BLUE)
    save(folder / "a" / "1.png", RED)
    (folder / "b").symlink_to(folder.parent / "elsewhere")
    (folder / "b" / "back").symlink_to(folder)
    assert colours(folder) == [RED, BLUE]
    with tarfile.open(folder.parent / "links.tar", "w") as tar:
        tar.add(folder / "a" / "1.png", "1.png")
        for name, kind in (("2.png", tarfile.LNKTYPE), ("3.png", tarfile.SYMTYPE)):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, "1.png"
            tar.addfile(link)
    assert colours(folder.parent / "links.tar") == [RED] * 3


def test_the_root_itself_is_no_dataset(folder):
    save(folder / "1.png")
    with pytest.raises(InputError, match=r"holds data\.root, whose packs would be taken for images"):
        find_source(Request(str(folder), folder / "data")).samples("train")


def test_a_folder_val_is_the_test_split(folder):
    save(folder / "train" / "1.png", RED)
    save(folder / "val" / "1.png", BLUE)
    assert colours(folder, "train") == [RED]
    assert colours(folder, "test") == [BLUE]


def test_a_label_means_the_same_class_in_both_splits(folder):
    for name in ("train/cat", "train/dog", "train/owl", "test/cat", "test/owl"):
        save(folder / name / "1.png")
    train, test = samples(folder), samples(folder, "test")
    assert train.labels.tolist() == [0, 1, 2]
    assert test.labels.tolist() == [0, 2]
    assert train.description.classes == test.description.classes == ("cat", "dog", "owl")


@pytest.mark.parametrize("name", [".DS_Store", "._1.png", ".git/config", "__MACOSX/._1.png", "train/.hidden.txt"])
def test_hidden_files_are_ignored(folder, name):
    save(folder / "train" / "1.png")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("no image")
    assert colours(folder) == [RED]


def test_a_file_that_is_no_image_is_refused_by_name_or_left_out(folder):
    save(folder / "1.png")
    (folder / "notes.txt").write_text("hello")
    with pytest.raises(InputError, match=r"notes\.txt in .*faces is not an image.*skip_unreadable"):
        samples(folder)
    assert colours(folder, skip=True) == [RED]


@pytest.mark.parametrize("content", [b"", b"no image", None])
def test_a_corrupt_image_is_refused_by_name(folder, content):
    for name in ("1", "2", "3"):
        save(folder / f"{name}.png")
    broken = folder / "2.png"
    broken.write_bytes(broken.read_bytes()[:40] if content is None else content)
    with pytest.raises(InputError, match=r"2\.png in .*faces cannot be read as an image.*skip_unreadable"):
        open_pack(find_source(request(folder)), "train")
    assert not list((folder.parent / "root").rglob("*.npy"))


@pytest.mark.parametrize("size", [4, None])
@pytest.mark.parametrize("broken", ["a/1.png", "a/2.png", "b/1.png"])
def test_unreadable_images_are_left_out_with_their_labels(folder, size, broken):
    for name, colour in {"a/1.png": RED, "a/2.png": GREEN, "b/1.png": BLUE, "b/2.png": RED}.items():
        save(folder / name, colour)
    whole = dict(zip(("a/1.png", "a/2.png", "b/1.png", "b/2.png"), [(RED, 0), (GREEN, 0), (BLUE, 1), (RED, 1)], strict=True))
    (folder / broken).write_bytes(b"no image")
    del whole[broken]
    labels = samples(folder, size=size, skip=True).labels.tolist()
    assert list(zip(colours(folder, size=size, skip=True), labels, strict=True)) == list(whole.values())


def test_a_pack_made_without_the_unreadable_is_no_excuse_for_them_later(folder):
    save(folder / "1.png")
    (folder / "2.png").write_bytes(b"no image")
    open_pack(find_source(request(folder, size=4, skip=True)), "train")
    with pytest.raises(InputError, match=r"2\.png"):
        open_pack(find_source(request(folder, size=4)), "train")


def test_a_folder_without_images_is_refused(folder):
    with pytest.raises(InputError, match="faces holds no image"):
        samples(folder)


def test_a_changed_folder_is_packed_anew(folder):
    save(folder / "1.png", RED)
    assert len(open_pack(find_source(request(folder)), "train").images) == 1
    save(folder / "2.png", BLUE)
    assert len(open_pack(find_source(request(folder)), "train").images) == 2
    save(folder / "1.png", GREEN)
    os.utime(folder / "1.png", ns=(0, 0))
    assert open_pack(find_source(request(folder)), "train").images[0, :, 0, 0].tolist() == list(GREEN)


def archive_with(path: Path, change) -> Path:
    """A zip of one compressed image, its bytes changed."""
    Image.new("RGB", (64, 64), RED).save(path.with_name("1.bmp"))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.write(path.with_name("1.bmp"), "1.bmp")
    raw = bytearray(path.read_bytes())
    path.write_bytes(change(raw))
    return path


def scrambled(raw: bytearray) -> bytearray:
    raw[40:60] = b"\xff" * 20
    return raw


def encrypted(raw: bytearray) -> bytearray:
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    return raw


@pytest.mark.parametrize(
    "change",
    [scrambled, encrypted, lambda raw: raw[:-30], lambda raw: raw[: len(raw) // 2], lambda raw: b"", lambda raw: b"text"],
)
def test_a_damaged_zip_is_refused_by_name(tmp_path, change):
    path = archive_with(tmp_path / "archive.zip", change)
    with pytest.raises(InputError, match=r"archive\.zip"):
        open_pack(find_source(request(path)), "train")


@pytest.mark.parametrize(
    ("container", "suffix"), [("gztar", "tar.gz"), ("xztar", "tar.xz"), ("bztar", "tar.bz2"), ("tar", "tar")]
)
@pytest.mark.parametrize("damage", ["truncated", "scrambled"])
def test_a_damaged_tar_is_refused_by_name(folder, container, suffix, damage):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "1.png")
    path = Path(shutil.make_archive(str(folder.parent / "archive"), container, folder))
    raw = bytearray(path.read_bytes())
    middle = len(raw) // 2 if suffix != "tar" else raw.index(b"IDAT") + 100
    path.write_bytes(raw[:middle] if damage == "truncated" else raw[:middle] + b"\xff" * 300 + raw[middle + 300 :])
    with pytest.raises(InputError, match=rf"archive\.{suffix}"):
        open_pack(find_source(request(path)), "train")


GREY = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
COLOUR = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
OPAQUE = np.concatenate([COLOUR, np.full((2, 3, 4, 1), 255, np.uint8)], axis=-1)


def npz(tmp_path: Path, **arrays) -> Path:
    np.savez(tmp_path / "own.npz", **arrays)
    return tmp_path / "own.npz"


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (GREY, GREY[:, None]),
        (GREY[..., None], GREY[:, None]),
        (COLOUR, COLOUR.transpose(0, 3, 1, 2)),
        (OPAQUE, COLOUR.transpose(0, 3, 1, 2)),
    ],
)
@pytest.mark.parametrize("labels", [None, np.array([1, 0], np.uint8)])
def test_an_npz_of_images_is_read_as_it_is(tmp_path, stored, expected, labels):
    path = npz(tmp_path, images=stored, **({} if labels is None else {"labels": labels}))
    for split in ("train", "test"):
        found = samples(path, split)
        assert np.array_equal(images(path, split), expected)
        if labels is None:
            assert found.labels is None
        else:
            assert found.labels.tolist() == [1, 0]
            assert found.labels.dtype == np.int64


def test_an_npz_of_two_splits_is_read_as_such(tmp_path):
    path = npz(tmp_path, train_images=GREY, train_labels=[-4, 500_000_000], test_images=GREY[:1] + 100, test_labels=[6])
    assert np.array_equal(images(path)[:, 0], GREY)
    assert np.array_equal(images(path, "test")[:, 0], GREY[:1] + 100)
    source = find_source(request(path))
    assert source.samples("train").labels.tolist() == [0, 2]
    assert source.samples("test").labels.tolist() == [1]
    assert source.samples("test").description.classes == ("-4", "6", "500000000")


def test_without_test_images_an_npz_has_one_split(tmp_path):
    path = npz(tmp_path, train_images=GREY, train_labels=[4, 5])
    assert find_source(request(path)).splits == ("train",)
    assert samples(path).size == 2


@pytest.mark.parametrize(
    ("arrays", "named"),
    [
        ({"images": np.array([{}, None])}, "pickle|object"),
        ({"images": GREY / 255}, "images float64"),
        ({"pictures": GREY}, "must hold 'images'"),
        ({"images": GREY[0]}, r"\(3, 4\)"),
        ({"images": np.zeros((2, 3, 8, 8), np.uint8)}, r"\(N, H, W, C\)"),
        ({"images": GREY, "labels": [1, 2, 3]}, "2 images but 3 labels"),
        ({"images": GREY[:0]}, "no train image"),
        ({"images": GREY, "test_images": GREY}, "must hold 'images'"),
        ({"train_images": GREY, "labels": [1, 2]}, "must hold 'images'"),
        ({"train_images": GREY, "test_images": GREY, "train_labels": [1, 2]}, "labels of both"),
        ({"images": GREY, "labels": [1.0, 2.0]}, "an integer for each image"),
        ({"images": GREY, "labels": [0, 2], "classes": ["a", "b"]}, "one for each label"),
        ({"images": GREY, "labels": [0, 1], "classes": ["a", "a"]}, "different names"),
    ],
)
def test_an_npz_of_something_else_is_refused_with_what_it_holds(tmp_path, arrays, named):
    with pytest.raises(InputError, match=named):
        open_pack(find_source(request(npz(tmp_path, **arrays))), "train")


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("damage", ["truncated", "scrambled", "empty", "text", "npy"])
def test_a_damaged_npz_is_refused_by_name(tmp_path, compressed, damage):
    path = tmp_path / "own.npz"
    (np.savez_compressed if compressed else np.savez)(path, images=np.zeros((4, 64, 64), np.uint8))
    raw = bytearray(path.read_bytes())
    if damage == "npy":
        np.save(path.open("wb"), GREY)
    else:
        raw[60:90] = b"\xff" * 30
        path.write_bytes({"truncated": raw[: len(raw) // 2], "scrambled": raw, "empty": b"", "text": b"hello"}[damage])
    with pytest.raises(InputError, match=r"own\.npz"):
        open_pack(find_source(request(path)), "train")


def test_a_dataset_may_be_named_relative_to_the_root(tmp_path):
    save(tmp_path / "faces" / "1.png")
    assert find_source(Request("faces", tmp_path)).samples("train").size == 1


@pytest.mark.parametrize("name", ["missing.zip", "no/such/folder", "gone.npz", "gone.tar.gz"])
def test_a_path_that_does_not_exist_is_refused_by_name(tmp_path, name):
    with pytest.raises(InputError, match=f"{name} does not exist"):
        find_source(Request(name, tmp_path))
