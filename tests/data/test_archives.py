"""Archives of other people: nothing vanishes, nothing fills the memory or the disk, and one sentence says what is wrong."""

import io
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lightning_gans.data import archive, folder
from lightning_gans.data.pack import open_pack
from lightning_gans.data.source import find_source
from lightning_gans.errors import InputError
from tests.data.test_files import BLUE, GREEN, RED, colours, request, samples


def png(colour=RED) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (6, 4), colour).save(file, "png")
    return file.getvalue()


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, size
    return info


def tarred(path: Path, files: dict[str, bytes], *others: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w") as file:
        for name, content in files.items():
            file.addfile(member(name, size=len(content)), io.BytesIO(content))
        for info in others:
            file.addfile(info)
    return path


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_backslashes_of_windows_stand_between_folders(tmp_path, kind):
    files = {"train\\a\\1.png": png(), "train\\b\\1.png": png(GREEN), "test\\a\\1.png": png(BLUE), "train\\": b""}
    path = (zipped if kind == "zip" else tarred)(
        tmp_path / f"own.{kind}", files if kind == "zip" else dict([*files.items()][:3])
    )
    assert colours(path) == [RED, GREEN]
    assert colours(path, "test") == [BLUE]
    assert samples(path).description.classes == ("a", "b")


@pytest.mark.parametrize("name", ["..\\1.png", "C:\\1.png", "\\1.png"])
def test_backslashes_lead_outside_no_more_than_slashes_do(tmp_path, name):
    with pytest.raises(InputError, match="names a file outside itself"):
        samples(zipped(tmp_path / "own.zip", {name: png()}))


def test_two_ways_to_write_a_name_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"writes a/1\.png in two ways"):
        samples(zipped(tmp_path / "own.zip", {"a/1.png": png(), "a\\1.png": png()}))


@pytest.mark.parametrize(
    ("info", "why"),
    [
        (member("2.png", tarfile.SYMTYPE, "folder"), "leads to no file"),
        (member("2.png", tarfile.SYMTYPE, "/dev/zero"), "leads to no file"),
        (member("2.png", tarfile.SYMTYPE, "2.png"), "leads to no file"),
        (member("2.png", tarfile.LNKTYPE, "gone.png"), "leads to no file"),
        (member("2.png", tarfile.CHRTYPE), "no regular file"),
        (member("2.png", tarfile.FIFOTYPE), "no regular file"),
    ],
)
def test_a_member_of_a_tar_that_is_no_file_is_refused_by_name_or_left_out(tmp_path, info, why):
    path = tarred(tmp_path / "own.tar", {"1.png": png()}, member("folder", tarfile.DIRTYPE), info)
    with pytest.raises(InputError, match=rf"2\.png in .*own\.tar cannot be read: it is .*{why}"):
        samples(path)
    assert colours(path, skip=True) == [RED]


def test_a_link_in_a_zip_is_refused_by_name(tmp_path):
    info = zipfile.ZipInfo("2.png")
    info.external_attr = 0o120777 << 16
    path = zipped(tmp_path / "own.zip", {"1.png": png()})
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(info, "1.png")
    with pytest.raises(InputError, match=r"2\.png in .*it is a link"):
        samples(path)


@pytest.mark.parametrize("form", ["zip", "tar", "gztar", "bztar", "xztar"])
def test_a_damaged_archive_is_read_right_or_refused_in_a_sentence(tmp_path, form):
    (tmp_path / "own").mkdir()
    pixels = np.random.default_rng(0).integers(64, 256, (3, 6, 5, 3), dtype=np.uint8)
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / "own" / f"{number}.png")
    path = Path(shutil.make_archive(str(tmp_path / "archive"), form, tmp_path / "own"))
    raw = path.read_bytes()
    used = len(raw.rstrip(b"\0"))
    refused: list[str] = []
    for position in range(0, used, max(1, used // 60)):
        for damaged in (raw[:position], raw[:position] + bytes([raw[position] ^ 0x5A]) + raw[position + 1 :]):
            path.write_bytes(damaged)
            try:
                found = samples(path)
                images = [found.image(number) for number in range(found.size)]
            except InputError as error:
                refused.append(str(error))
            else:
                assert len(images) == 3, "an image vanished"
                assert np.array_equal(images, pixels.transpose(0, 3, 1, 2))
    assert len(refused) >= 60
    assert not any("\n" in sentence for sentence in refused)


def test_a_tar_whose_rest_cannot_be_read_is_not_taken_for_a_short_one(tmp_path):
    whole = tarred(tmp_path / "own.tar", {"1.png": png(), "2.png": png(GREEN)}).read_bytes()
    second = whole.index(b"2.png")
    for broken in (
        whole[:second] + b"\xff" * 512 + whole[second + 512 :],
        whole[:second],
        whole[: whole.rindex(b"IEND") + 8].ljust(len(whole), b"\0") + whole,
    ):
        (tmp_path / "own.tar").write_bytes(broken)
        with pytest.raises(InputError, match=r"own\.tar is not a readable zip or tar"):
            samples(tmp_path / "own.tar")


def test_what_expands_beyond_measure_is_refused_before_it_fills_memory_or_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "_LITTLE", 2**20)
    monkeypatch.setattr(folder, "_LARGEST", 2**20)
    zeros = bytes(2**22)
    with pytest.raises(InputError, match=r"1\.png in .*own\.zip cannot be read: it has 4 MiB, which no image takes"):
        samples(zipped(tmp_path / "own.zip", {"1.png": zeros}))
    tarred(tmp_path / "own.tar", {"1.png": zeros})
    with pytest.raises(InputError, match=r"1\.png in .*own\.tar.* 4 MiB"):
        samples(tmp_path / "own.tar")
    with tarfile.open(tmp_path / "bomb.tar.xz", "w:xz") as file:
        file.addfile(member("1.png", size=len(zeros)), io.BytesIO(zeros))
    with pytest.raises(InputError, match=r"bomb\.tar\.xz expands to more than 200 times its size"):
        samples(tmp_path / "bomb.tar.xz")
    (tmp_path / "faces").mkdir()
    with open(tmp_path / "faces" / "1.png", "wb") as sparse:
        os.truncate(sparse.fileno(), 2**40)
    with pytest.raises(InputError, match=r"1\.png in .*faces cannot be read: it has 1,048,576 MiB"):
        samples(tmp_path / "faces")


def test_headers_that_promise_more_than_there_is_or_fits_are_refused_by_arithmetic(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (9 * 2**20, 1024, 1024)})
    path = zipped(tmp_path / "own.npz", {"images.npy": header.getvalue() + bytes(1000)})
    with pytest.raises(InputError, match=r"own\.npz is not a readable \.npz .*images has 1,000 bytes, but should have 9,895,6"):
        open_pack(find_source(request(path)), "train")
    raw = bytearray(path.read_bytes())  # and says so of its own size, too
    place = raw.index(b"PK\x01\x02")
    raw[place + 24 : place + 28] = b"\xff\xff\xff\xff"
    path.write_bytes(raw)
    with pytest.raises(InputError, match=r"own\.npz"):
        open_pack(find_source(request(path)), "train")
