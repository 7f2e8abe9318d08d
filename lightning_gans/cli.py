"""The ``lightning`` command: LightningCLI over the papers, the data module, the evaluation and the pictures."""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import yaml
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from lightning_utilities.core.imports import RequirementCache

from lightning_gans.checkpoints import load_checkpoint, stored_config
from lightning_gans.command_line import ConfigCLI, make_ready, refused_in_one_sentence
from lightning_gans.completion import complete
from lightning_gans.errors import InputError, NonFiniteError
from lightning_gans.game import Game
from lightning_gans.lightning_internals import trains_on_several_devices
from lightning_gans.messages import first_sentence
from lightning_gans.saved_config import KeepConfig


class GamesCLI(ConfigCLI):
    """``fit``, ``validate``, ``test`` and ``predict``."""

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        with refused_in_one_sentence():
            self._complete(self.config_init[self.subcommand].trainer)
        return super().instantiate_trainer(**kwargs)

    def _complete(self, settings: Any) -> None:
        """Fill in what the user left open: strategy, loggers, progress bar and checkpoints."""
        self._translate_clipping(settings)
        if settings.strategy == "auto" and trains_on_several_devices(
            settings.accelerator, settings.devices, settings.num_nodes
        ):
            settings.strategy = "gan_ddp"
        if settings.logger in (None, True):
            settings.logger = _default_loggers(settings.default_root_dir, self._run_name())
        settings.callbacks = _as_list(settings.callbacks)
        if settings.enable_progress_bar is not False and not any(isinstance(c, TQDMProgressBar) for c in settings.callbacks):
            settings.callbacks.append(TQDMProgressBar(refresh_rate=20))
        if settings.enable_checkpointing is not False and not any(isinstance(c, ModelCheckpoint) for c in settings.callbacks):
            settings.callbacks.append(ModelCheckpoint(save_last=True, filename="{step}", every_n_epochs=1))

    def _translate_clipping(self, settings: Any) -> None:
        """Hand the trainer's gradient clipping to the game: the trainer refuses it for manual optimisation."""
        if settings.gradient_clip_val is None or not isinstance(self.model, Game):
            return
        self.model.gradient_clip_val = settings.gradient_clip_val
        self.model.gradient_clip_algorithm = settings.gradient_clip_algorithm or "norm"
        settings.gradient_clip_val = settings.gradient_clip_algorithm = None

    def _run_name(self) -> str:
        dataset = getattr(self.datamodule, "dataset", "data")
        return f"{type(self.model).__name__.lower()}_{Path(dataset).stem}"


def main(args: list[str] | None = None) -> None:
    """Run the command. Exits with 2 and one sentence for what the user can mend, with 1 for what went wrong in training."""
    make_ready()
    try:
        _run(sys.argv[1:] if args is None else args)
    except InputError as error:
        _fail(str(error), 2)
    except MisconfigurationException as error:
        _fail(first_sentence(error), 2)
    except ValueError as error:  # the parser has tried the reasons of a union's members, one of which may be ours
        cause = _input_error_behind(error)
        if cause is None:
            raise
        _fail(str(cause), 2)
    except OSError as error:
        _fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}", 2)
    except NonFiniteError as error:
        _fail(str(error), 1)


def _run(args: list[str]) -> None:
    """Work on the command line step by step, and do what it has become."""
    _check_configs(args)
    args = complete(_with_stored_config(args))
    sys.argv[1:] = args  # other ranks are started with it, too
    GamesCLI(save_config_callback=KeepConfig, trainer_defaults={"num_sanity_val_steps": 0})


def _check_configs(args: list[str]) -> None:
    """Refuse files that hold no settings by the name of the file, which the parser would not say."""
    for path in filter(os.path.exists, _values(args, "--config", "-c")):
        if not os.path.isfile(path):
            raise InputError(f"{path} is no regular file; give a YAML file with settings")
        try:
            settings = yaml.safe_load(Path(path).read_text())
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise InputError(f"{path} is not a YAML file ({' '.join(str(error).split())})") from error
        if not isinstance(settings, dict):
            raise InputError(f"{path} holds no settings by name; write them as in the files of configs/")


def _with_stored_config(args: list[str]) -> list[str]:
    """Where the command line names only a checkpoint, start from the config stored in it.

    What the command line says wins over what is stored.
    """
    checkpoints = _values(args, "--ckpt_path")
    if not checkpoints or args[0] not in GamesCLI.subcommands():
        return args
    path = Path(checkpoints[-1])
    stored = load_checkpoint(path)
    if _values(args, "--config", "-c", "--model"):
        return args
    return [args[0], "--config", yaml.safe_dump(stored_config(stored, path), sort_keys=False), *args[1:]]


def _values(args: list[str], *options: str) -> list[str]:
    """What follows each of the options, after a space or an equals sign."""
    after_space = [value for option, value in itertools.pairwise(args) if option in options]
    return after_space + [arg.partition("=")[2] for arg in args if arg.partition("=")[0] in options and "=" in arg]


def _default_loggers(root: str | None, name: str) -> list[Logger]:
    """CSV files, and TensorBoard where it is installed, both in ``runs/NAME/version_N``."""
    csv = CSVLogger(root or "runs", name=name)
    if not RequirementCache("tensorboard"):
        return [csv]
    return [csv, TensorBoardLogger(root or "runs", name=name, version=csv.version, default_hp_metric=False)]


def _as_list(callbacks: list[Callback] | Callback | None) -> list[Callback]:
    if callbacks is None:
        return []
    return list(callbacks) if isinstance(callbacks, list) else [callbacks]


def _input_error_behind(error: BaseException | None) -> InputError | None:
    while error is not None and not isinstance(error, InputError):
        error = error.__cause__ or error.__context__
    return error


def _fail(sentence: str, status: int) -> NoReturn:
    if os.environ.get("LOCAL_RANK", "0") == "0":
        print(f"lightning: error: {sentence}", file=sys.stderr)
    sys.exit(status)
