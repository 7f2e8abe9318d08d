"""One's own images with captions, and anime faces: captions travel with their image, and classes are for one split alone."""

from __future__ import annotations

import csv
import shutil
import sys
import types
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_gans.data import Images
from lightning_gans.data.pack import open_pack
from lightning_gans.data.source import Request, Source, decode_caption, encode_captions, find_source
from lightning_gans.errors import InputError
from tests.data.test_images import batches, numbers, opened

HAIR = ["red hair", "blue hair", "green hair", "white hair", "black hair"]


def save(path: Path, level: int, suffix: str = "png") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), (level, level, level)).save(path)


def lay_out(folder: Path, rows: list[tuple[str, ...]], header: str = "image,caption", encoding: str = "utf-8") -> Path:
    """A picture whose grey level is its place among the images, for every image of ``captions.csv``."""
    folder.mkdir(parents=True, exist_ok=True)
    for level, name in enumerate(dict.fromkeys(row[0] for row in rows)):
        save(folder / name, level)
    with open(folder / "captions.csv", "w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows([header.split(","), *rows])
    return folder


def faces(folder: Path, count: int = 60) -> Path:
    """Faces whose caption is a function of their grey level."""
    return lay_out(folder, [(f"images/{n:03d}.png", HAIR[n % 5]) for n in range(count)])


def source(path: Path | str, root: Path, skip: bool = False) -> Source:
    found = find_source(Request(str(path), root, skip_unreadable=skip))
    assert isinstance(found, Source)
    return found


def content(found: Source, split: str) -> list[tuple[int, str, tuple[str, ...]]]:
    """Grey level, class and captions of every image in a pack."""
    pack = open_pack(found, split)
    texts = [tuple(decode_caption(text) for text in some) for some in pack.conditions["captions"]]
    labels = [pack.description.classes[label] for label in pack.conditions["labels"]]
    return list(zip(pack.images[:, 0, 0, 0].tolist(), labels, texts, strict=True))


@pytest.mark.parametrize("container", [None, "zip", "gztar"])
def test_captions_travel_with_their_image_and_without_a_class_are_the_class(tmp_path, container):
    path = faces(tmp_path / "faces")
    if container:
        path = Path(shutil.make_archive(str(tmp_path / "archive"), container, path))
    found = source(path, tmp_path)
    samples = content(found, "train") + content(found, "test")
    assert sorted(samples) == [(n, HAIR[n % 5], (HAIR[n % 5],)) for n in range(60)]


def test_images_are_in_the_order_of_their_names_and_not_of_the_rows(tmp_path):
    found = source(lay_out(tmp_path / "faces", [(f"{9 - n}.png", "cat") for n in range(10)]), tmp_path)
    levels = [level for level, *_ in content(found, "train")]
    assert levels == sorted(levels, reverse=True)


def test_an_archive_may_have_its_files_in_one_folder(tmp_path):
    faces(tmp_path / "in" / "faces")
    path = shutil.make_archive(str(tmp_path / "archive"), "zip", tmp_path / "in")
    assert len(content(source(path, tmp_path), "train")) == 48


@pytest.mark.parametrize(("classes", "tested"), [(2, 1), (5, 1), (40, 4)])
@pytest.mark.parametrize("column", [False, True])
def test_a_tenth_of_the_classes_is_for_testing_alone(tmp_path, classes, tested, column):
    rows = [(f"{n}.png", *([f"a face {n}", f"kind {n % classes}"] if column else [f"kind {n % classes}"])) for n in range(80)]
    found = source(lay_out(tmp_path / "faces", rows, "image,caption,class" if column else "image,caption"), tmp_path)
    train, test = ({label for _, label, _ in content(found, split)} for split in ("train", "test"))
    assert len(test) == tested
    assert train.isdisjoint(test)
    assert train | test == {f"kind {n}" for n in range(classes)}
    assert f"{tested} of {classes} are for testing alone" in open_pack(found, "train").description.note


def test_the_split_is_that_of_the_classes_and_not_of_the_place_or_the_seed(tmp_path, monkeypatch):
    first = content(source(faces(tmp_path / "faces"), tmp_path), "test")
    monkeypatch.setenv("PL_GLOBAL_SEED", "7")
    torch.manual_seed(3)
    assert content(source(faces(tmp_path / "elsewhere" / "same"), tmp_path), "test") == first


def test_of_one_class_some_images_are_for_testing(tmp_path):
    rows = [(f"{n}.png", f"cat {n}", "cat") for n in range(20)]
    found = source(lay_out(tmp_path / "cats", rows, "image,caption,class"), tmp_path)
    train, test = (content(found, split) for split in ("train", "test"))
    assert (len(train), len(test)) == (18, 2)
    assert sorted(level for level, *_ in train + test) == list(range(20))
    assert "split by image" in open_pack(found, "train").description.note


def test_an_image_may_have_several_captions_and_those_in_common_make_a_class(tmp_path):
    rows = [("0.png", "z"), ("0.png", "b"), ("1.png", "b"), ("2.png", "c"), ("3.png", "d"), ("3.png", "c"), ("4.png", "e")]
    found = source(lay_out(tmp_path / "faces", rows), tmp_path)
    samples = {level: (label, texts) for split in ("train", "test") for level, label, texts in content(found, split)}
    assert {level: label for level, (label, _) in samples.items()} == {0: "b", 1: "b", 2: "c", 3: "c", 4: "e"}
    assert {level: set(texts) for level, (_, texts) in samples.items()} == {
        0: {"z", "b"},
        1: {"b"},
        2: {"c"},
        3: {"c", "d"},
        4: {"e"},
    }


def test_batches_have_one_caption_of_each_image_as_codes(tmp_path):
    rows = [(f"{n:02d}.png", f"{text} {n % 4}") for n in range(40) for text in ("a face", "ein Gesicht: größer")]
    data = opened(lay_out(tmp_path / "faces", rows), tmp_path, batch_size=10)
    assert data.condition_name == "captions"
    seen = {}
    for _ in range(3):
        for batch in batches(data):
            assert batch.conditions.dtype == torch.int64
            assert batch.conditions.shape == (10, len("ein Gesicht: größer 0".encode()))
            for level, codes in zip(numbers(batch), batch.conditions, strict=True):
                seen.setdefault(level, set()).add(decode_caption(codes))
    assert {level: {text[-1] for text in some} for level, some in seen.items()} == {n: {str(n % 4)} for n in seen}
    assert set().union(*seen.values()) == {f"{text} {n % 4}" for n in seen for text in ("a face", "ein Gesicht: größer")}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("written", ["NFC", "NFD"])
def test_captions_and_names_are_of_any_script(tmp_path, encoding, written):
    rows = [(f"Bilder/é{n}ü.png", f"長い髪, {n}, “größer”") for n in range(10)]
    folder = lay_out(tmp_path / "Gesichter ü", rows, encoding=encoding)
    text = (folder / "captions.csv").read_text(encoding=encoding)
    (folder / "captions.csv").write_text(unicodedata.normalize(written, text), encoding=encoding)
    captions = [unicodedata.normalize(written, caption) for _, caption in rows]
    found = source(folder, tmp_path)
    samples = content(found, "train") + content(found, "test")
    assert sorted(samples) == [(n, caption, (caption,)) for n, caption in enumerate(captions)]


def change(text: str):
    return lambda folder: (folder / "captions.csv").write_text(text)


def encode(encoding: str):
    return lambda folder: (folder / "captions.csv").write_bytes("image,caption\na.png,x\nb.png,y\n".encode(encoding))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (
            change("image,caption\na.png,x\nb.png,y\nc.png,z\n"),
            r"line 4 of .*captions\.csv has a caption for c\.png, which is not",
        ),
        (change("image,caption\na.png,x\n"), r"b\.png in .*faces has no caption; add a row to captions\.csv"),
        (change("file,text\na.png,x\n"), r"first line of .*captions\.csv is 'file,text'; it must name the columns"),
        (change(""), r"first line of .*captions\.csv is ''; it must name the columns"),
        (change("image,caption\n"), r"captions\.csv lists no image"),
        (change("image,caption\na.png,x\nb.png, \n"), r"line 3 of .*captions\.csv has no caption"),
        (change("image,caption\na.png\nb.png,y\n"), r"line 2 of .*captions\.csv has no caption"),
        (change("image,caption\n,x\n"), r"line 2 of .*captions\.csv has no image"),
        (change("image,caption,class\na.png,x,1\nb.png,y,\n"), r"line 3 of .*captions\.csv has no class"),
        (change("image,caption,class\na.png,x,1\na.png,y,2\nb.png,y,1\n"), r"gives a\.png the classes '1' and '2'"),
        (change("image,caption\na.png,x, with a comma\n"), r"line 2 of .* more than 2 fields; .*double quotes"),
        (
            change('image,caption\na.png,x\nb.png,"y\n\n\n'),
            r"from line 3 on of .*captions\.csv cannot be read \(unexpected end of data\); close",
        ),
        (change('image,caption\na.png,"x" y\n'), r"from line 2 on .* cannot be read .*within a caption twice"),
        (change(f"image,caption\na.png,{'x' * 200_000}\nb.png,y\n"), r"from line 2 on .* \(field larger than field limit"),
        (change("a.png,x\nb.png,y\n"), r"first line of .*captions\.csv is 'a\.png,x'; it must name the columns"),
        (change("image;caption\na.png;x\nb.png;y\n"), r"is 'image;caption'; it must name .* with commas between"),
        (change("image,caption,caption\na.png,x,y\n"), r"has the column caption twice; leave one"),
        (change("image,caption\na.png,x\nb.png,\u200b\n"), r"line 3 of .*captions\.csv has no caption"),
        (change("image,caption\na.png,re\0d\nb.png,x\n"), r"captions\.csv has zero bytes, as UTF-16 does; save it as"),
        (encode("utf-16-le"), r"captions\.csv has zero bytes, as UTF-16 does; save it as comma-separated UTF-8"),
        (encode("utf-16"), r"line 1 of .*captions\.csv is not in UTF-8; save it as comma-separated UTF-8"),
        (change("image,caption\n../a.png,x\n"), r"line 2 of .* points outside its folder \(\.\./a\.png\)"),
        (change("image,caption\nin/../../a.png,x\n"), r"line 2 of .* points outside its folder"),
        (change("image,caption\n/etc/a.png,x\n"), r"line 2 of .* points outside its folder \(/etc/a\.png\)"),
        (
            lambda folder: (folder / "captions.csv").write_bytes(b"image,caption\na.png,gr\xf6sser\n"),
            r"line 2 .*save it as .*UTF-8",
        ),
        (lambda folder: (folder / "b.png").write_bytes(b"no image"), r"b\.png in .* cannot be read as an image"),
    ],
)
def test_what_cannot_be_right_is_refused_in_one_sentence(tmp_path, damage, sentence):
    folder = lay_out(tmp_path / "faces", [("a.png", "x"), ("b.png", "y")])
    save(tmp_path / "a.png", 0)
    damage(folder)
    with pytest.raises(InputError, match=sentence) as raised:
        Images(str(folder), root=str(tmp_path)).prepare_data()
    assert "\n" not in str(raised.value)


def test_blank_lines_and_repeated_rows_change_nothing_and_a_caption_may_be_long(tmp_path):
    folder = lay_out(tmp_path / "faces", [(f"{n}.png", "red hair " * (1100 if n == 3 else 1)) for n in range(10)])
    table = folder / "captions.csv"
    table.write_text(table.read_text().replace("\r\n", "\r\n\r\n") + "4.png,red hair\r\n")
    found = source(folder, tmp_path)
    samples = {level: texts for split in ("train", "test") for level, _, texts in content(found, split)}
    assert samples[3][0] == ("red hair " * 1100).strip()
    assert {*samples[4]} == {"red hair"}


def test_a_caption_that_would_fill_the_memory_with_those_beside_it_is_refused(monkeypatch):
    monkeypatch.setattr("os.sysconf", lambda name: 10)
    with pytest.raises(InputError, match="a caption of 60 bytes, to which all 2 are filled up, takes more memory"):
        encode_captions([["x" * 60], ["y"]])


def test_unreadable_images_are_left_out_with_their_captions(tmp_path):
    folder = faces(tmp_path / "faces")
    (folder / "images" / "007.png").write_bytes(b"no image")
    samples = [sample for split in ("train", "test") for sample in content(source(folder, tmp_path, skip=True), split)]
    assert sorted(samples) == [(n, HAIR[n % 5], (HAIR[n % 5],)) for n in range(60) if n != 7]


def test_a_changed_caption_is_packed_anew(tmp_path):
    folder = faces(tmp_path / "faces")
    before = content(source(folder, tmp_path), "train")
    lay_out(folder, [(f"images/{n:03d}.png", HAIR[n % 5].replace("hair", "eyes")) for n in range(60)])
    after = content(source(folder, tmp_path), "train")
    assert {text for *_, texts in after for text in texts} == {
        text.replace("hair", "eyes") for *_, texts in before for text in texts
    }


def test_folders_of_the_same_name_do_not_share_a_pack(tmp_path):
    for place, count in (("a", 60), ("b", 30)):
        assert len(content(source(faces(tmp_path / place / "faces", count), tmp_path), "train")) == count * 4 // 5


def test_a_folder_without_captions_and_the_name_of_a_dataset_are_not_taken_for_one(tmp_path):
    save(tmp_path / "plain" / "1.png", 0)
    assert type(source(tmp_path / "plain", tmp_path)).__name__ == "Files"
    assert type(source(faces(tmp_path / "faces"), tmp_path)).__name__ == "Captions"
    assert type(source("faces", tmp_path)).__name__ == "Captions"
    assert source("digits", tmp_path).name == "digits"


@pytest.mark.parametrize("container", [None, "zip"])
def test_anime_faces_have_captions_where_there_are_some(tmp_path, container):
    faces(tmp_path / "anime")
    if container:
        shutil.make_archive(str(tmp_path / "anime"), container, tmp_path / "anime")
        shutil.rmtree(tmp_path / "anime")
    found = source("anime", tmp_path)
    assert (found.name, found.splits) == ("anime", ("train", "test"))
    pack = open_pack(found, "train")
    assert pack.images.shape == (48, 3, 64, 64)
    assert [decode_caption(text) for (text,) in pack.conditions["captions"]] == [
        HAIR[level % 5] for level in pack.images[:, 0, 0, 0].tolist()
    ]


def test_anime_faces_without_captions_are_images_alone(tmp_path):
    save(tmp_path / "anime" / "images" / "1.jpg", 9)
    data = opened("anime", tmp_path, image_size=8)
    assert data.shape == (3, 8, 8)
    assert data.condition_name is None
    assert source("anime", tmp_path).splits == ("train",)


def test_missing_anime_faces_are_named_with_where_to_get_them(tmp_path):
    with pytest.raises(InputError, match=r"anime/ is not under .*kaggle\.com/datasets/splcher/animefacedataset.*download true"):
        Images("anime", root=str(tmp_path)).prepare_data()


def test_without_kagglehub_a_download_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(InputError, match=r"kagglehub, which is not installed; .*kaggle\.com/datasets/splcher/animefacedataset"):
        Images("anime", root=str(tmp_path), download=True).prepare_data()


def test_kagglehub_fetches_what_is_then_packed_and_its_failure_leaves_nothing(tmp_path, monkeypatch):
    def fetch(name: str) -> str:
        assert name == "splcher/animefacedataset"
        return str(tmp_path / "cache")

    monkeypatch.setitem(sys.modules, "kagglehub", types.SimpleNamespace(dataset_download=fetch))
    with pytest.raises(InputError, match="anime cannot be downloaded"):
        Images("anime", root=str(tmp_path / "root"), download=True).prepare_data()
    assert not list((tmp_path / "root").iterdir())
    save(tmp_path / "cache" / "images" / "1.jpg", 9)
    data = Images("anime", root=str(tmp_path / "root"), download=True)
    data.prepare_data()
    data.setup("fit")
    assert data.size("train") == 1
    assert (tmp_path / "cache" / "images" / "1.jpg").exists()


def test_the_real_faces_have_the_captions_of_their_file(shared_data, tmp_path):
    folder = shared_data / "anime"
    if not (folder / "captions.csv").is_file():
        pytest.skip(f"no anime faces with captions in {folder}")
    with open(folder / "captions.csv", encoding="utf-8") as file:
        expected = {row["image"]: " ".join(row["caption"].split()) for row in csv.DictReader(file)}
    found = source("anime", shared_data)
    train, test = found.samples("train"), found.samples("test")
    assert train.size + test.size == len(expected) == 18_121
    assert 0.05 < test.size / 18_121 < 0.15
    texts = [{decode_caption(text) for text in split.captions[:, 0]} for split in (train, test)]
    assert texts[0].isdisjoint(texts[1])
    assert texts[0] | texts[1] == set(expected.values())
    for samples, some in zip((train, test), texts, strict=True):
        names = [name for name in sorted(expected) if expected[name] in some]
        assert [decode_caption(text) for text in samples.captions[:, 0]] == [expected[name] for name in names]
        for number in range(0, samples.size, samples.size // 20):
            pixels = np.asarray(Image.open(folder / names[number]).convert("RGB")).transpose(2, 0, 1)
            assert np.array_equal(samples.image(number), pixels)
