"""CelebA in its official formats: the right faces, splits, attributes and crops, from as many files as there are."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lightning_gans.data.description import Description
from lightning_gans.data.pack import open_pack
from lightning_gans.data.source import Request, Samples, find_source
from lightning_gans.errors import InputError
from tests.data.test_images import opened

ATTRIBUTES = ("5_o_Clock_Shadow", "Male", "Smiling")
SPLITS = ["train", "train", "valid", "test", "test", "train"]
X = np.arange(178, dtype=np.uint8)[None, :].repeat(218, 0)
Y = np.arange(218, dtype=np.uint8)[:, None].repeat(178, 1)
# Where each recipe cuts 178x218 pixels: left and upper edge, side. 25, 50 is BEGAN's and 15, 40 VAE/GAN's.
CROPS = {108: (35, 55), 128: (25, 50), 140: (19, 39), 148: (15, 40), 160: (9, 29), None: (0, 20)}


def name(number: int) -> str:
    return f"{number + 1:06d}.jpg"


def shade(number: int) -> int:
    return 40 * number + 10


def has(number: int, column: int) -> bool:
    return (number >> column) % 2 == 1


def attribute_list(count: int = 6) -> str:
    """As the official file is: the number of rows, names with a space after the last, and two spaces before a 1."""
    rows = [name(i) + "".join(" " + (" 1" if has(i, c) else "-1") for c in range(3)) for i in range(count)]
    return "\n".join([str(count), " ".join(ATTRIBUTES) + " ", *(f"{row} " for row in rows)]) + "\n"


def partition(splits: list[str] = SPLITS) -> str:
    return "".join(f"{name(i)} {('train', 'valid', 'test').index(split)}\n" for i, split in enumerate(splits))


def jpeg(image: Image.Image, quality: int = 95) -> bytes:
    file = io.BytesIO()
    image.save(file, "jpeg", quality=quality, subsampling=0)
    return file.getvalue()


def lay_out(
    root: Path, *, zipped: bool = True, attributes: str | None = None, splits: str | None = None, count: int = 6, **places: str
) -> Path:
    """Six faces, each of one shade of grey."""
    where = {part: root / "celeba" / places.get(part, "") for part in ("Img", "Anno", "Eval")}
    for folder in where.values():
        folder.mkdir(parents=True, exist_ok=True)
    faces = {name(i): jpeg(Image.new("RGB", (178, 218), (shade(i),) * 3)) for i in range(count)}
    if zipped:
        with zipfile.ZipFile(where["Img"] / "img_align_celeba.zip", "w") as file:
            for face, raw in faces.items():
                file.writestr(f"img_align_celeba/{face}", raw)
    else:
        (where["Img"] / "img_align_celeba").mkdir()
        for face, raw in faces.items():
            (where["Img"] / "img_align_celeba" / face).write_bytes(raw)
    if attributes is not None:
        (where["Anno"] / "list_attr_celeba.txt").write_text(attributes)
    if splits is not None:
        (where["Eval"] / "list_eval_partition.txt").write_text(splits)
    return root


def samples(root: Path, split: str = "train", **request) -> Samples:
    return find_source(Request("celeba", root, **request)).samples(split)


def shown(found: Samples) -> list[int]:
    """Which faces these are."""
    return [round((float(found.image(i).mean()) - 10) / 40) for i in range(found.size)]


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("places", [{}, {"Img": "Img", "Anno": "Anno", "Eval": "Eval"}])
def test_the_official_files_give_official_splits_and_each_face_its_attributes(tmp_path, zipped, places):
    lay_out(tmp_path, zipped=zipped, attributes=attribute_list(), splits=partition(), **places)
    for split in ("train", "valid", "test"):
        source = find_source(Request("celeba", tmp_path))
        pack = open_pack(source, split)
        expected = [i for i in range(6) if SPLITS[i] == split]
        assert [round((image.mean() - 10) / 40) for image in pack.images] == expected
        assert pack.conditions["attributes"].tolist() == [[int(has(i, c)) for c in range(3)] for i in expected]
        assert pack.conditions["attributes"].dtype == np.uint8
        assert pack.description == Description(attributes=ATTRIBUTES, partial="6 of 202,599 images")
        assert pack.images.shape[1:] == (3, 64, 64)


def test_the_rows_of_the_lists_may_come_in_any_order(tmp_path):
    head, rows = attribute_list().splitlines()[:2], attribute_list().splitlines()[2:]
    lay_out(
        tmp_path, attributes="\n".join(head + rows[::-1]), splits="".join(sorted(partition().splitlines(True), reverse=True))
    )
    found = samples(tmp_path)
    assert shown(found) == [0, 1, 5]
    assert found.attributes.tolist() == [[0, 0, 0], [1, 0, 0], [1, 0, 1]]


def test_without_a_partition_the_split_is_80_10_10_by_number_and_said(tmp_path):
    lay_out(tmp_path, count=6, attributes=attribute_list(), zipped=False)
    for number in range(6, 10):
        Image.new("RGB", (178, 218)).save(tmp_path / "celeba" / "img_align_celeba" / name(number))
    (tmp_path / "celeba" / "list_attr_celeba.txt").write_text(attribute_list(10))
    assert [samples(tmp_path, split).size for split in ("train", "valid", "test")] == [8, 1, 1]
    assert samples(tmp_path, "test").attributes.tolist() == [[int(has(9, c)) for c in range(3)]]
    data = opened("celeba", tmp_path, batch_size=2)
    assert "split 80/10/10 by number: there is no list_eval_partition.txt" in data.opened.describe()
    assert "celeba (partial: 10 of 202,599 images)" in data.opened.describe()
    assert (data.size("train"), data.size("test"), data.partial) == (8, 1, "10 of 202,599 images")
    assert opened("celeba", tmp_path, batch_size=2, test_split="valid").labels("test") is None


def test_a_copy_that_lacks_a_split_is_split_anew_and_the_parts_are_disjoint(tmp_path):
    lay_out(tmp_path, splits=partition(["train"] * 6))
    source = find_source(Request("celeba", tmp_path))
    assert [shown(source.samples(split)) for split in ("train", "valid", "test")] == [[0, 1, 2, 3], [4], [5]]
    assert "the official split leaves a part empty" in source.samples("train").description.note


def test_without_attributes_the_faces_are_there_and_it_is_said(tmp_path):
    lay_out(tmp_path, splits=partition())
    data = opened("celeba", tmp_path, batch_size=2)
    assert data.condition_name is None
    assert "no attributes: there is no list_attr_celeba.txt" in data.opened.describe()


def test_attributes_that_are_added_later_are_found(tmp_path):
    lay_out(tmp_path, splits=partition())
    assert opened("celeba", tmp_path, batch_size=2).attributes == ()
    (tmp_path / "celeba" / "list_attr_celeba.txt").write_text(attribute_list())
    assert opened("celeba", tmp_path, batch_size=2).attributes == ATTRIBUTES


def without(text: str, face: str) -> str:
    return "".join(line for line in text.splitlines(True) if not line.startswith(face))


ROW = "000002.jpg  1 -1 -1 "


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        pytest.param(lambda text: without(text, "000002"), "no row for 000002", id="missing row"),
        pytest.param(lambda text: text.replace(ROW, "000002.jpg  1 -1"), "the row of 000002 is not 3 numbers", id="short"),
        pytest.param(lambda text: text.replace(ROW, ROW + " 1"), "the row of 000002 is not 3 numbers", id="long"),
        pytest.param(lambda text: text.replace(ROW, "000002.jpg  1 -1 -7"), "the row of 000002", id="other number"),
        pytest.param(lambda text: text.replace(ROW, "000002.jpg  1 -1 x"), "the row of 000002", id="text"),
        pytest.param(lambda text: text[: text.index("000002.jpg") + 4], "no row for 000002", id="truncated"),
        pytest.param(lambda text: text.replace("Male ", ""), "is not 2 numbers", id="a name is missing"),
        pytest.param(lambda text: "6\n", "no row for 000001", id="count alone"),
        pytest.param(lambda text: "", "no row for 000001", id="empty"),
    ],
)
def test_a_damaged_list_of_attributes_is_refused_by_the_row_that_is_wrong(tmp_path, damage, sentence):
    assert ROW in attribute_list()
    lay_out(tmp_path, attributes=damage(attribute_list()), splits=partition())
    with pytest.raises(InputError, match=rf"list_attr_celeba\.txt .*{sentence}.*get it anew"):
        open_pack(find_source(Request("celeba", tmp_path)), "train")
    assert not list(tmp_path.rglob("*.npy"))


def test_a_partition_without_a_row_for_a_face_is_refused(tmp_path):
    lay_out(tmp_path, splits=without(partition(), "000002"))
    with pytest.raises(InputError, match=r"list_eval_partition\.txt has no row for 000002; get it anew"):
        samples(tmp_path)


def test_nothing_there_says_where_to_get_it_and_where_to_put_it(tmp_path):
    with pytest.raises(InputError, match=r"img_align_celeba\.zip is not under .*celeba/ .*CelebA\.html.*download"):
        samples(tmp_path)


def test_a_damaged_face_is_refused_by_name(tmp_path):
    lay_out(tmp_path, zipped=False)
    (tmp_path / "celeba" / "img_align_celeba" / name(1)).write_bytes(b"")
    with pytest.raises(InputError, match=r"000002\.jpg in .*img_align_celeba cannot be read as an image"):
        open_pack(find_source(Request("celeba", tmp_path)), "train")


def coordinates(root: Path, size: tuple[int, int]) -> Path:
    """Copies of faces whose red is the column of the official size and whose green is the row."""
    folder = root / "celeba" / "img_align_celeba"
    folder.mkdir(parents=True)
    image = Image.fromarray(np.stack([X, Y, np.zeros_like(X)], axis=-1))
    for number in range(10):
        image.resize(size, Image.Resampling.BOX).save(folder / f"{number:06d}.png")
    return root


@pytest.mark.parametrize("image_size", [32, 64, 128])
@pytest.mark.parametrize("size", [(178, 218), (89, 109), (356, 436), (96, 96)])
@pytest.mark.parametrize("crop", [crop for crop in CROPS if crop])
def test_a_crop_cuts_the_same_box_of_copies_of_every_size(tmp_path, crop, size, image_size):
    is_crop(samples(coordinates(tmp_path, size), crop=crop, image_size=image_size).image(0), crop, image_size)


@pytest.mark.parametrize("crop", [108, 160])
def test_a_crop_is_cut_of_copies_that_have_the_wanted_size_already(tmp_path, crop):
    is_crop(samples(coordinates(tmp_path, (64, 64)), crop=crop, image_size=64).image(0), crop, 64)


@pytest.mark.parametrize("size", [(178, 218), (89, 109), (356, 436)])
def test_without_a_crop_the_largest_square_in_the_middle_is_cut(tmp_path, size):
    is_crop(samples(coordinates(tmp_path, size)).image(0), None, 64)


def is_crop(face: np.ndarray, crop: int | None, image_size: int) -> None:
    left, upper = CROPS[crop]
    side = crop or 178
    assert face.shape == (3, image_size, image_size)
    middles = (np.arange(image_size) + 0.5) * side / image_size - 0.5
    inner = slice(4, -4)  # at the border there is nothing to interpolate with
    np.testing.assert_allclose(face[0, image_size // 2, inner], (left + middles)[inner], atol=1.6)
    np.testing.assert_allclose(face[1, inner, image_size // 2], (upper + middles)[inner], atol=1.6)


@pytest.mark.parametrize("size", [(178, 218), (89, 109)])
def test_resize_squeezes_the_whole_face(tmp_path, size):
    face = samples(coordinates(tmp_path, size), crop="resize").image(0)
    middles = np.arange(64) + 0.5
    np.testing.assert_allclose(face[0, 30, 4:-4], (middles * 178 / 64 - 0.5)[4:-4], atol=1.6)
    np.testing.assert_allclose(face[1, 4:-4, 30], (middles * 218 / 64 - 0.5)[4:-4], atol=1.6)


def test_each_crop_has_a_pack_of_its_own(tmp_path):
    coordinates(tmp_path, (89, 109))
    packs = [open_pack(find_source(Request("celeba", tmp_path, crop=crop)), "train") for crop in CROPS for _ in range(2)]
    assert len({float(pack.images[0, 0].std()) for pack in packs}) == len(list(tmp_path.rglob("images.npy"))) == len(CROPS)


def test_a_crop_wider_than_the_faces_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"data\.crop is 200, but CelebA's faces are 178 pixels wide"):
        open_pack(find_source(Request("celeba", coordinates(tmp_path, (89, 109)), crop=200)), "train")


def test_the_real_faces_are_10000_with_40_attributes_and_women_have_no_beards(shared_data):
    if not (shared_data / "celeba").exists():
        pytest.skip("no real CelebA")
    found = samples(shared_data)
    source = find_source(Request("celeba", shared_data))
    assert (found.size, source.samples("valid").size, source.samples("test").size) == (8000, 1000, 1000)
    assert found.attributes.shape == (8000, 40)
    male, bare = (found.description.attributes.index(name) for name in ("Male", "No_Beard"))
    assert found.attributes[found.attributes[:, male] == 0, bare].mean() > 0.99
    assert found.attributes[found.attributes[:, male] == 1, bare].mean() < 0.75


def test_lists_as_csv_of_a_mirror_say_the_same_as_the_official_ones(tmp_path):
    as_txt = lay_out(tmp_path / "txt", attributes=attribute_list(), splits=partition())
    as_csv = lay_out(tmp_path / "csv")
    header, *rows = [line.split() for line in attribute_list().splitlines()[1:]]
    lines = [",".join(row) for row in (["image_id", *header], *rows)]
    (as_csv / "celeba" / "list_attr_celeba.csv").write_text("\ufeff" + "\n".join(lines) + "\n", encoding="utf-8")
    table = "image_id,partition\n" + partition().replace(" ", ",")
    (as_csv / "celeba" / "list_eval_partition.csv").write_text(table)
    for split in ("train", "valid", "test"):
        expected, found = samples(as_txt, split), samples(as_csv, split)
        assert shown(found) == shown(expected)
        assert np.array_equal(found.attributes, expected.attributes)
        assert found.description == expected.description
    one, other = (find_source(Request("celeba", root)).glance("train") for root in (as_txt, as_csv))
    assert one == other
