"""The plain function: the numbers of the callback, for any sampler and any images."""

from __future__ import annotations

import doctest
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import lightning_gans
from lightning_gans import Evaluation, Images, InputError, evaluate
from lightning_gans.evaluation.features import recipes
from lightning_gans.evaluation.samples.quantise import quantise
from tests.evaluation.tiny import Noise, Tiny
from tests.games.gaan import make_image_gaan
from tests.games.gan import make_gan
from tests.helpers import fit

TINY = "tests.evaluation.tiny.Tiny"


@pytest.fixture
def data(tmp_path: Path) -> Images:
    """300 training and 130 test images of noise, 8x8 grey, of 10 classes; not opened yet."""
    random = np.random.default_rng(3)
    arrays: dict[str, Any] = {"classes": list("0123456789")}
    for split, size in (("train", 300), ("test", 130)):
        arrays[f"{split}_images"] = random.integers(60, 200, (size, 8, 8), dtype=np.uint8)
        arrays[f"{split}_labels"] = np.arange(size) % 10
    np.savez(tmp_path / "noise.npz", **arrays)
    return Images(str(tmp_path / "noise.npz"), root=str(tmp_path), batch_size=20)


def compared(sampler: Any, real: Any, **settings: Any) -> float:
    return evaluate(sampler, real, **{"features": TINY, "num_samples": 1100, "device": "cpu", **settings})["fd_tiny"]


def drawn(n: int, generator: torch.Generator) -> Tensor:
    return 0.5 * (2 * torch.rand(n, 1, 8, 8, generator=generator) - 1)


def test_the_numbers_are_those_of_the_callback(data: Images, tmp_path: Path) -> None:
    metrics = ["fd", "kid", "is", "prdc", "reconstruction"]
    settings: Any = {"metrics": metrics, "features": TINY, "num_samples": 700, "num_real": 90, "seed": 4}
    game = make_image_gaan()
    for parameter in game.generator.parameters():
        parameter.data *= 12  # or every image is grey
    fit(game, 2, data, callbacks=[Evaluation(**settings)], default_root_dir=tmp_path / "run")
    (file,) = (tmp_path / "run").rglob("evaluation.jsonl")
    record = json.loads(file.read_text())
    found = evaluate(game, data, **settings)
    assert len(found) > 8
    assert found == {name: record[name] for name in found}


def test_points_are_counted_as_by_the_callback(tmp_path: Path) -> None:
    fit(game := make_gan(), 2, callbacks=[Evaluation(modes="ali", num_samples=900)], default_root_dir=tmp_path)
    (file,) = tmp_path.rglob("evaluation.jsonl")
    record = json.loads(file.read_text())
    found = evaluate(game, Images("grid25"), ["modes"], modes="ali", num_samples=900)
    assert found
    assert found == {name: record[name] for name in found}


class Plain:
    """No module."""

    def sample(self, n: int, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        assert condition is not None
        assert generator is not None
        self.condition = condition
        return drawn(n, generator)


class Model(Noise):
    """Complete."""

    def sample(self, n: int, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        assert generator is not None
        return drawn(n, generator)


class WithoutCondition(nn.Module):
    """No prior, no decode, no weights."""

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        assert not self.training
        return drawn(n, generator)


SAMPLERS = {
    "method": Plain(),
    "module": WithoutCondition(),
    "function": drawn,
    "by position": lambda n, g: drawn(n, g),
    "by keyword": lambda n, *, generator: drawn(n, generator),
    "with a default": lambda n, scale=1, generator=None: scale * drawn(n, generator),
    "bytes": lambda n, generator: quantise(drawn(n, generator)),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_form_of_a_sampler_gives_the_number_of_a_model(name: str, data: Images) -> None:
    assert compared(SAMPLERS[name], data) == compared(Model(), data)


def test_a_function_without_generator_is_repeatable_and_leaves_the_streams_alone(data: Images) -> None:
    def free(n: int) -> Tensor:
        return 2 * torch.rand(n, 1, 8, 8) - 1

    stream = torch.get_rng_state()
    first = compared(free, data)
    assert torch.equal(torch.get_rng_state(), stream)
    torch.rand(3)
    assert compared(free, data) == first
    assert compared(free, data, seed=1) != first


def test_the_blocks_of_a_function_without_generator_differ(data: Images) -> None:
    seen: list[Tensor] = []

    def free(n: int) -> Tensor:
        seen.append(2 * torch.rand(n, 1, 8, 8) - 1)
        return seen[-1]

    compared(free, data)
    assert [len(some) for some in seen] == [500, 500, 100]
    assert not torch.equal(seen[0], seen[1])


@pytest.mark.parametrize("form", ["float", "bytes", "with labels"])
def test_a_tensor_of_the_same_images_gives_the_same_number(form: str, data: Images, tmp_path: Path) -> None:
    expected = compared(drawn, data, num_real=90)
    images = data.real("test")
    real = {"float": images, "bytes": quantise(images), "with labels": (images, data.labels("test"))}[form]
    assert compared(drawn, real, num_real=90) == expected


def test_the_split_is_the_one_asked_for(data: Images) -> None:
    on_train = compared(drawn, data, split="train")
    assert on_train == pytest.approx(compared(drawn, data.real("train")), rel=1e-9)
    assert on_train != compared(drawn, data)


def test_a_conditional_sampler_is_given_the_labels_of_a_tensor(data: Images) -> None:
    labels = torch.arange(40) % 7
    images = torch.rand(40, 1, 8, 8) * 2 - 1
    compared(sampler := Plain(), (images, labels), num_samples=80)
    assert torch.equal(sampler.condition.bincount(), 2 * labels.bincount())


def test_statistics_of_a_tensor_are_kept_only_where_asked(
    data: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    data.prepare_data()
    data.setup("validate")
    expected = compared(drawn, data.real("test"))
    assert list(Path().iterdir()) == []
    for _ in range(2):
        assert compared(drawn, data.real("test"), cache_dir="kept") == expected
    assert len(list(Path("kept").iterdir())) == 1
    assert compared(drawn, -data.real("test"), cache_dir="kept") == compared(drawn, -data.real("test")) != expected
    assert len(list(Path("kept").iterdir())) == 2


def test_images_are_compared_by_the_distance_that_formulas_give() -> None:
    real = torch.rand(400, 1, 8, 8) * 2 - 1
    network = Tiny()
    made = real[:300] * 0.7
    x, y = (network(quantise(some)).double() for some in (real, made))
    root = torch.linalg.eigvals(x.T.cov() @ y.T.cov()).real.clamp_min(0).sqrt().sum()
    expected = (x.mean(0) - y.mean(0)).square().sum() + x.T.cov().trace() + y.T.cov().trace() - 2 * root
    assert compared(lambda n: made[:n], real, num_samples=300, num_real=400) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize(
    ("sampler", "words"),
    [
        (nn.Linear(3, 3), r"Linear is a network without a method sample.*lambda n, generator"),
        (5, "sampler is int"),
        (lambda n: drawn(n - 1, torch.Generator()), r"a tensor \(499, 1, 8, 8\) when asked for 500"),
        (lambda n: [drawn(n, torch.Generator())], r"a tensor \(1, 500, 1, 8, 8\) when asked for 500"),
        (lambda n: (drawn(n, torch.Generator()),), "a tuple when asked for 500"),
        (lambda n: torch.rand(n, 3, 8, 8) * 2 - 1, r"images \(3, 8, 8\).*\(1, 8, 8\)"),
        (lambda n: torch.rand(n, 1, 8, 8), r"as if in \[0, 1\]"),
        (lambda n: drawn(n, torch.Generator()) / 0, "NaN or infinite"),
    ],
)
def test_what_gives_no_images_is_refused(sampler: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        compared(sampler, torch.rand(50, 1, 8, 8) * 2 - 1)


@pytest.mark.parametrize(
    ("real", "words"),
    [
        (torch.rand(50, 1, 8, 8), r"\[-1, 1\] is due"),
        (255 * torch.rand(50, 1, 8, 8) - 1, r"\[-1, 1\] is due"),
        (torch.full((5, 1, 8, 8), torch.nan), r"\[nan, nan\]"),
        (torch.zeros(50, 1, 8, 8, dtype=torch.long), "must be uint8 or floating"),
        (torch.rand(50, 8, 8), r"\(50, 8, 8\), but must be"),
        (torch.rand(50, 2, 8, 8), "1 or 3"),
        ((torch.rand(5, 1, 8, 8) - 0.5, torch.zeros(4).long()), "labels must be 5 integers"),
        ((torch.rand(5, 1, 8, 8) - 0.5, torch.zeros(5)), "labels must be 5 integers"),
    ],
)
def test_real_images_that_are_none_are_refused(real: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        compared(drawn, real)


def test_reconstructions_of_what_does_not_encode_and_unknown_metrics_are_refused(data: Images) -> None:
    with pytest.raises(InputError, match="reconstructions need a model with prior, encode and decode; function is none"):
        compared(drawn, data, metrics=["reconstruction"])
    with pytest.raises(InputError, match="'fdi', but must be of caption_agreement, classify, clusters, diversity, fd, fid"):
        compared(drawn, data, metrics=["fdi"])


def test_the_examples_of_the_docstring_are_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = replace(recipes.RECIPES["digits"], epochs=4, max_error=0.1)
    monkeypatch.setitem(recipes.RECIPES, "digits", recipe)
    test = doctest.DocTestFinder(recurse=False).find(lightning_gans.evaluate, "evaluate", globs={})[0]
    assert len(test.examples) >= 8
    assert doctest.DocTestRunner().run(test).failed == 0


def test_arrays_and_lists_of_images_are_compared_as_tensors_are() -> None:
    pixels = torch.randint(0, 256, (1100, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    grey = pixels[:, 0].numpy()
    expected = compared(drawn, pixels)
    for real in (pixels.numpy(), grey, grey[..., None], [*pixels], [*grey], [Image.fromarray(one) for one in grey]):
        assert compared(drawn, real) == expected
    floats = pixels.numpy() / 127.5 - 1
    assert compared(drawn, floats) == expected
    sampled = compared(lambda n: pixels[:n], pixels.flip(-1))
    assert compared(lambda n: grey[:n, ..., None], pixels.flip(-1)) == sampled
    assert compared(lambda n: [*grey[:n]], pixels.flip(-1)) == sampled


@pytest.mark.parametrize(
    ("real", "words"),
    [
        ([], "give at least one"),
        ([np.zeros((8, 8), np.uint8), np.zeros((9, 8), np.uint8)], "all of one size"),
        (["a.png"], "the list holds str"),
        (np.zeros((2, 8, 8), object), "array of object"),
    ],
)
def test_lists_and_arrays_of_something_else_are_refused(real: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        compared(drawn, real)


def test_images_in_a_corner_of_their_type_are_warned_of() -> None:
    dark = torch.randint(0, 2, (1100, 1, 8, 8), dtype=torch.uint8)
    with pytest.warns(UserWarning, match="no pixel of the real images is brighter than 1 of 255"):
        compared(drawn, dark)
    with pytest.warns(UserWarning, match="no pixel of the samples is brighter than 1 of 255"):
        compared(lambda n: dark[:n], quantise(drawn(1100, torch.Generator())))
