"""What the command takes before it does anything, beside the imports of lightning and of Python, which nobody can save."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

_PYTHON = [sys.executable, "-c"]
_LIGHTNING = str(Path(sys.executable).with_name("lightning"))


@dataclass(frozen=True)
class Case:
    """One command and what it is compared with."""

    name: str
    raw: list[str]
    ours: list[str]
    goal: float | None = None


CASES = [
    Case("start: lightning fit --help, import lightning", [*_PYTHON, "import lightning"], [_LIGHTNING, "fit", "--help"]),
    Case("start: lightning --version, python -c pass", [*_PYTHON, "pass"], [_LIGHTNING, "--version"]),
]


def measure(case: Case, repeats: int) -> list[tuple[tuple[float], tuple[float]]]:
    """(raw, ours) wall clock in milliseconds of each repeat, after one of each to warm the file cache."""
    for command in (case.raw, case.ours):
        _run(command)
    return [((_run(case.raw),), (_run(case.ours),)) for _ in range(repeats)]


def _run(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return 1000 * (time.perf_counter() - start)
