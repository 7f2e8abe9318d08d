"""Runs that leave what ``lightning fit`` leaves, in no time, for reports of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image

from lightning_gans.evaluation import records
from lightning_gans.figures.progress import OF_FILM, Progress

HOW = {
    "num_samples": 100,
    "n_real": 60,
    "split": "test",
    "features": "tiny",
    "sha256": "ab" * 32,
    "weights": "raw",
    "noise_seed": 3,
}
STATE = {
    "status": "finished",
    "seconds": 125.0,
    "device": "cpu",
    "threads": 1,
    "precision": "32-true",
    "steps_planned": 300,
    "parameters": {"generator": 1234},
    "code": {"version": "0.1.0", "commit": "c0ffee", "dirty": True},
    "versions": {"torch": "2.0"},
}
FID = {100: 30.0, 200: 10.0, 300: 20.0}


def leave_run(
    folder: Path,
    model: str = "GAN",
    seed: int = 0,
    fid: dict[int, float] = FID,
    how: dict[str, Any] | None = None,
    state: dict[str, Any] | None = None,
    pictures: bool = True,
    dataset: str = "toys",
    **settings: Any,
) -> Path:
    """The files of a run of so many steps; ``settings`` are its model's, ``how`` and ``state`` go over what is usual."""
    folder.mkdir(parents=True)
    described = {"model": model, "dataset": dataset, "seed": seed, **HOW, **(how or {})}
    for step, value in fid.items():
        scores = {"fid": value, "modes": float(step), "oddity": 1.5}
        records.write_record(folder, {"stage": "fit", "step": step, **described}, scores)
    last = max(fid)
    (folder / "run.json").write_text(json.dumps({**STATE, "model": model, "step": last, **(state or {})}))
    model_settings = {"class_path": f"lightning_gans.{model}", "init_args": settings}
    config = {"seed_everything": seed, "model": model_settings, "data": {"dataset": dataset}, "trainer": {"max_steps": 300}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    rows = "".join(f"{step},{1 / step + seed},{2.0 + seed}\n" for step in range(10, last + 1, 10))
    (folder / "metrics.csv").write_text(f"step,loss/generator,loss/discriminator\n{rows}")
    if pictures:
        leave_pictures(folder, [*fid])
    return folder


def leave_pictures(folder: Path, steps: list[int], zoom: int = 35) -> None:
    """Samples of each time, of twelve times ``zoom`` pixels, and two pictures of the end."""
    (folder / "pictures").mkdir(exist_ok=True)
    for step in steps:
        pixels = np.random.default_rng(step).integers(0, 255, (12, 12, 3), dtype=np.uint8).repeat(zoom, 0).repeat(zoom, 1)
        Image.fromarray(pixels).save(folder / "pictures" / f"samples_{step:07d}.png")
        small = torch.from_numpy(pixels[::zoom, ::zoom].copy()).permute(2, 0, 1)
        Progress(folder / "pictures").add(f"samples{OF_FILM}", step, small.repeat(25, 1, 1, 1))
    for kind in ("interpolations", "samples_over_training"):
        Image.new("RGB", (600, 200), "orange").save(folder / "pictures" / f"{kind}.png")
