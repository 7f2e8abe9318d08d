"""Models that are conditioned on several things at once are given the real split's rows of all of them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_gans import Images, evaluate
from lightning_gans.commands._probed import Probed
from lightning_gans.evaluation.measure import Evaluator
from lightning_gans.evaluation.real.images import RealSet
from lightning_gans.figures.subject import Subject
from tests.evaluation.tiny import Noise, Tiny, noise_images


class Needy(Noise):
    """A model that takes labels and numbers together, and keeps what it was given."""

    def __init__(self) -> None:
        super().__init__(1.0)
        self.given: dict[str, list[dict[str, Tensor]]] = {"encode": [], "decode": [], "sample": []}
        self.device, self.dtype = torch.device("cpu"), torch.float32

    def _take(self, of: str, n: int, condition: Any) -> None:
        assert {*condition} == {"labels", "numbers"}
        assert all(len(values) == n for values in condition.values())
        self.given[of].append(condition)

    def encode(self, images: Tensor, condition: Any = None, generator: Any = None) -> Tensor:
        self._take("encode", len(images), condition)
        return images.flatten(1) - condition["numbers"].float().view(-1, 1) / 1000

    def decode(self, z: Tensor, condition: Any = None) -> Tensor:
        self._take("decode", len(z), condition)
        return (z + condition["numbers"].float().view(-1, 1) / 1000).view(-1, 1, 8, 8) * self.spread

    def sample(self, n: int, condition: Any = None, generator: torch.Generator | None = None) -> Tensor:
        self._take("sample", n, condition)
        return self.prior.sample(n, generator).view(-1, 1, 8, 8) * 0.5 + condition["labels"].view(-1, 1, 1, 1) / 20

    def all_given(self, to: str) -> dict[str, Tensor]:
        return {name: torch.cat([one[name] for one in self.given[to]]) for name in ("labels", "numbers")}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Images:
    """Whose images travel with their labels and their numbers."""
    images = noise_images(tmp_path)

    def both(split: str, rows: Tensor) -> dict[str, Tensor]:
        labels = images.labels(split)
        assert labels is not None
        return {"labels": labels[rows], "numbers": rows}

    monkeypatch.setattr(images, "conditions", both)
    return images


def evaluator(data: Images, *metrics: Any) -> Evaluator:
    return Evaluator(RealSet(data, num_real=90, network=Tiny()), metrics, num_samples=700)


def test_samples_are_made_under_rows_of_the_real_images(data: Images) -> None:
    measuring, model = evaluator(data, "fd", "prdc"), Needy()
    assert "fd_tiny" in measuring.measure(model)
    given = model.all_given("sample")
    assert torch.equal(given["labels"], given["numbers"] % 10)
    assert {*given["numbers"].tolist()} == {*measuring.real.rows.tolist()}


def test_reconstructions_are_encoded_and_decoded_under_their_own_rows(data: Images) -> None:
    measuring, model = evaluator(data, "reconstruction"), Needy()
    assert measuring.measure(model)["reconstruction_mse"] == pytest.approx(0, abs=1e-9)
    for given in (model.all_given("encode"), model.all_given("decode")):
        assert torch.equal(given["numbers"], measuring.real.rows)


def test_the_plain_function_hands_them_to_any_sampler(data: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "prepare_data", lambda: None)
    monkeypatch.setattr(data, "setup", lambda stage: None)
    seen: list[dict[str, Tensor]] = []

    def sampler(n: int, condition: Any, generator: torch.Generator) -> Tensor:
        seen.append(condition)
        return torch.rand(n, 1, 8, 8, generator=generator) - 0.5

    evaluate(sampler, data, ["fd"], "tests.evaluation.tiny.Tiny", num_samples=600, device="cpu")
    assert [len(condition["numbers"]) for condition in seen] == [500, 100]
    assert all(torch.equal(condition["labels"], condition["numbers"] % 10) for condition in seen)


def test_figures_are_drawn_under_rows_of_the_test_split(data: Images) -> None:
    subject = Subject(model := Needy(), data, num_images=36)
    assert subject.samples.shape == (36, 1, 8, 8)
    assert torch.equal(model.all_given("sample")["numbers"], subject.rows(36))
    rows = torch.tensor([4, 2, 7])
    assert torch.allclose(subject.reconstruct(rows), data.real("test", rows), atol=1e-6)
    assert torch.equal(model.all_given("encode")["numbers"], rows)


def test_latents_are_probed_under_rows_of_their_split(data: Images) -> None:
    probed = Probed(model := Needy(), data, argparse.Namespace(kind="knn", layers=None, num_samples=600, seed=0))
    rows = torch.tensor([5, 1, 120])
    latents = probed.features("test", rows=rows)
    assert torch.allclose(latents, data.real("test", rows).flatten(1) - rows.view(-1, 1) / 1000, atol=1e-6)
    assert len(probed.features("train")) == 300
    assert torch.equal(model.all_given("encode")["numbers"], torch.cat([rows, torch.arange(300)]))
    assert len(torch.cat(list(probed.samples("test", 600)))) == 600
    assert torch.equal(model.all_given("sample")["numbers"], torch.arange(600) % 130)
