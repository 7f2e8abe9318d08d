"""Codes beside the prior, what is made of all of the prior, and cluster heads in the plane, on models made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from torch import Tensor, nn

from lightning_gans.errors import InputError
from lightning_gans.figures import plots
from lightning_gans.figures.kinds import draw
from lightning_gans.figures.subject import Subject
from lightning_gans.labelled_priors import Categorical, MixtureOfGaussians, SwissRoll
from lightning_gans.networks import MLP, ClusterHeads
from lightning_gans.priors import Empirical, Normal, Prior, Uniform
from lightning_gans.product import Product
from tests.figures.test_attributes import tiles
from tests.figures.test_kinds import SIDE, Album, Copyist, Painter, Placer, Plane, subject, to_bytes


class Stochastic(Copyist):
    """A Copyist whose draws are far from its means."""

    def encode(self, images: Tensor, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        return super().encode(images) + (0 if generator is None else 9 + torch.randn(len(images), 2, generator=generator))


def offsets(axes: Axes) -> Tensor:
    return torch.as_tensor(np.asarray(axes.collections[0].get_offsets())).float()


def colours(axes: Axes) -> list[str]:
    return [to_hex(colour) for colour in np.asarray(axes.collections[0].get_facecolor())]


def of_classes(numbers: list[int], count: int) -> list[str]:
    return [plots.class_colours(count)[number].lower() for number in numbers]


def test_codes_of_test_samples_by_class_are_beside_draws_of_the_prior_on_the_same_axes() -> None:
    data, model = Album(), Copyist(Normal(2, std=3.0))
    it = subject(model, data)
    codes, prior = draw("codes", it).axes
    rows = it.rows(50)
    torch.testing.assert_close(offsets(codes), model.encode(data.images[rows]))
    assert colours(codes) == of_classes((rows % 3).tolist(), 3)
    assert {text.get_text() for text in codes.texts} == {"a", "b", "c"}
    assert offsets(prior).shape == (50, 2)
    assert 2 < float(offsets(prior).std()) < 4
    assert {*colours(prior)} == {plots.BLUE.lower()}
    assert codes.get_xlim() == codes.get_ylim() == prior.get_xlim() == prior.get_ylim()
    assert codes.get_xlim()[1] > float(offsets(prior).abs().max())


@pytest.mark.parametrize("prior", [MixtureOfGaussians(4, across=0.01, along=0.1), SwissRoll(4)])
def test_draws_of_components_have_the_colours_of_their_components(prior: Any) -> None:
    axes = draw("codes", subject(Copyist(prior))).axes[1]
    points, number = offsets(axes), [plots.class_colours(4).index(colour.upper()) for colour in colours(axes)]
    if isinstance(prior, SwissRoll):
        found = ((points.norm(dim=1) / 3).square() * 4).long()
    else:
        found = (torch.atan2(points[:, 1], points[:, 0]) / (torch.pi / 2)).round().long() % 4
    assert found.tolist() == number
    assert {*number} == {0, 1, 2, 3}
    assert {text.get_text() for text in axes.texts} == {"0", "1", "2", "3"}


def test_codes_are_means_or_draws_of_the_posterior() -> None:
    means, draws = (draw("codes", subject(Stochastic(), draw=wanted)).axes[0] for wanted in (False, True))
    assert float(offsets(means).abs().max()) < 1
    assert float(offsets(draws).mean()) == pytest.approx(9, abs=1)
    assert means.get_title().startswith("codes of 50")
    assert draws.get_title().startswith("draws of the posteriors of 50")


def test_an_encoder_that_gives_no_numbers_is_still_drawn() -> None:
    class Lost(Copyist):
        def encode(self, images: Tensor, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
            return super().encode(images).index_fill(0, torch.arange(1, len(images)), torch.nan)

    class Gone(Copyist):
        def encode(self, images: Tensor, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
            return torch.full((len(images), 2), torch.nan)

    assert [len(offsets(draw("codes", subject(model)).axes[0])) for model in (Lost(), Gone())] == [1, 0]


def test_titles_of_codes_are_not_cut_off() -> None:
    data = Album()
    data.name = "a data set of which the name is longer than others"  # type: ignore[misc]
    figure = draw("codes", subject(Copyist(), data))
    figure.draw_without_rendering()
    boxes = [axes.title.get_window_extent() for axes in figure.axes]
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width and box.y1 <= figure.bbox.height for box in boxes)
    assert not boxes[0].overlaps(boxes[1])


@pytest.mark.parametrize("prior", [Uniform(2), Normal(2, std=0.4)])
def test_the_manifold_of_two_numbers_is_at_equal_percentiles(prior: Prior) -> None:
    model = Painter(prior)
    figure = draw("manifold", subject(model))
    z = torch.cat(model.latents)
    across, up = z.view(20, 20, 2).unbind(2)
    drawn = prior.sample(100_000, torch.Generator().manual_seed(0)).quantile((torch.arange(20) + 0.5) / 20)
    torch.testing.assert_close(across, drawn.expand(20, -1), atol=0.02, rtol=0)
    torch.testing.assert_close(up, drawn.flip(0)[:, None].expand(-1, 20), atol=0.02, rtol=0)
    shown = tiles(figure)
    np.testing.assert_array_equal(shown.reshape(-1, SIDE, SIDE), to_bytes(Painter().decode(z).clamp(-1, 1)))
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert (names[0], names[-1], len(names)) == ("z2 at 97.5%", "z2 at 2.5%", 20)


@pytest.mark.parametrize("prior", [MixtureOfGaussians(3), SwissRoll(3)])
def test_the_manifold_of_a_prior_of_components_has_a_row_each(prior: Prior) -> None:
    model = Painter(prior)
    figure = draw("manifold", subject(model))
    torch.testing.assert_close(torch.cat(model.latents).view(3, 20, 2), torch.stack([*prior.manifold(20).values()]))
    assert tiles(figure).shape == (3, 20, SIDE, SIDE)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [f"component {k}" for k in range(3)]


class Gardener(Copyist):
    """Encodes an image to the cluster of its left half's sign and half the style that a Copyist sees."""

    def __init__(self, dim: int = 2) -> None:
        super().__init__(Product({"category": Categorical(2), "style": Normal(2)}))
        self.generator = ClusterHeads(MLP(dim, (1, SIDE, SIDE), (4,)), 2, dim)
        self.generator.heads = nn.Parameter(torch.tensor([[-5.0, 0.0], [5.0, 1.0]]).repeat(1, dim // 2))

    def encode(self, images: Tensor, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        seen = super().encode(images)
        which = (seen[:, 0] > 0).long()
        return torch.cat([nn.functional.one_hot(which, 2), seen / 2], 1)


def test_codes_are_embedded_around_the_cluster_heads() -> None:
    data, model = Album(), Gardener().requires_grad_(False)
    it = subject(model, data)
    (axes,) = draw("embedding", it).axes
    rows = it.rows(50)
    seen = Copyist().encode(data.images[rows])
    heads = torch.where(seen[:, :1] > 0, torch.tensor([5.0, 1.0]), torch.tensor([-5.0, 0.0]))
    torch.testing.assert_close(offsets(axes), heads + seen / 2)
    assert colours(axes) == of_classes((rows % 3).tolist(), 3)
    marks = {text.get_text(): text.xy for text in axes.texts}  # type: ignore[attr-defined]
    assert marks.keys() == {"a", "b", "c", "0", "1"}
    assert marks["0"] == (-5, 0)
    assert marks["1"] == (5, 1)


@pytest.mark.parametrize(
    ("kind", "model", "data", "sentence"),
    [
        ("codes", Painter(), Album(), "Painter has no encoder"),
        ("codes", Copyist(), None, "no data module"),
        ("codes", Copyist(Uniform(3)), Album(), "latents of Copyist have 3 numbers, and a plane of codes needs 2"),
        ("manifold", Painter(Normal(3)), Album(), r"nothing leads through all latents of Painter: Normal\(dim=3"),
        ("manifold", Painter(Empirical(2)), Album(), "is no plane and has no components"),
        ("manifold", Placer(), Plane(), "samples are points and no images"),
        ("embedding", Copyist(), Album(), "the generator of Copyist has no cluster heads"),
        ("embedding", Gardener(4), Album(), "codes at the cluster heads of Gardener have 4 numbers, and a plane needs 2"),
        ("embedding", Gardener(), None, "no data module"),
    ],
)
def test_what_cannot_be_drawn_is_refused(kind: str, model: nn.Module, data: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        draw(kind, Subject(model, data))
