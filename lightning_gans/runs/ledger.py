"""The records of finished runs, and the locks on those that are being trained."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning_gans.errors import InputError


def claim(file: Path) -> int | None:
    """Lock a file, made for that; the descriptor keeps others out for as long as any process has it open.

    Returns:
        The descriptor, ``None`` where another process has it.

    Raises:
        InputError: the file cannot be made.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise InputError(f"the folder {file.parent} cannot be written ({error.strerror}); give another --out") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def read_lines(file: Path) -> list[dict[str, Any]]:
    """The JSON objects of a file, one a line; none where there is no file. A torn line is left out."""
    rows = []
    for line in file.read_bytes().splitlines() if file.is_file() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:  # killed in the middle of writing it
            continue
    return [row for row in rows if isinstance(row, dict)]


def read_runs(out: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """The finished runs by config hash and seed."""
    return {(row["config"], row["seed"]): row for row in read_lines(out / "runs.jsonl")}


def append_run(out: Path, row: Mapping[str, Any]) -> None:
    """Add a finished run for good, in one write, on a line of its own even after a torn one."""
    descriptor = os.open(out / "runs.jsonl", os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        os.write(descriptor, b"\n" * torn + json.dumps(row).encode() + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_results(folder: Path) -> dict[str, Any]:
    """Best and last of a run, over all folders that it wrote to before and after interruptions."""
    from lightning_gans.evaluation.records import is_better  # imports torch, which waiting for runs does not need

    best: dict[str, Any] = {}
    last: dict[str, Any] = {}
    for file in sorted(folder.rglob("evaluation.json"), key=lambda file: file.stat().st_mtime_ns):
        results = json.loads(file.read_text())
        last = results["last"]
        for name, new in results["best"].items():
            if name not in best or is_better(name, new["value"], best[name]["value"]):
                best[name] = new
    return {"best": best, "last": last}


def code_version() -> dict[str, Any]:
    """The package's version, and its git commit and whether it was changed since, where it is a checkout."""
    from lightning_gans import __version__

    def git(*args: str) -> str | None:
        try:
            done = subprocess.run(["git", *args], cwd=Path(__file__).parents[1], capture_output=True, text=True)
        except OSError:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    if not git("ls-files", "__init__.py"):  # installed, perhaps below somebody else's checkout
        return {"version": __version__}
    return {"version": __version__, "commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain", "--", "."))}
