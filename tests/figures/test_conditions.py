"""Pictures of a conditional model: under what travels with test samples, or under what somebody asks for."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_gans import Images, InputError, Pictures
from lightning_gans.commands import figure as command
from lightning_gans.figures import kinds
from lightning_gans.figures.conditions import choose
from lightning_gans.figures.subject import Subject
from lightning_gans.priors import Normal, Prior
from tests.figures.test_attributes import Faces
from tests.figures.test_kinds import Album, Copyist


class Conditional(Copyist):
    """Does nothing without a condition for every sample, and remembers what it was given."""

    conditional = True

    def __init__(self, prior: Prior | None = None) -> None:
        super().__init__(prior)
        self.seen: list[Any] = []

    def decode(self, z: Tensor, condition: Any = None) -> Tensor:
        self._need(z, condition)
        return super().decode(z, condition)

    def encode(self, images: Tensor, condition: Any = None, generator: torch.Generator | None = None) -> Tensor:
        self._need(images, condition)
        self.seen.append(condition)
        return super().encode(images, condition, generator)

    def _need(self, x: Tensor, condition: Any) -> None:
        for values in condition.values() if isinstance(condition, dict) else [condition]:
            assert values is not None, "no condition"
            assert len(values) == len(x)


class Written(Album):
    """Its conditions have two parts."""

    def conditions(self, split: str, rows: Tensor) -> Any:
        return {"codes": rows[:, None].expand(-1, 4), "length": rows}


class Numbered(Album):
    condition_name = "labels"


def subject(data: Any, condition: str | None = None) -> Subject:
    model = Conditional()
    it = Subject(model, data, 3, num_images=40, num_points=20)
    it.chosen = None if condition is None else choose(condition, model, data)
    return it


def decoded(it: Subject) -> list[Any]:
    """What the last picture's samples were made under."""
    return it.model.conditions


def kinds_of(data: Any) -> list[str]:
    return [name for name in kinds.KINDS if kinds.why_not(name, Subject(Conditional(), data)) is None]


@pytest.mark.parametrize("data", [Numbered(), Faces(), Written()], ids=["labels", "attributes", "a dict"])
def test_every_kind_gives_each_sample_the_condition_of_a_test_sample(data: Any) -> None:
    drawn = kinds_of(data)
    assert {"samples", "reconstructions", "interpolations", "latent_map", "density"} <= {*drawn}
    for kind in drawn:
        kinds.draw(kind, it := subject(data))
        assert decoded(it) or it.model.seen, kind


@pytest.mark.parametrize("kind", kinds_of(Numbered()))
def test_every_kind_makes_samples_under_what_was_chosen_and_encodes_images_under_their_own(kind: str) -> None:
    data = Numbered()
    kinds.draw(kind, it := subject(data, "c"))
    assert all({*made.tolist()} == {2} for made in decoded(it))
    assert decoded(it) or it.model.seen
    if it.model.seen and kind != "interpolations":
        assert {*torch.cat(it.model.seen).tolist()} == {0, 1, 2}


def test_several_labels_go_to_the_samples_in_turn() -> None:
    it = subject(Numbered(), "c,0, b")
    assert it.samples.shape[0] == 40
    assert torch.cat(decoded(it)).tolist() == ([2, 0, 1] * 14)[:40]
    it = subject(Numbered(size=600), "2,0")
    it.reconstruct(it.rows(600))
    assert torch.cat(decoded(it)).tolist() == [2, 0] * 300, "over the blocks that a network is given"


def test_a_way_and_a_map_are_under_one_condition_each() -> None:
    kinds.draw("interpolations", it := subject(Numbered(), "2,0"))
    prior, real = decoded(it)
    assert prior.tolist() == [2] * 10 + [0] * 10
    assert real.tolist() == [2] * 8 + [0] * 8
    kinds.draw("latent_map", it := subject(Numbered(), "2,0"))
    assert {*torch.cat(decoded(it)).tolist()} == {2}


def test_attributes_that_are_not_named_are_those_of_the_first_test_sample() -> None:
    data = Faces()
    assert data.has[0].tolist() == [1, 1, 1]
    for text, expected in (("lit=0", [1, 0, 1]), ("even=0, rare=0", [0, 1, 0]), ("even=1", [1, 1, 1])):
        assert choose(text, Conditional(), data).values.tolist() == [expected]
    assert data.has[0].tolist() == [1, 1, 1], "the data is as before"
    kinds.draw("samples", it := subject(data, "lit=0"))
    assert torch.cat(decoded(it)).unique(dim=0).tolist() == [[1, 0, 1]]


def test_a_name_of_a_class_goes_before_its_number() -> None:
    digits = SimpleNamespace(name="d", condition_name="labels", classes=("1", "2", "0"), labels=lambda split: torch.arange(3))
    assert choose("1,0", Conditional(), digits).values.tolist() == [0, 2]
    nameless = SimpleNamespace(name="d", condition_name="labels", classes=(), labels=lambda split: torch.arange(3))
    assert choose("2", Conditional(), nameless).values.tolist() == [2]
    with pytest.raises(InputError, match="--condition has '3', but d has the classes 0 to 2"):
        choose("3", Conditional(), nameless)


@pytest.mark.parametrize(
    ("model", "data", "text", "sentence"),
    [
        (Copyist(), Numbered(), "a", "Copyist has no condition; leave --condition out"),
        (Conditional(), Numbered(), "a,d", "--condition has 'd', but album has the classes a, b, c"),
        (Conditional(), Numbered(), "3", "--condition has '3', but album has the classes a, b, c"),
        (Conditional(), Numbered(), "-1", "--condition has '-1', but"),
        (Conditional(), Faces(), "tall=1", "--condition has 'tall=1', but faces has the attributes even, lit, rare"),
        (Conditional(), Faces(), "lit", "--condition has 'lit', but must say lit=1 or lit=0"),
        (Conditional(), Faces(), "lit=2", "--condition has 'lit=2', but must say lit=1 or lit=0"),
        (Conditional(), Written(), "0", "--condition chooses labels or attributes, but album comes with neither; leave it out"),
    ],
)
def test_what_does_not_fit_is_refused(model: Any, data: Any, text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}"):
        choose(text, model, data)


def test_the_command_takes_a_condition_and_titles_say_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, model = Images("digits", root=str(tmp_path)), Conditional(Normal(2))
    data.prepare_data()
    data.setup("validate")
    monkeypatch.setattr(command, "restore", lambda *given: (model, data, Pictures(num_images=6), 3))
    titles: list[str] = []

    def save(figure: Any, file: Path) -> None:
        titles.extend(" ".join(text.get_text().split()) for text in figure.texts)

    monkeypatch.setattr("lightning_gans.figures.plots.save", save)
    arguments = ["samples", "--ckpt_path=it.ckpt", f"--out={tmp_path / 'it.png'}"]
    command.main([*arguments, "--condition=3,7"])
    assert torch.cat(model.conditions).tolist() == [3, 7] * 3  # type: ignore[arg-type]
    assert titles == ["samples of Conditional on digits, step 3, under 3,7"]
    model.conditions.clear()
    command.main(arguments)
    rows = Subject(model, data).rows(6)
    assert torch.equal(torch.cat(model.conditions), data.labels("test")[rows])  # type: ignore[arg-type,index]
    with pytest.raises(InputError, match="--condition has '10', but digits has the classes"):
        command.main([*arguments, "--condition=10"])
