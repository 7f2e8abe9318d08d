"""CUB-200, Oxford-102 and COCO: small trees in the layouts that their authors published."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from lightning_gans.data import Images
from lightning_gans.data.pack import Pack, open_pack
from lightning_gans.data.source import Request, Source, decode_caption, find_source
from lightning_gans.errors import InputError
from tests.data.test_images import batches, numbers, opened

BIRDS = ("Black_footed_Albatross", "Laysan_Albatross", "Sooty_Albatross", "Brewer_Blackbird")
PER_CLASS = 3


def save(path: Path, level: int, mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (80, 64), (level,) * 3 if mode == "RGB" else level).save(path, quality=100)


def write(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def sentences(number: int, count: int = 10) -> list[str]:
    return [f"{number} seen for the {k}th time." for k in range(count)]


def cub(root: Path, text: bool = True) -> None:
    """Twelve birds; the grey level of each is its number counted from 0, and so do its captions say."""
    folder = root / "CUB_200_2011"
    names = [f"{c:03d}.{bird}/{bird}_{k:04d}_{100 * c + k}.jpg" for c, bird in enumerate(BIRDS, 1) for k in range(PER_CLASS)]
    for level, name in enumerate(names):
        save(folder / "images" / name, level, "L" if level == 5 else "RGB")
    write(folder / "images.txt", *(f"{n} {name}" for n, name in enumerate(names, 1)))
    write(folder / "image_class_labels.txt", *(f"{n} {(n - 1) // PER_CLASS + 1}" for n in range(1, len(names) + 1)))
    write(folder / "classes.txt", *(f"{c} {c:03d}.{bird}" for c, bird in enumerate(BIRDS, 1)))
    write(folder / "bounding_boxes.txt", *(f"{n} 60.0 27.0 10.0 10.0" for n in range(1, len(names) + 1)))
    if text:
        reed = root / "cvpr2016_cub"
        for level, name in enumerate(names):
            write(reed / "text_c10" / name.replace("Brewer_", "Brewers_").replace(".jpg", ".txt"), *sentences(level))
        write(reed / "trainclasses.txt", "001.Black_footed_Albatross")
        write(reed / "valclasses.txt", "003.Sooty_Albatross")
        write(reed / "testclasses.txt", "002.Laysan_Albatross", "004.Brewers_Blackbird")


LABELS = [77, 1, 1, 43, 77, 102, 43, 1]


def oxford(root: Path, text: bool = True, folder: str = "flowers-102") -> None:
    """Eight flowers of four kinds; the grey level of each is its number, and so do its captions say."""
    for number in range(1, len(LABELS) + 1):
        save(root / folder / "jpg" / f"image_{number:05d}.jpg", number)
    savemat(root / folder / "imagelabels.mat", {"labels": np.array([LABELS], np.uint8)})
    savemat(root / folder / "setid.mat", {"trnid": np.array([[1, 2]], np.uint16), "tstid": np.array([[3]], np.uint16)})
    if text:
        reed = root / "cvpr2016_flowers"
        for number, label in enumerate(LABELS, 1):
            write(reed / "text_c10" / f"class_{label:05d}" / f"image_{number:05d}.txt", *sentences(number))
        write(reed / "trainclasses.txt", "class_00001")
        write(reed / "valclasses.txt", "class_00043")
        write(reed / "testclasses.txt", "class_00077", "class_00102")


def coco(root: Path, year: int = 2014, zipped: bool = False, base: str = "coco") -> None:
    """Four photographs for training, two for ``val``; the grey level of each is its number, and so do its captions say."""
    for part, ids in (("train", (9, 25, 30, 34)), ("val", (42, 73))):
        names = {n: f"COCO_{part}2014_{n:012d}.jpg" if year == 2014 else f"{n:012d}.jpg" for n in ids}
        content = {
            "info": {"year": year},
            "images": [{"license": 1, "file_name": name, "height": 64, "width": 80, "id": n} for n, name in names.items()],
            "licenses": [],
            "annotations": [
                {"image_id": n, "id": 10 * n + k, "caption": f"{text}\n"}
                for k in reversed(range(5)) for n in ids for text in [sentences(n, 5)[k]]
            ],
        }  # fmt: skip
        write(root / base / "annotations" / f"captions_{part}{year}.json", json.dumps(content))
        folder = root / base / f"{part}{year}"
        for n, name in names.items():
            save(folder / name, n, "L" if n == 30 else "RGB")
        if zipped:
            with zipfile.ZipFile(f"{folder}.zip", "w") as file:
                for name in names.values():
                    file.write(folder / name, f"{part}{year}/{name}")
                    (folder / name).unlink()
            folder.rmdir()


LAID_OUT: dict[str, Callable[[Path], None]] = {"cub200": cub, "oxford102": oxford, "coco": coco}


def source(name: str, root: Path) -> Source:
    found = find_source(Request(name, root))
    assert isinstance(found, Source)
    return found


def levels(pack: Pack) -> list[int]:
    return pack.images[:, 0, 0, 0].tolist()


def packs(name: str, root: Path) -> tuple[Pack, Pack]:
    found = source(name, root)
    return open_pack(found, "train"), open_pack(found, "test")


@pytest.mark.parametrize(
    ("name", "train", "test"),
    [
        ("cub200", [0, 1, 2, 6, 7, 8], [3, 4, 5, 9, 10, 11]),
        ("oxford102", [2, 3, 4, 7, 8], [1, 5, 6]),
        ("coco", [9, 25, 30, 34], [42, 73]),
    ],
)
def test_splits_are_the_published_ones_and_captions_are_those_of_their_image(tmp_path, name, train, test):
    LAID_OUT[name](tmp_path)
    for pack, expected in zip(packs(name, tmp_path), (train, test), strict=True):
        assert levels(pack) == expected
        assert pack.images.shape[1:] == (3, 64, 64)
        written = [[decode_caption(text) for text in some] for some in pack.conditions["captions"]]
        assert [sorted(some) for some in written] == [sorted(sentences(n, len(written[0]))) for n in expected]
        assert len(written[0]) == (5 if name == "coco" else 10)
        assert ("labels" in pack.conditions) == (name != "coco")


def test_birds_are_labelled_with_their_species(tmp_path):
    cub(tmp_path)
    for pack in packs("cub200", tmp_path):
        assert pack.conditions["labels"].tolist() == [level // PER_CLASS for level in levels(pack)]
        assert pack.description.classes == ("Black footed Albatross", "Laysan Albatross", "Sooty Albatross", "Brewer Blackbird")
        assert pack.description.partial == "12 of 11,788 images"
        assert pack.description.note.startswith("split by class, as Reed et al. did: 2 of 4 are for testing alone")


def test_flowers_are_labelled_with_their_kind(tmp_path):
    oxford(tmp_path)
    for pack in packs("oxford102", tmp_path):
        assert pack.conditions["labels"].tolist() == [LABELS[number - 1] - 1 for number in levels(pack)]
        assert [pack.description.classes[label - 1] for label in (1, 43, 77, 102)] == [
            *("pink primrose", "sword lily", "passion flower", "blackberry lily")
        ]
        assert pack.description.partial == "8 of 8,189 images"


@pytest.mark.parametrize("folder", ["flowers-102", "oxford-102-flowers", "oxford102"])
def test_flowers_are_found_in_each_documented_place(tmp_path, folder):
    oxford(tmp_path, folder=folder)
    assert len(levels(packs("oxford102", tmp_path)[0])) == 5


@pytest.mark.parametrize("base", ["coco", "COCO", "."])
@pytest.mark.parametrize("zipped", [False, True])
def test_photographs_are_found_in_each_documented_place(tmp_path, base, zipped):
    coco(tmp_path, zipped=zipped, base=base)
    train, test = packs("coco", tmp_path)
    assert (levels(train), levels(test)) == ([9, 25, 30, 34], [42, 73])


def test_of_two_editions_of_coco_the_first_is_used_for_both_splits(tmp_path):
    coco(tmp_path, 2017)
    assert "val2017" in packs("coco", tmp_path)[0].description.note
    assert packs("coco", tmp_path)[0].description.partial == "4 of 118,287 images"
    coco(tmp_path, 2014)
    assert all(pack.description.note.startswith("the test split is val2014") for pack in packs("coco", tmp_path))
    (tmp_path / "coco" / "annotations" / "captions_val2014.json").unlink()
    with pytest.raises(InputError, match=r"captions_val2014\.json is not under"):
        source("coco", tmp_path).samples("test")


@pytest.mark.parametrize("name", ["cub200", "oxford102"])
def test_without_captions_images_and_labels_work_and_classes_are_still_apart(tmp_path, name):
    (cub if name == "cub200" else oxford)(tmp_path, text=False)
    data = opened(name, tmp_path, image_size=8, batch_size=2)
    assert data.condition_name == "labels"
    assert "no captions: there is no cvpr2016_" in data.opened.description.note
    found = source(name, tmp_path)
    labels = [found.samples(split).labels for split in ("train", "test")]
    assert set(labels[0].tolist()).isdisjoint(labels[1].tolist())
    assert len(labels[0]) + len(labels[1]) == (12 if name == "cub200" else 8)
    assert "drawn once" in data.opened.description.note


def test_without_the_list_of_classes_they_are_drawn_once(tmp_path):
    cub(tmp_path)
    (tmp_path / "cvpr2016_cub" / "testclasses.txt").unlink()
    train, test = packs("cub200", tmp_path)
    assert (len(levels(train)), len(levels(test))) == (9, 3)
    note = "split by class, drawn once for want of testclasses.txt: 1 of 4 are for testing alone"
    assert train.description.note.startswith(note)


@pytest.mark.parametrize("name", ["cub200", "oxford102", "coco"])
def test_batches_have_a_caption_of_their_image_as_codes(tmp_path, name):
    LAID_OUT[name](tmp_path)
    data = opened(name, tmp_path, batch_size=2, drop_last=True)
    for batch in batches(data):
        assert batch.conditions.dtype == torch.int64
        for level, codes in zip(numbers(batch), batch.conditions, strict=True):
            assert decode_caption(codes) in sentences(level)


def test_odd_bytes_and_blank_lines_in_captions_are_left_out(tmp_path):
    cub(tmp_path)
    text = tmp_path / "cvpr2016_cub" / "text_c10" / "001.Black_footed_Albatross" / "Black_footed_Albatross_0000_100.txt"
    text.write_bytes("a  bird\ufffd\ufffdwith\tgrün\n\n".encode() + b"a beak \xff \n")
    captions = packs("cub200", tmp_path)[0].conditions["captions"]
    assert {decode_caption(some) for some in captions[0]} == {"a bird with grün", "a beak"}


CUB, JPG = "CUB_200_2011", "CUB_200_2011/images/002.Laysan_Albatross/Laysan_Albatross_0001_201.jpg"
FLOWERS, ONE_TEXT = "flowers-102", "cvpr2016_flowers/text_c10/class_00077/image_00005.txt"
REED = "cvpr2016_cub/text_c10/002.Laysan_Albatross/Laysan_Albatross_0001_201.txt"
COCO_JSON = "coco/annotations/captions_train2014.json"


def gone(path: str) -> Callable[[Path], None]:
    return lambda root: (root / path).unlink()


def altered(path: str, old: str, new: str) -> Callable[[Path], None]:
    return lambda root: (root / path).write_text((root / path).read_text().replace(old, new))


def replaced(path: str, content: bytes) -> Callable[[Path], None]:
    return lambda root: (root / path).write_bytes(content)


def shortened(path: str, count: int) -> Callable[[Path], None]:
    return lambda root: (root / path).write_bytes((root / path).read_bytes()[:-count])


@pytest.mark.parametrize(
    ("name", "damage", "sentence"),
    [
        ("cub200", gone(f"{CUB}/images.txt"), r"CUB_200_2011/images\.txt is not under .*vision\.caltech\.edu"),
        ("cub200", gone(f"{CUB}/classes.txt"), r"CUB_200_2011/classes\.txt is not under"),
        ("cub200", gone(JPG), r"Albatross_0001_201\.jpg is not in"),
        ("cub200", gone(REED), r"Laysan_Albatross_0001_201\.jpg of cub200 has no caption in .*text_c10"),
        ("cub200", replaced(REED, b"\n \n"), r"Laysan_Albatross_0001_201\.jpg of cub200 has no caption"),
        ("cub200", altered(f"{CUB}/image_class_labels.txt", "5 2\n", ""), r"gives image 5 \(002\.Laysan.*\) no class"),
        ("cub200", altered(f"{CUB}/image_class_labels.txt", "5 2\n", "5 9\n"), r"gives image 5 .* no class of classes\.txt"),
        ("cub200", altered(f"{CUB}/images.txt", "5 002", "5002"), r"line 5 of .*images\.txt is not a number and a name"),
        ("cub200", replaced(f"{CUB}/classes.txt", b""), r"line 1 of .*classes\.txt is not"),
        ("cub200", replaced("cvpr2016_cub/testclasses.txt", b"201.Unknown"), r"testclasses\.txt names 201\.Unknown"),
        ("cub200", replaced("cvpr2016_cub/testclasses.txt", b"\n"), r"testclasses\.txt names no class"),
        ("cub200", replaced(JPG, b"x"), "cannot be read as an image"),
        ("oxford102", gone(f"{FLOWERS}/imagelabels.mat"), r"imagelabels\.mat is not under .*robots\.ox\.ac\.uk.*download"),
        ("oxford102", gone("flowers-102/jpg/image_00004.jpg"), r"image_00004\.jpg is not in .*jpg"),
        ("oxford102", lambda root: save(root / "flowers-102/jpg/image_00009.jpg", 9), "holds 9 images but 8 labels"),
        ("oxford102", replaced(f"{FLOWERS}/imagelabels.mat", b"no labels"), r"imagelabels\.mat is damaged"),
        ("oxford102", replaced(f"{FLOWERS}/imagelabels.mat", b""), r"imagelabels\.mat is damaged"),
        ("oxford102", shortened(f"{FLOWERS}/imagelabels.mat", 40), r"imagelabels\.mat is damaged"),
        ("oxford102", shortened(f"{FLOWERS}/imagelabels.mat", 3), r"imagelabels\.mat is damaged"),
        (
            "oxford102",
            lambda root: savemat(root / f"{FLOWERS}/imagelabels.mat", {"labels": np.array([[0, 1]], np.uint8)}),
            r"imagelabels\.mat does not hold labels from 1 to 102",
        ),
        ("oxford102", gone(ONE_TEXT), r"image_00005\.jpg of oxford102 has no caption"),
        ("coco", gone(COCO_JSON), r"captions_train2014\.json is not under .*cocodataset\.org"),
        ("coco", gone("coco/train2014/COCO_train2014_000000000025.jpg"), r"captions for COCO_train2014_0+25\.jpg, which is"),
        ("coco", altered(COCO_JSON, '"image_id": 25', '"image_id": 9'), r"COCO_train2014_000000000025\.jpg has no caption"),
        ("coco", altered(COCO_JSON, '"image_id": 25', '"image_id": 1'), r"captions_train2014\.json is damaged \(KeyError"),
        ("coco", altered(COCO_JSON, "annotations", "other"), r"captions_train2014\.json is damaged \(KeyError: 'annotations'"),
        ("coco", replaced(COCO_JSON, b'{"images": ['), r"captions_train2014\.json is damaged \(JSONDecodeError"),
        ("coco", replaced(COCO_JSON, b"[]"), r"captions_train2014\.json is damaged"),
    ],
)  # fmt: skip
def test_what_is_missing_or_damaged_is_named_with_what_to_do(tmp_path, name, damage, sentence):
    LAID_OUT[name](tmp_path)
    damage(tmp_path)
    with pytest.raises(InputError, match=sentence) as raised:
        Images(name, root=str(tmp_path)).prepare_data()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "file"), [("cub200", "images.txt"), ("oxford102", "jpg"), ("coco", "captions_train2014.json")]
)
def test_an_empty_root_names_the_first_file_to_get(tmp_path, name, file):
    assert source(name, tmp_path).fingerprint("train") is None
    with pytest.raises(InputError, match=rf"{file} is not under {tmp_path}; put .*, or set data\.root"):
        Images(name, root=str(tmp_path)).prepare_data()


def test_flowers_are_downloaded_by_torchvision_where_they_are_missing(tmp_path, monkeypatch):
    asked = []

    class Flowers102:
        classes = ("pink primrose",) * 102

        def __init__(self, root, download):
            asked.append((root, download))
            oxford(root, text=False)

    monkeypatch.setattr("torchvision.datasets.Flowers102", Flowers102)
    Images("oxford102", root=str(tmp_path), download=True).prepare_data()
    assert asked == [(tmp_path, True)]


@pytest.mark.parametrize("name", ["cub200", "coco"])
def test_what_cannot_be_downloaded_says_where_it_is(tmp_path, name):
    with pytest.raises(InputError, match=f"{name} cannot be downloaded; get it by hand: put "):
        Images(name, root=str(tmp_path), download=True).prepare_data()


@pytest.mark.parametrize("name", ["cub200", "oxford102", "coco"])
def test_changed_captions_are_packed_anew(tmp_path, name):
    LAID_OUT[name](tmp_path)
    before = packs(name, tmp_path)[0].conditions["captions"].tobytes()
    assert b" seen " in before
    for file in [*tmp_path.rglob("text_c10/*/*.txt"), *tmp_path.rglob("captions_*.json")]:
        file.write_text(file.read_text().replace(" seen ", " heard "))
    after = packs(name, tmp_path)[0].conditions["captions"].tobytes()
    assert after.replace(b"\0", b"") == before.replace(b"\0", b"").replace(b" seen ", b" heard ")
