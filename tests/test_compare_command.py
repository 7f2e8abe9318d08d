"""``lightning compare``: the models of its checkpoints, and what cannot be compared is said."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from lightning_gans import InputError, Normal, Pictures
from lightning_gans.cli import main as train
from lightning_gans.commands import compare
from lightning_gans.figures import plots
from lightning_gans.figures.subject import Subject
from tests.figures.test_comparison import Corners, Generator, Stochastic
from tests.figures.test_kinds import Album, Copyist, Painter, tiles, to_bytes

CPU = "--trainer.accelerator=cpu"


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Fills with the figures that would be saved."""
    figures: list[Figure] = []
    monkeypatch.setattr(compare, "save_and_say", lambda figure, file: figures.append(figure))
    return figures


Stored = dict[str, tuple[Any, Any]]


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> Stored:
    """Stands for checkpoints: (model, data) by file."""
    files: Stored = {}

    def restore(file: Path, options: list[str]) -> Any:
        return *files[str(file)], Pictures(), 3

    monkeypatch.setattr(compare, "restore", restore)
    return files


@pytest.mark.filterwarnings("ignore")
def test_checkpoints_become_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Takes some seconds: a training by the command, and 10,000 points in every panel."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["lightning"])
    quiet = [f"--trainer.{name}=false" for name in ("enable_progress_bar", "enable_model_summary", "logger")]
    short = ["--trainer.max_steps=1", "--pictures.kinds=[]", "--evaluation.metrics=[]"]
    train(["fit", "--model=ALI", "--data.dataset=grid25", CPU, *quiet, *short])
    (file,) = tmp_path.rglob("last.ckpt")
    out, drawn, save = tmp_path / "new" / "it.png", [], plots.save
    monkeypatch.setattr(plots, "save", lambda figure, file: (drawn.append(figure), save(figure, file)))
    compare.main(["--ckpt_path", str(file), "--out", str(out), CPU])
    assert str(out) in capsys.readouterr().out
    assert np.asarray(Image.open(out).convert("L")).std() > 1
    assert re.fullmatch(r"\(a\) ALI\n\d+ of 25 modes", drawn[0].axes[0].get_title())
    assert [len(axes.collections[0].get_offsets()) for axes in drawn[0].axes] == [10_000] * 5
    assert "10,000 test points of grid25" in " ".join(drawn[0].get_suptitle().split())


def test_names_are_those_of_the_columns_in_their_order(stored: Stored, drawn: list[Figure]) -> None:
    stored |= {"a": (Stochastic(), Corners()), "b": (Generator(), Corners())}
    compare.main(["--ckpt_path", "a", "--ckpt_path", "b", "--names", "ALI", "GAN, inverse mapping"])
    compare.main(["--ckpt_path", "a", "b", "a"])
    titles = [[axes.get_title().split("\n")[0] for axes in figure.axes[:n]] for figure, n in zip(drawn, (2, 3), strict=True)]
    assert titles == [["(a) ALI", "(b) GAN, inverse mapping"], ["(a) Stochastic", "(b) Generator", "(c) Stochastic"]]


def test_the_seed_is_that_of_the_noise(stored: Stored, drawn: list[Figure]) -> None:
    stored["a"] = (Stochastic(), Corners())
    for seed in (1, 1, 2):
        compare.main(["--ckpt_path", "a", "--seed", str(seed)])
    first, again, other = ([axes.collections[0].get_offsets() for axes in figure.axes[1:]] for figure in drawn)
    for row in range(4):
        assert (first[row] == again[row]).all()
        assert (first[row] != other[row]).any()


class Elsewhere(Corners):
    name = "elsewhere"


class Shifted(Corners):
    def __init__(self) -> None:
        super().__init__()
        self.images = self.images + 0.01


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        (lambda: (Copyist(), Album()), "b is of album, but a of corners; compare models of the same points"),
        (lambda: (Copyist(), SimpleNamespace(shape=(3,), name="corners")), "b is of corners, points of 3 numbers; compare mod"),
        (lambda: (torch.nn.Linear(2, 2), Corners()), "b has a Linear, which makes no samples"),
        (lambda: (Stochastic(), Elsewhere()), "b is of elsewhere, but a of corners; compare models of the same points"),
        (lambda: (Stochastic(), Shifted()), "b has other test points of corners than a; give the options of data"),
        (
            lambda: (Stochastic(), SimpleNamespace(shape=(2,), name="corners", size=lambda split: 3)),
            "b has other",
        ),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(second: Callable[[], Any], sentence: str, stored: Stored) -> None:
    stored |= {"a": (Stochastic(), Corners()), "b": second()}
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}"):
        compare.main(["--ckpt_path", "a", "b"])


class Bright(Album):
    def __init__(self) -> None:
        super().__init__()
        self.images = self.images.abs()


class Large(Album):
    shape = (1, 16, 16)


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        (lambda: (Stochastic(), Corners()), "b is of corners, but a of album; compare models of the same images"),
        (
            lambda: (Copyist(), Bright()),
            "b has other test images of album than a; give the options of data that both are to have",
        ),
        (lambda: (Copyist(), Large()), "b has other test images of album than a; give the options of data"),
        (lambda: (torch.nn.Linear(2, 2), Album()), "b has a Linear, which makes no samples"),
    ],
)
def test_images_that_cannot_be_compared_are_one_sentence(second: Callable[[], Any], sentence: str, stored: Stored) -> None:
    stored |= {"a": (Copyist(), Album()), "b": second()}
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}"):
        compare.main(["--ckpt_path", "a", "b"])


def test_models_of_images_have_samples_side_by_side_and_reconstructions_below(stored: Stored, drawn: list[Figure]) -> None:
    stored |= {"a": (Painter(), Album()), "b": (Copyist(), Album())}
    for seed in (1, 1, 2):
        compare.main(["--ckpt_path", "a", "b", "--names", "GAN", "GAAN", "--num_images", "16", "--seed", str(seed)])
    first, again, other = ([tiles(figure, panel) for panel in (0, 1)] for figure in drawn)
    for panel in (0, 1):
        assert first[panel].shape[:2] == (4, 4)
        assert (first[panel] == again[panel]).all()
        assert (first[panel] != other[panel]).any()
    it = Subject(Copyist(), Album(), num_images=16, seed=1)
    np.testing.assert_array_equal(first[1].reshape(16, 8, 8), to_bytes(it.samples))
    pairs = tiles(drawn[0], 3, columns=2).reshape(8, 8, 16)
    np.testing.assert_array_equal(pairs[:, :, :8], to_bytes(it.real(it.rows(8))))
    np.testing.assert_allclose(pairs[:, :, 8:], to_bytes(it.reconstruct(it.rows(8))), atol=1)
    said = [" ".join(text.get_text().split()) for text in drawn[0].texts]
    assert said == [
        *("GAN: samples, album", "GAAN: samples, album"),
        *("GAN has no encoder", "GAAN: test images (left) and their reconstructions"),
    ]


def test_pixels_in_the_file_are_those_of_the_images_and_a_fifth_model_is_below(
    stored: Stored, drawn: list[Figure], tmp_path: Path
) -> None:
    stored |= {name: (Copyist(), Album()) for name in "abcde"}
    compare.main(["--ckpt_path", *"abcde", "--num_images", "9"])
    (figure,) = drawn
    plots.save(figure, tmp_path / "it.png")
    file = np.asarray(Image.open(tmp_path / "it.png").convert("RGB"))
    corners = []
    for axes in figure.axes:
        inside, box = np.asarray(axes.images[0].get_array()), axes.get_window_extent()
        top, left = len(file) - round(box.y1), round(box.x0)
        np.testing.assert_array_equal(file[top : top + inside.shape[0], left : left + inside.shape[1]], inside)
        corners.append((top, left))
    samples = corners[:4]
    assert len({top for top, _ in samples}) == 1
    assert len({*np.diff([left for _, left in samples]).tolist()}) == 1
    assert corners[8][1] == corners[0][1]
    assert corners[8][0] > corners[4][0]


def test_models_without_encoders_have_no_second_row(stored: Stored, drawn: list[Figure]) -> None:
    stored |= {"a": (Painter(), Album()), "b": (Painter(), Album())}
    compare.main(["--ckpt_path", "a", "b", "--num_images", "4"])
    assert len(drawn[0].axes) == 2


def test_of_points_with_other_latents_than_two_numbers_these_are_left_out(stored: Stored, drawn: list[Figure]) -> None:
    class Wide(Generator):
        def __init__(self) -> None:
            super().__init__(Normal(256))

        def decode(self, z: torch.Tensor, condition: torch.Tensor | None = None) -> torch.Tensor:
            return 2 * z[:, :2]

    stored |= {"a": (Wide(), Corners()), "b": (Stochastic(), Corners())}
    compare.main(["--ckpt_path", "a", "b"])
    wide, other = drawn[0].axes[::2], drawn[0].axes[1::2]
    assert [len(axes.collections) for axes in wide] == [1, 0, 0, 0, 1]
    assert [[text.get_text() for text in axes.texts] for axes in wide[1:4]] == [
        ["256 numbers"],
        ["no encoder"],
        ["256 numbers"],
    ]
    assert [len(axes.collections) for axes in other] == [1] * 5
    assert "4 of 4 modes" in wide[0].get_title()


def test_names_that_are_not_as_many_are_refused_before_anything_is_read() -> None:
    with pytest.raises(InputError, match="--names must be as many as there are models, 2, not 1"):
        compare.main(["--ckpt_path", "nowhere", "there", "--names", "one"])


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no checkpoint .*gone\.ckpt"):
        compare.main(["--ckpt_path", str(tmp_path / "gone.ckpt")])


@pytest.mark.parametrize("out", ["/dev/null/it.png", "it.nonsense"])
def test_a_picture_that_cannot_be_written_is_said(out: str, stored: Stored, tmp_path: Path) -> None:
    stored["a"] = (Stochastic(), Corners())
    with pytest.raises(InputError, match="cannot be written"):
        compare.main(["--ckpt_path", "a", "--out", str(tmp_path / out)])
