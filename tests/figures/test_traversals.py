"""What codes do to samples, on models made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lightning_gans.errors import InputError
from lightning_gans.figures import plots
from lightning_gans.figures.kinds import draw
from lightning_gans.figures.subject import Subject
from lightning_gans.labelled_priors import Categorical
from lightning_gans.priors import Normal, Prior, Uniform
from lightning_gans.product import Product
from tests.figures.test_conditions import Numbered
from tests.figures.test_kinds import Album, Painter, Placer, Plane, shows, subject, tiles


def infogan(**codes: Any) -> Product:
    return Product({"noise": Uniform(12), **(codes or {"digit": Categorical(4), "stroke": Uniform(2)})})


def titles(it: Subject) -> list[str]:
    figure = draw("traversals", it)
    return [" ".join(text.get_text().split()).partition(";")[0] for text in figure.texts]


def test_every_code_has_rows_of_its_values_and_each_row_another_draw_of_all_the_rest(tmp_path: Path) -> None:
    model = Painter(infogan())
    figure = draw("traversals", subject(model, num_images=40))
    digit, first, second = (z.unflatten(0, (4, -1)) for z in model.latents)
    assert digit.shape == (4, 4, 18)
    assert first.shape == second.shape == (4, 10, 18)
    assert torch.equal(digit[:, :, 12:16], torch.eye(4).expand(4, 4, 4))
    for z, number in ((first, 16), (second, 17)):
        assert torch.equal(z[:, :, number], torch.linspace(-2, 2, 10).expand(4, 10))
    draws = [z[:, 0].clone() for z in (digit, first, second)]
    for z, place in ((digit, slice(12, 16)), (first, slice(16, 17)), (second, slice(17, 18))):
        rest = z.clone()
        rest[:, :, place] = 0
        assert torch.equal(rest, rest[:, :1].expand_as(rest)), "one row, one draw"
        assert len(rest[:, 0].unique(dim=0)) == 4
    assert torch.equal(draws[0][:, :12], draws[1][:, :12]), "rows are the same in every block"
    assert torch.equal(draws[1][:, 12:16], draws[2][:, 12:16])
    assert [tiles(figure, panel).shape[:2] for panel in range(3)] == [(4, 4), (4, 10), (4, 10)]
    plots.save(figure, tmp_path / "it.png")
    assert shows(tmp_path / "it.png")


def test_titles_say_which_code_and_how_far() -> None:
    expected = ["digit: its 4 values by column", *(f"stroke, number {n}: from -2 to 2 by column" for n in (1, 2))]
    assert titles(subject(Painter(infogan()))) == expected
    wide = infogan(side=Uniform(1, 0.0, 1.0), size=Normal(1, std=0.5), many=Categorical(40))
    assert titles(subject(Painter(wide))) == [
        "side: from -0.5 to 1.5 by column",
        "size: from -1 to 1 by column",
        "many: its 40 values by column (the first 30 of 40)",
    ]


def test_codes_are_those_that_the_model_names() -> None:
    model = Painter(infogan())
    model.codes = {"stroke": slice(16, 18)}  # type: ignore[assignment]
    assert [title.partition(",")[0] for title in titles(subject(model))] == ["stroke", "stroke"]
    model.codes = lambda images: images  # type: ignore[assignment]
    assert titles(subject(model))[0].startswith("digit"), "a method of that name says nothing"
    model.codes = {}  # type: ignore[assignment]
    with pytest.raises(InputError, match="latents of Painter have no part that is a code beside the noise"):
        draw("traversals", subject(model))


@pytest.mark.parametrize(
    ("parts", "shown"),
    [
        ({"style": Normal(8), "category": Categorical(16)}, {"category"}),
        ({"noise": Normal(3), "style": Uniform(2)}, {"style"}),
        ({"noise": Normal(30), "long": Normal(11), "short": Normal(10)}, {"short"}),
        ({"a": Categorical(2), "b": Categorical(3)}, {"a", "b"}),
    ],
)
def test_else_they_are_the_short_parts_and_the_categories_but_not_the_noise(parts: dict[str, Prior], shown: set[str]) -> None:
    said = titles(subject(Painter(Product(parts))))
    assert {title.partition(":")[0].partition(",")[0] for title in said} == shown


def test_rows_of_a_conditional_model_are_under_one_condition_each() -> None:
    data, model = Numbered(), Painter(infogan())
    draw("traversals", it := subject(model, data, num_images=40))
    (digit, *_) = model.conditions
    assert digit is not None
    assert digit.tolist() == (it.rows(4) % 3).repeat_interleave(4).tolist()


class Pointed(Placer):
    def __init__(self) -> None:
        super().__init__(infogan())

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        return z[:, :2]


@pytest.mark.parametrize(
    ("model", "data", "sentence"),
    [
        (Painter(), Album(), "latents of Painter have no parts, as those of a Product have"),
        (Painter(Product({"noise": Normal(9)})), Album(), "latents of Painter have no part that is a code beside the noise"),
        (Pointed(), Plane(), "samples are points and no images"),
    ],
)
def test_what_has_no_codes_is_refused(model: nn.Module, data: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        draw("traversals", Subject(model, data))


def test_a_model_needs_no_data() -> None:
    assert np.isfinite(tiles(draw("traversals", Subject(Painter(infogan()))))).all()
