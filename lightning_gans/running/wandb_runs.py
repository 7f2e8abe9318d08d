"""What Weights & Biases is told of a run: what it is called, what it belongs with, and which run a stage goes on with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import WandbLogger

from lightning_gans.lightning_internals import wandb_settings


def describe(
    logger: WandbLogger, folder: Path, group: str, tags: list[str], stage: str, seed: Any, stored: Mapping[str, Any]
) -> None:
    """Fill in what the user left open, before the run is made.

    Args:
        logger: which has not made its run yet.
        folder: of the run; its files go there unless the user or $WANDB_DIR say where.
        group: what all seeds of a config share.
        tags: of the run, beside those that the user gives.
        stage: ``fit``, ``test`` and so on, the type of the job.
        seed: of the run.
        stored: what ``stored_run`` told the checkpoint that is gone on from; empty for none.
    """
    settings = wandb_settings(logger)
    if settings["dir"] == ".":
        settings["dir"] = os.environ.get("WANDB_DIR") or str(folder)
    belongs = stored.get("project") == settings["project"] and stored.get("entity") in (None, settings.get("entity"))
    if settings["id"] is None and stored and belongs:
        settings["id"] = stored["id"]  # which has its name, group and tags
        return
    own = {
        "name": f"{folder.parent.name} seed {seed} {folder.name}",
        "group": os.environ.get("WANDB_RUN_GROUP") or group,
        "job_type": stage,
    }
    settings["tags"] = [*dict.fromkeys([*(settings.get("tags") or ()), *tags])]  # views find the runs of a dataset by them
    settings |= {name: value for name, value in own.items() if settings.get(name) is None}


def stored_run(logger: WandbLogger) -> dict[str, Any]:
    """What a checkpoint says of the run that it belongs to."""
    settings = wandb_settings(logger)
    return {"id": logger.version, "project": settings["project"], "entity": settings.get("entity")}
