"""What lies in a folder of images and is none: said by name, or left out where that is asked for; nothing vanishes."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lightning_gans.data import Images
from lightning_gans.data.folder import fingerprint, shown
from lightning_gans.data.pack import open_pack
from lightning_gans.data.source import find_source
from lightning_gans.errors import InputError
from tests.data.test_files import BLUE, GREEN, RED, colours, request, samples, save


@pytest.fixture
def folder(tmp_path) -> Path:
    for name, colour in (("a/1", RED), ("b/1", GREEN)):
        save(tmp_path / "faces" / f"{name}.png", colour)
    return tmp_path / "faces"


def link(path: Path) -> None:
    path.symlink_to("nowhere.png")


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def around(path: Path) -> None:
    path.symlink_to(path.name)


def socketless(path: Path) -> None:
    os.mkfifo(path)


def backslash(path: Path) -> None:
    save(path.with_name("b\\2.png"))


@pytest.mark.parametrize(
    ("put", "why"),
    [
        (link, r"2\.png in .*leads nowhere"),
        (around, r"2\.png in .*leads nowhere"),
        (device, r"2\.png in .*no regular file"),
        (socketless, r"2\.png in .*no regular file"),
        (backslash, r"b\\+2\.png in .*backslash"),
    ],
)
def test_what_is_no_file_is_refused_by_name_or_left_out_and_counted(folder, put, why):
    put(folder / "b" / "2.png")
    with pytest.raises(InputError, match=f"{why}.*skip_unreadable"):
        samples(folder)
    assert colours(folder, skip=True) == [RED, GREEN]
    assert samples(folder, skip=True).description.note == "1 left out that cannot be read"


@contextmanager
def without_privileges() -> Iterator[None]:
    """The superuser may read everything."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_class_that_may_not_be_looked_into_is_refused_by_name():
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        for place in "ab":
            save(root / place / "1.png")
        (root / "b").chmod(0)
        for skip in (False, True):
            with without_privileges(), pytest.raises(InputError, match=r"folder .*/b cannot be listed \(Permission denied\)"):
                samples(root, skip=skip)
        with without_privileges(), pytest.raises(InputError, match="cannot be listed"):
            fingerprint(root)
        (root / "b").chmod(0o700)


def test_two_ways_to_the_same_images_are_two_classes(folder):
    (folder / "c").symlink_to(folder / "a")
    assert samples(folder).labels.tolist() == [0, 1, 2]
    assert colours(folder) == [RED, GREEN, RED]


@pytest.mark.parametrize("name", ["pipe", "pipe.zip", "pipe.npz"])
def test_a_path_that_is_no_file_is_refused_and_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match=f"{name} is neither a folder nor a regular file"):
        find_source(request(tmp_path / name))


def test_what_is_said_of_strange_names_is_one_line_that_can_be_printed(folder):
    save(folder / "new\nline" / "1.png")
    (folder / "new\nline" / "2.png").write_bytes(b"")
    with pytest.raises(InputError) as refused:
        open_pack(find_source(request(folder)), "train")
    assert "new\\nline/2.png" in str(refused.value)
    assert "\n" not in str(refused.value)
    (folder / "new\nline" / "2.png").unlink()
    data = Images(str(folder), root=str(folder.parent / "root"))
    data.prepare_data()
    data.setup("validate")
    assert data.classes == ("a", "b", "new\nline")
    assert "\n" not in data.opened.describe()
    assert shown("été\udcff\x1b[31m") == "été\\udcff\\x1b[31m"


@pytest.mark.parametrize(("cut", "why"), [({"crop": 5}, "6x4, too small for data.crop 5"), ({}, r"32 bits")])
def test_what_is_wrong_with_one_image_is_said_with_its_name_and_skipped_where_that_is_said(tmp_path, cut, why):
    for number, colour in enumerate((RED, GREEN, BLUE)):
        save(tmp_path / "own" / f"{number}.png", colour, size=(6, 4) if cut and number == 1 else (8, 8))
    if not cut:
        (tmp_path / "own" / "1.png").unlink()
        save(tmp_path / "own" / "1.tif", 1.0, "F", size=(8, 8))
    settings = {"root": str(tmp_path / "root"), "image_size": 4, **cut}
    with pytest.raises(InputError, match=rf"1\.(png|tif) in .*own: .*{why}.*or set data\.skip_unreadable to true"):
        Images(str(tmp_path / "own"), **settings).prepare_data()
    data = Images(str(tmp_path / "own"), skip_unreadable=True, **settings)
    data.prepare_data()
    data.setup("validate")
    assert data.size("train") == 2
    assert "1 left out" in data.opened.describe()


def test_images_of_different_sizes_are_named(tmp_path):
    save(tmp_path / "own" / "first.png", size=(6, 4))
    save(tmp_path / "own" / "second.png", size=(9, 9))
    with pytest.raises(InputError, match=r"second\.png of own train is 9x9, first\.png is 6x4; set data\.image_size"):
        open_pack(find_source(request(tmp_path / "own")), "train")
