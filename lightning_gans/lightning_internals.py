"""Every private name of Lightning and its parser that this package leans on, and why: an upgrade need only be checked here."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from jsonargparse import _typehints, _util
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.core.mixins.hparams_mixin import _given_hyperparameters
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.strategies.launchers.subprocess_script import _SubprocessScriptLauncher
from lightning.pytorch.trainer.connectors.accelerator_connector import _AcceleratorConnector

PRIVATE_NAMES = (
    "lightning.pytorch.trainer.connectors.accelerator_connector:_AcceleratorConnector",
    "lightning.pytorch.cli:LightningCLI._parse_ckpt_path",
    "lightning.pytorch.core.mixins.hparams_mixin:_given_hyperparameters",
    "lightning.pytorch.strategies.launchers.subprocess_script:_SubprocessScriptLauncher",
    "lightning.pytorch.strategies:DDPStrategy._configure_launcher",
    "jsonargparse._util:check_import_path",
    "jsonargparse._typehints:check_import_path",
)
"""Where they are, as ``pkgutil.resolve_name`` reads it; a test sees that the installed version has them all."""


class PlainCLI(LightningCLI):
    """A LightningCLI that leaves the command line as it is.

    Lightning's own lets the hyper-parameters in a checkpoint silently win over it, and has no switch for that.
    """

    def _parse_ckpt_path(self) -> None:
        """Nothing: where a config out of the checkpoint is wanted, the command line names it."""


def trains_on_several_devices(accelerator: Any, devices: Any, num_nodes: int) -> bool:
    """Whether Lightning would choose data-parallel training for these settings of the trainer.

    Only a trainer says so in public, and making one more would say twice what hardware there is.
    """
    connector = _AcceleratorConnector(accelerator=accelerator, devices=devices, num_nodes=num_nodes, strategy="auto")
    return isinstance(connector.strategy, DDPStrategy)


def under_command() -> bool:
    """Whether a module is being made by LightningCLI, which then stores its settings: it says so nowhere else."""
    return _given_hyperparameters.get() is not None


SET_AT_EVERY_HOOK = "_current_fx_name"
"""An attribute of a module that Lightning sets twenty times a batch: 50 microseconds through ``nn.Module.__setattr__``."""


def meet_at(environment: Any, port: int) -> None:
    """Let ranks that Lightning starts itself meet at a port: it reads one from the environment or takes any."""
    environment._main_port = port


def kill_ranks(launcher: Any, how: signal.Signals) -> bool:
    """End the processes that a launcher has started, if it is the one that re-runs the command: only that one keeps them.

    Whether it is.
    """
    if not isinstance(launcher, _SubprocessScriptLauncher):
        return False
    launcher.kill(how)
    return True


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
