"""Whether samples have the colour of their caption, of samplers who are right as often as we say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lightning_gans import Evaluation, InputError
from lightning_gans.data.source import decode_caption, encode_captions
from lightning_gans.evaluation.choices import chosen
from lightning_gans.evaluation.measure import Evaluator
from lightning_gans.evaluation.real.images import RealSet
from lightning_gans.evaluation.records import is_better
from lightning_gans.evaluation.refusals import say_what_is_left_out
from tests.evaluation.tiny import Noise, noise_images
from tests.helpers import on_ranks

COLOURS = ("blue", "red", "green")
CAPTIONS = ["blue hair and red eyes", "long red hair", "green hair", "white hair", "red eyes", "red hair"]


class Brightest(nn.Module):
    """Tells the colour of hair by the brightest of the first three pixels."""

    test_error, colour_of, classes = 0.2, "hair", COLOURS

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1).float()

    def logits(self, features: Tensor) -> Tensor:
        return features[:, :3]


class Obedient(Noise):
    """The hair of a share of the samples, by the order they are drawn in, is as was asked for, that of others is red."""

    conditional = True

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def sample(self, n: int, condition: Any = None, generator: torch.Generator | None = None) -> Tensor:
        captions = condition["captions"] if isinstance(condition, dict) else condition
        hair = [next((c for c in range(3) if f"{COLOURS[c]} hair" in decode_caption(row)), 1) for row in captions]
        obeys = torch.arange(n) % 10 < 10 * self.share
        images = torch.zeros(n, 1, 64)
        images[torch.arange(n), 0, torch.where(obeys, torch.tensor(hair), 1)] = 0.5 + self.spread.detach() / 2
        return images.view(n, 1, 8, 8) - 0.1


class Captioned:
    """Noise whose captions are those above, by turns."""

    def __init__(self, folder: Path, by_name: bool = False, captions: list[str] = CAPTIONS) -> None:
        self.images, self.by_name = noise_images(folder, shape=(8, 8)), by_name
        self.codes = torch.from_numpy(encode_captions([[text] for text in captions]))[:, 0].long()

    def conditions(self, split: str, rows: Tensor) -> Any:
        codes = self.codes[rows % len(self.codes)]
        return {"captions": codes, "labels": rows} if self.by_name else codes

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["images"], name)


def evaluator(data: Any, classifier: Any = None, **settings: Any) -> Evaluator:
    return Evaluator(RealSet(data), ("caption_agreement",), classifier or Brightest(), **{"num_samples": 600, **settings})


@pytest.mark.parametrize("by_name", [False, True])
def test_it_is_the_share_of_samples_with_the_colour_that_the_caption_names(tmp_path: Path, by_name: bool) -> None:
    measuring = evaluator(data := Captioned(tmp_path, by_name))
    found = measuring.measure(Obedient(1.0))
    assert found["caption_agreement_hair"] == 1
    asked = measuring.condition(torch.arange(600))
    codes: Any = asked["captions"] if isinstance(asked, dict) else asked
    named = [decode_caption(row) for row in codes]
    shares = torch.tensor([sum(f"{colour} hair" in text for text in named) for colour in COLOURS]).double()
    assert found["caption_agreement_hair_by_chance"] == pytest.approx(float((shares / shares.sum()).square().sum()))
    always_red = evaluator(data).measure(Obedient(0.0))
    red = float(shares[1] / shares.sum())
    assert always_red["caption_agreement_hair"] == pytest.approx(red)
    assert always_red["caption_agreement_hair_by_chance"] == pytest.approx(red), "whoever does not listen is as good as chance"
    assert red < evaluator(data).measure(Obedient(0.5))["caption_agreement_hair"] < 1


def test_chance_is_what_captions_that_are_dealt_out_anew_get(tmp_path: Path) -> None:
    metric = evaluator(Captioned(tmp_path))._measures[0]
    random = torch.Generator().manual_seed(0)
    asked, found = (torch.randint(3, (400,), generator=random) for _ in range(2))
    asked = torch.where(torch.arange(400) % 2 == 0, found, asked)
    metric._counts = torch.bincount(3 * asked + found, minlength=9).view(3, 3)  # type: ignore[attr-defined]
    dealt = [(asked[torch.randperm(400, generator=random)] == found).double().mean() for _ in range(300)]
    scores = metric.compute()
    assert scores["caption_agreement_hair"] == float((asked == found).double().mean())
    assert scores["caption_agreement_hair_by_chance"] == pytest.approx(float(torch.stack(dealt).mean()), abs=0.005)


def test_a_perfect_sampler_gets_what_the_classifier_gets_of_real_images(tmp_path: Path) -> None:
    assert evaluator(data := Captioned(tmp_path)).floor == {"caption_agreement_hair": 0.8}
    of_labels: Any = Brightest()
    of_labels.colour_of = None
    assert evaluator(data, of_labels).floor == {}
    assert evaluator(data, of_labels).measure(Obedient(1.0)) == {}


def test_two_ranks_give_the_same_numbers(tmp_path: Path) -> None:
    data = Captioned(tmp_path)

    def work(rank: int) -> None:
        (tmp_path / f"{rank}.json").write_text(json.dumps(evaluator(data, num_samples=1_100).measure(Obedient(0.7))))

    on_ranks(work, tmp_path)
    expected = evaluator(data, num_samples=1_100).measure(Obedient(0.7))
    assert [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1)] == [expected] * 2


def test_captions_without_a_colour_are_refused(tmp_path: Path) -> None:
    data = Captioned(tmp_path, captions=["long hair", "red eyes"])
    with pytest.raises(InputError, match="no caption that samples were drawn under names one colour of hair"):
        evaluator(data).measure(Obedient(1.0))


def test_what_is_told_no_caption_is_left_out(tmp_path: Path) -> None:
    data = noise_images(tmp_path, shape=(8, 8))
    assert evaluator(Captioned(tmp_path)).measure(Noise()) == {}
    with pytest.warns(UserWarning, match="caption_agreement is not measured, for no captions are asked of the model"):
        say_what_is_left_out(chosen(["caption_agreement"]), Noise(), data, measurable=True)


def test_it_is_found_by_name_and_more_is_better() -> None:
    assert Evaluation(["caption_agreement"]).settings.metrics == ["caption_agreement"]
    assert is_better("caption_agreement_hair", 0.8, 0.7)
