"""What the page asks of a model, without a page."""

from __future__ import annotations

import io
import json
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from lightning_gans import Categorical, Images, InputError, MixtureOfGaussians, Normal, Product, Uniform
from lightning_gans.explore import Explorer
from lightning_gans.explore.about import about
from lightning_gans.figures import plots
from lightning_gans.figures.kinds import attributes
from lightning_gans.figures.subject import Subject
from tests.figures.test_attributes import Faces
from tests.figures.test_captions import ByName, Captioned, Reader
from tests.figures.test_conditions import Conditional
from tests.figures.test_kinds import SIDE, Album, Copyist, Painter, Placer, Plane

Explore = Callable[[str], Explorer]


class Told(Album):
    """What an album says besides to whom is explored."""

    condition_kinds: Any = {}  # noqa: RUF012
    condition_name = None
    extent = 1.0


def png(pixels: Any) -> bytes:
    Image.fromarray(np.asarray(pixels, np.uint8)).save(file := io.BytesIO(), "PNG")
    return file.getvalue()


def bomb() -> bytes:
    """A PNG of 200 megapixels by its head."""
    head = bytearray(png(np.zeros((1, 1))))
    head[16:24] = (20_000).to_bytes(4, "big") + (10_000).to_bytes(4, "big")
    head[29:33] = zlib.crc32(head[12:29]).to_bytes(4, "big")
    return bytes(head)


def test_a_seed_has_the_samples_of_the_picture(explorer: Explore) -> None:
    it = explorer("VAE")
    made = it.draw(5)
    assert made.shape == (36, 8, 8, 1)
    assert made.dtype == np.uint8
    picture = Subject(it.model, it.data, seed=5, num_images=36)
    with torch.no_grad():
        assert np.array_equal(made, plots.to_bytes(picture.samples).permute(0, 2, 3, 1).numpy())
    assert np.array_equal(made, it.draw(5))
    assert not np.array_equal(made, it.draw(6))


def test_a_chosen_sample_is_that_of_the_grid_and_its_latent_gives_it_again(explorer: Explore) -> None:
    it = explorer("ConditionalGAN")
    made, one = it.draw(3), it.choose(3, 7)
    assert np.abs(made[7].astype(int) - one.picture).max() <= 1, "alone the last bits may be others"
    labels = it.data.labels("test")[it.subject.rows(it.count)]
    assert one.condition == {"labels": labels[7].item()}
    again = it.show(one.latent, one.condition)
    assert np.array_equal(again.picture, one.picture)
    assert again.latent == one.latent
    text = json.dumps(it.written(one.latent, one.condition))
    assert np.array_equal(it.read(text).picture, one.picture)


def test_numbers_of_a_latent_are_written_short_and_exactly(explorer: Explore) -> None:
    it = explorer("VAE")
    latent = it.choose(0, 0).latent
    exact = it.model.prior.sample(36, it.subject.generator)[0]
    assert torch.equal(torch.tensor(latent), exact)
    assert max(len(repr(number)) for number in latent) <= 14


def test_what_is_asked_for_holds_for_every_sample(explorer: Explore) -> None:
    it = explorer("ConditionalGAN")
    assert it.choose(0, 4, {"labels": 2}).condition == {"labels": 2}
    assert not np.array_equal(it.draw(0, {"labels": 2}), it.draw(0, {"labels": 3}))
    with pytest.raises(InputError, match="the condition has other labels than whole numbers from 0 to 9"):
        it.draw(0, {"labels": 10})
    assert explorer("VAE").choose(0, 0, {"labels": 10}).condition == {}, "of a model without conditions none are asked"


def test_a_way_is_the_priors_and_has_its_ends(explorer: Explore) -> None:
    it = explorer("VAE")
    a, b = it.choose(0, 0), it.choose(0, 1)
    way = it.way(a.latent, b.latent)
    assert way.shape == (11, 8, 8, 1)
    for place, end in ((0, a), (100, b)):
        shown = it.walk(a.latent, b.latent, place)
        assert np.abs(shown.picture.astype(int) - end.picture).max() <= 1
        np.testing.assert_allclose(shown.latent, end.latent, atol=1e-6)
    middle = torch.tensor(it.walk(a.latent, b.latent, 50).latent)
    expected = it.model.prior.interpolate(torch.tensor([a.latent]), torch.tensor([b.latent]), 3)[1, 0]
    torch.testing.assert_close(middle, expected)
    assert np.abs(way[5].astype(int) - it.walk(a.latent, b.latent, 50).picture).max() <= 1
    with pytest.raises(InputError, match="places 0 to 100"):
        it.walk(a.latent, b.latent, 101)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda it: it.show([0.0]), "has latents of 1 numbers, but those of the model have"),
        (lambda it: it.show([float("nan")] * 3), "no rows of finite numbers"),
        (lambda it: it.show("text"), "no rows of finite numbers"),
        (lambda it: it.show(it.choose(0, 0).latent, None, None, {"Smiling": 2}), None),
        (lambda it: it.read('{"latents": [[1, 2'), "the latent is no JSON"),
        (lambda it: it.read("[1, 2]"), "no rows of finite numbers in latents"),
        (lambda it: it.read('{"latents": [[1, 2]]}'), "has latents of 2 numbers"),
        (lambda it: it.draw(-1), "the seed is -1"),
        (lambda it: it.draw("0"), "the seed is 0, but must be a whole number"),
        (lambda it: it.choose(0, 36), "there is no sample 36; a seed has 0 to 35"),
    ],
)
def test_what_does_not_fit_is_a_sentence(call: Callable[[Explorer], Any], sentence: str | None, explorer: Explore) -> None:
    if sentence is None:
        call(explorer("VAE"))
        return
    with pytest.raises(InputError, match=sentence):
        call(explorer("VAE"))


class Plotter(Painter):
    """Every number of a latent is somewhere in the image."""

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        return torch.nn.functional.pad(z / 2, (0, SIDE**2 - z.shape[1])).view(-1, 1, SIDE, SIDE)


def infogan() -> Explorer:
    prior = Product({"noise": Uniform(12), "digit": Categorical(4), "stroke": Uniform(2)})
    return Explorer(Plotter(prior), Told())


def test_codes_are_set_and_the_rest_of_the_latent_stays() -> None:
    it = infogan()
    assert about(it)["codes"] == [
        {"name": "digit", "classes": 4},
        {"name": "stroke, number 1", "low": -2, "high": 2},
        {"name": "stroke, number 2", "low": -2, "high": 2},
    ]
    latent = it.choose(0, 0).latent
    shown = it.show(latent, None, {"digit": 2, "stroke, number 2": 1.5, "another model's": 3})
    assert shown.latent[:12] == latent[:12]
    assert shown.latent[12:] == [0, 0, 1, 0, latent[16], 1.5]
    assert shown.codes == {"digit": 2, "stroke, number 1": pytest.approx(latent[16]), "stroke, number 2": 1.5}
    with pytest.raises(InputError, match="digit has the values 0 to 3, not 4"):
        it.show(latent, None, {"digit": 4})
    with pytest.raises(InputError, match="must be a number below a million"):
        it.show(latent, None, {"stroke, number 1": "much"})


def test_all_numbers_of_a_short_latent_are_codes_and_none_of_a_long_one() -> None:
    assert [code["name"] for code in about(Explorer(Painter(Normal(2)), Told()))["codes"]] == ["z, number 1", "z, number 2"]
    assert [*Explorer(Painter(MixtureOfGaussians()), Told()).codes] == ["z, number 1", "z, number 2"]
    assert not about(Explorer(Painter(Normal(64)), Told()))["codes"]


class ToldFaces(Faces):
    extent = 1.0


def test_latents_are_moved_along_attributes_once_these_are_learnt() -> None:
    it = Explorer(Copyist(), ToldFaces())
    assert about(it)["attributes"]
    latent = it.choose(0, 0).latent
    assert it.show(latent, None, None, {"lit": 1.0}).latent == latent, "not learnt yet"
    assert it.learn_attributes() == ["even", "lit"]
    moved = it.show(latent, None, None, {"lit": -2.0, "even": 0.5})
    vectors = attributes.attribute_vectors(it.subject)[0].float()
    expected = torch.tensor(latent) - 2 * vectors[1] + 0.5 * vectors[0]
    torch.testing.assert_close(torch.tensor(moved.latent), expected, atol=1e-6, rtol=0)
    assert not about(Explorer(Copyist(), Told()))["attributes"]


class ToldCaptions(Captioned):
    extent, condition_name = 1.0, "captions"


class ToldByName(ByName):
    extent, condition_name = 1.0, None


@pytest.mark.parametrize("data", [ToldCaptions(), ToldByName()], ids=["alone", "beside labels"])
def test_images_are_made_of_a_caption(data: Any) -> None:
    it = Explorer(Reader(), data)
    assert about(it)["conditions"] == {"captions": []}
    shown = it.choose(0, 1)
    assert shown.condition["captions"].startswith("hair ")
    asked = it.choose(0, 1, {"captions": "blue hair"})
    assert asked.condition["captions"] == "blue hair"
    assert asked.latent == shown.latent
    given = it.model.conditions[-1]
    codes = given["captions"] if isinstance(given, dict) else given
    assert bytes(codes[0].tolist()).rstrip(b"\0") == b"blue hair"
    assert it.read(json.dumps(it.written(asked.latent, asked.condition))).condition == asked.condition
    for text in ("", "  "):
        with pytest.raises(InputError, match="a caption in the condition is empty; write a caption"):
            it.draw(0, {"captions": text})


def test_attributes_are_asked_for_as_zeros_and_ones() -> None:
    it = Explorer(Conditional(), ToldFaces())
    assert about(it)["conditions"] == {"attributes": ["even", "lit", "rare"]}
    assert it.choose(0, 0, {"attributes": [1, 0, 1]}).condition == {"attributes": [1, 0, 1]}
    with pytest.raises(InputError, match="other attributes than rows of 3 zeros and ones"):
        it.draw(0, {"attributes": [1, 0]})


class ToldPlane(Plane):
    condition_kinds: Any = {}  # noqa: RUF012


def test_points_are_points() -> None:
    it = Explorer(Placer(), ToldPlane())
    made = it.draw(0)
    assert made.shape == (1000, 2)
    one = it.choose(0, 999)
    np.testing.assert_allclose(one.picture, made[999], atol=1e-6)
    own, shown = it.own_point(1.0, -0.8)
    assert own.tolist() == pytest.approx([1.0, -0.8])
    assert shown.latent == pytest.approx([0.25, -0.2])
    assert it.way(one.latent, shown.latent).shape == (11, 2)
    assert about(it)["centres"] == [[-1, -1], [1, -1], [-1, 1], [1, 1]]
    with pytest.raises(InputError, match="points; give two numbers instead of an image"):
        it.own(b"", "me.png")
    with pytest.raises(InputError, match="x is nan"):
        it.own_point(float("nan"), 0)


class ThreeNumbers(ToldPlane):
    shape: Any = (3,)


class InRows(Normal):
    """Latents are tables."""

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        return super().sample(n, generator).view(n, 2, -1)


def test_what_cannot_be_explored_is_refused() -> None:
    with pytest.raises(InputError, match=r"latents of Painter are \(2, 2\) and no row of numbers"):
        Explorer(Painter(InRows(4)), Told())
    with pytest.raises(InputError, match="Linear makes no samples"):
        Explorer(nn.Linear(2, 2), Told())
    with pytest.raises(InputError, match="points of 3 numbers"):
        Explorer(Placer(), ThreeNumbers())
    with pytest.raises(InputError, match="--num_images is 0"):
        Explorer(Painter(), Told(), num_images=0)


class Careful(Painter):
    """Fails if it is asked while it answers."""

    at_work = 0

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        self.at_work += 1
        assert self.at_work == 1
        assert not torch.is_grad_enabled()
        made = super().decode(z, condition)
        self.at_work -= 1
        return made


def test_who_asks_at_the_same_time_waits() -> None:
    it, found = Explorer(Careful(), Told()), []
    threads = [threading.Thread(target=lambda seed=seed: found.append((seed, it.draw(seed)))) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    for seed, made in found:
        assert np.array_equal(made, it.draw(seed)), "each has the samples of its own seed"


def test_the_model_is_in_evaluation_mode(tmp_path: Path) -> None:
    model = Painter()
    model.train()
    data = Images("digits", root=str(tmp_path))
    data.prepare_data()
    data.setup("validate")
    assert not Explorer(model, data).model.training
