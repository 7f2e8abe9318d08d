"""CIFAR's batches, made as Python 2 pickled the originals: read where people keep them, and nothing in them is run."""

import hashlib
import io
import os
import pickle
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import torchvision

from lightning_gans.data import Images
from lightning_gans.data.pack import open_pack
from lightning_gans.data.source import Request, Source, find_source
from lightning_gans.data.sources import cifar10
from lightning_gans.errors import InputError

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
LABELS = {"cifar10": [6, 9, 9, 4, 1, 1, 2, 7, 8, 3, 0, 5], "cifar100": [19, 29, 0, 11, 1, 86, 90, 28, 23, 31, 39, 99]}
FOLDER = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}
TRAIN = {"cifar10": [f"data_batch_{n}" for n in range(1, 6)], "cifar100": ["train"]}
TEST = {"cifar10": "test_batch", "cifar100": "test"}
both = pytest.mark.parametrize("name", ["cifar10", "cifar100"])


class Python2(pickle._Pickler):
    """Writes what Python 2 wrote: every string as bytes without a word about their encoding."""

    def save_string(self, text):
        raw = text if isinstance(text, bytes) else text.encode()
        short = len(raw) < 256
        self.write((pickle.SHORT_BINSTRING + bytes([len(raw)]) if short else b"T" + struct.pack("<i", len(raw))) + raw)
        self.memoize(text)

    dispatch = {**pickle._Pickler.dispatch, bytes: save_string, str: save_string}  # noqa: RUF012


def python2(value: object) -> bytes:
    file = io.BytesIO()
    Python2(file, protocol=2).dump(value)
    return file.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def batch(name: str, pixels: np.ndarray, numbers: list[int], **changes: object) -> bytes:
    """One original file; ``changes`` replace its entries, ``None`` removes one."""
    rows = np.stack([np.concatenate([image[..., colour].ravel() for colour in range(3)]) for image in pixels])
    content = {
        "batch_label": "training batch 1 of 5",
        "labels": numbers,
        "data": rows,
        "filenames": ["x_s_000001.png"] * len(rows),
    }
    if name == "cifar100":
        content |= {"fine_labels": numbers, "coarse_labels": [19] * len(rows)}
        del content["labels"]
    content = {key: value for key, value in (content | changes).items() if value is not None}
    return python2(content)


def lay_out(root: Path, name: str) -> Path:
    """Ten images for training and two for testing, in the original folder."""
    folder = root / FOLDER[name]
    folder.mkdir(parents=True)
    rows = 10 // len(TRAIN[name])
    for number, file in enumerate([*TRAIN[name], TEST[name]]):
        part = slice(10, 12) if file == TEST[name] else slice(number * rows, (number + 1) * rows)
        (folder / file).write_bytes(batch(name, PIXELS[part], LABELS[name][part]))
    (folder / "batches.meta").write_bytes(python2({"label_names": ["not read"]}))
    return folder


def pack_up(root: Path, name: str, monkeypatch) -> Path:
    """The original folder as the original archive, known to torchvision."""
    folder = lay_out(root, name)
    archive = Path(shutil.make_archive(str(root / FOLDER[name].replace("batches-py", "python")), "gztar", root, folder.name))
    shutil.rmtree(folder)
    monkeypatch.setattr(getattr(torchvision.datasets, name.upper()), "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())
    return archive


def save_npz(root: Path, name: str, **changes: object) -> Path:
    file = root / name / f"{name}.npz"
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {"train_images": PIXELS[:10], "train_labels": LABELS[name][:10]}
    content |= {"test_images": PIXELS[10:], "test_labels": LABELS[name][10:]} | changes
    np.savez(file, **{key: value for key, value in content.items() if value is not None})
    return file


def source(root: Path, name: str = "cifar10", **cut) -> Source:
    return find_source(Request(name, root, **cut))


def check(root: Path, name: str) -> None:
    for split, part in {"train": slice(10), "test": slice(10, 12)}.items():
        found = open_pack(source(root, name), split)
        assert np.array_equal(found.images, PIXELS[part].transpose(0, 3, 1, 2))
        assert found.conditions["labels"].tolist() == LABELS[name][part]
        assert found.conditions["labels"].dtype == np.int64
        assert found.description.partial == {"train": "10 of 50,000 images", "test": "2 of 10,000 images"}[split]


@both
@pytest.mark.parametrize("place", ["", "own"])
def test_unpacked_batches_are_found_in_each_place_and_read_in_order(tmp_path, name, place):
    lay_out(tmp_path / place.replace("own", name), name)
    check(tmp_path, name)


@both
@pytest.mark.parametrize("place", ["", "own"])
def test_the_archive_is_read_without_being_unpacked(tmp_path, name, place, monkeypatch):
    pack_up(tmp_path / place.replace("own", name), name, monkeypatch)
    check(tmp_path, name)
    assert list(tmp_path.rglob(FOLDER[name])) == []


@both
def test_an_npz_of_plain_arrays_is_read(tmp_path, name):
    save_npz(tmp_path, name)
    check(tmp_path, name)


def test_the_npz_comes_before_the_folder_and_the_folder_before_the_archive(tmp_path, monkeypatch):
    pack_up(tmp_path, "cifar10", monkeypatch)
    assert open_pack(source(tmp_path), "test").conditions["labels"].tolist() == [0, 5]
    (lay_out(tmp_path, "cifar10") / "test_batch").write_bytes(batch("cifar10", PIXELS[:1], [7]))
    assert open_pack(source(tmp_path), "test").conditions["labels"].tolist() == [7]
    save_npz(tmp_path, "cifar10", test_labels=[8, 8])
    assert open_pack(source(tmp_path), "test").conditions["labels"].tolist() == [8, 8]


def test_a_row_is_three_planes_of_32_lines(tmp_path):
    row = np.random.default_rng(1).integers(0, 256, (1, 3072), dtype=np.uint8)
    (lay_out(tmp_path, "cifar10") / "test_batch").write_bytes(batch("cifar10", PIXELS[:1], [0], data=row))
    image = source(tmp_path).samples("test").image(0)
    assert image[:, 5, 7].tolist() == [row[0, plane * 1024 + 5 * 32 + 7] for plane in range(3)]


def test_images_serves_them_scaled_with_labels_and_class_names(tmp_path):
    lay_out(tmp_path, "cifar10")
    data = Images("cifar10", str(tmp_path), batch_size=4)
    data.prepare_data()
    data.setup("fit")
    np.testing.assert_allclose((data.real("train").numpy() + 1) * 127.5, PIXELS[:10].transpose(0, 3, 1, 2), atol=1e-4)
    assert [data.classes[label] for label in data.labels("train")[:5]] == ["frog", "truck", "truck", "deer", "automobile"]
    assert data.partial == "10 of 50,000 images"


def test_images_are_scaled_and_made_grey_as_asked(tmp_path):
    save_npz(tmp_path, "cifar10", test_images=np.full((2, 32, 32, 3), 77, np.uint8))
    image = source(tmp_path, image_size=16, channels=1).samples("test").image(0)
    assert image.shape == (1, 16, 16)
    assert (image == 77).all()


def test_cifar100_has_its_hundred_classes_in_the_order_of_the_alphabet(tmp_path):
    classes = source(tmp_path, "cifar100").description.classes
    assert len(set(classes)) == 100
    assert list(classes) == sorted(classes)
    assert [classes[label] for label in LABELS["cifar100"][:4]] == ["cattle", "dinosaur", "apple", "boy"]


@both
def test_nothing_there_is_one_sentence_with_where_to_get_it(tmp_path, name):
    archive = FOLDER[name].replace("batches-py", "python")
    assert source(tmp_path, name).fingerprint("train") is None
    with pytest.raises(
        InputError, match=rf"{archive}\.tar\.gz is not under {tmp_path}; .*cs\.toronto\.edu.*download.*data\.root"
    ):
        source(tmp_path, name).samples("train")


def test_a_missing_batch_is_named(tmp_path):
    (lay_out(tmp_path, "cifar10") / "data_batch_3").unlink()
    assert source(tmp_path).fingerprint("train") is None
    assert source(tmp_path).fingerprint("test") is not None
    with pytest.raises(InputError, match=f"cifar-10-batches-py/data_batch_3 is not under {tmp_path}"):
        source(tmp_path).samples("train")


@both
def test_an_archive_that_is_not_the_original_is_refused_with_its_md5(tmp_path, name, monkeypatch):
    archive = pack_up(tmp_path, name, monkeypatch)
    archive.write_bytes(archive.read_bytes()[:-1])
    with pytest.raises(InputError, match=rf"{archive.name} is not the original: its md5 is [0-9a-f]{{32}} instead of"):
        source(tmp_path, name).samples("train")


def test_the_whole_set_must_have_the_original_checksums_and_is_not_partial(tmp_path, monkeypatch):
    folder = lay_out(tmp_path, "cifar10")
    monkeypatch.setattr(cifar10, "_SIZES", {"train": 10, "test": 2})
    with pytest.raises(
        InputError, match=r"test_batch is not the original: its md5 is .* instead of 40351d587109b95175f43aff81a1287e"
    ):
        source(tmp_path).samples("test")
    known = [[name, hashlib.md5((folder / name).read_bytes()).hexdigest()] for name in TRAIN["cifar10"]]
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "train_list", known)
    assert open_pack(source(tmp_path), "train").description.partial == ""
    known[3][1] = "0" * 32
    with pytest.raises(InputError, match=r"data_batch_4 is not the original"):
        source(tmp_path).samples("train")


class Calls:
    """Pickled, a call of ``function`` when it is read."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("function", [os.mkdir, eval, getattr, np.load, np.frombuffer])
def test_a_pickle_that_calls_anything_is_refused_by_name_and_does_not(tmp_path, function):
    mark = tmp_path / "called"
    argument = f"__import__('os').mkdir({str(mark)!r})" if function is eval else str(mark)
    (lay_out(tmp_path, "cifar10") / "test_batch").write_bytes(batch("cifar10", PIXELS[:1], [Calls(function, argument)]))
    with pytest.raises(InputError, match=rf"test_batch is damaged.*wants to call .*{function.__name__}.*get it anew"):
        source(tmp_path).samples("test")
    assert not mark.exists()


def test_an_array_of_objects_hides_no_call(tmp_path):
    mark = tmp_path / "called"
    hiding = np.array([Calls(os.mkdir, str(mark))], object)
    (lay_out(tmp_path, "cifar10") / "test_batch").write_bytes(batch("cifar10", PIXELS[:1], [0], data=hiding))
    with pytest.raises(InputError, match=r"wants to call .*mkdir"):
        source(tmp_path).samples("test")
    assert not mark.exists()


def test_a_batch_that_python_3_pickled_is_read_too(tmp_path):
    rows = PIXELS[:2].transpose(0, 3, 1, 2).reshape(2, 3072)
    for protocol in (2, 4):
        raw = pickle.dumps({b"data": np.ascontiguousarray(rows), b"labels": [3, 4]}, protocol)
        folder = tmp_path / str(protocol)
        (lay_out(folder, "cifar10") / "test_batch").write_bytes(raw)
        assert np.array_equal(source(folder).samples("test").image(1), PIXELS[1].transpose(2, 0, 1))


def test_a_batch_cut_anywhere_is_refused_by_name(tmp_path):
    file = lay_out(tmp_path, "cifar10") / "test_batch"
    raw = file.read_bytes()
    for length in [*range(150), *range(150, len(raw), 997), len(raw) - 1]:
        file.write_bytes(raw[:length])
        with pytest.raises(InputError, match=r"test_batch is damaged, or no batch of CIFAR10 .*get it anew"):
            source(tmp_path).samples("test")


def test_a_batch_altered_anywhere_is_refused_in_one_sentence_or_still_holds_images(tmp_path):
    file = lay_out(tmp_path, "cifar10") / "test_batch"
    raw = file.read_bytes()
    sentences = []
    for place in [*range(400), *range(len(raw) - 120, len(raw))]:
        file.write_bytes(raw[:place] + bytes([raw[place] ^ 0x41]) + raw[place + 1 :])
        try:
            assert source(tmp_path).samples("test").image(0).shape == (3, 32, 32)
        except InputError as error:
            sentences.append(str(error))
    assert len(sentences) > 100
    assert all(sentence.endswith("; get it anew") and "\n" not in sentence for sentence in sentences)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"labels": [1]}, r"test_batch holds 2 images, but labels of int64 \(1,\)"),
        ({"labels": [1.0, 2.0]}, r"test_batch holds 2 images, but labels of float64"),
        ({"labels": [1, 10]}, "test_batch has labels beyond the 10 classes of cifar10"),
        ({"labels": [-1, 1]}, "test_batch has labels beyond the 10 classes"),
        ({"data": np.zeros((2, 3071), np.uint8)}, r"images of uint8 \(2, 3071\) instead of uint8 \(N, 3072\)"),
        ({"data": np.zeros((2, 3072), np.int16)}, r"images of int16 \(2, 3072\) instead of uint8"),
        ({"data": None}, "test_batch is damaged, or no batch of CIFAR10.*data"),
        ({"labels": None}, "test_batch is damaged, or no batch of CIFAR10.*labels"),
    ],
)
def test_a_batch_with_other_content_is_refused(tmp_path, changes, sentence):
    (lay_out(tmp_path, "cifar10") / "test_batch").write_bytes(batch("cifar10", PIXELS[:2], [0, 1], **changes))
    with pytest.raises(InputError, match=f"{sentence}.*get it anew"):
        source(tmp_path).samples("test")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"test_images": None}, "does not hold plain arrays test_images and test_labels"),
        ({"test_labels": np.array([1, None])}, "does not hold plain arrays"),
        ({"test_labels": [1]}, r"holds 2 images, but labels of int64 \(1,\)"),
        ({"test_labels": [[1], [2]]}, r"labels of int64 \(2, 1\)"),
        ({"test_images": PIXELS[:2, :28]}, r"uint8 \(2, 28, 32, 3\) instead of uint8 \(N, 32, 32, 3\)"),
        ({"test_images": PIXELS[:2] / 255}, "images of float64"),
    ],
)
def test_an_npz_with_other_content_is_refused(tmp_path, changes, sentence):
    save_npz(tmp_path, "cifar10", **changes)
    with pytest.raises(InputError, match=rf"cifar10\.npz .*{sentence}.*anew"):
        source(tmp_path).samples("test")


@pytest.mark.parametrize("damage", [lambda raw: raw[:-30], lambda raw: raw[:5000] + b"?" + raw[5001:], lambda raw: b""])
def test_a_damaged_npz_is_refused(tmp_path, damage):
    file = save_npz(tmp_path, "cifar10")
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(InputError, match=r"cifar10\.npz does not hold plain arrays .*save it anew"):
        source(tmp_path).samples("train")


def test_a_pack_follows_its_files_and_outlives_them(tmp_path):
    folder = lay_out(tmp_path, "cifar10")
    open_pack(source(tmp_path), "train")
    (folder / "data_batch_5").write_bytes(batch("cifar10", 255 - PIXELS[8:10], [0, 0]))
    os.utime(folder / "data_batch_5", ns=(0, 0))
    assert np.array_equal(open_pack(source(tmp_path), "train").images[9], 255 - PIXELS[9].transpose(2, 0, 1))
    shutil.rmtree(folder)
    assert len(open_pack(source(tmp_path), "train").images) == 10


@both
def test_it_is_fetched_by_torchvision(tmp_path, name, monkeypatch):
    monkeypatch.setattr(torchvision.datasets, name.upper(), lambda root, download: lay_out(root, name))
    source(tmp_path, name).download(["train", "test"])
    check(tmp_path, name)


def test_the_real_file_holds_50000_and_10000_images_of_ten_classes_alike(shared_data, tmp_path):
    file = shared_data / "cifar10" / "cifar10.npz"
    if not file.is_file():
        pytest.skip(f"no real CIFAR-10 in {file}")
    train, test = source(shared_data).samples("train"), source(shared_data).samples("test")
    assert (train.size, test.size) == (50_000, 10_000)
    assert np.bincount(train.labels).tolist() == [5000] * 10
    assert np.bincount(test.labels).tolist() == [1000] * 10
    assert train.labels[:5].tolist() == [6, 9, 9, 4, 1]
    with np.load(file) as stored:
        assert np.array_equal(test.image(9_999), stored["test_images"][9_999].transpose(2, 0, 1))
