"""Which kinds of pictures there are, and that what cannot be drawn is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from torch import nn

from lightning_gans.errors import InputError
from lightning_gans.figures import kinds
from lightning_gans.figures.kinds import KINDS, draw, why_not
from lightning_gans.figures.subject import Subject
from lightning_gans.priors import Uniform
from tests.figures.test_kinds import Album, Copyist, Painter, Placer, Plane
from tests.games.gaan import make_gaan
from tests.games.gan import make_gan

COMMON = ["samples", "reconstructions", "interpolations", "latent_map", "density"]


def test_kinds_are_the_modules_of_their_folder_in_an_order_that_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(KINDS)[:5] == COMMON
    files = {file.stem for file in Path(kinds.__file__).parent.glob("[a-z]*.py")}
    assert KINDS.keys() == files
    for kind in KINDS.values():
        assert kind.__doc__
        assert callable(kind.draw)
        assert callable(kind.why_not)
        assert hasattr(kind, "keep") == hasattr(kind, "over_training")
    assert [name for name, kind in KINDS.items() if getattr(kind, "EACH_TIME", False)] == [
        "samples",
        "reconstructions",
        "codes",
    ]
    (tmp_path / "a_new_kind.py").write_text("EACH_TIME = True")
    monkeypatch.setattr(kinds, "__path__", [*kinds.__path__, str(tmp_path)])
    assert list(kinds._find()) == [*COMMON, *sorted([*files - {*COMMON}, "a_new_kind"])]


@pytest.mark.parametrize(
    ("kind", "model", "data", "sentence"),
    [
        ("reconstructions", Painter(), Album(), "Painter has no encoder"),
        ("latent_map", Painter(Uniform(3)), Album(), "latents of Painter have 3 numbers"),
        ("interpolations", Placer(), Plane(), "samples are points"),
        ("density", Placer(), Plane(), "more than one number"),
        ("reconstructions", Copyist(), None, "no data module"),
        ("samples", nn.Linear(2, 2), Album(), "Linear makes no samples"),
    ],
)
def test_what_a_model_lacks_is_said_with_what_there_is(kind: str, model: nn.Module, data: Any, sentence: str) -> None:
    it = Subject(model, data)
    with pytest.raises(InputError, match=sentence) as refused:
        draw(kind, it)
    there = [name for name in KINDS if why_not(name, it) is None]
    assert str(refused.value).endswith(f"has {', '.join(there) or 'no pictures'}")
    assert kind not in there


def test_an_unknown_kind_is_refused_with_those_that_apply() -> None:
    it = Subject(make_gan(), Plane())
    with pytest.raises(InputError, match=r"no such kind of picture as sample; GAN on album has samples, latent_map$"):
        draw("sample", it)


def test_a_model_without_data_is_drawn_as_far_as_that_goes() -> None:
    assert [kind for kind in KINDS if why_not(kind, Subject(make_gaan())) is None] == ["samples"]
    without = ["samples", "interpolations", "latent_map", "manifold"]
    assert [kind for kind in KINDS if why_not(kind, Subject(Copyist())) is None] == without
    for kind in without:
        draw(kind, Subject(Copyist()))
    draw("samples", Subject(make_gaan().requires_grad_(False)))
