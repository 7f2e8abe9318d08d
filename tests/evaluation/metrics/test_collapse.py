"""What tells a collapse, MODE score and diversity together: named, the same on all ranks, logged in a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_gans import Evaluation, Images, InputError
from lightning_gans.evaluation.features.classifiers import Classifier
from lightning_gans.evaluation.measure import Evaluator
from lightning_gans.evaluation.real.images import RealSet
from tests.evaluation.tiny import Noise, Tiny, noise_of_three_classes
from tests.games.mdgan import make_mdgan
from tests.helpers import fit, on_ranks

CLASSES = ("a", "b", "c")


POINTS: dict[str, Any] = {"metrics": ["modes", "diversity"], "num_samples": 700}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Images:
    return noise_of_three_classes(tmp_path_factory.mktemp("noise"))


def evaluator(data: Images, *metrics: Any, network: Any = None) -> Evaluator:
    return Evaluator(RealSet(data, num_real=90, network=network or Tiny()), metrics, num_samples=1100)


@pytest.mark.parametrize("world", [2, 4])
def test_any_number_of_ranks_gives_the_same_numbers(data: Images, tmp_path: Path, world: int) -> None:
    grid = Images("grid25")
    grid.prepare_data()
    grid.setup("fit")

    def measured() -> dict[str, float]:
        points = Evaluation(**POINTS).evaluator(grid).measure(make_mdgan())
        return evaluator(data, "mode_score", "diversity").measure(Noise()) | points

    def work(rank: int) -> None:
        (tmp_path / f"{rank}.json").write_text(json.dumps(measured()))

    alone = measured()
    assert {"mode_score_tiny", "mode_score_reversed_tiny", "diversity_tiny", "diversity", "modes"} <= {*alone}
    on_ranks(work, tmp_path, world)
    for rank in range(world):
        assert json.loads((tmp_path / f"{rank}.json").read_text()) == pytest.approx(alone, rel=1e-9)


def test_a_run_logs_it_beside_the_modes(tmp_path: Path) -> None:
    fit(make_mdgan(), 4, callbacks=[Evaluation(**POINTS, every_n_steps=2)], default_root_dir=tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "evaluation.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4]
    assert all(0 < line["diversity"] < 2 and "modes" in line for line in lines)
    assert json.loads((tmp_path / "evaluation.json").read_text())["last"]["diversity"]["step"] == 4


def test_a_classifier_is_asked_for_its_own_logits(data: Images) -> None:
    torch.manual_seed(0)
    classifier = Classifier("lenet", "noise", CLASSES, (1, 8, 8)).eval()
    found = evaluator(data, "mode_score", "diversity", network=classifier).measure(Noise())
    assert {*found} == {"mode_score_lenet_noise", "mode_score_reversed_lenet_noise", "diversity_lenet_noise"}


@pytest.mark.parametrize("metric", ["mode_score", "diversity"])
def test_too_few_samples_are_refused_beforehand(data: Images, metric: str) -> None:
    with pytest.raises(InputError, match=r"num_samples is 1"):
        Evaluation([metric], features="tests.evaluation.tiny.Tiny", num_samples=1).evaluator(data)
