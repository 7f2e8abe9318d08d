"""Models side by side on points: what each panel shows, on models made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from torch import Tensor

from lightning_gans.figures import comparison, plots
from lightning_gans.figures.comparison import Column, component_colours
from lightning_gans.figures.subject import Subject
from lightning_gans.priors import Normal, Prior, Uniform
from tests.figures.test_kinds import Painter, Placer, Plane, shows


class Corners(Plane):
    """Points of four modes, each of its own class and place."""

    name, classes = "corners", ()  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.images = self.images + 0.1 * torch.randn(self.images.shape, generator=torch.Generator().manual_seed(1))

    def real(self, split: str, rows: Tensor | None = None) -> Tensor:
        return self.images if rows is None else self.images[rows]

    def labels(self, split: str) -> Tensor:
        return torch.arange(len(self.images)) % 4


class Generator(Painter):
    """Samples are twice the latents: all four corners, where the prior is around 0."""

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        return 2 * z


class Stochastic(Generator):
    """Encodes to a quarter of a point, with noise of 0.1 where it is drawn."""

    def __init__(self, prior: Prior | None = None) -> None:
        super().__init__(prior or Normal(2))

    def encode(self, images: Tensor, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        noise = 0 if generator is None else 0.1 * torch.randn(images.shape, generator=generator)
        return images / 4 + noise


def column(model: Any, name: str = "it", data: Any = None, seed: int = 0) -> Column:
    return comparison.column(name, Subject(model, data or Corners(), seed=seed, draw=True))


def panels(figure: Figure, columns: int) -> list[list[Axes]]:
    """Axes by column, from above."""
    return [figure.axes[number::columns] for number in range(columns)]


def points(axes: Axes) -> Tensor:
    (shown,) = axes.collections
    return torch.as_tensor(np.asarray(shown.get_offsets()))


def colours(axes: Axes) -> list[str]:
    return [to_hex(colour) for colour in np.asarray(axes.collections[0].get_facecolor())]


def test_rows_are_data_latents_reconstructions_prior_and_samples(tmp_path: Path) -> None:
    data, model = Corners(), Stochastic()
    figure = comparison.draw([column(model)], "corners")
    real, latents, again, prior, made = map(points, panels(figure, 1)[0])
    rows = Subject(model, data).rows(120)
    torch.testing.assert_close(real.float(), data.images[rows])
    noise = latents - real / 4
    assert 0.08 < float(noise.std()) < 0.12, "drawn"
    torch.testing.assert_close(again, 2 * latents)
    torch.testing.assert_close(made, 2 * prior)
    assert prior.shape == (120, 2)
    assert 0.8 < float(prior.std()) < 1.2
    plots.save(figure, tmp_path / "it.png")
    assert shows(tmp_path / "it.png")


def test_the_first_three_rows_have_the_colours_of_the_components_of_the_data() -> None:
    (axes,) = panels(comparison.draw([column(Stochastic())], "corners"), 1)
    expected = [component_colours(4)[row % 4].lower() for row in Subject(Stochastic(), Corners()).rows(120).tolist()]
    assert [colours(each) for each in axes[:3]] == [expected] * 3
    assert [{*colours(each)} for each in axes[3:]] == [{plots.ORANGE.lower()}] * 2
    signs = points(axes[0]).sign().long()
    assert {(colour, *sign) for colour, sign in zip(expected, map(tuple, signs.tolist()), strict=True)} == {
        (component_colours(4)[number].lower(), *map(int, centre)) for number, centre in enumerate(Corners.centres.tolist())
    }


def test_a_model_without_an_encoder_leaves_two_rows_empty() -> None:
    figure = comparison.draw([column(Generator(), "GAN"), column(Stochastic(), "ALI")], "corners")
    gan, ali = panels(figure, 2)
    assert [len(axes.collections) for axes in gan] == [1, 0, 0, 1, 1]
    assert [[text.get_text() for text in axes.texts] for axes in gan[1:3]] == [["no encoder"]] * 2
    assert [len(axes.collections) for axes in ali] == [1] * 5
    torch.testing.assert_close(points(gan[0]), points(ali[0]))


def test_titles_are_names_in_order_with_modes_by_alis_rule() -> None:
    class Half(Stochastic):
        """Reaches the modes at the right only, but for one sample."""

        def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
            made = torch.stack([z[:, 0].abs() + 0.1, z[:, 1]], 1)
            made[0] = torch.tensor([-9.0, 9.0])
            return made

    figure = comparison.draw([column(Half(), "half of it"), column(Stochastic(), "all")], "corners")
    titles = [axes.get_title() for axes in figure.axes[:2]]
    assert titles == ["(a) half of it\n3 of 4 modes", "(b) all\n4 of 4 modes"]
    assert figure.get_suptitle().startswith("120 test points of corners")
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == [*comparison._ROWS]


def test_a_draw_is_said_only_where_one_is() -> None:
    class Exact(Stochastic):
        def encode(self, images: Tensor, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
            return images / 4

    said = [
        " ".join(comparison.draw([column(model)], "x").get_suptitle().split()) for model in (Exact(), Generator(), Stochastic())
    ]
    assert ["drawn" in text for text in said] == [False, False, True]


def test_noise_is_that_of_the_seed() -> None:
    first, again, other = (column(Stochastic(), seed=seed).rows for seed in (0, 0, 1))
    for row in range(5):
        assert torch.equal(first[row], again[row])  # type: ignore[arg-type]
        assert torch.equal(first[row], other[row]) == (row == 0)  # type: ignore[arg-type]


@pytest.mark.parametrize(("prior", "reach"), [(Normal(2), 4), (Normal(2, std=0.5), 2), (Uniform(2), 1.1)])
def test_axes_are_those_of_the_data_and_of_the_prior(prior: Prior, reach: float) -> None:
    (axes,) = panels(comparison.draw([column(Stochastic(prior))], "corners"), 1)
    limits = [each.get_xlim()[1] for each in axes]
    assert limits == pytest.approx([2.4, reach, 2.4, reach, 2.4], rel=0.03)
    assert all(each.get_xlim() == each.get_ylim() == (-limit, limit) for each, limit in zip(axes, limits, strict=True))


def test_how_many_are_beyond_the_axes_is_said() -> None:
    class Far(Stochastic):
        def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
            return torch.where(torch.arange(len(z))[:, None] < 30, torch.nan, z.clamp(-1, 1))

    (axes,) = panels(comparison.draw([column(Far())], "corners"), 1)
    assert [[text.get_text() for text in each.texts] for each in axes] == [[], [], ["25% beyond"], [], ["25% beyond"]]


def test_data_without_modes_or_labels_has_no_count_and_one_colour() -> None:
    class Cloud(Corners):
        centres = None  # type: ignore[assignment]

        def labels(self, split: str) -> Tensor:
            return None  # type: ignore[return-value]

        def __init__(self) -> None:
            self.images = torch.randn(20_000, 2)

    figure = comparison.draw([column(Stochastic(), "it", Cloud())], "cloud")
    assert figure.axes[0].get_title() == "(a) it"
    assert "modes" not in figure.get_suptitle()
    assert len(points(figure.axes[0])) == comparison.POINTS == 10_000, "as many as the paper has"
    assert len({*colours(figure.axes[0])}) == 1


def test_components_of_a_grid_have_a_hue_a_column_and_no_two_the_same() -> None:
    for count in (4, 10, 25):
        assert len({to_hex(colour) for colour in component_colours(count)}) == count
    brightness = np.array([sum(colour) for colour in component_colours(25)]).reshape(5, 5)
    assert (np.diff(brightness, axis=1) > 0).all()
    assert len(component_colours(1000)) == 1000


def test_nothing_is_cut_off() -> None:
    figure = comparison.draw([column(Placer(), "a name that is long enough to go beyond its column")], "corners")
    figure.draw_without_rendering()
    boxes = [axes.title.get_window_extent() for axes in figure.axes]
    boxes += [axes.yaxis.label.get_window_extent() for axes in figure.axes]
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width and box.y1 <= figure.bbox.height for box in boxes)
