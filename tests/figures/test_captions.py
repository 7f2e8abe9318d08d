"""The picture of the same latents under several texts, on a model made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor

from lightning_gans import CharCNNRNN, Pictures
from lightning_gans.commands import figure as command
from lightning_gans.data.source import decode_caption
from lightning_gans.errors import InputError
from lightning_gans.figures import plots
from lightning_gans.figures.kinds import draw, why_not
from lightning_gans.figures.subject import Subject
from lightning_gans.networks.suggest import ConditionKind
from tests.figures.test_attributes import names, tiles
from tests.figures.test_conditions import Conditional, Numbered
from tests.figures.test_kinds import Album, Copyist, Plane, shows
from tests.figures.test_styles import row_names

LONGEST = 24


class Captioned(Album):
    """Every second image has the caption of the one before."""

    name = "faces"
    condition_kinds: ClassVar = {"captions": ConditionKind("captions", LONGEST)}
    by_name = False

    def conditions(self, split: str, rows: Tensor) -> Any:
        texts = [f"hair {row // 2:02d}" for row in rows.tolist()]
        codes = torch.tensor([[*text.encode().ljust(LONGEST, b"\0")] for text in texts])
        return {"captions": codes, "labels": rows} if self.by_name else codes


class ByName(Captioned):
    by_name = True


class Reader(Conditional):
    """Makes two numbers of a text."""

    def texts(self, condition: Tensor) -> Tensor:
        return condition if condition.is_floating_point() else condition[:, :2].float()


def made(data: Any = None, model: Any = None, **settings: Any) -> tuple[Tensor, Tensor, Figure]:
    """Latents, conditions and the picture."""
    it = Subject(model or Reader(), data or Captioned(), **{"step": 3, "num_images": 40, **settings})
    figure = draw("captions", it)
    return torch.cat(it.model.latents), torch.cat(it.model.conditions), figure


def title(figure: Figure) -> str:
    return " ".join(figure.texts[0].get_text().split())


def test_a_text_is_a_row_and_a_latent_a_column(tmp_path: Path) -> None:
    texts = ["pink short hair", "red", "naïve"]
    z, given, figure = made(text=texts)
    assert [decode_caption(row) for row in given.view(3, 10, LONGEST)[:, 0]] == texts
    assert torch.equal(z.view(3, 10, -1), z[:10].expand(3, -1, -1))
    assert len(z.unique(dim=0)) == 10
    assert row_names(figure) == texts
    assert tiles(figure).shape[:2] == (3, 10)
    plots.save(figure, tmp_path / "it.png")
    assert shows(tmp_path / "it.png")


def test_a_text_may_be_longer_than_those_of_the_training() -> None:
    texts = ["a red beard of many long hairs", "red"]
    _, given, figure = made(text=texts)
    assert given.shape == (20, len(texts[0]))
    assert row_names(figure) == texts


def test_texts_that_cannot_be_read_are_refused() -> None:
    for blank in (" ", "\u200b", "\x1b"):
        with pytest.raises(InputError, match="--text is empty; write a caption"):
            made(text=["red", blank])
    for odd in ("red \udcff", "red\0hair"):  # what a terminal of another encoding gives
        with pytest.raises(InputError, match=r"--text is 'red.*', which is no text in UTF-8; write it anew"):
            made(text=[odd])
    model: Any = Reader()
    model.text_encoder = CharCNNRNN(4, (4, 4, 4), 48)
    with pytest.raises(InputError, match="nothing in the caption '猫' is in the alphabet"):
        made(model=model, text=["red", "猫"])


def test_texts_are_of_any_script_on_one_line_and_of_any_length() -> None:
    arabic, long = "\u0634\u0639\u0631 \u0623\u062d\u0645\u0631", "red hair " * 1100
    texts = ["\u8d64\u3044 \n \u9aea", "\U0001f389 red", arabic, "x \x1b[31m", long]
    _, given, figure = made(text=texts)
    assert [decode_caption(row) for row in given[::8]] == [" ".join(text.split()) for text in texts]
    assert row_names(figure)[:4] == ["\u8d64\u3044 \u9aea", texts[1], texts[2], "x \\x1b[31m"]
    assert len(row_names(figure)[4]) < 120
    assert len(title(made(text=[texts[0], texts[4]], along=True)[2])) < 250


@pytest.mark.parametrize("data", [Captioned(), ByName()], ids=["alone", "by name"])
def test_without_texts_there_are_captions_of_test_images_that_differ(data: Any) -> None:
    _, given, figure = made(data)
    assert given.shape == (36, LONGEST)
    assert len(given.unique(dim=0)) == 6
    assert row_names(figure) == [decode_caption(row) for row in given[::6]]
    assert "caption of a test image by row" in title(figure)
    assert torch.equal(given, made(data)[1])


def test_a_way_goes_from_one_text_to_another_in_the_models_numbers(tmp_path: Path) -> None:
    z, given, figure = made(text=["AB", "KL"], along=True)
    assert given.shape == (40, 2)
    assert torch.equal(given.view(4, 10, 2), given[:10].expand(4, -1, -1))
    torch.testing.assert_close(given[:10, 0], torch.linspace(ord("A"), ord("K"), 10))
    assert all(len(of_row.unique(dim=0)) == 1 for of_row in z.view(4, 10, -1)), "noise is fixed by row"
    assert len(z.unique(dim=0)) == 4
    assert (names(figure)[0], names(figure)[-1]) == ("0.00", "1.00")
    assert "from 'AB' to 'KL' by column" in title(figure)
    plots.save(figure, tmp_path / "it.png")
    assert shows(tmp_path / "it.png")
    for texts in ([], ["AB"], ["AB", "C", "KL"]):
        with pytest.raises(InputError, match=f"--along goes from one text to another, and {len(texts)} are given"):
            made(text=texts, along=True)


def test_latents_are_those_of_the_seed() -> None:
    first, again, other = (made(seed=seed)[0] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


class CaptionedPlane(Plane):
    condition_kinds: ClassVar = Captioned.condition_kinds


@pytest.mark.parametrize(
    ("model", "data", "along", "sentence"),
    [
        (Copyist(), Captioned(), False, "Copyist has no condition"),
        (Reader(), None, False, "there is no data module"),
        (Reader(), Numbered(), False, "conditions of the data are no captions"),
        (Conditional(), Captioned(), True, "Conditional makes no numbers of a text to go along"),
        (Conditional(), Captioned(), False, None),
        (Reader(), CaptionedPlane(), False, "samples are points and no images"),
    ],
)
def test_what_is_lacking_is_said(model: Any, data: Any, along: bool, sentence: str | None) -> None:
    assert why_not("captions", Subject(model, data, along=along)) == sentence


def test_long_names_stand_in_lines_beside_their_row() -> None:
    data = Captioned()
    data.condition_kinds = {"captions": ConditionKind("captions", 300)}  # type: ignore[misc]
    figure = made(data, text=["a small bird with a pointy bill and " * 5, "red"])[2]
    figure.draw_without_rendering()
    name = row_names(figure)[0]
    assert name.count("\n") == 3
    assert max(map(len, name.split("\n"))) <= 30
    assert name.endswith("...")
    boxes = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
    assert all(box.x0 >= 0 for box in boxes)
    assert boxes[0].y0 >= boxes[1].y1


def test_the_command_takes_texts_for_these_kinds_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    model, data = Reader(), Captioned()
    monkeypatch.setattr(command, "restore", lambda *given: (model, data, Pictures(num_images=16), 3))
    monkeypatch.setattr(Pictures, "take_classifier_at_hand", lambda self, data: None)
    figures: list[Figure] = []
    monkeypatch.setattr(command, "save_and_say", lambda figure, file: figures.append(figure))
    command.main(["captions", "--ckpt_path=it.ckpt", "--text", "red hair", "--text", "blue"])
    assert row_names(figures[0]) == ["red hair", "blue"]
    command.main(["captions", "--ckpt_path=it.ckpt", "--text", "AB", "--text", "KL", "--along"])
    assert "from 'AB'" in title(figures[1])
    with pytest.raises(InputError, match="--text is of the picture captions or style_transfer, and samples does without"):
        command.main(["samples", "--ckpt_path=it.ckpt", "--text", "red"])
