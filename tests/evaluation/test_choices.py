"""A metric is a file: found, checked, directed, described and measured by what the file says."""

from __future__ import annotations

import ast
import os
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import lightning_gans
import lightning_gans.evaluation
from lightning_gans import Evaluation, Images, InputError
from lightning_gans.evaluation import choices, metrics
from lightning_gans.evaluation.choices import METRICS, chosen, descriptions
from lightning_gans.evaluation.measure import Evaluator
from lightning_gans.evaluation.real.images import RealSet
from lightning_gans.evaluation.records import is_measure
from lightning_gans.evaluation.settings import published_samples
from tests.evaluation.tiny import Encoding, Tiny, noise_of_three_classes

HELPERS = {"base", "checks"}
BRIGHTNESS = '''
"""How bright samples are."""

import torch

from lightning_gans.evaluation.metrics.base import Metric


class Brightness(Metric):
    """The mean level
    of samples.

    No more.
    """

    name = "brightness"
    higher = ("brightness",)

    def reset(self, device):
        self.levels = []

    def update(self, block):
        self.levels.append(block.samples.float().flatten(1).mean(1))

    def compute(self):
        return {"brightness": float(torch.cat(self.levels).mean())}
'''


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Images:
    return noise_of_three_classes(tmp_path_factory.mktemp("noise"))


def test_every_file_is_a_metric_but_for_what_they_share() -> None:
    files = {file.name for file in pkgutil.iter_modules(metrics.__path__)}
    assert {metric.__module__.rpartition(".")[2] for metric in METRICS.values()} == files - HELPERS
    assert all(metric.higher or metric.lower for metric in METRICS.values())
    assert all(metric.name == name and metric.__doc__ for name, metric in METRICS.items())


def test_a_file_is_all_that_a_new_metric_takes(tmp_path: Path) -> None:
    package = Path(lightning_gans.__file__).parent
    shutil.copytree(package, tmp_path / "lightning_gans", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "lightning_gans" / "evaluation" / "metrics" / "brightness.py").write_text(BRIGHTNESS)
    script = """
import torch
from lightning_gans import Evaluation, evaluate
from lightning_gans.cli import main
from lightning_gans.evaluation import records
white = torch.ones(600, 1, 8, 8)
white[:, :, 0] = -1
print(evaluate(lambda n: white[:n], white, ["brightness"], num_samples=20, device="cpu"))
print(records.is_better("brightness", 2, 1), records.is_measure("eval/brightness"))
print("``brightness``: The mean level of samples;" in Evaluation.__doc__)
main(["fit", "--model=GAN", "--evaluation.metrics=[dullness]"])
"""
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert run.stdout.splitlines()[-3:] == [f"{{'brightness': {255 * 7 / 8}}}", "True True", "True"]
    assert "Expected one of 'brightness', 'caption_agreement', 'classify', 'clusters', 'diversity'" in run.stderr
    assert "not dullness" in run.stderr


def test_an_unknown_metric_is_refused_with_the_names_of_those_that_exist() -> None:
    with pytest.raises(
        InputError,
        match=r"names 'fdi', but must be of caption_agreement, classify, clusters, diversity, fd, .*, reconstruction",
    ):
        Evaluation(["fd", "fdi"])
    assert [metric.name for metric in chosen(["is", "fd", "is"])] == ["is", "fd"]


def test_what_a_metric_logs_begins_as_it_says(data: Images) -> None:
    for name, metric in METRICS.items():
        if metric.needs_classifier or metric.needs_classes or metric.needs_labels_or_captions or name == "fid":
            continue
        scores = Evaluator(RealSet(data, num_real=90, network=Tiny()), (name,), num_samples=600).measure(Encoding(0.9))
        words = metric.higher + metric.lower
        assert scores, name
        assert all(any(key == word or key.startswith(f"{word}_") for word in words) for key in scores), name
        assert all(is_measure(key) for key in scores)


def test_the_help_says_of_every_metric_what_it_is() -> None:
    said = Evaluation.__doc__ or ""
    assert descriptions() in said
    assert all(f"``{name}``: " in said for name in METRICS)
    assert "``prdc``: Precision, recall, density and coverage;" in said


@pytest.mark.parametrize(
    ("name", "shape", "n"), [("grid25", (2,), 2_000), ("mnist1k", (3, 28, 28), 25_600), ("cifar10", (3, 32, 32), 10_000)]
)
def test_the_number_of_samples_is_the_papers_where_they_have_one(name: str, shape: tuple[int, ...], n: int) -> None:
    data: Any = SimpleNamespace(name=name, shape=shape)
    assert published_samples(data) == n


ROOMS = ["samples", "features", "real", "counts", "metrics"]
"""Each stands on those before it."""


def imports(file: Path) -> set[str]:
    nodes = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ImportFrom | ast.Import)]
    return {node.module or "" if isinstance(node, ast.ImportFrom) else alias.name for node in nodes for alias in node.names}


def test_rooms_stand_on_those_before_them_and_nothing_on_the_callback_or_on_commands() -> None:
    house = Path(lightning_gans.evaluation.__file__).parent
    for file in house.rglob("*.py"):
        ours = {name.removeprefix("lightning_gans.") for name in imports(file) if name.startswith("lightning_gans.")}
        above = {"papers", "figures", "tables", "commands", "cli"} & {name.partition(".")[0] for name in ours}
        assert not above, (file, above)
        within = {name.removeprefix("evaluation.") for name in ours if name.startswith("evaluation.")}
        assert "callback" not in within or file.name == "__init__.py", file
        room = file.parent.name
        if file.parent != house:
            allowed = {*ROOMS[: ROOMS.index(room) + 1]} if room in ROOMS else {room}
            assert {name.partition(".")[0] for name in within} <= allowed, file


def test_the_names_of_choices_are_those_of_the_parser() -> None:
    assert choices.MetricName.__args__ == tuple(METRICS)  # type: ignore[attr-defined]
