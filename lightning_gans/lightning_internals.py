"""Every private name of Lightning and its parser that this package leans on, and why: an upgrade need only be checked here."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import torch
from jsonargparse import _typehints, _util
from lightning.pytorch import Trainer
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.core.mixins.hparams_mixin import _given_hyperparameters
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.strategies.launchers.subprocess_script import _SubprocessScriptLauncher
from lightning.pytorch.trainer.connectors.accelerator_connector import _AcceleratorConnector
from lightning.pytorch.utilities.exceptions import SIGTERMException

PRIVATE_NAMES = (
    "lightning.pytorch.trainer.connectors.accelerator_connector:_AcceleratorConnector",
    "lightning.pytorch.cli:LightningCLI._parse_ckpt_path",
    "lightning.pytorch.cli:LightningCLI._dump_config",
    "lightning.pytorch.core.mixins.hparams_mixin:_given_hyperparameters",
    "lightning.pytorch.strategies.launchers.subprocess_script:_SubprocessScriptLauncher",
    "lightning.pytorch.strategies.launchers.subprocess_script:_SubprocessScriptLauncher._call_children_scripts",
    "lightning.pytorch.loops.training_epoch_loop:_TrainingEpochLoop._broadcast_sigterm_tensor",
    "lightning.pytorch.trainer.connectors.logger_connector.logger_connector:_LoggerConnector.log_metrics",
    "lightning.pytorch.strategies:DDPStrategy._configure_launcher",
    "jsonargparse._util:check_import_path",
    "jsonargparse._typehints:check_import_path",
    "jsonargparse._typehints:adapt_typehints",
    "jsonargparse._typehints:adapt_class_type",
    "jsonargparse._typehints:get_typehint_origin",
    "jsonargparse._typehints:sequence_origin_types",
    "jsonargparse._util:NestedArg",
    "lightning.pytorch.callbacks:ModelCheckpoint._monitor_candidates",
    "lightning.pytorch.callbacks:ModelCheckpoint._should_skip_saving_checkpoint",
    "lightning.pytorch.callbacks:ModelCheckpoint._save_topk_checkpoint",
    "lightning.pytorch.callbacks:ModelCheckpoint._save_last_checkpoint",
    "lightning.pytorch.callbacks:ModelCheckpoint._link_checkpoint",
    "lightning.pytorch.loggers.csv_logs:ExperimentWriter._check_log_dir_exists",
    "lightning.pytorch.callbacks:EarlyStopping._run_early_stopping_check",
)
"""Where they are, as ``pkgutil.resolve_name`` reads it; a test sees that the installed version has them all."""


class PlainCLI(LightningCLI):
    """A LightningCLI that leaves the command line as it is.

    Lightning's own lets the hyper-parameters in a checkpoint silently win over it, and has no switch for that.
    """

    def _parse_ckpt_path(self) -> None:
        """Nothing: where a config out of the checkpoint is wanted, the command line names it."""

    def written_out(self) -> dict[str, Any]:
        """The subcommand's settings as plain values, every default filled in.

        Lightning keeps them for the hyper-parameters of model and data; to write them out again takes a tenth of a second.
        """
        self._dump_config()
        return self.config_dump


def trains_on_several_devices(accelerator: Any, devices: Any, num_nodes: int) -> bool:
    """Whether Lightning would choose data-parallel training for these settings of the trainer.

    Only a trainer says so in public, and making one more would say twice what hardware there is.
    """
    connector = _AcceleratorConnector(accelerator=accelerator, devices=devices, num_nodes=num_nodes, strategy="auto")
    return isinstance(connector.strategy, DDPStrategy)


def under_command() -> bool:
    """Whether a module is being made by LightningCLI, which then stores its settings: it says so nowhere else."""
    return _given_hyperparameters.get() is not None


def wandb_settings(logger: WandbLogger) -> dict[str, Any]:
    """What a logger will call ``wandb.init`` with, to be changed in place before it does: it takes no more after it is made."""
    return logger._wandb_init


def log_by(trainer: Trainer, step: Callable[[], int]) -> None:
    """Let what modules log stand at ``step()``: Lightning has a batch at the number of those before it, and tests at 0."""
    connector, loop = trainer._logger_connector, trainer.fit_loop.epoch_loop

    def log_metrics(*args: Any, **kwargs: Any) -> None:
        before, loop._batches_that_stepped = loop._batches_that_stepped, step()
        try:
            type(connector).log_metrics(connector, *args, **kwargs)
        finally:
            loop._batches_that_stepped = before

    connector.log_metrics = log_metrics  # type: ignore[method-assign]


SET_AT_EVERY_HOOK = "_current_fx_name"
"""An attribute of a module that Lightning sets twenty times a batch: 50 microseconds through ``nn.Module.__setattr__``."""


def meet_at(environment: Any, port: int) -> None:
    """Let ranks that Lightning starts itself meet at a port: it reads one from the environment or takes any."""
    environment._main_port = port


ScriptLauncher = _SubprocessScriptLauncher
"""Starts other ranks by re-running the command."""


def launch_by(strategy: DDPStrategy, launcher: type[ScriptLauncher]) -> None:
    """Let another launcher start the ranks of a strategy that re-runs the command."""
    if type(strategy.launcher) is _SubprocessScriptLauncher:
        environment = strategy.cluster_environment
        assert environment is not None
        strategy._launcher = launcher(environment, strategy.num_processes, strategy.num_nodes)


def ask_before_every_batch(trainer: Trainer, asked: Callable[[], bool], status: int) -> None:
    """Let all ranks end before the same batch once the first is ``asked`` to.

    Lightning's own asks before every batch, too, but its signal handlers talk between ranks at any time, which then wait for
    each other, and the first rank leaves after a batch that the others do not leave after.
    """

    def ask() -> None:
        answer = torch.tensor([int(asked())], device=trainer.strategy.root_device)
        torch.distributed.broadcast(answer, src=0)
        if answer.item():
            raise SIGTERMException(status)

    trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = ask  # type: ignore[method-assign]


def watch_imports(check: Callable[[str], None]) -> None:
    """Have ``check`` look at every dotted path that the parser is about to import, and at where what it found is defined.

    The parser itself knows only what is denied, and cannot be told to deny all but some.
    """
    modules: tuple[Any, ...] = (_util, _typehints)
    for module in modules:
        plain = module.check_import_path

        def checked(path: str, plain: Callable[[str], None] = plain) -> None:
            check(path)
            plain(path)

        module.check_import_path = checked


def take_lists_whole() -> None:
    """Let a list that is given again, such as the rows of a table, replace the one before.

    The parser goes on from the members of a list of the same length, so that what a new row leaves out would be the old row's.
    And it hands a list of the command line on as Python prints it, where a null becomes the text "None".
    """
    adapt, adapt_class = _typehints.adapt_typehints, _typehints.adapt_class_type

    def whole(val: Any, typehint: Any, *args: Any, **settings: Any) -> Any:
        is_list = isinstance(val, list) and _typehints.get_typehint_origin(typehint) in _typehints.sequence_origin_types
        if is_list and not settings.get("append"):
            settings["prev_val"] = None
        return adapt(val, typehint, *args, **settings)

    def as_json(value: Any, *args: Any, **settings: Any) -> Any:
        given = value.get("init_args")
        if isinstance(given, _util.NestedArg) and isinstance(given.val, list | dict):
            value["init_args"] = _util.NestedArg(given.key, json.dumps(given.val))
        return adapt_class(value, *args, **settings)

    _typehints.adapt_typehints, _typehints.adapt_class_type = whole, as_json
