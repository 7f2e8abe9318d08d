"""The picture of test images' styles under other texts, on a model made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_gans.data.source import decode_caption
from lightning_gans.figures import plots
from lightning_gans.figures.kinds import draw, why_not
from lightning_gans.figures.subject import Subject
from tests.figures.test_attributes import names, tiles
from tests.figures.test_captions import Captioned, Reader, title
from tests.figures.test_conditions import Numbered
from tests.figures.test_kinds import Painter, shows, to_bytes


class Told(Painter):
    conditional = True


def test_a_test_image_is_a_row_and_a_text_a_column(tmp_path: Path) -> None:
    it = Subject(model := Reader(), data := Captioned(), 3, num_images=12, text=["red hair", "a blue eye"])
    figure = draw("style_transfer", it)
    z, given = torch.cat(model.latents), torch.cat(model.conditions)
    images = data.images[it.rows(6)]
    assert torch.equal(z, model.encode(images, images).repeat_interleave(2, dim=0))
    assert [decode_caption(row) for row in given] == ["red hair", "a blue eye"] * 6
    assert tiles(figure).shape[:2] == (6, 3)
    np.testing.assert_array_equal(tiles(figure)[:, 0], to_bytes(images))
    assert names(figure) == ["test image", "red hair", "a blue eye"]
    assert "style of a test image by row" in title(figure)
    plots.save(figure, tmp_path / "it.png")
    assert shows(tmp_path / "it.png")


def test_long_texts_are_neither_cut_off_nor_in_the_way_of_the_title() -> None:
    texts = ["a small bird with a pointy bill and " * 5, "black and blue and green and red hair", "red"]
    figure = draw("style_transfer", Subject(Reader(), Captioned(), 3, num_images=24, text=texts))
    figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels()]
    below = figure.texts[0].get_window_extent().y0
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width and box.y1 <= below for box in boxes)


def test_without_texts_they_are_captions_of_test_images() -> None:
    draw("style_transfer", Subject(model := Reader(), Captioned(), 3, num_images=16))
    given: Tensor = torch.cat(model.conditions)
    assert len(given) == 16
    assert len(given.unique(dim=0)) == 4


@pytest.mark.parametrize(
    ("model", "data", "sentence"),
    [(Told(), Captioned(), "Told has no encoder"), (Reader(), Numbered(), "conditions of the data are no captions")],
)
def test_what_is_lacking_is_said(model: Any, data: Any, sentence: str) -> None:
    assert why_not("style_transfer", Subject(model, data)) == sentence
