"""Visual attribute vectors, on models and data made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor

from lightning_gans.errors import InputError
from lightning_gans.figures import plots
from lightning_gans.figures.kinds import attributes, draw, why_not
from lightning_gans.figures.subject import Subject
from lightning_gans.networks.suggest import ConditionKind
from tests.figures.test_kinds import SIDE, Album, Copyist, Painter, Placer, Plane, shows, to_bytes

GAP, ZOOM = 3, 7


class Faces(Album):
    """Images whose left half is brighter by 0.5 where they are ``lit``; ``rare`` holds for three of them, ``even`` for half."""

    name, attributes = "faces", ("even", "lit", "rare")
    condition_name = "attributes"
    condition_kinds: ClassVar = {"attributes": ConditionKind("attributes", 3)}
    shares = torch.tensor([2, 3, 30])

    def __init__(self, size: int = 90) -> None:
        rows = torch.arange(size)
        self.has = (rows[:, None] % self.shares == 0).float()
        light = torch.stack([0.5 * self.has[:, 1] - 0.5, 0.1 * torch.sin(rows)], dim=1)
        self.images = light.repeat_interleave(SIDE // 2, 1)[:, None, None].expand(-1, *self.shape).contiguous()

    def size(self, split: str) -> int:
        return len(self.images) if split == "train" else 30

    def conditions(self, split: str, rows: Tensor) -> Tensor:
        return self.has[rows]


def subject(data: Any = None, model: Any = None) -> Subject:
    return Subject(model or Copyist(), data or Faces(), 7, num_images=40)


def tiles(figure: Figure) -> np.ndarray:
    """Images ``(rows, columns, H, W)`` of the table, one pixel for each."""
    table = np.asarray(figure.axes[0].images[0].get_array())[..., 0]
    step = (SIDE + GAP) * ZOOM
    cut = table.reshape(table.shape[0] // step, step, table.shape[1] // step, step).transpose(0, 2, 1, 3)
    return cut[:, :, ZOOM // 2 : SIDE * ZOOM : ZOOM, ZOOM // 2 : SIDE * ZOOM : ZOOM]


def names(figure: Figure) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_xticklabels()]


def test_a_vector_is_the_mean_latent_with_an_attribute_less_that_without() -> None:
    it = subject()
    vectors, counts = attributes.attribute_vectors(it)
    latents, has = it.model.encode(it.data.images).double(), it.data.has.bool()
    for number in range(3):
        expected = latents[has[:, number]].mean(0) - latents[~has[:, number]].mean(0)
        torch.testing.assert_close(vectors[number], expected, atol=1e-7, rtol=1e-6)
    assert counts.tolist() == [[45, 45], [30, 60], [3, 87]]
    assert vectors[1, 0].item() == pytest.approx(0.5)


def test_no_more_images_are_encoded_than_the_authors_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attributes, "_TRAIN_IMAGES", 40)
    assert attributes.attribute_vectors(subject())[1].sum(1).tolist() == [40] * 3
    assert "40 training images" in " ".join(draw("attributes", subject()).texts[0].get_text().split())


@pytest.mark.parametrize("strength", [1.0, -0.5])
def test_rows_are_test_images_and_columns_what_is_added_to_their_latents(strength: float) -> None:
    it = subject()
    figure = attributes.draw(it, strength, ["lit", "even"])
    assert names(figure) == ["image", "reconstruction", "lit", "even"]
    shown, rows = tiles(figure), it.rows(5)
    real, z = it.data.images[rows], it.model.encode(it.data.images[rows])
    vectors = attributes.attribute_vectors(it)[0].float()
    columns = [real, it.model.decode(z), it.model.decode(z + strength * vectors[1]), it.model.decode(z + strength * vectors[0])]
    assert shown.shape == (5, 4, SIDE, SIDE)
    for number, column in enumerate(columns):
        np.testing.assert_allclose(shown[:, number], to_bytes(column).clip(0, 255), atol=1)
    assert shown[:, 2, 0, 0].astype(int) - shown[:, 1, 0, 0] == pytest.approx(strength * 0.5 * 127.5, abs=2)


def test_attributes_that_few_images_have_are_left_out_unless_they_are_asked_for() -> None:
    assert names(draw("attributes", subject()))[2:] == ["even", "lit"]
    with pytest.raises(InputError, match="fewer than 5 of the training images have, or have not, the attribute rare"):
        attributes.draw(subject(), attributes=["lit", "rare"])


def test_the_usual_columns_are_those_of_the_authors() -> None:
    class CelebA(Faces):
        attributes = ("Attractive", "Wavy_Hair", "Bald")
        shares = torch.tensor([2, 3, 4])

    assert names(draw("attributes", subject(CelebA())))[2:] == ["Bald", "Wavy Hair"]


def test_an_unknown_attribute_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="faces has no attribute tall; it has even, lit, rare"):
        attributes.draw(subject(), attributes=["tall"])


class Uncounted(Faces):
    condition_name = "attributes"
    condition_kinds: ClassVar = {"labels": ConditionKind("labels", 2)}


@pytest.mark.parametrize(
    ("model", "data", "sentence"),
    [
        (Painter(), Faces(), "no encoder"),
        (Copyist(), None, "no data"),
        (Copyist(), Album(), "no attributes"),
        (Copyist(), Uncounted(), "no attributes, or data.condition is another"),
        (Placer(), Plane(), "no attributes"),
    ],
)
def test_what_is_lacking_is_said(model: Any, data: Any, sentence: str) -> None:
    assert sentence in str(why_not("attributes", Subject(model, data)))


def test_the_picture_says_whose_it_is_and_can_be_saved(tmp_path: Path) -> None:
    figure = draw("attributes", subject())
    assert "Copyist on faces, step 7" in " ".join(figure.texts[0].get_text().split())
    plots.save(figure, tmp_path / "it.png")
    assert shows(tmp_path / "it.png")
