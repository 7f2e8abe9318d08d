"""The way of images into bytes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lightning_gans.errors import InputError
from lightning_gans.evaluation.samples.quantise import to_uint8
from tests.evaluation.random_inception import noise

GREY_LEVELS = torch.arange(256, dtype=torch.float64)


def picture(values: Tensor) -> Tensor:
    """A grey image of these values with one black pixel more."""
    return torch.cat([values.flatten(), -torch.ones(1).to(values)]).reshape(1, 1, 1, -1)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_each_of_256_levels_comes_back(dtype):
    images = picture((GREY_LEVELS / 127.5 - 1).to(dtype))
    assert to_uint8(images).flatten().tolist() == [*range(256), 0]


@pytest.mark.parametrize("offset", [-0.499, -0.01, 0.01, 0.499])
def test_values_go_to_the_nearest_level(offset):
    images = picture(((GREY_LEVELS + offset) / 127.5 - 1).float())
    assert to_uint8(images).flatten().tolist() == [*range(256), 0]


def test_an_overshoot_is_clipped():
    images = picture(torch.tensor([-1.5, -1.004, 1.004, 1.5]))
    assert to_uint8(images).flatten().tolist() == [0, 0, 255, 255, 0]


def spoilt(value: float) -> Tensor:
    images = torch.rand(2, 3, 4, 4) * 2 - 1
    images[1, 2, 3, 3] = value
    return images


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (spoilt(math.nan), "NaN or infinite"),
        (spoilt(math.inf), "NaN or infinite"),
        (spoilt(-math.inf), "NaN or infinite"),
        (spoilt(1.6), r"lie in \[-0.9\d+, 1.6\] where \[-1, 1\] is due"),
        (noise(2, 3, 4, 4).float(), r"lie in \[\d+, \d+\] where \[-1, 1\] is due"),
        (torch.rand(16, 3, 4, 4), r"as if in \[0, 1\]"),
        (torch.full((16, 3, 4, 4), -0.3), "every image is of one colour"),
        (torch.linspace(-0.5, 0.5, 16).view(16, 1, 1, 1).expand(16, 3, 4, 4) + 1e-6 * torch.rand(16, 3, 4, 4), "of one colour"),
        (torch.zeros(2, 2, 4, 4), r"\(2, 2, 4, 4\)"),
        (torch.zeros(2, 25), r"\(2, 25\)"),
        (torch.zeros(0, 3, 4, 4), r"\(0, 3, 4, 4\)"),
        (noise(2, 3, 4, 4), "uint8"),
    ],
)
def test_what_is_no_image_gets_a_sentence_and_not_a_number(images, sentence):
    with pytest.raises(InputError, match=sentence):
        to_uint8(images)


def test_a_few_images_may_be_anything():
    assert to_uint8(torch.full((15, 3, 4, 4), 0.3)).unique().tolist() == [166]


def test_some_images_of_one_colour_are_let_through():
    images = torch.rand(3, 1, 4, 4) * 2 - 1
    images[1] = -1
    assert to_uint8(images)[1].unique().tolist() == [0]
