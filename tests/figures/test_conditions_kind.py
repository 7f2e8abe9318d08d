"""The picture of the same latents under several conditions, on models made by hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor

from lightning_gans.errors import InputError
from lightning_gans.figures import plots
from lightning_gans.figures.conditions import choose
from lightning_gans.figures.kinds import draw, why_not
from lightning_gans.figures.subject import Subject
from lightning_gans.networks.conditions import NO_LABEL, LabelCondition
from lightning_gans.networks.suggest import ConditionKind
from tests.figures.test_attributes import Faces, names, tiles
from tests.figures.test_conditions import Conditional, Numbered, Written
from tests.figures.test_kinds import Copyist, Plane, shows, to_bytes

OFFICIAL = re.findall(  # in the order of list_attr_celeba.txt
    r"\w+",
    "5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose Black_Hair Blond_Hair Blurry "
    "Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee Gray_Hair Heavy_Makeup High_Cheekbones Male "
    "Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks Sideburns "
    "Smiling Straight_Hair Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace Wearing_Necktie Young",
)


class CelebA(Faces):
    """All attributes of which every second image has each."""

    name, attributes = "celeba", tuple(OFFICIAL)  # type: ignore[assignment]
    condition_kinds: ClassVar = {"attributes": ConditionKind("attributes", 40)}
    shares = torch.arange(40) % 2 + 2


class Many(Numbered):
    classes = ()  # type: ignore[assignment]

    def labels(self, split: str) -> Tensor:
        return torch.arange(60) % 30


def subject(data: Any, condition: str | None = None, **settings: Any) -> Subject:
    it = Subject(model := Conditional(), data, **{"step": 3, "num_images": 40, **settings})
    it.chosen = None if condition is None else choose(condition, model, data)
    return it


def made(it: Subject) -> tuple[Tensor, Tensor, Figure]:
    """Latents, conditions and the picture."""
    figure = draw("conditions", it)
    return torch.cat(it.model.latents), torch.cat(it.model.conditions), figure


def row_names(figure: Figure) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def test_celeba_has_the_rows_and_columns_of_the_papers_figure(tmp_path: Path) -> None:
    z, given, figure = made(subject(CelebA()))
    assert given.shape == (44, 40)
    has = [{OFFICIAL[number] for number in row.nonzero().flatten().tolist()} for row in given]
    rows = [{"Male", "Attractive", "Young"}, {"Male", "Attractive"}, {"Attractive", "Young"}, {"Attractive"}]
    laughing = {"Black_Hair", "Smiling", "Mouth_Slightly_Open"}
    columns = [{"Black_Hair"}, {"Brown_Hair"}, {"Blond_Hair"}, {"Black_Hair", "Wavy_Hair"}, {"Blond_Hair", "Bangs"}]
    columns += [{"Blond_Hair", "Receding_Hairline"}, {"Blond_Hair", "Bald"}, {"Black_Hair", "Smiling"}, laughing]
    columns += [laughing | {"Eyeglasses"}, laughing | {"Eyeglasses", "Wearing_Hat"}]
    assert has == [row | column for row in rows for column in columns]
    assert len(z.unique(dim=0)) == 1, "one latent in the whole picture"
    assert tiles(figure).shape[:2] == (4, 11)
    assert row_names(figure)[:2] == ["male, attractive, young", "male, attractive, older"]
    assert names(figure)[0] == "black hair"
    assert len(names(figure)) == 11
    plots.save(figure, tmp_path / "it.png")
    assert shows(tmp_path / "it.png")


def test_attributes_that_the_figure_does_not_set_may_be_chosen() -> None:
    _, given, figure = made(subject(CelebA(), "Goatee=0,Black_Hair=1,Male=1"))
    first, goatee, lips = CelebA().has[0], OFFICIAL.index("Goatee"), OFFICIAL.index("Big_Lips")
    assert first[goatee] == first[lips] == 1
    assert {*given[:, goatee].tolist()} == {0}
    assert {*given[:, lips].tolist()} == {1}
    assert given[:, OFFICIAL.index("Male")].tolist() == [1] * 22 + [0] * 22
    assert given[1, OFFICIAL.index("Black_Hair")] == 0
    assert "all others as chosen" in " ".join(figure.texts[0].get_text().split())


def test_other_attributes_are_set_one_a_row() -> None:
    z, given, figure = made(subject(Faces()))
    assert given.view(4, 10, 3)[:, 0].tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert row_names(figure) == ["none", "even", "lit", "rare"]
    assert torch.equal(z.view(4, 10, -1), z[:10].expand(4, -1, -1))
    _, given, figure = made(subject(Faces(), "even=0,lit=0"))
    assert given.view(4, 10, 3)[:, 0].tolist() == [[0, 0, 1], [1, 0, 1], [0, 1, 1], [0, 0, 1]]
    assert row_names(figure)[0] == "as chosen"


def test_a_class_is_a_row_and_a_latent_a_column() -> None:
    it = subject(Numbered(), num_images=18)
    z, given, figure = made(it)
    assert given.view(3, 6).tolist() == [[0] * 6, [1] * 6, [2] * 6]
    assert torch.equal(z.view(3, 6, -1), z[:6].expand(3, -1, -1))
    assert len(z.unique(dim=0)) == 6
    np.testing.assert_allclose(tiles(figure)[1, 4], to_bytes(Copyist().decode(z[4:5]))[0], atol=1)
    assert row_names(figure) == ["a", "b", "c"]
    assert names(figure) == []


def test_classes_that_are_chosen_are_the_rows() -> None:
    _, given, figure = made(subject(Numbered(), "c,a,c"))
    assert given.tolist() == [2] * 10 + [0] * 10
    assert row_names(figure) == ["c", "a"]


def test_no_more_than_20_classes_are_shown_and_no_fewer_than_3_latents() -> None:
    _, given, figure = made(subject(Many()))
    assert given.tolist() == [number for number in range(20) for _ in range(3)]
    assert row_names(figure)[-1] == "19"
    assert "the first 20 of 30" in " ".join(figure.texts[0].get_text().split())


@pytest.mark.parametrize("data", [CelebA(), Numbered()], ids=["attributes", "labels"])
def test_latents_are_those_of_the_seed(data: Any) -> None:
    first, again, other = (made(subject(data, seed=seed))[0] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


class Networked(Conditional):
    """Has networks that are told labels."""

    def __init__(self) -> None:
        super().__init__()
        self.label = LabelCondition(3)


def without(what: Any, data: Any, condition: str | None = None, model: Any = None) -> tuple[Tensor, Tensor, Figure]:
    it = subject(data, condition)
    it.model, it.without = model or Networked(), what
    return made(it)


def test_without_the_latent_a_class_has_an_image_ten_in_a_row(tmp_path: Path) -> None:
    z, given, figure = without("latent", Many())
    assert not z.any()
    assert given.tolist() == [*range(30)]
    assert tiles(figure).shape[:2] == (3, 10)
    assert row_names(figure) == ["0 to 9", "10 to 19", "20 to 29"]
    plots.save(figure, tmp_path / "it.png")
    assert shows(tmp_path / "it.png")
    z, given, figure = without("latent", Numbered(), "c,a")
    assert given.tolist() == [2, 0]
    assert (names(figure), row_names(figure)) == (["c", "a"], [])
    assert "with latent 0" in " ".join(figure.texts[0].get_text().split())


@pytest.mark.parametrize(("data", "shape"), [(CelebA(), (4, 11)), (Faces(), (4, 1))], ids=["celeba", "faces"])
def test_without_the_latent_attributes_are_those_of_the_picture_with_it(data: Any, shape: tuple[int, int]) -> None:
    z, given, figure = without("latent", data)
    assert not z.any()
    assert torch.equal(given.unique(dim=0), made(subject(data))[1].unique(dim=0))
    assert tiles(figure).shape[:2] == shape
    assert "with latent 0" in " ".join(figure.texts[0].get_text().split())


def test_without_a_label_samples_are_under_none(tmp_path: Path) -> None:
    z, given, figure = without("label", Numbered())
    assert given.tolist() == [NO_LABEL] * 40
    assert len(z.unique(dim=0)) == 40
    assert "no label" in figure.texts[0].get_text()
    plots.save(figure, tmp_path / "it.png")
    assert shows(tmp_path / "it.png")
    _, given, _ = without("label", Faces(), model=Conditional())
    assert given.tolist() == [[0.0] * 3] * 40


@pytest.mark.parametrize("embedding", [None, 5])
def test_a_network_makes_zeros_of_no_label_and_training_refuses_it(embedding: int | None) -> None:
    condition = LabelCondition(4, embedding)
    labels = torch.tensor([2, NO_LABEL, 0])
    numbers = condition(labels)
    assert not numbers[1].any()
    torch.testing.assert_close(numbers[[0, 2]], condition(torch.tensor([2, 0])))
    assert numbers[[0, 2]].any(dim=1).all()
    with pytest.raises(InputError, match="the labels reach from -1 to 2, but there are 4 classes"):
        condition.check(labels)


def test_what_cannot_be_left_out_is_refused() -> None:
    with pytest.raises(InputError, match="the networks of Conditional have no LabelCondition, which could do without a label"):
        without("label", Numbered(), model=Conditional())
    with pytest.raises(InputError, match="what was chosen by --condition cannot be left out"):
        without("label", Numbered(), "c")


class Conditioned(Plane):
    condition_name = "labels"


@pytest.mark.parametrize(
    ("model", "data", "sentence"),
    [
        (Copyist(), Numbered(), "Copyist has no condition"),
        (Conditional(), None, "there is no data module"),
        (Conditional(), Written(), "conditions of the data are neither labels nor attributes"),
        (Conditional(), Conditioned(), "samples are points and no images"),
    ],
)
def test_what_is_lacking_is_said(model: Any, data: Any, sentence: str) -> None:
    assert why_not("conditions", Subject(model, data)) == sentence


@pytest.mark.parametrize("data", [CelebA(), Faces(), Many()], ids=["celeba", "attributes", "labels"])
def test_names_are_neither_cut_off_nor_in_the_way_of_the_title(data: Any) -> None:
    figure = draw("conditions", subject(data, num_images=6))
    figure.draw_without_rendering()
    axes, (title,) = figure.axes[0], figure.texts
    boxes = [label.get_window_extent() for label in (*axes.get_xticklabels(), *axes.get_yticklabels())]
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width and box.y1 <= title.get_window_extent().y0 for box in boxes)
