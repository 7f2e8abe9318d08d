"""Tiny ImageNet's folder and zip in the official layout: classes by wnids.txt, val by its list, grey images coloured."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
import torchvision
from PIL import Image

from lightning_gans.data import Images
from lightning_gans.data.pack import open_pack
from lightning_gans.data.source import Request, Source, find_source
from lightning_gans.data.sources import tiny_imagenet
from lightning_gans.errors import InputError

GOLDFISH, CRANE, MACHINE, UNNAMED = WNIDS = ["n02124075", "n01443537", "n03126707", "n99999999"]
WORDS = f"n00001740\tentity\n{CRANE}\tcrane\n{GOLDFISH}\tgoldfish, Carassius auratus\n{MACHINE}\tcrane, lifting machine\n"
NAMES = ("goldfish", CRANE, MACHINE, UNNAMED)
RED, GREEN, BLUE = (200, 40, 40), (40, 200, 40), (40, 40, 200)
VAL = {
    "val_0.JPEG": (MACHINE, GREEN),
    "val_1.JPEG": (GOLDFISH, 120),
    "val_10.JPEG": (UNNAMED, BLUE),
    "val_2.JPEG": (CRANE, RED),
}


def jpeg(colour: tuple[int, int, int] | int, size: int = 64) -> bytes:
    file = io.BytesIO()
    Image.new("L" if isinstance(colour, int) else "RGB", (size, size), colour).save(file, "JPEG", quality=95)
    return file.getvalue()


def lay_out(root: Path) -> Path:
    """Two images of each class for training, one of each for validation, and test images that are never read."""
    folder = root / "tiny-imagenet-200"
    files = {"wnids.txt": "".join(f"{wnid}\n" for wnid in WNIDS).encode(), "words.txt": WORDS.encode()}
    for number, wnid in enumerate(WNIDS):
        for image in range(2):
            files[f"train/{wnid}/images/{wnid}_{image}.JPEG"] = jpeg(50 * number if image else (50 * number, 90, 180))
        files[f"train/{wnid}/{wnid}_boxes.txt"] = f"{wnid}_0.JPEG\t0\t10\t63\t58\n".encode()
    for name, (_, colour) in VAL.items():
        files[f"val/images/{name}"] = jpeg(colour)
    files["val/val_annotations.txt"] = "".join(f"{name}\t{wnid}\t0\t32\t44\t62\n" for name, (wnid, _) in VAL.items()).encode()
    files["test/images/test_0.JPEG"] = b"not read"
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def zip_up(root: Path) -> Path:
    folder = lay_out(root)
    archive = Path(shutil.make_archive(str(folder), "zip", root, folder.name))
    shutil.rmtree(folder)
    return archive


def source(root: Path, **cut) -> Source:
    return find_source(Request("tiny_imagenet", root, **cut))


@pytest.mark.parametrize("place", ["", "tiny_imagenet"])
@pytest.mark.parametrize("make", [lay_out, zip_up])
def test_folder_and_zip_are_found_in_each_place_and_read_alike(tmp_path, place, make):
    make(tmp_path / place)
    train, test = (open_pack(source(tmp_path), split) for split in ("train", "test"))
    assert train.images.shape == (8, 3, 64, 64)
    assert train.conditions["labels"].tolist() == [1, 1, 0, 0, 2, 2, 3, 3]  # by folder, as wnids.txt counts them
    for image, label in zip(train.images[::2], (1, 0, 2, 3), strict=True):
        np.testing.assert_allclose(image[:, 30, 30], (50 * label, 90, 180), atol=4)
    assert test.images.shape == (4, 3, 64, 64)
    assert test.conditions["labels"].tolist() == [2, 0, 3, 1]
    for image, colour in zip(test.images, (GREEN, (120, 120, 120), BLUE, RED), strict=True):
        np.testing.assert_allclose(image[:, 30, 30], colour, atol=4)
    assert train.description.classes == test.description.classes == NAMES
    assert test.description.note == "test is the official val"
    assert (train.description.partial, test.description.partial) == ("8 of 100,000 images", "4 of 10,000 images")
    assert list(tmp_path.rglob("wnids.txt")) == (
        [] if make is zip_up else [tmp_path / place / "tiny-imagenet-200" / "wnids.txt"]
    )


def test_images_serves_it_with_labels_and_names(tmp_path):
    lay_out(tmp_path)
    data = Images("tiny_imagenet", str(tmp_path), batch_size=4, image_size=32)
    data.prepare_data()
    data.setup("fit")
    assert data.shape == (3, 32, 32)
    assert [data.classes[label] for label in data.labels("test")] == [MACHINE, "goldfish", UNNAMED, CRANE]
    assert "test is the official val" in data.opened.describe()


def test_all_images_are_grey_where_asked(tmp_path):
    lay_out(tmp_path)
    found = source(tmp_path, channels=1).samples("test")
    assert {found.image(i).shape for i in range(4)} == {(1, 64, 64)}
    assert (found.image(1) == 120).all()


def test_the_whole_set_is_not_partial(tmp_path, monkeypatch):
    lay_out(tmp_path)
    monkeypatch.setattr(tiny_imagenet, "_SIZES", {"train": 8, "test": 4})
    assert open_pack(source(tmp_path), "train").description.partial == ""


def test_nothing_there_is_one_sentence_with_where_to_get_it(tmp_path):
    assert source(tmp_path).fingerprint("train") is None
    with pytest.raises(InputError, match=rf"tiny-imagenet-200\.zip is not under {tmp_path}; .*cs231n.*download.*data\.root"):
        source(tmp_path).samples("train")


@pytest.mark.parametrize("name", ["wnids.txt", "words.txt", "val/val_annotations.txt"])
def test_a_missing_list_is_named(tmp_path, name):
    (lay_out(tmp_path) / name).unlink()
    with pytest.raises(InputError, match=f"tiny-imagenet-200/{name} is not under {tmp_path}"):
        source(tmp_path).samples("test")


@pytest.mark.parametrize("name", ["wnids.txt", "words.txt", "val/val_annotations.txt"])
def test_a_list_that_is_no_text_is_refused_by_name(tmp_path, name):
    (lay_out(tmp_path) / name).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=rf"{name} in .* is damaged .*get tiny-imagenet-200\.zip anew"):
        source(tmp_path).samples("test")


@pytest.mark.parametrize("rows", ["", "val_0.JPEG\tn00000000\t0\t0\t9\t9\n", "val_0.JPEG\n"])
def test_an_image_for_validation_without_a_class_is_refused_by_name(tmp_path, rows):
    (lay_out(tmp_path) / "val" / "val_annotations.txt").write_text(rows)
    with pytest.raises(InputError, match=r"val/images/val_0\.JPEG in .* has no class of wnids\.txt; .*remove the image"):
        source(tmp_path).samples("test")


def test_a_training_folder_that_is_no_class_is_refused_by_name(tmp_path):
    folder = lay_out(tmp_path) / "train"
    (folder / CRANE).rename(folder / "n00000000")
    with pytest.raises(InputError, match=r"train/n00000000/images/n01443537_0\.JPEG in .* has no class of wnids\.txt"):
        source(tmp_path).samples("train")


def test_a_damaged_image_is_refused_by_name(tmp_path):
    image = lay_out(tmp_path) / "val" / "images" / "val_2.JPEG"
    image.write_bytes(image.read_bytes()[:300])
    with pytest.raises(InputError, match=r"val/images/val_2\.JPEG in .* cannot be read as an image"):
        open_pack(source(tmp_path), "test")


@pytest.mark.parametrize("kept", [-40, 300, 0])
def test_a_truncated_zip_is_refused_by_name(tmp_path, kept):
    archive = zip_up(tmp_path)
    archive.write_bytes(archive.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"tiny-imagenet-200\.zip is not a readable zip"):
        source(tmp_path).samples("train")


def test_a_zip_whose_list_was_altered_is_refused_by_name(tmp_path):
    archive = zip_up(tmp_path)
    raw = archive.read_bytes()
    place = raw.index(b"tiny-imagenet-200/words.txt") + len(b"tiny-imagenet-200/words.txt") + 20
    archive.write_bytes(raw[:place] + bytes([raw[place] ^ 0xFF]) + raw[place + 1 :])
    with pytest.raises(InputError, match=r"words\.txt in .*tiny-imagenet-200\.zip cannot be read"):
        source(tmp_path).samples("train")


def test_a_pack_follows_its_images(tmp_path):
    folder = lay_out(tmp_path)
    open_pack(source(tmp_path), "test")
    (folder / "val" / "images" / "val_0.JPEG").write_bytes(jpeg(RED))
    np.testing.assert_allclose(open_pack(source(tmp_path), "test").images[0, :, 30, 30], RED, atol=4)


def test_the_zip_is_fetched_with_its_checksum(tmp_path, monkeypatch):
    fetched = []
    monkeypatch.setattr(torchvision.datasets.utils, "download_url", lambda *place, md5: fetched.append((*place, md5)))
    source(tmp_path).download(["train", "test"])
    url = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
    assert fetched == [(url, tmp_path, "90528d7ca1a48142e341f4ef8d21d0de")]


@pytest.mark.parametrize("error", [OSError("no network"), RuntimeError("File not found or corrupted.")])
def test_where_it_cannot_be_fetched_a_sentence_says_where_it_is(tmp_path, monkeypatch, error):
    def fail(*place, md5):
        raise error

    monkeypatch.setattr(torchvision.datasets.utils, "download_url", fail)
    with pytest.raises(InputError, match=rf"tiny_imagenet cannot be downloaded \({error}\); .*cs231n"):
        source(tmp_path).download(["train", "test"])
