"""Every private name of Lightning that this package uses, each with why there is no public one."""

from __future__ import annotations

from lightning.pytorch.core.mixins.hparams_mixin import _given_hyperparameters


def under_command() -> bool:
    """Whether a module is being made by LightningCLI, which then stores its settings: it says so nowhere else."""
    return _given_hyperparameters.get() is not None
