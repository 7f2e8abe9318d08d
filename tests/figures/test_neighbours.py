"""Samples beside the training images that are nearest to them, on models and data made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from lightning_gans.errors import InputError
from lightning_gans.figures import plots
from lightning_gans.figures.kinds import draw, neighbours
from lightning_gans.figures.subject import Subject
from tests.figures.test_attributes import names, tiles
from tests.figures.test_kinds import Album, Painter, Placer, Plane, shows, subject, to_bytes
from tests.figures.test_styles import row_names


class Gallery(Album):
    """Its training images are what a Painter paints of other noise; remembers how many were asked for at a time."""

    def __init__(self, size: int = 300) -> None:
        super().__init__()
        self.known = Painter().sample(size, generator=torch.Generator().manual_seed(3)).contiguous()
        self.asked: list[int] = []

    def size(self, split: str) -> int:
        return len(self.known) if split == "train" else super().size(split)

    def real(self, split: str, rows: Tensor) -> Tensor:
        if split != "train":
            return super().real(split, rows)
        self.asked.append(len(rows))
        return self.known[rows]


def expected(images: Tensor, known: Tensor, count: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Distances and numbers by scikit-learn."""
    search = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(known.flatten(1).double().numpy())
    return search.kneighbors(images.flatten(1).double().numpy())


def test_a_row_is_a_sample_and_its_nearest_training_images(tmp_path: Path) -> None:
    data = Gallery()
    figure = draw("neighbours", it := subject(Painter(), data, num_images=60))
    shown = tiles(figure)
    assert shown.shape[:2] == (10, 6)
    distances, numbers = expected(it.samples[:10], data.known)
    np.testing.assert_array_equal(shown[:, 0], to_bytes(it.samples[:10]))
    for place in range(5):
        np.testing.assert_array_equal(shown[:, 1 + place], to_bytes(data.known[numbers[:, place]]))
    assert row_names(figure) == [f"{distance:.3g}" for distance in distances[:, 0]]
    assert names(figure) == ["sample", "nearest", "2.", "3.", "4.", "5."]
    said = " ".join(figure.texts[0].get_text().split())
    tested, _ = expected(data.images[it.rows(10)], data.known)
    assert "nearest of 300 training images" in said
    assert (
        f"mean distance of the nearest {distances[:, 0].mean():.3g}, of as many test images {tested[:, 0].mean():.3g}" in said
    )
    figure.draw_without_rendering()
    assert figure.texts[0].get_text().count("\n") > 1
    assert figure.texts[0].get_window_extent().y1 <= figure.bbox.height, "nothing of it is cut off"
    plots.save(figure, tmp_path / "it.png")
    assert shows(tmp_path / "it.png")


def test_what_was_learnt_by_heart_is_at_distance_0() -> None:
    class Parrot(Painter):
        def sample(self, n: int, *a: object, **k: object) -> Tensor:
            return data.known[100 : 100 + n]

    data = Gallery()
    figure = draw("neighbours", subject(Parrot(), data, num_images=30))
    shown = tiles(figure)
    np.testing.assert_array_equal(shown[:, 0], shown[:, 1])
    assert row_names(figure) == ["0"] * 5


@pytest.mark.parametrize("numbers", [64, 7 * 64, 64 * 1000])
def test_all_are_searched_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch, numbers: int) -> None:
    monkeypatch.setattr(neighbours, "_NUMBERS", numbers)
    data, images = Gallery(61), torch.rand(4, 1, 8, 8)
    found, distances = neighbours.nearest(images, data, torch.arange(61), 5)
    right, which = expected(images, data.known)
    np.testing.assert_array_equal(found, which)
    np.testing.assert_allclose(distances, right, rtol=1e-6)
    assert max(data.asked[:-1]) <= max(1, numbers // 64)
    assert sum(data.asked[:-1]) == 61


def test_a_large_training_set_is_searched_in_part_and_a_small_one_has_fewer_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_MOST_SEARCHED", 40)
    figure = draw("neighbours", subject(Painter(), Gallery()))
    assert "nearest of 40 training images" in " ".join(figure.texts[0].get_text().split())
    figure = draw("neighbours", subject(Painter(), Gallery(3)))
    assert names(figure) == ["sample", "nearest", "2.", "3."]


def test_points_and_models_without_data_have_none() -> None:
    with pytest.raises(InputError, match="samples are points and no images"):
        draw("neighbours", Subject(Placer(), Plane()))
    with pytest.raises(InputError, match="no data module"):
        draw("neighbours", Subject(Painter()))
