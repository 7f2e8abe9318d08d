"""The sphere of symbols, and what noise leaves of them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_gans import Empirical, InputError, Pictures, Uniform
from lightning_gans.figures import plots
from lightning_gans.figures.kinds import blurring, draw, sphere
from lightning_gans.figures.subject import Subject
from lightning_gans.priors import Prior
from tests.figures.test_kinds import Album, Copyist, Painter, tiles, to_bytes
from tests.games.gan import make_gan
from tests.games.sae import make_image_sae, make_sae
from tests.helpers import fit, made_images, make_images

POINTS = F.normalize(torch.randn(2000, 3, generator=torch.Generator().manual_seed(0)).double(), dim=1)


@pytest.mark.parametrize("centre", [[0.0, 0.0, 1.0], [0.0, -2.0, 0.0], [0.3, 0.2, 0.1], [-1.0, -1.0, -1.0]])
def test_the_projection_keeps_areas_and_its_radius_is_the_chord(centre: list[float]) -> None:
    pole = F.normalize(torch.tensor(centre).double(), dim=0)
    flat = sphere.project(POINTS, torch.tensor(centre))[0].double()
    angle = (POINTS @ pole).acos()
    torch.testing.assert_close(flat.norm(dim=1), 2 * (angle / 2).sin(), rtol=0, atol=1e-6)
    # A uniform law on the sphere is one on the disc of radius 2: the squared radius and the direction are uniform
    turn = torch.atan2(flat[:, 1], flat[:, 0])
    for values, top in ((flat.square().sum(dim=1) / 4, 1), (turn / (2 * math.pi) + 0.5, 1)):
        steps = values.sort().values - torch.linspace(0, top, len(values)).double()
        assert steps.abs().max() < 1.63 / len(values) ** 0.5  # Kolmogorov and Smirnov's bound at 1 %
    # By the definition: with the pole up, (X, Y) sqrt(2 / (1 + Z)) up to a turn of the disc, so distances to near points agree
    near = POINTS[angle < 0.1]
    between, apart = (
        torch.cdist(sphere.project(near, pole)[0].double(), sphere.project(near, pole)[0].double()),
        torch.cdist(near, near),
    )
    torch.testing.assert_close(between, apart, rtol=5e-3, atol=1e-6)


def test_the_poles_of_the_projection_are_numbers() -> None:
    pole = torch.tensor([0.0, 0.6, 0.8])
    ends, _ = sphere.project(torch.stack([pole, -pole]), pole)
    assert ends.isfinite().all()
    assert ends[0].norm() < 1e-3


class Bicameral(nn.Module):
    """Units that put class k near an axis: the first around the third axis, the second at right angles to it."""

    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self, prior: Prior | None = None) -> None:
        super().__init__()
        self.prior = prior or Empirical(3, 10)

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        return z[:, :1, None, None].expand(-1, 1, 8, 8)

    def sample(self, n: int, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        return self.decode(self.prior.sample(n, generator))

    def unit_symbols(self, images: Tensor) -> Tensor:
        turn = images.flatten(1)[:, 0] * math.pi
        flat = torch.stack([turn.cos(), turn.sin(), 0 * turn], dim=1)
        return torch.stack([F.normalize(0.1 * flat + torch.tensor([0.0, 0.0, 1.0]), dim=1), flat], dim=1)


def rings(figure: Figure, panel: int = 0) -> dict[str, np.ndarray]:
    """The points of each unit, the second unit is drawn first."""
    second, first = figure.axes[panel].collections
    return {"first": np.asarray(first.get_offsets()), "second": np.asarray(second.get_offsets())}


def test_the_first_unit_is_the_inner_ring_and_classes_have_their_colours() -> None:
    it = Subject(Bicameral(), Album(), step=7, num_points=50)
    figure = draw("sphere", it)
    found = rings(figure)
    assert found["first"].shape == found["second"].shape == (50, 2)
    np.testing.assert_allclose(np.linalg.norm(found["second"], axis=1), 2**0.5, rtol=0.05)
    assert np.linalg.norm(found["first"], axis=1).max() < 0.15
    labels = it.data.labels("test")[it.rows(50)].tolist()
    colours = [to_hex(colour).lower() for colour in np.asarray(figure.axes[0].collections[1].get_facecolor())]
    assert colours == [plots.class_colours(3)[label].lower() for label in labels]
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["first unit (generalising)", "second unit (diversifying)", "a", "b", "c"]
    assert figure.axes[0].get_title() == "symbols of Bicameral on album, step 7"


def test_the_times_of_a_training_are_panels_each_around_its_own_middle() -> None:
    it = Subject(Bicameral(), Album(), step=7, num_points=50)
    kept = sphere.keep(it)
    assert kept.shape == (50, 2, 3)
    figure = sphere.over_training(it, [("step 1", kept), ("step 2", kept.flip(-1)), ("step 3", kept.half().float())])
    assert [axes.get_title() for axes in figure.axes] == ["step 1", "step 2", "step 3"]
    for panel in range(3):
        assert np.linalg.norm(rings(figure, panel)["first"], axis=1).max() < 0.15


def test_samples_without_labels_have_one_colour() -> None:
    class Nameless(Album):
        classes = ()  # type: ignore[assignment]

        def labels(self, split: str) -> Tensor:
            return None  # type: ignore[return-value]

    figure = draw("sphere", Subject(Bicameral(), Nameless()))
    assert {to_hex(colour) for colour in np.asarray(figure.axes[0].collections[0].get_facecolor())} == {plots.BLUE.lower()}


class Ball(Copyist):
    """A Copyist whose latents are two numbers of unit length."""

    def __init__(self, prior: Prior | None = None) -> None:
        super().__init__(prior or Empirical(2, 10))

    def encode(self, images: Tensor, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        return F.normalize(super().encode(images), dim=1)


def test_blurring_starts_at_the_reconstruction_and_ends_far_from_it() -> None:
    model = Ball()
    it = Subject(model, Album(), step=7)
    found = tiles(draw("blurring", it)).astype(float)
    rows = it.rows(10)
    assert found.shape == (10, 9, 8, 8)
    np.testing.assert_array_equal(found[:, 0], to_bytes(it.real(rows)))
    np.testing.assert_allclose(found[:, 1], to_bytes(it.reconstruct(rows)), atol=1)
    assert all(torch.allclose(z.norm(dim=1), torch.ones(10)) for z in model.latents)
    apart = [np.abs(found[:, column] - found[:, 1]).mean() for column in range(1, 9)]
    assert apart[0] == 0
    assert apart[1] < apart[4] < apart[7]
    again = tiles(draw("blurring", it))
    np.testing.assert_array_equal(found, again)


@pytest.mark.parametrize(
    ("kind", "model", "sentence"),
    [
        ("sphere", Painter(Empirical(3, 10)), "Painter has no two units"),
        ("sphere", make_image_sae(), "symbols of SAE have 4 numbers, and a sphere needs 3"),
        ("blurring", Painter(Empirical(3, 10)), "Painter has no encoder"),
        ("blurring", Copyist(Uniform(2)), "latents of Copyist lie on no surface"),
    ],
)
def test_what_cannot_be_drawn_is_refused(kind: str, model: nn.Module, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        draw(kind, Subject(model, Album()))


def test_points_are_not_blurred_and_without_data_there_is_no_sphere() -> None:
    assert blurring.why_not(Subject(make_gan())) == "samples are points and no images"
    assert sphere.why_not(Subject(make_sae())) == "there is no data module"


def test_a_run_leaves_the_sphere_over_training_and_what_noise_leaves(tmp_path: Path) -> None:
    make_images(tmp_path)
    pictures = {"num_images": 4, "num_points": 20, "every_n_steps": 1}
    fit(make_image_sae(), 2, made_images(tmp_path), callbacks=[Pictures(**pictures)], default_root_dir=tmp_path)
    assert len([*tmp_path.rglob("blurring.png")]) == 1
    fit(make_sae(), 2, callbacks=[Pictures(**pictures)], default_root_dir=tmp_path)
    assert [*tmp_path.rglob("sphere.png")]
    assert [*tmp_path.rglob("sphere_over_training.png")]


def test_later_panels_keep_the_side_of_the_first() -> None:
    """As the middle moves a little, nothing turns: the axis that is nearest to the rim changes on the way."""
    before, after = torch.tensor([-0.029, -0.98, -0.03]), torch.tensor([-0.031, -0.98, -0.03])
    first, right = sphere.project(POINTS, before)
    assert float((sphere.project(POINTS, after, right)[0] - first).abs().max()) < 0.1
    assert float((sphere.project(POINTS, after)[0] - first).abs().max()) > 0.1
