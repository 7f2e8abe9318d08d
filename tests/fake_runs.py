"""Runs that leave what ``lightning fit`` leaves, in no time."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lightning_gans.runs.experiment import Experiment
from lightning_gans.runs.run import Run
from lightning_gans.runs.runner import run_missing

CONFIG: dict[str, Any] = {
    "seed_everything": 0,
    "trainer": {"max_steps": 4, "logger": None, "default_root_dir": None},
    "model": {"class_path": "lightning_gans.GAN", "init_args": {"loss": "ns"}},
    "data": {"dataset": "grid25", "root": "data"},
    "evaluation": {"every_n_steps": 2, "cache_dir": None},
    "ckpt_path": None,
}
# Stands for `lightning fit`: leaves what it leaves, in no time.
FIT = """
import json, pathlib, sys, time
seed, folder, checkpoint, stage = int(sys.argv[1]), pathlib.Path(sys.argv[2]), *sys.argv[3:]
began = time.time()
state = {{"status": "finished", "step": 4, "device": "cpu", "devices": 1, "precision": "32-true"}}
(folder / "run.json").write_text(json.dumps({{**state, "protocol": {{"modes": "gaan"}}}}))
{body}
run = folder / f"gan_grid25/version_{{len(list(folder.rglob('evaluation.json')))}}"
run.mkdir(parents=True)
last = {{"modes": {{"value": 10 + seed ** 2, "step": 4}}}}
(run / "evaluation.json").write_text(json.dumps({{"best": {{"modes": {{"value": 20, "step": 2}}}}, "last": last}}))
rows = [{{"step": 2, "modes": 12345.4}}, {{"step": 4, "device": "cpu", "modes": 10 + seed ** 2}}]
(run / "evaluation.jsonl").write_text("\\n".join(json.dumps({{"stage": "fit", **row}}) for row in rows))
(folder / "times.json").write_text(json.dumps([began, time.time()]))
"""


class Fake(Experiment):
    """Trains nothing."""

    body = ""

    def arguments(self, seed: int, folder: Path, checkpoint: Path | None, stage: str = "fit") -> list[str]:
        code = FIT.format(body=self.body)
        return [sys.executable, "-S", "-c", code, str(seed), str(folder), str(checkpoint or ""), stage]


def fake(body: str = "", **model: Any) -> Fake:
    config = {**CONFIG, "model": {"class_path": "lightning_gans.GAN", "init_args": {"loss": "ns", **model}}}
    experiment = Fake((), config)
    object.__setattr__(experiment, "body", body)
    return experiment


def train(out: Path, experiment: Experiment, seeds: Iterable[int], jobs: int = 1) -> int:
    return run_missing([Run(experiment, seed, out) for seed in seeds], jobs)
