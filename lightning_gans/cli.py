"""The ``lightning`` command: LightningCLI over the papers, the data module, the evaluation and the pictures."""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path
from typing import Any, cast

import yaml
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.cli import ArgsType, LightningArgumentParser
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from lightning.pytorch.plugins import CheckpointIO
from lightning.pytorch.strategies import DDPStrategy
from lightning_utilities.core.imports import RequirementCache

from lightning_gans import checks, trust, way_out
from lightning_gans.checkpoint_files import CheckpointFiles
from lightning_gans.checkpoints import load_checkpoint, stored_config
from lightning_gans.command_line import ConfigCLI, make_ready, refused_in_one_sentence
from lightning_gans.completion import complete
from lightning_gans.config_files import read_config
from lightning_gans.errors import InputError
from lightning_gans.fitting import refuse_callbacks
from lightning_gans.game import Game
from lightning_gans.lent import lend_step
from lightning_gans.lightning_internals import launch_by, trains_on_several_devices
from lightning_gans.model_help import asked_for, model_help
from lightning_gans.packaged import with_configs
from lightning_gans.players import ClipAlgorithm
from lightning_gans.ranks import Launcher
from lightning_gans.saved_config import KeepConfig
from lightning_gans.told_to_end import EndTogether
from lightning_gans.witness import Witness


class GamesCLI(ConfigCLI):
    """``fit``, ``validate``, ``test`` and ``predict``."""

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """That of the command line: parsers of all four would be a third of the start."""
        known = ConfigCLI.subcommands()
        return {name: known[name] for name in sys.argv[1:2] if name in known} or known

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        super().parse_arguments(parser, args)
        settings = self.config[self.config.subcommand]
        _check_trainer(settings.trainer)
        if settings.get("weights_only") is False:
            raise InputError("weights_only is false, with which a checkpoint could run any code; leave it out")
        if settings.get("ckpt_path") is not None:
            load_checkpoint(Path(settings.ckpt_path))  # refused now, also where a config names it

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        with refused_in_one_sentence():
            self._complete(self.config_init[self.subcommand].trainer)
        lend_step(self.model, self.subcommand or "")
        trainer = super().instantiate_trainer(**kwargs)
        callbacks: list[Any] = cast(Any, trainer).callbacks
        refuse_callbacks(self.model, callbacks)
        callbacks.append(Witness())
        if isinstance(trainer.strategy, DDPStrategy):
            launch_by(trainer.strategy, Launcher)
            callbacks.append(EndTogether())
        return trainer

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
        settings.plugins = _as_list(settings.plugins)
        if isinstance(settings.strategy, str) and not any(isinstance(plugin, CheckpointIO) for plugin in settings.plugins):
            settings.plugins.append(CheckpointFiles())

    def _translate_clipping(self, settings: Any) -> None:
        """Hand the trainer's gradient clipping to the game: the trainer refuses it for manual optimisation."""
        if settings.gradient_clip_val is None or not isinstance(self.model, Game):
            return
        self.model.clip_gradients_to(settings.gradient_clip_val, settings.gradient_clip_algorithm or "norm")
        settings.gradient_clip_val = settings.gradient_clip_algorithm = None

    def _run_name(self) -> str:
        dataset = getattr(self.datamodule, "dataset", "data")
        return f"{type(self.model).__name__.lower()}_{Path(dataset).stem}"


def main(args: list[str] | None = None) -> None:
    """Run the command. Exits with 2 and one sentence for what the user can mend, with 1 for what went wrong in training."""
    with way_out.one_way_out():
        make_ready()
        _run(way_out.without_debug(sys.argv[1:] if args is None else args))


def _run(args: list[str]) -> None:
    """Work on the command line step by step, and do what it has become."""
    if (asked := asked_for(args)) is not None:
        sys.stdout.write(f"{model_help(asked)}\n")
        return
    trusted, args = trust.asked_for(with_configs(args))
    configs = filter(os.path.exists, _values(args, "--config", "-c"))
    read = [read_config(Path(path)) for path in configs]  # refused by the name of the file, which the parser would not say
    trust.find_own(args, read)
    args = complete(_with_stored_config(args, trusted))
    sys.argv[1:] = args  # other ranks are started with it, too
    GamesCLI(save_config_callback=KeepConfig, trainer_defaults={"num_sanity_val_steps": 0})


def _with_stored_config(args: list[str], trusted: bool) -> list[str]:
    """Where the command line names only a checkpoint, start from the config stored in it.

    What the command line says wins over what is stored.
    """
    checkpoints = _values(args, "--ckpt_path")
    if not checkpoints or args[0] not in ConfigCLI.subcommands():
        return args
    path = Path(checkpoints[-1])
    stored = load_checkpoint(path)
    if _values(args, "--config", "-c", "--model"):
        return args
    config = stored_config(stored, path, args, trusted)
    return [args[0], "--config", yaml.safe_dump(config, sort_keys=False), *args[1:]]


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


def _check_trainer(settings: Any) -> None:
    """Refuse what the trainer itself takes for something else, or for nothing."""
    if settings.gradient_clip_val is not None:
        checks.positive(**{"trainer.gradient_clip_val": float(settings.gradient_clip_val)})
    if settings.gradient_clip_algorithm is not None:
        checks.one_of("trainer.gradient_clip_algorithm", settings.gradient_clip_algorithm, ClipAlgorithm)
        if settings.gradient_clip_val is None:
            raise InputError("trainer.gradient_clip_algorithm clips nothing without trainer.gradient_clip_val; give that, too")
    if settings.log_every_n_steps is not None:
        checks.not_negative(**{"trainer.log_every_n_steps": settings.log_every_n_steps})


def _as_list(given: Any) -> list[Any]:
    if given is None:
        return []
    return list(given) if isinstance(given, list) else [given]
