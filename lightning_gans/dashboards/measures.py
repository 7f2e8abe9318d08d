"""Which measures a dashboard shows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning_gans.errors import InputError
from lightning_gans.evaluation import records
from lightning_gans.running.place import RECORD
from lightning_gans.suggestions import near


def check_measure(name: str) -> None:
    """Refuse what nothing here measures.

    Raises:
        InputError: says which name is near.
    """
    if not records.is_measure(name):
        raise InputError(f"{name} is no measure{near(name, records.words())}; there are {', '.join(records.words())}")


def measured_below(folder: Path, dataset: str | None) -> list[str]:
    """The measures that runs below a folder took, in the order in which they were found.

    Args:
        folder: of runs.
        dataset: that these are of; ``None`` for any.

    Raises:
        InputError: there are none, or a file cannot be read; says what there is.
    """
    found: dict[str, None] = {}
    others: dict[str, None] = {}
    for file in sorted(folder.rglob("evaluation.json")):
        record = file.with_name(RECORD)
        of = _read(record).get("dataset") if record.is_file() else None
        if dataset in (None, of):
            found |= dict.fromkeys(_read(file).get("best", {}))
        elif of is not None:
            others[of] = None
    if not found:
        on = "" if dataset is None else f" on {dataset}"
        there = f"{near(dataset or '', others)}; there are {', '.join(others)}" if others else ""
        raise InputError(f"no run below {folder} has measured anything{on}{there}; name --metric, or another folder by --runs")
    return [*found]


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read ({error}); name --metric, or another folder by --runs") from error
    return content if isinstance(content, dict) else {}


def chosen(given: Sequence[str] | None, folder: Path, dataset: str | None) -> list[str]:
    """The measures that are asked for, else all that runs below a folder took.

    Raises:
        InputError: one is none, or nothing was measured.
    """
    for name in given or ():
        check_measure(name)
    return [*dict.fromkeys(given)] if given else measured_below(folder, dataset)
