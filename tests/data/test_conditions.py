"""What travels with samples: one condition, or several by name, in batches and for what is made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_gans.data import Images
from lightning_gans.data.source import decode_caption, encode_captions
from lightning_gans.data.split import fit_captions
from lightning_gans.errors import InputError
from lightning_gans.networks.suggest import ConditionKind
from tests.data.test_captions import HAIR, faces, lay_out
from tests.data.test_images import batches, numbers, opened

BOTH = ["captions", "labels"]


@pytest.fixture
def hair(tmp_path: Path) -> Path:
    """60 faces, whose grey level is their number and whose class and caption are a function of it."""
    return faces(tmp_path / "faces")


def test_several_conditions_come_by_name_and_belong_to_their_image(hair, tmp_path):
    data = opened(hair, tmp_path, condition=BOTH, batch_size=8)
    for batch in [*batches(data), batches(data)[0].fresh()]:
        assert [*batch.conditions] == BOTH
        for level, codes, label in zip(numbers(batch), batch.conditions["captions"], batch.conditions["labels"], strict=True):
            assert decode_caption(codes) == HAIR[level % 5] == data.classes[label]


def test_a_condition_alone_is_what_it_is_beside_others(hair, tmp_path):
    together = batches(opened(hair, tmp_path, condition=BOTH, batch_size=8))
    for name in BOTH:
        alone = batches(opened(hair, tmp_path, condition=name, batch_size=8))
        listed = batches(opened(hair, tmp_path, condition=[name], batch_size=8))
        for one, of_list, several in zip(alone, listed, together, strict=True):
            assert torch.equal(one.conditions, several.conditions[name])
            assert [*of_list.conditions] == [name]
            assert torch.equal(one.conditions, of_list.conditions[name])


def test_conditions_by_number_are_those_of_batches(hair, tmp_path):
    data = opened(hair, tmp_path, condition=BOTH)
    rows = torch.tensor([5, 0, 5])
    found = data.conditions("train", rows)
    assert [*found] == BOTH
    assert found["labels"].tolist() == data.labels("train")[rows].tolist()
    assert [decode_caption(codes) for codes in found["captions"]] == [data.captions("train")[row][0] for row in rows]
    assert opened("grid25", tmp_path).conditions("train", rows) is None


def test_what_conditions_look_like_is_told_for_building_networks(hair, tmp_path):
    data = opened(hair, tmp_path, condition=BOTH)
    assert [*data.condition_kinds.items()] == [
        ("captions", ConditionKind("captions", len("white hair"))),
        ("labels", ConditionKind("labels", 5)),
    ]
    assert data.condition_name is None
    alone = opened(hair, tmp_path, batch_size=8)
    assert [*alone.condition_kinds] == ["captions"]
    assert alone.condition_name == "captions"
    for batch in batches(alone):
        assert batch.conditions.shape[1] == alone.condition_kinds["captions"].width


@pytest.mark.parametrize("split", ["valid", "test"])
def test_captions_of_every_split_are_as_long_as_those_of_training(tmp_path, split):
    rows = [(f"{n:02d}.png", f"{'x' * (n % 4 + 1)} {n % 4}") for n in range(40)]
    data = opened(lay_out(tmp_path / "faces", rows), tmp_path, held_out=4)
    (kind,) = data.condition_kinds.values()
    codes = data.conditions(split, torch.arange(data.size(split)))
    assert codes.shape == (data.size(split), kind.width)
    for caption, (text,) in zip(codes, data.captions(split), strict=True):
        assert decode_caption(caption) == text[: kind.width]


@pytest.mark.parametrize("length", range(1, 16))
def test_captions_are_cut_between_characters(length):
    texts = ["größer", "長い髪", "a😀b😀c", "plain", "é"]
    codes = torch.from_numpy(encode_captions([[text] for text in texts]))[:, 0].long()
    before = codes.clone()
    for text, cut in zip(texts, fit_captions(codes, length), strict=True):
        assert len(cut) == length
        whole = text.encode()[:length].decode(errors="ignore")
        assert decode_caption(cut) == whole
    assert torch.equal(codes, before)


def test_made_samples_have_the_conditions_of_test_samples_in_turn(tmp_path):
    data = opened("digits", tmp_path)
    labels, size = data.labels("test"), data.size("test")
    wanted = torch.tensor([0, 3, size - 1, size, size + 3, 5 * size + 1])
    assert data.conditions_for(wanted).tolist() == labels[[0, 3, size - 1, 0, 3, 1]].tolist()
    assert data.conditions_for(wanted).tolist() != data.labels("train")[[0, 3, size - 1, 0, 3, 1]].tolist()
    assert opened("grid25", tmp_path).conditions_for(wanted) is None


def test_classes_that_are_kept_or_have_no_names_are_counted(tmp_path):
    for split in ("train", "test"):
        for number in range(10):
            (tmp_path / "own" / split / str(number)).mkdir(parents=True)
            Image.new("L", (2, 2), number).save(tmp_path / "own" / split / str(number) / "1.png")
    data = opened(tmp_path / "own", tmp_path / "root", classes=["7", "3"])
    assert data.condition_kinds == {"labels": ConditionKind("labels", 2)}
    points = opened("grid25", tmp_path, condition="labels")
    assert points.condition_kinds == {"labels": ConditionKind("labels", 25)}


@pytest.mark.parametrize(
    ("condition", "sentence"),
    [
        ([], r"data\.condition is \[\], but must name at least one"),
        (["labels", "labels"], "none of them twice"),
        (["labels", "colours"], r"data\.condition is 'colours', but must be one of 'labels', 'attributes', 'captions'"),
        ("colours", r"data\.condition is 'colours', but must be one of None, 'labels'"),
        (["labels", "attributes"], r"data\.condition is attributes, but faces has captions, labels"),
    ],
)
def test_conditions_that_cannot_be_are_refused(hair, tmp_path, condition, sentence):
    with pytest.raises(InputError, match=sentence):
        opened(hair, tmp_path, condition=condition)


def test_labelled_samples_leave_no_condition_in_the_batch(tmp_path):
    np.savez(tmp_path / "own.npz", images=np.zeros((8, 2, 2), np.uint8), labels=np.arange(8) % 2)
    data = Images(str(tmp_path / "own.npz"), str(tmp_path), condition=["labels"], labelled=2, batch_size=4)
    data.prepare_data()
    data.setup("validate")
    data.trainer = opened(tmp_path / "own.npz", tmp_path).trainer
    (batch, _) = batches(data)
    assert batch.conditions is None
    assert batch.labelled.conditions.tolist().count(0) == 2
