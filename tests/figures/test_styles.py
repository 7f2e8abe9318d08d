"""Styles in every class, and the images of every cluster, on models made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from lightning_gans.errors import InputError
from lightning_gans.figures.kinds import clusters, draw
from lightning_gans.figures.subject import Subject
from lightning_gans.labelled_priors import Categorical
from lightning_gans.priors import Normal, Prior, Uniform
from lightning_gans.product import Product
from tests.figures.test_attributes import names as column_names
from tests.figures.test_attributes import tiles
from tests.figures.test_kinds import Album, Copyist, Painter, Placer, Plane, subject, to_bytes

LEFT, RIGHT = (..., slice(None, 4)), (..., slice(4, None))


def product(classes: int = 3) -> Prior:
    return Product({"style": Uniform(2), "category": Categorical(classes)})


class Stylist(Painter):
    """An image's left half is as bright as its style's first number, the right half the brighter the later its category."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__(product(classes))
        self.classes = classes

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        category = z[:, 2:] @ torch.linspace(-0.5, 0.5, self.classes)
        images = super().decode(torch.stack([z[:, 0], category], 1), condition)
        self.latents[-1] = z
        return images


class Sorter(Stylist):
    """The category of an image is by the brightness of its right half, in equal stretches of -0.15 to 0.15."""

    def encode(self, images: Tensor, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        style = images[LEFT].mean((1, 2, 3))
        return torch.cat([torch.stack([style, style], 1), self.classify(images).softmax(1)], 1)

    def classify(self, images: Tensor) -> Tensor:
        middles = torch.linspace(-0.1, 0.1, self.classes)
        return -100 * (images[RIGHT].mean((1, 2, 3))[:, None] - middles).square()


class Taught(Sorter):
    learns_labels = True


def row_names(figure: Figure) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def test_a_row_is_one_style_and_a_column_one_category() -> None:
    model = Stylist()
    figure = draw("styles", subject(model, num_images=18))
    shown = tiles(figure).astype(int)
    assert shown.shape[:2] == (6, 3)
    assert column_names(figure) == ["0", "1", "2"]
    assert (shown[LEFT] == shown[:, :1, :1, :1]).all(), "one style a row"
    assert len(np.unique(shown[:, 0, 0, 0])) == 6, "of its own"
    for column, level in enumerate([-0.5, 0.0, 0.5]):
        assert np.abs(shown[:, column][RIGHT] - (level + 1) * 127.5).max() <= 1
    assert row_names(figure) == ["style of the prior"] * 6
    (z,) = model.latents
    assert torch.equal(z[:, 2:], torch.eye(3).repeat(6, 1))


def test_upper_rows_are_the_styles_of_test_images_beside_them() -> None:
    data = Album()
    it = subject(Sorter(), data, num_images=18)
    figure = draw("styles", it)
    shown, rows = tiles(figure), it.rows(6)
    assert column_names(figure) == ["test image", "0", "1", "2"]
    assert row_names(figure) == ["style of the test image"] * 3 + ["style of the prior"] * 3
    np.testing.assert_array_equal(shown[:3, 0], to_bytes(data.images[rows[:3]]))
    assert (shown[3:, 0] == 255).all(), "nothing"
    styles = (data.images[rows[:3]][LEFT].mean((1, 2, 3)) + 1) * 127.5
    for column in (1, 2, 3):
        np.testing.assert_allclose(shown[:3, column, 0, 0], styles, atol=1)
    assert [condition.tolist() for condition in it.model.conditions] == [(rows % 3).repeat_interleave(3).tolist()]


@pytest.mark.parametrize(("model", "names"), [(Taught(), ["a", "b", "c"]), (Taught(4), ["0", "1", "2", "3"])])
def test_categories_have_the_names_of_the_classes_that_a_model_was_told(model: nn.Module, names: list[str]) -> None:
    assert column_names(draw("styles", subject(model)))[1:] == names


def test_many_categories_leave_some_out() -> None:
    figure = draw("styles", subject(Stylist(32)))
    assert tiles(figure).shape[:2] == (4, 30)
    assert "the first 30 of 32" in figure.texts[0].get_text()


def test_the_surest_images_of_a_cluster_come_first_and_only_those_that_are_in_it() -> None:
    surety = torch.tensor([[0.6, 0.4, 0.0], [0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [1.0, 0.0, 0.0], [0.49, 0.51, 0.0]]).log()
    assert [rows.tolist() for rows in clusters.surest(surety, 2)] == [[3, 1], [2, 4], []]
    assert clusters.surest(surety, 9)[0].tolist() == [3, 1, 0]


def test_a_row_has_the_head_of_a_cluster_and_its_surest_images() -> None:
    data, model = Album(), Sorter()
    data.images[:45] = 0.3 * data.images[:45] + 0.5  # of the last cluster
    figure = draw("clusters", subject(model, data))
    shown = tiles(figure)
    assert shown.shape[:2] == (3, 11)
    assert column_names(figure)[:2] == ["head", "surest"]
    np.testing.assert_allclose(shown[:, 0, 0, 0], 127.5, atol=1)  # style 0
    np.testing.assert_allclose(shown[:, 0, 0, -1], [63.75, 127.5, 191.25], atol=1)
    surety = model.classify(data.images).log_softmax(1)
    value, which = surety.max(1)
    assert row_names(figure) == [f"{k}: {(which == k).float().mean():.1%}" for k in range(3)]
    for cluster in range(3):
        there = [row for row in value.argsort(descending=True).tolist() if which[row] == cluster][:10]
        np.testing.assert_array_equal(shown[cluster, 1 : 1 + len(there)], to_bytes(data.images[there]))
        assert (shown[cluster, 1 + len(there) :] == 255).all()


def test_many_clusters_leave_some_out_and_empty_ones_have_a_head_only() -> None:
    figure = draw("clusters", subject(Sorter(40)))
    shown = tiles(figure)
    assert shown.shape[:2] == (30, 11)
    assert "the first 30 of 40" in " ".join(figure.texts[0].get_text().split())
    empty = [number for number, name in enumerate(row_names(figure)) if name.endswith(": 0.0%")]
    assert empty
    assert (shown[empty, 1:] == 255).all()
    assert (shown[:, 0] < 255).all()


class Pointed(Placer):
    def __init__(self) -> None:
        super().__init__(product())

    def classify(self, images: Tensor) -> Tensor:
        return images


class Classifying(Copyist):
    def classify(self, images: Tensor) -> Tensor:
        return self.encode(images)


@pytest.mark.parametrize(
    ("kind", "model", "data", "sentence"),
    [
        ("styles", Copyist(), Album(), "latents of Copyist have no part of classes beside others, as a Product with a Categ"),
        (
            "styles",
            Painter(Product({"category": Categorical(2)})),
            Album(),
            "latents of Painter have no part of classes beside",
        ),
        ("styles", Painter(Product({"a": Normal(2), "b": Uniform(2)})), Album(), "have no part of classes beside others"),
        ("styles", Pointed(), Plane(), "samples are points and no images"),
        ("clusters", Stylist(), Album(), "Stylist puts images in no clusters"),
        ("clusters", Classifying(), Album(), "latents of Classifying have no part of classes beside others"),
        ("clusters", Pointed(), Plane(), "samples are points and no images"),
        ("clusters", Sorter(), None, "no data module"),
    ],
)
def test_what_cannot_be_drawn_is_refused(kind: str, model: nn.Module, data: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        draw(kind, Subject(model, data))
