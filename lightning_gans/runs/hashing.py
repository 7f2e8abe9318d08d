"""What a result depends on, and the few digits that tell configs apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

# What a result does not depend on
ASIDE = (
    "seed_everything",
    "ckpt_path",
    "weights_only",
    "pictures",
    *(f"trainer.{name}" for name in ("default_root_dir", "logger", "enable_progress_bar", "enable_model_summary")),
    *(f"{section}.{name}" for section, name in (("data", "root"), ("data", "download"), ("data", "latents"))),
    *(f"evaluation.{name}" for name in ("cache_dir", "download", "weights_path")),
)


def settings_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a result depends on: a config without seed, folders, loggers and pictures."""
    kept = deepcopy(dict(config))
    for path in ASIDE:
        section, _, name = path.rpartition(".")
        (kept.get(section) or {} if section else kept).pop(name, None)
    return kept


def config_hash(config: Mapping[str, Any]) -> str:
    """Ten hexadecimal digits that differ where results may."""
    return hashlib.sha256(json.dumps(settings_of(config), sort_keys=True, default=str).encode()).hexdigest()[:10]
