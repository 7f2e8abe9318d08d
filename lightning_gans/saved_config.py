"""What a run says of its own settings."""

from __future__ import annotations

from typing import Any, cast

import yaml
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.cli import SaveConfigCallback
from lightning.pytorch.trainer.states import TrainerFn

from lightning_gans.errors import InputError
from lightning_gans.logs import run_folder


class KeepConfig(SaveConfigCallback):
    """Writes the resolved config to the run's folder, into every checkpoint and to every logger."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "overwrite": True, "save_to_log_dir": False})

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._folder = run_folder(trainer)  # asks the first rank, so not in save_config, which only that rank runs
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"the log directory {self._folder} cannot be made ({error.strerror}); set trainer.default_root_dir elsewhere"
            ) from error

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save only now that models and data have been set up, so that a refused run leaves nothing."""
        super().setup(trainer, pl_module, cast(TrainerFn, trainer.state.fn).value)

    on_validation_start = on_test_start = on_predict_start = on_fit_start

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        text = self._text()
        (self._folder / ("config.yaml" if stage == "fit" else f"config_{stage}.yaml")).write_text(text)
        for logger in trainer.loggers:
            logger.log_hyperparams({"config": yaml.safe_load(text)})

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint["config"] = self._text()

    def _text(self) -> str:
        return self.parser.dump(self.config, skip_none=False)
