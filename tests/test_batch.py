"""Batches: what counts as one, and what their further batches are."""

import itertools

import pytest
import torch

from lightning_gans.batch import Batch
from lightning_gans.errors import InputError


def counting() -> Batch:
    """A batch whose images say how often it was drawn: 0, then 1, 2, ..."""
    numbers = itertools.count()

    def draw() -> Batch:
        return Batch(torch.full((2, 1), float(next(numbers))), torch.tensor([5, 6]), draw)

    return draw()


IMAGES, LABELS = torch.zeros(3, 1, 2, 2), torch.tensor([2, 0, 1])
BOTH = {"labels": LABELS, "attributes": torch.zeros(3, 4)}


@pytest.mark.parametrize(
    ("value", "labels"),
    [
        (Batch(IMAGES, LABELS), LABELS),
        (IMAGES, None),
        ((IMAGES, LABELS), LABELS),
        ([IMAGES, LABELS], LABELS),
        ((IMAGES, LABELS, LABELS), LABELS),
        ((IMAGES,), None),
        ([IMAGES, None], None),
        ((IMAGES, BOTH), BOTH),
        ((IMAGES, {}), None),
        ((IMAGES, {"sizes": [1, 2, 3]}), None),
    ],
)
def test_batches_of_any_data_module_are_understood(value, labels):
    batch = Batch.of(value)
    assert batch.images is IMAGES
    assert batch.conditions is labels
    assert len(batch) == 3


def test_a_batch_stays_itself():
    batch = counting()
    assert Batch.of(batch) is batch


@pytest.mark.parametrize("value", [{"images": IMAGES}, "images", None, [], [[1.0]]])
def test_what_is_no_batch_is_refused_by_its_type(value):
    with pytest.raises(InputError, match=type(value).__name__):
        Batch.of(value)


def test_each_fresh_batch_is_another_one():
    batch = counting()
    assert [batch.fresh().images[0, 0].item() for _ in range(3)] == [1, 2, 3]


def test_a_fresh_batch_can_itself_be_refreshed():
    assert counting().fresh().fresh().images[0, 0].item() == 2


def test_a_batch_without_a_source_says_who_can_draw_more():
    with pytest.raises(InputError, match="Images"):
        Batch(IMAGES).fresh()


def test_a_mapping_reaches_the_images_of_a_batch_and_of_all_drawn_from_it():
    mapped = counting().map_images(lambda x: x + 1).map_images(lambda x: 10 * x)
    assert mapped.images[0, 0].item() == 10
    assert mapped.fresh().images[0, 0].item() == 20
    assert mapped.fresh().fresh().images[0, 0].item() == 40
    assert mapped.conditions.tolist() == [5, 6]


def test_a_mapping_changes_neither_the_batch_it_came_from_nor_its_ability_to_draw():
    batch = Batch(IMAGES, LABELS)
    mapped = batch.map_images(lambda x: x + 1)
    assert batch.images.eq(0).all()
    with pytest.raises(InputError):
        mapped.fresh()
