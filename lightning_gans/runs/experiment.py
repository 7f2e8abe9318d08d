"""What ``lightning fit`` is to train, and with which seeds."""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lightning_gans.errors import InputError
from lightning_gans.runs.hashing import ASIDE, config_hash

_FIT = [sys.executable, "-m", "lightning_gans", "fit"]
_OURS = {
    "--seed_everything": "give --seeds",
    "--trainer.default_root_dir": "give --out",
    "--ckpt_path": "an interrupted run goes on by itself",
    "--print_config": "ask lightning fit for it",
}


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
        """What ``options`` of ``lightning fit`` come to.

        Raises:
            InputError: for options that it refuses, or that are set here.
        """
        for option in options:
            if (why := _OURS.get(option.partition("=")[0])) is not None:
                raise InputError(f"lightning seeds sets {option.partition('=')[0]} itself; {why}")
        config = resolved(options)
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

    def text(self) -> str:
        """The config in YAML."""
        return yaml.safe_dump(self.config, sort_keys=False)

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


def is_aside(option: str) -> bool:
    """Whether no result depends on an option of ``lightning fit``, and the runner does not set it itself."""
    return any(option == path or option.startswith(f"{path}.") for path in ASIDE) and f"--{option}" not in _OURS


def resolved(options: Sequence[str]) -> dict[str, Any]:
    """What ``lightning fit --print_config`` prints, asked in this process: it takes a fraction of a second after the first.

    Raises:
        InputError: for options that it refuses.
    """
    from lightning_gans.cli import main

    said, refused = io.StringIO(), io.StringIO()
    before = sys.argv[1:]
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(refused):
            main(["fit", *options, "--print_config"])
    except SystemExit as end:
        if end.code:
            sentence = (refused.getvalue().strip().splitlines() or [""])[-1]
            raise InputError(sentence.removeprefix("lightning: error: ")) from None
    finally:
        sys.argv[1:] = before
    config: dict[str, Any] = yaml.safe_load(said.getvalue())
    return config
