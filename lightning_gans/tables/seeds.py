"""Several seeds of one config: run what is missing, keep one line a finished run, report mean and standard deviation.

Below the folder ``out`` lie ``runs.jsonl`` (a line a finished run), and for every config ``HASH/config.yaml`` and
``HASH/seedN/`` with what the run itself leaves and what it printed (``log.txt``). All of it may be killed at any time:
what is not in ``runs.jsonl`` is run again, from its last checkpoint where there is one; a run that was trained to its end, and
not measured there, is only measured.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.table import Table

from lightning_gans.errors import InputError

# What a result does not depend on
_ASIDE = (
    "seed_everything",
    "ckpt_path",
    "weights_only",
    *(f"trainer.{name}" for name in ("default_root_dir", "logger", "enable_progress_bar", "enable_model_summary")),
    *(f"{section}.{name}" for section, name in (("data", "root"), ("data", "download"))),
    *(f"evaluation.{name}" for name in ("cache_dir", "download")),
)
_OURS = {
    "--seed_everything": "give --seeds",
    "--trainer.default_root_dir": "give --out",
    "--ckpt_path": "an interrupted run goes on by itself",
    "--print_config": "ask lightning fit for it",
}
_PATIENCE = 3.0  # seconds that runs of a killed parent may take to die


def parse_seeds(words: Iterable[str]) -> list[int]:
    """``["0..7"]``, ``["0,1,2"]`` or ``["0", "1", "2"]``, both ends of a range included, as seeds without repetition.

    Raises:
        InputError: for what is no seed, or a range that runs backwards.
    """
    seeds: dict[int, None] = {}
    for word in ",".join(words).split(","):
        match = re.fullmatch(r"(\d+)(?:\.\.(\d+))?", word.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
        if not first <= last < 2**32:
            raise InputError(f"--seeds has {word!r}, but must be like 0..7, 0,1,2 or 0 1 2, from 0 to 4294967295")
        seeds.update(dict.fromkeys(range(first, last + 1)))
    return list(seeds)


@dataclass(frozen=True)
class Experiment:
    """What ``lightning fit`` is to train.

    Args:
        options: of ``lightning fit``, as given.
        config: what it makes of them.
    """

    options: tuple[str, ...]
    config: dict[str, Any]

    @classmethod
    def resolve(cls, options: Sequence[str]) -> Experiment:
        """Ask ``lightning fit`` what ``options`` come to.

        Raises:
            InputError: for options that it refuses, or that are set here.
        """
        for option in options:
            if (why := _OURS.get(option.partition("=")[0])) is not None:
                raise InputError(f"lightning seeds sets {option.partition('=')[0]} itself; {why}")
        done = subprocess.run([*_FIT, *options, "--print_config"], capture_output=True, text=True)
        if done.returncode:
            raise InputError((done.stderr.strip().splitlines() or [""])[-1].removeprefix("lightning: error: "))
        config = yaml.safe_load(done.stdout)
        if config.get("ckpt_path"):
            raise InputError(f"the config sets ckpt_path to {config['ckpt_path']}; {_OURS['--ckpt_path']}, so leave it out")
        return cls(tuple(options), config)

    @property
    def hash(self) -> str:
        """Of the config without seed, folders and loggers."""
        return config_hash(self.config)

    @property
    def model(self) -> str:
        """The class."""
        return str(self.config["model"]["class_path"]).rpartition(".")[2]

    @property
    def dataset(self) -> str:
        """As in the config."""
        return str(self.config["data"]["dataset"])

    @property
    def name(self) -> str:
        """Model and dataset."""
        return f"{self.model.lower()}_{Path(self.dataset).stem}"

    def arguments(self, seed: int, folder: Path, checkpoint: Path | None, stage: str = "fit") -> list[str]:
        """The command that trains one seed in ``folder``, or does another ``stage``; loggers of the user's own write there."""
        given = self.config["trainer"]["logger"]
        loggers = deepcopy(given if isinstance(given, list) else [given] if isinstance(given, dict) else [])
        for logger in loggers:
            if "save_dir" in logger.get("init_args", {}):
                logger["init_args"]["save_dir"] = str(folder)
        own = [f"--seed_everything={seed}", f"--trainer.default_root_dir={folder}"]
        own += [f"--trainer.logger={json.dumps(loggers)}"] if loggers else []
        own += [f"--ckpt_path={checkpoint}"] if checkpoint else []
        return [*_FIT[:-1], stage, "--trainer.enable_progress_bar=false", *self.options, *own]


_FIT = [sys.executable, "-m", "lightning_gans", "fit"]


def config_hash(config: Mapping[str, Any]) -> str:
    """Ten hexadecimal digits that differ where results may."""
    kept = deepcopy(dict(config))
    for path in _ASIDE:
        section, _, name = path.rpartition(".")
        (kept.get(section) or {} if section else kept).pop(name, None)
    return hashlib.sha256(json.dumps(kept, sort_keys=True, default=str).encode()).hexdigest()[:10]


@contextmanager
def locked(out: Path) -> Iterator[int]:
    """Keep others out of a folder; the descriptor keeps them out for as long as any process has it open.

    Raises:
        InputError: if the folder cannot be made, or somebody is at work there.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(out / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise InputError(f"the folder {out} cannot be written ({error.strerror}); give another --out") from error
    try:
        give_up = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > give_up:
                    raise InputError(
                        f"another lightning seeds is at work in {out}; wait until it ends, or give another --out"
                    ) from None
                time.sleep(0.1)
        yield descriptor
    finally:
        os.close(descriptor)


def read_lines(file: Path) -> list[dict[str, Any]]:
    """The JSON objects of a file, one a line; none where there is no file. A torn line is left out."""
    found = []
    for line in file.read_bytes().splitlines() if file.is_file() else []:
        try:
            found.append(json.loads(line))
        except ValueError:  # killed in the middle of writing it
            continue
    return [row for row in found if isinstance(row, dict)]


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
        found = json.loads(file.read_text())
        last = found["last"]
        for name, new in found["best"].items():
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


def mean_std(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample standard deviation (n - 1), NaN for one value."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else math.nan


def show_mean_std(values: Sequence[float]) -> str:
    """``mean ± std``; one value has no ±."""
    if not values:
        return ""
    mean, std = mean_std(values)
    return f"{mean:.5g}" if len(values) == 1 else f"{mean:.5g} ± {std:.2g}"


def summary(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Mean ± standard deviation of every measure over the runs, at their end and at their best."""
    table = Table()
    for column in ("measure", "last", "best", "seeds"):
        table.add_column(column, justify="left" if column == "measure" else "right", no_wrap=True)
    results = [row["results"] for row in rows]
    for name in dict.fromkeys(name for found in results for name in found["last"]):
        values = {when: [found[when][name]["value"] for found in results if name in found[when]] for when in ("last", "best")}
        table.add_row(name, show_mean_std(values["last"]), show_mean_std(values["best"]), str(len(values["last"])))
    return table
