"""What each kind of picture shows, on models made by hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from torch import Tensor, nn

from lightning_gans.figures import plots
from lightning_gans.figures.kinds import KINDS, draw, samples, why_not
from lightning_gans.figures.subject import Subject
from lightning_gans.priors import Empirical, Normal, Prior, Uniform, straight_way

SIDE, GAP, ZOOM = 8, 3, 7


class Painter(nn.Module):
    """The left half of an image is as bright as its first latent, the right half as the second; remembers what it was asked."""

    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self, prior: Prior | None = None) -> None:
        super().__init__()
        self.prior = prior or Uniform(2)
        self.latents: list[Tensor] = []
        self.conditions: list[Tensor | None] = []

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        self.latents.append(z)
        self.conditions.append(condition)
        return z[:, :2].repeat_interleave(SIDE // 2, 1)[:, None, None].expand(-1, 1, SIDE, -1)

    def sample(self, n: int, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        return self.decode(self.prior.sample(n, generator), condition)


class Copyist(Painter):
    """Encodes what a Painter can paint of an image."""

    def encode(self, images: Tensor, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        return torch.stack([images[..., : SIDE // 2].mean((1, 2, 3)), images[..., SIDE // 2 :].mean((1, 2, 3))], 1)


class Album:
    """Random images with labels, as ``Images`` gives them."""

    shape, classes, centres, extent, name = (1, SIDE, SIDE), ("a", "b", "c"), None, 1.0, "album"

    def __init__(self, size: int = 60) -> None:
        self.images = torch.rand(size, *self.shape, generator=torch.Generator().manual_seed(5)) * 2 - 1

    def size(self, split: str) -> int:
        assert split in ("train", "test")
        return len(self.images)

    def real(self, split: str, rows: Tensor) -> Tensor:
        return self.images[rows]

    def labels(self, split: str) -> Tensor:
        return torch.arange(len(self.images)) % 3

    def conditions(self, split: str, rows: Tensor) -> Tensor:
        return rows % 3


class Plane(Album):
    """Points of four modes."""

    shape, extent, std = (2,), 2.0, 0.1  # type: ignore[assignment]
    centres = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])  # type: ignore[assignment]

    def __init__(self) -> None:
        self.images = self.centres.repeat(30, 1)


class Placer(Copyist):
    """Maps each quadrant of the latents to a mode, and a strip at the right to nowhere."""

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        return torch.where(z[:, :1] > 0.5, 9.0, z.sign())

    def encode(self, images: Tensor, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        return images / 4


def subject(model: nn.Module, data: Any = None, **settings: Any) -> Subject:
    return Subject(model, data or Album(), **{"step": 7, "num_images": 40, "num_points": 50, **settings})


def tiles(figure: Figure, panel: int = 0, columns: int = 1) -> np.ndarray:
    """Images ``(rows, columns, H, W)`` of a grid, one pixel for each; ``columns`` of one tile lie side by side."""
    table = np.asarray(figure.axes[panel].images[0].get_array())[..., 0]
    height, width = SIDE * ZOOM + GAP, columns * SIDE * ZOOM + GAP
    rows, count = (table.shape[0] - GAP) // height, (table.shape[1] - GAP) // width
    inner = table[GAP:, GAP:].reshape(rows, height, count, width).transpose(0, 2, 1, 3)[:, :, :-GAP, :-GAP]
    return inner[:, :, ZOOM // 2 :: ZOOM, ZOOM // 2 :: ZOOM]


def to_bytes(images: Tensor) -> np.ndarray:
    """By the definition of a byte's value, without a channel."""
    return np.rint((images[:, 0].double().numpy() + 1) * 127.5)


def shows(file: Path) -> bool:
    return float(np.asarray(Image.open(file).convert("L")).std()) > 1


@pytest.mark.parametrize("kind", [kind for kind in KINDS if why_not(kind, Subject(Copyist(), Album())) is None])
def test_every_kind_makes_a_picture_that_says_whose_it_is(kind: str, tmp_path: Path) -> None:
    figure = draw(kind, subject(Copyist()))
    plots.save(figure, tmp_path / "it.png")
    assert shows(tmp_path / "it.png")
    words = [" ".join(text.get_text().split()) for text in figure.findobj(Text)]
    assert any("Copyist on album, step 7" in some for some in words)


def test_the_test_samples_shown_are_all_different_and_of_every_class_even_where_these_are_sorted_or_take_turns() -> None:
    class Large(Album):
        def size(self, split: str) -> int:
            return 10_000

    rows = subject(Painter(), Large()).rows(2000)
    assert len(rows.unique()) == 2000
    assert (rows % 25).bincount().min() > 40
    assert (rows // 400).bincount(minlength=25).min() > 40
    assert len(subject(Painter(), Album()).rows(100).unique()) == 60


@pytest.mark.parametrize("collapsed", [0.3, -1.0, float("nan")])
def test_a_collapsed_generator_is_still_drawn(collapsed: float, tmp_path: Path) -> None:
    model = Copyist()
    model.sample = lambda n, *a, **k: torch.full((n, 1, SIDE, SIDE), collapsed)  # type: ignore[method-assign]
    plots.save(draw("samples", subject(model)), tmp_path / "it.png")
    assert shows(tmp_path / "it.png")


def test_samples_have_the_same_noise_each_time_and_the_conditions_of_the_test_split() -> None:
    model, it = Painter(), subject(Painter())
    first, again, other = (tiles(draw("samples", subject(model, seed=seed, num_images=36))) for seed in (1, 1, 2))
    assert first.shape[:2] == (6, 6)
    assert (first == again).all()
    assert (first != other).any()
    assert torch.equal(model.conditions[0], it.rows(36) % 3)  # type: ignore[arg-type]
    np.testing.assert_array_equal(first.reshape(-1, SIDE, SIDE), to_bytes(Painter().decode(model.latents[0])))


def test_pixels_in_the_file_are_those_of_the_images(tmp_path: Path) -> None:
    figure = draw("samples", subject(Painter()))
    plots.save(figure, tmp_path / "it.png")
    table, file = np.asarray(figure.axes[0].images[0].get_array()), np.asarray(Image.open(tmp_path / "it.png").convert("RGB"))
    top, left = file.shape[0] - 10 - table.shape[0], 10
    np.testing.assert_array_equal(file[top:-10, left : left + table.shape[1]], table)


def test_reconstructions_are_pairs_of_a_test_image_and_what_the_model_makes_of_it() -> None:
    data, model = Album(), Copyist()
    figure = draw("reconstructions", subject(model, data))
    pairs = tiles(figure, columns=2).reshape(20, SIDE, 2 * SIDE)
    real = data.images[subject(model, data).rows(20)]
    again = model.decode(model.encode(real))
    np.testing.assert_array_equal(pairs[:, :, :SIDE], to_bytes(real))
    np.testing.assert_allclose(pairs[:, :, SIDE:], to_bytes(again), atol=1)
    assert f"{float((again - real).square().mean()):.3g}" in figure.texts[0].get_text()


def test_points_are_reconstructed_in_the_plane() -> None:
    real, again = draw("reconstructions", subject(Placer(), Plane())).axes
    assert len(real.collections) == len(again.collections) == 2
    assert np.unique(real.collections[1].get_offsets(), axis=0).tolist() == [[-1, -1], [-1, 1], [1, -1], [1, 1]]
    assert np.unique(again.collections[1].get_offsets(), axis=0).tolist() == [[-1, -1], [-1, 1], [1, -1], [1, 1]]


@pytest.mark.parametrize("path", ["linear", "prior"])
def test_all_ways_are_straight_or_those_of_the_prior_where_one_is_asked_for(path: Any) -> None:
    """By default those between test images are straight, as those of AEGAN's Fig. 1 and ALI's section 4.2."""
    model, prior = Copyist(Normal(2)), Normal(2)
    figure = draw("interpolations", subject(model, Album(), path=path))
    of_prior, of_images = (latents.unflatten(0, (-1, n)) for latents, n in zip(model.latents[-2:], (10, 8), strict=True))
    for ways in (of_prior, of_images):
        a, b = ways[:, 0], ways[:, -1]
        expected = straight_way(a, b, ways.shape[1]) if path == "linear" else prior.interpolate(a, b, ways.shape[1])
        torch.testing.assert_close(ways, expected.transpose(0, 1))
    said = "straight" if path == "linear" else "as the prior leads"
    assert all(said in " ".join(text.get_text().split()) for text in figure.texts)


def test_a_straight_way_is_put_back_on_the_surface_of_a_prior() -> None:
    model = Copyist(Empirical(2, 30))
    model.prior.store(torch.nn.functional.normalize(torch.randn(30, 2), dim=1))
    draw("interpolations", subject(model, Album(), path="linear"))
    assert all(torch.allclose(latents.norm(dim=1), torch.ones(len(latents))) for latents in model.latents[-2:])


@pytest.mark.parametrize("prior", [Uniform(2), Normal(5)], ids=["linear", "spherical"])
def test_ways_between_latents_are_the_priors_with_its_draws_at_both_ends(prior: Prior) -> None:
    model = Painter(prior)
    shown = tiles(draw("interpolations", subject(model)))
    ways = model.latents[0].unflatten(0, (-1, 10))
    torch.testing.assert_close(ways, prior.interpolate(ways[:, 0], ways[:, -1], 10).transpose(0, 1))
    assert len(ways[:, [0, -1]].flatten(0, 1).unique(dim=0)) == 2 * len(ways)
    np.testing.assert_array_equal(shown.reshape(-1, SIDE, SIDE), to_bytes(Painter().decode(ways.flatten(0, 1)).clamp(-1, 1)))


def test_ways_between_test_images_have_them_at_both_ends_and_the_last_leads_to_a_mirror_image() -> None:
    data, model = Album(), Copyist()
    shown = tiles(draw("interpolations", subject(model, data, num_images=80)), panel=1)
    assert shown.shape[:2] == (4, 10)
    known = to_bytes(data.images)
    for row in shown:
        left, right = (torch.from_numpy(image / 127.5 - 1).float()[None, None] for image in (row[0], row[-1]))
        assert (known == row[0]).all((1, 2)).any()
        for image, made in ((left, row[1]), (right, row[-2])):
            np.testing.assert_allclose(made, to_bytes(model.decode(model.encode(image)))[0], atol=1)
        steps = np.diff(row[1:-1, 0, [0, -1]].astype(float), axis=0)
        np.testing.assert_allclose(steps, np.broadcast_to(steps.mean(0), steps.shape), atol=1)
    assert all((known == row[-1]).all((1, 2)).any() and (row[0] != row[-1]).any() for row in shown[:-1])
    np.testing.assert_array_equal(shown[-1, -1], shown[-1, 0][:, ::-1])


def test_a_way_goes_under_the_condition_of_its_left_end() -> None:
    data, model = Album(), Copyist()
    shown = tiles(draw("interpolations", subject(model, data, num_images=80)), panel=1)
    lefts = [int((to_bytes(data.images) == row[0]).all((1, 2)).nonzero()[0][0]) for row in shown]
    prior, real = model.conditions
    assert prior is not None
    assert real is not None
    assert prior.view(4, 10).tolist() == [[row % 3] * 10 for row in lefts]
    assert real.view(4, 8).tolist() == [[row % 3] * 8 for row in lefts]


def test_latents_are_mapped_to_modes_by_their_place_in_the_square() -> None:
    figure = draw("latent_map", subject(Placer(), Plane()))
    regions = figure.axes[0].images[0].get_array()
    assert regions.shape == (256, 256)
    assert figure.axes[0].images[0].origin == "lower", "the first row is drawn at the bottom"
    near, far = slice(0, 126), slice(130, 256)
    assert (regions[near, near] == 0).all()
    assert (regions[near, 130:190] == 1).all()
    assert (regions[far, near] == 2).all()
    assert (regions[far, 130:190] == 3).all()
    assert regions.mask[:, 194:].all()
    assert not regions.mask[:, near].any()
    assert "25% more than 3" in figure.axes[0].get_title()
    assert figure.axes[0].get_xlim() == pytest.approx((-1, 1), abs=0.01)
    for mark in figure.axes[0].texts:
        assert regions[tuple(int((x + 1) * 128) for x in reversed(mark.xy))] == int(mark.get_text())  # type: ignore[attr-defined]


def test_the_latent_map_of_images_shows_what_latents_are_decoded_to_with_which_label_and_where_classes_are() -> None:
    def bright(images: Tensor) -> Tensor:
        assert images.dtype == torch.uint8
        left, right = images[:, 0, 0, 0] > 127, images[:, 0, 0, -1] > 127
        return nn.functional.one_hot(left + right.long(), 3).float()

    data, model = Album(), Copyist()
    decoded, labels, codes = draw("latent_map", subject(model, data, classifier=bright)).axes
    mosaic = np.asarray(decoded.images[0].get_array())[..., 0].astype(int)
    assert mosaic.shape == (15 * (SIDE + 2), 15 * (SIDE + 2))
    assert mosaic[-2, 1] < 20, "dark at the bottom left"
    assert mosaic[1, -2] > 235
    assert np.diff(mosaic[1, 1 :: SIDE + 2]).min() > 0, "the left half grows brighter with the first latent"
    assert np.diff(mosaic[1 :: SIDE + 2, -2]).max() < 0, "the right half with the second, upwards"
    regions = np.asarray(labels.images[0].get_array())
    assert (regions[:48, :48] == 0).all()
    assert (regions[52:, 52:] == 2).all()
    assert (regions[:48, 52:] == 1).all()
    assert (regions[52:, :48] == 1).all()
    assert {mark.get_text() for mark in labels.texts} == {"a", "b", "c"}
    rows = subject(model, data).rows(50)
    np.testing.assert_allclose(np.asarray(codes.collections[0].get_offsets()), model.encode(data.images[rows]), rtol=1e-6)
    colours = [to_rgb(plots.class_colours(3)[row % 3]) for row in rows.tolist()]
    np.testing.assert_allclose(codes.collections[0].get_facecolor()[:, :3], colours)


@pytest.mark.parametrize("it", [subject(Copyist()), subject(Placer(), Plane())], ids=["images", "points"])
def test_titles_of_the_latent_map_are_not_cut_off(it: Subject) -> None:
    figure = draw("latent_map", it)
    figure.draw_without_rendering()
    for axes in figure.axes:
        box = axes.title.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.width
        assert box.y1 <= figure.bbox.height - 1


def test_the_latent_map_leaves_out_what_is_not_there() -> None:
    assert len(draw("latent_map", subject(Copyist())).axes) == 2
    assert len(draw("latent_map", subject(Painter())).axes) == 1


def test_the_density_of_samples_lies_beside_that_of_the_data() -> None:
    data, model = Album(), Painter(Normal(2, std=0.05))
    data.images = 0.5 + 0.05 * torch.randn(60, *data.shape)
    figure = draw("density", subject(model, data))
    real, made = figure.axes[0].lines
    for line, middle in ((real, 0.5), (made, 0.0)):
        x, y = line.get_data()
        assert np.trapezoid(y, x) == pytest.approx(1, abs=0.01)
        assert np.trapezoid(x * y, x) == pytest.approx(middle, abs=0.03)
    assert "pixels" in figure.axes[0].get_xlabel()
    found = re.match(r"KL\(samples \|\| test data\) = ([\d.e+]+) nats\n50 samples, 50 of", figure.axes[0].get_title())
    assert found is not None
    assert float(found[1]) > 5


def test_times_of_training_have_a_row_or_a_panel_each() -> None:
    model = Painter()
    times = [(f"step {n}", model.decode(torch.full((12, 2), n / 4))) for n in (0, 4)]
    figure = samples.over_training(subject(model), times)
    assert [text.get_text() for text in figure.texts] == ["samples of Painter on album: step 0", "step 4"]
    assert [np.unique(tiles(figure, panel)).tolist() for panel in (0, 1)] == [[128], [255]]
    points = samples.over_training(subject(Placer(), Plane()), [("one", torch.rand(9, 2)), ("two", torch.rand(9, 2))])
    assert [axes.get_title() for axes in points.axes] == ["one", "two"]
    assert points.get_suptitle() == "samples of Placer on album"
