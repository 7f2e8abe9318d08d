"""The ``lightning`` command: LightningCLI over the papers, the data module, the evaluation and the pictures."""

from __future__ import annotations

import itertools
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml
from lightning.pytorch import Trainer
from lightning.pytorch.cli import ArgsType, LightningArgumentParser
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.trainer.states import TrainerStatus
from lightning.pytorch.utilities.rank_zero import rank_zero_info, rank_zero_warn

from lightning_gans import checks, trust, way_out
from lightning_gans.checkpoints import load_checkpoint, stored_config
from lightning_gans.command_line import ConfigCLI, ParseError, make_ready, refused_in_one_sentence
from lightning_gans.completion import complete as complete_model
from lightning_gans.config_files import read_config
from lightning_gans.differences import left_out
from lightning_gans.errors import InputError
from lightning_gans.fitting import refuse_callbacks
from lightning_gans.lent import lend_step
from lightning_gans.lightning_internals import launch_by
from lightning_gans.model_help import asked_for, model_help
from lightning_gans.packaged import with_configs
from lightning_gans.players import ClipAlgorithm
from lightning_gans.ranks import Launcher
from lightning_gans.running.defaults import About, complete
from lightning_gans.running.place import give_back, of_checkpoint
from lightning_gans.running.record import KeepRecord
from lightning_gans.running.stopping import ending_by_signals, how_to_go_on
from lightning_gans.runs.hashing import config_hash
from lightning_gans.told_to_end import EndTogether
from lightning_gans.witness import Witness


class GamesCLI(ConfigCLI):
    """``fit``, ``validate``, ``test`` and ``predict``."""

    def __init__(self, **settings: Any) -> None:
        try:
            super().__init__(**settings)
        except (SystemExit, KeyboardInterrupt):
            if hasattr(self, "trainer") and self.trainer.state.status == TrainerStatus.INTERRUPTED:
                rank_zero_info(how_to_go_on(self.trainer))
            raise

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

    def before_instantiate_classes(self) -> None:
        settings = self.config[self.subcommand]
        for file in filter(os.path.isfile, map(str, settings.get("config") or ())):
            for said in left_out(Path(file), settings.model):
                rank_zero_warn(said)

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        with refused_in_one_sentence():
            folder = complete(self.config_init[self.subcommand].trainer, self.model, self._about())
        lend_step(self.model, self.subcommand or "")
        try:
            trainer = super().instantiate_trainer(**kwargs)
            callbacks: list[Any] = cast(Any, trainer).callbacks
            refuse_callbacks(self.model, callbacks)
        except BaseException:
            give_back(folder)
            raise
        callbacks.append(Witness())
        if isinstance(trainer.strategy, DDPStrategy):
            launch_by(trainer.strategy, Launcher)
            callbacks.append(EndTogether())
        return trainer

    def _about(self) -> About:
        """What the run is, for its folder and its loggers."""
        model, dataset = type(self.model).__name__, Path(getattr(self.datamodule, "dataset", "data")).stem
        config = self.written_out()
        name, checkpoint = f"{model.lower()}_{dataset}", config.get("ckpt_path")
        stored = load_checkpoint(Path(checkpoint)) if checkpoint else {}
        return About(
            name=name,
            stage=str(self.subcommand),
            group=f"{name}-{config_hash(config)}",
            tags=[model, dataset, f"seed {config.get('seed_everything')}"],
            seed=config.get("seed_everything"),
            stored=stored.get("wandb", {}),
            belongs_to=_run_of(stored, checkpoint, config) if checkpoint and self.subcommand != "fit" else None,
        )


def _run_of(stored: Mapping[str, Any], checkpoint: str, config: Mapping[str, Any]) -> Path | None:
    """The folder of the run that saved a checkpoint, unless another root than its own is asked for."""
    before, now = yaml.safe_load(stored.get("config", "{}")).get("trainer", {}), config["trainer"]
    asked = now["default_root_dir"] not in (None, before.get("default_root_dir"))
    return None if asked else of_checkpoint(Path(checkpoint))


_DEFAULTS = {"num_sanity_val_steps": 0}


def main(args: list[str] | None = None) -> None:
    """Run the command. Exits with 2 and one sentence for what the user can mend, with 1 for what went wrong in training."""
    with ending_by_signals(), way_out.one_way_out():
        make_ready()
        _run(way_out.without_debug(sys.argv[1:] if args is None else args))


def _run(args: list[str]) -> None:
    """Work on the command line step by step, and do what it has become."""
    if (model := asked_for(args)) is not None:
        trust.find_own(args)
        sys.stdout.write(f"{model_help(model)}\n")
        return
    trusted, args = trust.asked_for(with_configs(args))
    configs = filter(os.path.exists, _values(args, "--config", "-c"))
    read = [read_config(Path(path)) for path in configs]  # refused by the name of the file, which the parser would not say
    trust.find_own(args, read)
    asked, args = args, _with_stored_config(args, trusted)
    try:
        args = complete_model(args)
        sys.argv[1:] = args  # other ranks are started with it, too
        GamesCLI(save_config_callback=KeepRecord, trainer_defaults=_DEFAULTS)
    except InputError as error:
        if args is not asked and isinstance(error.__cause__, ParseError):
            _refuse_stored_option(asked, str(error))
        raise


def _refuse_stored_option(asked: list[str], reason: str) -> None:
    """Where a setting that is refused stands in the checkpoint and not in what was asked for, say which file and what to do."""
    name = reason.partition(":")[0].rpartition(".")[2]
    unknown = re.search(r"'([\w.]+)'", reason)
    named = {name, *(unknown[1].rpartition(".")[2:] if unknown else ())}
    if any(re.search(rf"\b{re.escape(each)}\b", argument) for each in named if each for argument in asked):
        return
    raise InputError(
        f"{_values(asked, '--ckpt_path')[-1]} was trained with settings that this version does not take ({reason}); take "
        "config.yaml from its run's folder, mend that, and give it as --config beside --ckpt_path"
    )


def _with_stored_config(args: list[str], trusted: bool) -> list[str]:
    """Where the command line names only a checkpoint, start from the config stored in it.

    What the command line says wins over what is stored.
    """
    checkpoints = [path for path in _values(args, "--ckpt_path")[-1:] if yaml.safe_load(path) is not None]
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
