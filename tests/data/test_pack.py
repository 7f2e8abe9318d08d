"""Packs: written once, whole or not at all, and never used when they are not what was written."""

import errno
import json
import multiprocessing
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from lightning_gans.data import Images
from lightning_gans.data import pack as packing
from lightning_gans.data.description import Description
from lightning_gans.data.loader import Rows
from lightning_gans.data.opened import prepare_dataset
from lightning_gans.data.pack import open_pack
from lightning_gans.data.source import Request, Samples, Source, find_source
from lightning_gans.errors import InputError

CPU = torch.device("cpu")


class Made(Source):
    """Images whose every pixel is their number plus ``first``; ``size`` of None is a source that is gone."""

    name = "made"
    description = Description(classes=("even", "odd"), note="made", partial="6 of 7 images")

    def __init__(self, root, size=6, first=0, image=None, side=2, request=None):
        super().__init__(request or Request("made", root))
        self.size, self.first, self.side = size, first, side
        self.image = image or (lambda i: np.full((1, side, side), (i + first) % 256, np.uint8))

    def fingerprint(self, split):
        return None if self.size is None else {"size": [self.size], "first": self.first}

    def samples(self, split):
        if self.size is None:
            raise InputError("the source is gone")
        labels = np.arange(min(self.size, 10_000)) % 2
        return Samples(self.size, self.image, labels, description=self.description)


def pixels(pack) -> list[int]:
    return pack.images[:, 0, 0, 0].tolist()


def folder_of(root: Path) -> Path:
    return next(file.parent for file in root.rglob("pack.json"))


def left_behind(root: Path) -> list[str]:
    return [path.name for path in root.rglob("*") if path.name.startswith(".") or path.suffix not in ("", ".npy", ".json")]


def test_what_is_missing_is_said_before_any_packing_is(tmp_path, monkeypatch):
    said, asked = [], []
    monkeypatch.setattr(packing, "rank_zero_info", said.append)
    with pytest.raises(InputError, match="the source is gone"):
        open_pack(Made(tmp_path, size=None), "train")
    with pytest.raises(InputError, match="no train image"):
        open_pack(Made(tmp_path, size=0), "train")

    class WithoutTest(Made):
        def fingerprint(self, split):
            return super().fingerprint(split) if split == "train" else None

        def samples(self, split):
            asked.append(split)
            if split == "test":
                raise InputError("the test files are not there")
            return super().samples(split)

    with pytest.raises(InputError, match="test files are not there"):
        prepare_dataset(WithoutTest(tmp_path))
    assert (said, asked) == ([], ["test"])
    open_pack(Made(tmp_path), "train")
    assert said[0].startswith("packing made (train) into")


def test_a_pack_holds_images_labels_and_classes(tmp_path):
    pack = open_pack(Made(tmp_path, first=100), "train")
    assert pack.images.dtype == np.uint8
    assert pack.images.shape == (6, 1, 2, 2)
    assert pixels(pack) == [100, 101, 102, 103, 104, 105]
    assert pack.conditions["labels"].dtype == np.int64
    assert pack.conditions["labels"].tolist() == [0, 1, 0, 1, 0, 1]
    assert pack.description == Made.description
    assert left_behind(tmp_path) == []


def test_a_pack_is_made_once_and_read_ever_after(tmp_path):
    open_pack(Made(tmp_path), "train")
    before = {file: file.stat().st_mtime_ns for file in folder_of(tmp_path).iterdir()}

    def never(i):
        raise AssertionError("packed twice")

    assert pixels(open_pack(Made(tmp_path, image=never), "train")) == [0, 1, 2, 3, 4, 5]
    assert before == {file: file.stat().st_mtime_ns for file in folder_of(tmp_path).iterdir()}


def test_more_images_than_are_decoded_at_once_stay_in_order(tmp_path):
    source = Made(tmp_path, size=1100, image=lambda i: np.array([i // 256, i % 256], np.uint8).reshape(2, 1, 1))
    images = open_pack(source, "train").images
    assert (images[:, :, 0, 0] @ np.array([256, 1])).tolist() == list(range(1100))


def test_writing_to_an_opened_pack_does_not_reach_the_disk(tmp_path):
    pack = open_pack(Made(tmp_path), "train")
    before = (folder_of(tmp_path) / "images.npy").read_bytes()
    pack.images[:] = 99
    pack.images.flush()
    assert (folder_of(tmp_path) / "images.npy").read_bytes() == before


def test_a_pack_is_made_anew_when_its_source_changes(tmp_path):
    open_pack(Made(tmp_path), "train")
    assert pixels(open_pack(Made(tmp_path, first=10), "train")) == [10, 11, 12, 13, 14, 15]
    assert left_behind(tmp_path) == []


def truncate(name):
    return lambda folder: os.truncate(folder / name, (folder / name).stat().st_size - 1)


def flip(name):
    def damage(folder):
        raw = bytearray((folder / name).read_bytes())
        raw[-1] ^= 1
        (folder / name).write_bytes(raw)

    return damage


DAMAGES = [
    pytest.param(truncate("images.npy"), id="truncated images"),
    pytest.param(flip("images.npy"), id="altered images"),
    pytest.param(truncate("labels.npy"), id="truncated labels"),
    pytest.param(flip("labels.npy"), id="altered labels"),
    pytest.param(truncate("pack.json"), id="truncated description"),
    pytest.param(lambda folder: (folder / "pack.json").write_text("{}"), id="empty description"),
    pytest.param(lambda folder: (folder / "pack.json").write_text("[]"), id="other description"),
    pytest.param(lambda folder: (folder / "pack.json").write_bytes(b"\xff"), id="binary description"),
    pytest.param(lambda folder: (folder / "images.npy").unlink(), id="no images"),
    pytest.param(lambda folder: (folder / "labels.npy").unlink(), id="no labels"),
]


@pytest.mark.filterwarnings("ignore:the pack .* is damaged")
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_pack_is_made_anew_from_its_source(tmp_path, damage):
    open_pack(Made(tmp_path), "train")
    damage(folder_of(tmp_path))
    for _ in range(2):
        pack = open_pack(Made(tmp_path), "train")
        assert pixels(pack) == [0, 1, 2, 3, 4, 5]
        assert pack.conditions["labels"].tolist() == [0, 1, 0, 1, 0, 1]
    assert left_behind(tmp_path) == []


def test_a_damaged_pack_is_warned_of_by_name(tmp_path):
    open_pack(Made(tmp_path), "train")
    flip("images.npy")(folder_of(tmp_path))
    with pytest.warns(UserWarning, match=r"images\.npy was altered"):
        open_pack(Made(tmp_path), "train")


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_pack_whose_source_is_gone_is_refused(tmp_path, damage):
    open_pack(Made(tmp_path), "train")
    damage(folder_of(tmp_path))
    with pytest.raises(InputError, match="source is gone"):
        open_pack(Made(tmp_path, size=None), "train")


def test_a_sound_pack_outlives_its_source(tmp_path):
    open_pack(Made(tmp_path), "train")
    assert pixels(open_pack(Made(tmp_path, size=None), "train")) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("crash", [RuntimeError("boom"), KeyboardInterrupt(), InputError("boom")])
def test_a_crash_while_packing_leaves_nothing_behind(tmp_path, monkeypatch, crash):
    source = Made(tmp_path)
    whole = source.image

    def image(i):
        if i == 4:
            raise crash
        return whole(i)

    monkeypatch.setattr(source, "image", image)
    with pytest.raises(type(crash)):
        open_pack(source, "train")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert left_behind(tmp_path) == []
    assert pixels(open_pack(Made(tmp_path), "train")) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG, errno.EDQUOT])
def test_a_full_disk_is_one_sentence_that_names_the_folder(tmp_path, number):
    def image(i):
        raise OSError(number, os.strerror(number))

    with pytest.raises(InputError, match=f"no space left in {tmp_path / 'packed'} for the pack of made.*data.root"):
        open_pack(Made(tmp_path, image=image), "train")
    assert left_behind(tmp_path) == []


def packs_with_little_space(root: Path) -> None:
    """In a process of its own, whose files cannot grow any more."""
    import resource

    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115  pytest keeps them in files
    found = []
    # Too little for 400 images of 64x64; enough for 400 of 1x1, not for their labels
    for side, limit in ((64, 8192), (1, 700)):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            open_pack(Made(root, size=400, side=side, image=lambda i, side=side: np.zeros((1, side, side), np.uint8)), "train")
        except BaseException as error:
            found.append((type(error), "no space left" in str(error), left_behind(root), [*root.rglob("*.npy")]))
    os._exit(0 if found == [(InputError, True, [], [])] * 2 else 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits a process that it forks")
def test_running_out_of_space_while_images_or_labels_are_written_is_that_sentence_too(tmp_path):
    process = multiprocessing.get_context("fork").Process(target=packs_with_little_space, args=(tmp_path,))
    process.start()
    process.join(240)
    assert process.exitcode == 0


@pytest.mark.filterwarnings("error:the pack")
def test_a_root_that_cannot_be_written_to_is_refused_by_name(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"cannot write to .*file.*data\.root"):
        open_pack(Made(tmp_path / "file"), "train")


def test_a_folder_that_is_removed_while_a_pack_is_written_there_is_refused_by_name(tmp_path):
    def image(i):
        if i == 4:
            shutil.rmtree(tmp_path / "packed")
        return np.zeros((1, 2, 2), np.uint8)

    with pytest.raises(InputError, match=r"the pack of made cannot be written in .*packed \(No such file or directory\)"):
        open_pack(Made(tmp_path, image=image), "train")


def test_a_pack_that_the_disk_has_no_room_for_is_refused_by_arithmetic(tmp_path):
    asked = []

    def image(i):
        asked.append(i)
        return np.zeros((1, 2, 2), np.uint8)

    with pytest.raises(InputError, match=r"no space left in .*packed for the pack of made train, which takes 3,725,290\.3 GiB"):
        open_pack(Made(tmp_path, size=10**15, image=image), "train")
    assert asked == [0]
    assert left_behind(tmp_path) == []


def replaced(folder: Path, name: str, array: np.ndarray) -> None:
    """Write another array into a pack whose checksums are right."""
    np.save(folder / name, array)
    info = json.loads((folder / "pack.json").read_text())
    del info["checksum"]
    info["sha256"][name] = packing._digest(folder / name)
    (folder / "pack.json").write_text(json.dumps({**info, "checksum": packing._checksum(info)}))


@pytest.mark.parametrize(
    ("name", "array", "why"),
    [
        ("labels.npy", np.arange(5) % 2, "its labels are int64 .5,., its images"),
        ("labels.npy", np.arange(6), "its labels do not count its 2 classes"),
        ("labels.npy", np.arange(6) % 2 * 1.0, "its labels are float64"),
        ("images.npy", np.zeros((6, 2, 2), np.uint8), "its images are uint8"),
        ("images.npy", np.zeros((6, 1, 2, 2)), "its images are float64"),
    ],
)
def test_arrays_that_do_not_belong_together_are_noticed_before_a_batch_has_them(tmp_path, name, array, why):
    open_pack(Made(tmp_path), "train")
    replaced(folder_of(tmp_path), name, array)
    with pytest.raises(InputError, match=why):
        open_pack(Made(tmp_path, size=None), "train")


def test_a_description_that_is_nested_without_end_is_damage(tmp_path):
    open_pack(Made(tmp_path), "train")
    (folder_of(tmp_path) / "pack.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match="source is gone"):
        open_pack(Made(tmp_path, size=None), "train")


def test_a_pack_that_is_cut_or_written_to_in_use_is_refused_before_it_is_read_on(tmp_path):
    file = tmp_path / "own.npz"
    np.savez(file, images=np.full((6000, 2, 2), 200, np.uint8))
    data = Images(str(file), root=str(tmp_path))
    data.prepare_data()
    data.setup("validate")
    data.real("train")
    images = folder_of(tmp_path) / "images.npy"
    os.truncate(images, 4096)  # whoever reads beyond is killed
    for reads in (
        lambda: data.real("train"),
        lambda: data.transfer_batch_to_device(Rows(torch.arange(9), 0, 0, 0, 9, 0), CPU, 0),
    ):
        with pytest.raises(InputError, match=r"images\.npy was altered while it was in use"):
            reads()
    images.unlink()  # then it is there for those who have it


def test_a_name_as_long_as_a_file_system_allows_has_a_pack(tmp_path):
    file = tmp_path / f"{'n' * 250}.npz"
    np.savez(file, images=np.full((2, 2, 2), 200, np.uint8))
    assert len(open_pack(find_source(Request(str(file), tmp_path)), "train").images) == 2


def test_images_of_different_sizes_are_refused_with_both_sizes(tmp_path):
    source = Made(tmp_path, image=lambda i: np.zeros((1, 4, 6 if i == 3 else 5), np.uint8))
    with pytest.raises(InputError, match=r"image 3 of made train is 6x4, the first is 5x4; set data\.image_size"):
        open_pack(source, "train")
    assert left_behind(tmp_path) == []


def test_a_source_without_images_is_refused(tmp_path):
    with pytest.raises(InputError, match="made has no train image"):
        open_pack(Made(tmp_path, size=0), "train")


def test_each_split_size_and_number_of_channels_has_its_own_pack(tmp_path):
    cuts = [Request("made", tmp_path, size, channels) for size in (None, 8) for channels in (None, 1, 3)]
    for number, (cut, split) in enumerate((cut, split) for cut in cuts for split in ("train", "test")):
        open_pack(Made(tmp_path, first=number, request=cut), split)
    assert len(list(tmp_path.rglob("images.npy"))) == 12


def test_datasets_of_the_same_name_in_different_places_have_their_own_packs(tmp_path):
    for place in ("here", "there"):
        source = Made(tmp_path)
        source.path = tmp_path / place / "made"
        open_pack(source, "train")
    assert len(list(tmp_path.rglob("images.npy"))) == 2


def test_the_pack_of_a_process_that_was_faster_is_left_in_place(tmp_path):
    faster = []

    def image(i):
        if i == 0 and not faster:
            faster.append(open_pack(Made(tmp_path), "train"))
            faster.append(os.stat(folder_of(tmp_path) / "images.npy").st_ino)
        return np.full((1, 2, 2), i, np.uint8)

    assert pixels(open_pack(Made(tmp_path, image=image), "train")) == pixels(faster[0])
    assert os.stat(folder_of(tmp_path) / "images.npy").st_ino == faster[1]
    assert left_behind(tmp_path) == []
