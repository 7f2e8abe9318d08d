"""Several captions of each image: different ones, of that image alone, the same for any number of devices."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_gans import GANCLS, Adam, AttributeCondition, CharCNNRNN, Conditioned, Layer, LayerTable, Normal
from lightning_gans.batch import Batch
from lightning_gans.data import Images
from lightning_gans.data.source import decode_caption
from lightning_gans.errors import InputError
from lightning_gans.randomness import global_seed, keyed_generator
from tests.data.test_captions import lay_out
from tests.data.test_images import batches, numbers, opened
from tests.games.conditional_gan import make_conditional_gan
from tests.helpers import fit, furthest, state
from tests.test_capture import both_ways

COLOURS = ("red", "green", "blue", "white", "black")


def texts(number: int) -> list[str]:
    """Of every third image two captions, of the next four and one of them twice, of the others five."""
    said = (COLOURS[:2], (*COLOURS[:3], "red"), COLOURS)[number % 3]
    return [f"{number}: {word}" for word in said]


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """40 images whose grey level is their number, which their captions say too; ten classes."""
    rows = [(f"{n:02d}.png", text, str(n % 10)) for n in range(40) for text in texts(n)]
    return lay_out(tmp_path / "told", rows, "image,caption,class")


def read(captions: Tensor) -> list[list[str]]:
    return [[decode_caption(codes) for codes in of_image] for of_image in captions]


@pytest.mark.parametrize("count", [2, 3, 4, 5, 7, 12])
def test_they_are_of_the_image_and_differ_as_far_as_there_are_different_ones(told, tmp_path, count):
    data = opened(told, tmp_path, batch_size=9, captions_per_image=count)
    width = data.condition_kinds["captions"].width
    for batch in [*batches(data), batches(data)[0].fresh()]:
        assert batch.conditions.shape == (len(batch), count, width)
        assert batch.conditions.dtype == torch.int64
        for number, found in zip(numbers(batch), read(batch.conditions), strict=True):
            there = {*texts(number)}
            assert {*found} <= there
            often = sorted(found.count(text) for text in there)
            assert often[-1] - often[0] <= 1, "each comes once before one comes again"


def test_every_caption_comes_as_often_as_the_others_at_every_place(told, tmp_path):
    batch = batches(opened(told, tmp_path, batch_size=36, captions_per_image=3))[0]
    further = [batch.fresh() for _ in range(60)]
    read_of = [each for other in further for each in zip(numbers(other), read(other.conditions), strict=True)]
    of_five = [[text.split()[1] for text in found] for number, found in read_of if number % 3 == 2]
    for words in zip(*of_five, strict=True):
        assert all(abs(words.count(word) / len(words) - 1 / 5) < 0.05 for word in COLOURS)


def test_one_caption_is_drawn_as_ever(told, tmp_path):
    plain, one = (batches(opened(told, tmp_path, batch_size=9, **settings)) for settings in ({}, {"captions_per_image": 1}))
    split = opened(told, tmp_path).opened.splits["train"]
    stored = split.samples[:, 0, 0, 0].tolist()
    for position, (batch, same) in enumerate(zip(plain, one, strict=True)):
        assert torch.equal(batch.conditions, same.conditions)
        which = torch.randint(2**31, (len(batch),), generator=keyed_generator("caption", global_seed(), 0, position, 0))
        rows = [stored.index(number) for number in numbers(batch)]
        assert torch.equal(batch.conditions, split.conditions["captions"][rows, which % len(COLOURS)].long())


@pytest.mark.parametrize("world_size", [2, 4])
def test_ranks_share_the_captions_of_one_process(told, tmp_path, world_size):
    def given(rank: int, world_size: int) -> Tensor:
        data = opened(told, tmp_path, rank, world_size, batch_size=8, captions_per_image=3, condition=["captions", "labels"])
        batch = batches(data)[1]
        return torch.stack([each.conditions["captions"] for each in (batch, batch.fresh(), batch.fresh())])

    assert torch.equal(torch.cat([given(rank, world_size) for rank in range(world_size)], dim=1), given(0, 1))


def test_beside_other_conditions_they_are_what_they_are_alone(told, tmp_path):
    together = batches(opened(told, tmp_path, batch_size=9, captions_per_image=3, condition=["captions", "labels"]))
    alone = batches(opened(told, tmp_path, batch_size=9, captions_per_image=3))
    for one, several in zip(alone, together, strict=True):
        assert torch.equal(one.conditions, several.conditions["captions"])
        assert several.conditions["labels"].shape == (len(one),)


def test_what_is_measured_and_drawn_has_one_caption_and_an_example_has_all(told, tmp_path):
    plain, several = opened(told, tmp_path), opened(told, tmp_path, captions_per_image=3)
    for split in ("train", "test"):
        rows = torch.arange(plain.size(split))
        assert torch.equal(several.conditions(split, rows), plain.conditions(split, rows))
    assert several.fingerprint("train") == plain.fingerprint("train")
    example = several.example(2)
    assert example.conditions.shape == (2, 3, several.condition_kinds["captions"].width)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"captions_per_image": 0}, r"data\.captions_per_image is 0, but must be at least 1"),
        (
            {"captions_per_image": 2, "condition": "labels"},
            r"is 2, but no captions travel with told; leave it out, or set",
        ),
        ({"captions_per_image": 2, "labelled": 9}, r"data\.captions_per_image is 2, but no captions travel with told"),
        ({"captions_per_image": 2, "dataset": "grid25"}, r"data\.captions_per_image is 2, but no captions travel with grid25"),
    ],
)
def test_what_has_no_captions_is_refused(told, tmp_path, settings, sentence):
    with pytest.raises(InputError, match=sentence):
        opened(settings.pop("dataset", told), tmp_path, **settings)


def data_of(told: Path, root: Path, **settings: Any) -> Images:
    """For a training."""
    return Images(str(told), str(root), batch_size=8, drop_last=True, condition=["captions", "labels"], **settings)


def test_a_model_that_is_given_one_caption_is_refused_before_training(told, tmp_path):
    with pytest.raises(InputError, match=r"captions_per_image is 2, but ConditionalGAN is given one caption of each image"):
        fit(make_conditional_gan(), data=data_of(told, tmp_path, captions_per_image=2))


def make_game() -> GANCLS:
    """Of images of four pixels a side, told eight numbers of a text."""
    torch.manual_seed(1)
    image, logit = Layer(48, activation="tanh", image=(3, 4, 4)), Layer(1)
    networks = {
        "generator": Conditioned(LayerTable(2 + 8, [image]), AttributeCondition(8)),
        "discriminator": Conditioned(LayerTable((3 + 8, 4, 4), [logit]), AttributeCondition(8)),
    }
    return GANCLS(
        **networks,
        prior=Normal(2),
        text_encoder=CharCNNRNN(8, (4, 4, 4), length=48),
        interpolated=True,
        optimizer=partial(Adam, lr=2**-10),
    )


def test_a_game_of_texts_is_given_their_mean_and_takes_steps_through_a_graph(told, tmp_path):
    data = data_of(told, tmp_path, captions_per_image=3, image_size=4, random_crop=6)
    eager, captured, through = both_ways(make_game, 6, data)
    assert furthest(state(captured), state(eager)) < 1e-6
    assert through.hazards == []
    example = data.example(4)
    (t,) = eager.given(example)
    of_each = [eager.text_encoder.eval()(example.conditions["captions"][:, k]) for k in range(3)]
    torch.testing.assert_close(t, torch.stack(of_each).mean(0))


def test_a_run_that_goes_on_with_more_captions_says_so(told, tmp_path):
    before = opened(told, tmp_path).state_dict()
    with pytest.warns(UserWarning, match=r"data\.captions_per_image was 1 in the checkpoint, this run goes on with 4"):
        opened(told, tmp_path, captions_per_image=4).load_state_dict(before)


def test_without_a_loader_further_batches_are_of_the_same_kind(told, tmp_path):
    batch = opened(told, tmp_path, captions_per_image=2).example(3)
    assert isinstance(batch, Batch)
    assert batch.fresh().conditions.shape == batch.conditions.shape
