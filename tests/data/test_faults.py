"""What goes wrong around packs and images: nothing half-made is used, nothing is lost, and one sentence says it."""

import io
import multiprocessing
import os
import shutil
import signal
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lightning_gans.data import pack as packing
from lightning_gans.data.pack import open_pack
from lightning_gans.data.source import Request, find_source
from lightning_gans.errors import InputError
from tests.data.test_files import BLUE, GREEN, RED, colours, images, request, samples, save
from tests.data.test_mnist import IMAGES_FILE, LABELS_FILE, idx, lay_out
from tests.data.test_mnist import samples as digits
from tests.data.test_pack import Made, folder_of, pixels

PLACES = ["first image", "images", "labels", "labels begun", "checksums", "description", "rename", "between the renames"]
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills processes that it forks")


def die(*args, **settings) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def made(root: Path, first: int = 0, place: str = "") -> Made:
    def image(i: int) -> np.ndarray:
        if (place, i) in (("first image", 0), ("images", 400)):
            die()
        return np.full((1, 2, 2), (i + first) % 256, np.uint8)

    return Made(root, size=600, first=first, image=image)


def whole(root: Path, first: int = 0) -> packing.Pack:
    return open_pack(made(root, first), "train")


def is_right(pack: packing.Pack, first: int = 0) -> bool:
    return pixels(pack) == [(i + first) % 256 for i in range(600)] and pack.conditions["labels"].tolist() == [0, 1] * 300


def dies_packing(place: str, root: Path, first: int) -> None:
    """In a process of its own, which ends at ``place``."""
    header = np.lib.format.write_array_header_1_0

    def labels_header(file, data) -> None:
        if "labels" not in file.name:
            return header(file, data)
        if place == "labels begun":
            header(file, data)
            file.flush()
        die()

    if place.startswith("labels"):
        np.lib.format.write_array_header_1_0 = labels_header
    patches = {
        "checksums": (packing, "_digest"),
        "description": (packing, "_checksum"),
        "rename": (packing, "_put_in_place"),
        "between the renames": (packing.os, "rename"),
        "while the old one is removed": (packing.shutil, "rmtree"),
    }
    if place in patches:
        setattr(*patches[place], die)
    open_pack(made(root, first, place), "train")


def packs_right(root: Path) -> None:
    """In a process of its own, beside others."""
    os._exit(0 if is_right(whole(root)) else 1)


def begun(does: Callable[..., None], *args: Any) -> BaseProcess:
    process = multiprocessing.get_context("fork").Process(target=does, args=args)
    process.start()
    return process


def killed(place: str, root: Path, first: int = 0) -> None:
    process = begun(dies_packing, place, root, first)
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.filterwarnings("error:the pack")
@pytest.mark.parametrize("place", PLACES)
def test_a_packer_that_is_killed_anywhere_leaves_nothing_that_is_used(tmp_path, place):
    killed(place, tmp_path)
    assert not (tmp_path / "packed" / "made-train").exists()
    assert is_right(whole(tmp_path))


@pytest.mark.filterwarnings("error:the pack")
@pytest.mark.parametrize("place", [*PLACES, "while the old one is removed"])
def test_a_packer_that_is_killed_while_it_replaces_a_pack_leaves_the_old_one_or_none(tmp_path, place):
    whole(tmp_path)
    killed(place, tmp_path, first=7)
    is_there = (tmp_path / "packed" / "made-train").exists()
    assert is_there == (place not in ("between the renames", "while the old one is removed"))
    if is_there:
        assert is_right(open_pack(Made(tmp_path, size=None), "train"))
    assert is_right(whole(tmp_path, first=7), first=7)


@pytest.mark.parametrize("before", [None, 0, 3])
def test_processes_that_pack_at_once_all_get_the_right_data_and_make_one_pack(tmp_path, before):
    for repeat in range(3):
        root = tmp_path / str(repeat)
        if before is not None:
            whole(root, first=before)
        processes = [begun(packs_right, root) for _ in range(4)]
        for process in processes:
            process.join(60)
        assert [process.exitcode for process in processes] == [0] * 4
        assert [path.name for path in (root / "packed").iterdir()] == ["made-train"]
        assert is_right(open_pack(Made(root, size=None), "train"))


def flipped(raw: bytes, position: int, bit: int) -> bytes:
    changed = bytearray(raw)
    changed[position] ^= 1 << bit
    return bytes(changed)


@pytest.mark.parametrize("name", ["images.npy", "labels.npy"])
def test_no_flipped_byte_of_images_or_labels_is_overlooked(tmp_path, name):
    open_pack(Made(tmp_path, size=3), "train")
    file = folder_of(tmp_path) / name
    raw = file.read_bytes()
    for position in range(len(raw)):
        file.write_bytes(flipped(raw, position, position % 8))
        with pytest.raises(InputError, match=rf"damaged \({name} was altered\) and its source is gone"):
            open_pack(Made(tmp_path, size=None), "train")
    file.write_bytes(raw)
    assert pixels(open_pack(Made(tmp_path, size=None), "train")) == [0, 1, 2]


def test_no_flipped_bit_of_the_description_changes_what_is_read(tmp_path):
    expected = open_pack(Made(tmp_path, size=3), "train")
    file = folder_of(tmp_path) / "pack.json"
    raw = file.read_bytes()
    for position in range(len(raw)):
        file.write_bytes(flipped(raw, position, position % 8))
        try:
            found = open_pack(Made(tmp_path, size=None), "train")
        except InputError:
            continue
        assert raw[position : position + 1].isspace()  # to other white space
        assert (found.description, found.digest) == (expected.description, expected.digest)


def test_swapped_files_of_two_packs_are_noticed(tmp_path):
    for first, place in ((0, "a"), (9, "b")):
        open_pack(Made(tmp_path / place, first=first), "train")
    a, b = (folder_of(tmp_path / place) / "images.npy" for place in "ab")
    os.replace(a, b)
    with pytest.raises(InputError, match=r"images\.npy was altered"):
        open_pack(Made(tmp_path / "b", size=None), "train")


def test_packing_leaves_the_source_as_it_was(tmp_path):
    folder = tmp_path / "faces"
    for name in ("train/a/1", "train/b/2", "test/a/3", "test/b/4"):
        save(folder / f"{name}.png", GREEN)

    def state() -> dict:
        return {p: (p.stat().st_mtime_ns, p.stat().st_mode, p.read_bytes() if p.is_file() else 0) for p in folder.rglob("*")}

    before = state()
    folder_times = folder.stat().st_mtime_ns
    for split in ("train", "test"):
        pack = open_pack(find_source(request(folder, size=4)), split)
        pack.images[:] = 0
        pack.images.flush()
    assert state() == before
    assert folder.stat().st_mtime_ns == folder_times


def test_a_root_on_which_nothing_can_be_written_is_refused_unless_the_pack_is_there(tmp_path, monkeypatch):
    whole(tmp_path)

    def read_only(*args, **settings):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(packing.tempfile, "mkdtemp", read_only)
    assert is_right(whole(tmp_path))
    with pytest.raises(InputError, match=rf"cannot write to {tmp_path / 'packed'} \(Read-only file system\); set data\.root"):
        whole(tmp_path, first=1)
    assert is_right(open_pack(Made(tmp_path, size=None), "train"))


def encoded(image: Image.Image, form: str = "png", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def put(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder


def test_an_image_under_the_wrong_extension_of_another_format_is_read(tmp_path):
    put(tmp_path / "own", "1.jpg", encoded(Image.new("RGB", (4, 4), RED)))
    put(tmp_path / "own", "2.png", encoded(Image.new("RGB", (4, 4), BLUE), "bmp"))
    assert colours(tmp_path / "own") == [RED, BLUE]


@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM" + bytes(60), b"II*\0", encoded(Image.effect_noise((9, 9), 50))[:50]]
)
def test_the_beginning_of_an_image_alone_is_refused_by_name(tmp_path, content):
    with pytest.raises(InputError, match=r"1\.png in .*own cannot be read as an image"):
        open_pack(find_source(request(put(tmp_path / "own", "1.png", content))), "train")


@pytest.mark.parametrize("position", range(0, 600, 23))
def test_a_jpeg_cut_anywhere_is_refused(tmp_path, position):
    raw = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)), "jpeg")
    assert len(raw) > 600
    with pytest.raises(InputError, match=r"1\.jpg in .*own cannot be read as an image"):
        images(put(tmp_path / "own", "1.jpg", raw[:position]))


def test_alpha_sixteen_bits_and_palettes_mix_with_plain_images(tmp_path):
    folder = tmp_path / "own"
    deep = np.stack([np.arange(0, 65536, 4096, dtype=np.uint16)] * 16)
    put(folder, "1.png", encoded(Image.fromarray(deep)))
    put(folder, "2.png", encoded(Image.new("RGBA", (16, 16), (10, 200, 30, 255))))
    put(folder, "3.png", encoded(Image.new("RGB", (16, 16), BLUE).quantize(4)))
    put(folder, "4.jpg", encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "jpeg"))
    found = open_pack(find_source(request(folder, channels=3)), "train").images
    assert found[0, 0, 5].tolist() == list(range(0, 256, 16))
    np.testing.assert_allclose(found[1:, :, 3, 3], [(10, 200, 30), BLUE, RED], atol=4)


NAMES = ["naïve/été 1.png", "面/顔.png", "emoji😀/ß.png"]


@pytest.mark.parametrize("container", ["folder", "zip", "tar"])
def test_names_beyond_ascii_keep_their_class(tmp_path, container):
    for number, name in enumerate(NAMES):
        put(tmp_path / "顔", name, encoded(Image.new("L", (2, 2), number)))
    path = tmp_path / "顔"
    if container != "folder":
        path = path.with_suffix(f".{container}")
        shutil.make_archive(str(path.with_suffix("")), container, tmp_path / "顔")
    pack = open_pack(find_source(request(path)), "train")
    assert pack.description.classes == tuple(sorted(name.split("/")[0] for name in NAMES))
    named = [pack.description.classes[label] for label in pack.conditions["labels"]]
    assert [NAMES[value].split("/")[0] for value in pixels(pack)] == named


def test_names_that_are_no_text_at_all_do_not_stop_anything(tmp_path):
    folder = tmp_path / "own"
    for number, name in enumerate([b"a\xff", b"b"]):
        try:
            os.makedirs(os.fsencode(folder) + b"/" + name)
        except OSError:
            pytest.skip("this file system has text for names")
        put(folder, f"{os.fsdecode(name)}/1.png", encoded(Image.new("L", (2, 2), number)))
    for _ in range(2):
        pack = open_pack(find_source(request(folder)), "train")
        assert (pixels(pack), pack.conditions["labels"].tolist()) == ([0, 1], [0, 1])


@pytest.mark.parametrize("name", ["../outside.png", "a/../../outside.png", "/etc/outside.png"])
@pytest.mark.parametrize("container", ["zip", "tar", "tar.gz"])
def test_an_archive_that_points_outside_itself_is_refused(tmp_path, container, name):
    path = tmp_path / f"own.{container}"
    content = encoded(Image.new("L", (2, 2)))
    if container == "zip":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr(name, content)
    else:
        with tarfile.open(path, "w:gz" if container == "tar.gz" else "w") as file:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    with pytest.raises(InputError, match=r"names a file outside itself \(.*outside\.png\)"):
        samples(path)
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == [path.name]


class Trap:
    """Says so if anybody unpickles it."""

    def __reduce__(self):
        return (warnings.warn, ("unpickled",))


@pytest.mark.filterwarnings("error:unpickled")
@pytest.mark.parametrize("key", ["images", "labels", "classes"])
def test_pickled_objects_in_an_npz_are_refused_and_not_run(tmp_path, key):
    arrays = {"images": np.zeros((2, 2, 2), np.uint8), "labels": np.zeros(2, np.int64), "classes": np.array(["a"])}
    arrays[key] = np.array([Trap(), Trap()], dtype=object)
    np.savez(tmp_path / "own.npz", **arrays)
    with pytest.raises(InputError, match=r"own\.npz (is not a readable \.npz of plain arrays|must hold .* has images object)"):
        samples(tmp_path / "own.npz")


@pytest.mark.parametrize("count", [0, 1, 4])
def test_labels_fewer_than_images_are_refused_with_both_numbers(tmp_path, count):
    lay_out(tmp_path / "mnist")
    (tmp_path / "mnist" / LABELS_FILE).write_bytes(idx(np.zeros(count, np.uint8)))
    with pytest.raises(InputError, match=f"5 images, {count} labels"):
        digits(tmp_path)
    np.savez(tmp_path / "own.npz", images=np.zeros((5, 2, 2), np.uint8), labels=np.zeros(count, np.int64))
    with pytest.raises(InputError, match=f"5 images but {count} labels"):
        samples(tmp_path / "own.npz")


def test_a_source_that_breaks_leaves_the_old_pack_in_place(tmp_path):
    lay_out(tmp_path / "mnist")
    source = Request("mnist", tmp_path)
    before = open_pack(find_source(source), "train").images.copy()
    file = tmp_path / "mnist" / IMAGES_FILE
    raw = file.read_bytes()
    file.write_bytes(raw[:-100])
    with pytest.raises(InputError, match=f"{IMAGES_FILE} is damaged"):
        open_pack(find_source(source), "train")
    file.unlink()
    assert np.array_equal(open_pack(find_source(source), "train").images, before)
