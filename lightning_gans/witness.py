"""What a run was doing when an error came."""

from __future__ import annotations

from lightning.pytorch import Callback, LightningModule, Trainer

from lightning_gans.logs import data_of
from lightning_gans.way_out import note

_DOING = {"fit": "training", "validate": "measuring", "test": "measuring", "predict": "drawing samples of"}


class Witness(Callback):
    """Notes with an error who was at work, on what and at which step."""

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        stage, data = getattr(trainer.state.fn, "value", ""), data_of(trainer)
        name = getattr(data, "name", None) or getattr(data, "dataset", "")
        step = f" at step {trainer.global_step}" if stage == "fit" else ""
        note(exception, f"{_DOING.get(stage, 'preparing')} {type(pl_module).__name__}{f' on {name}' if name else ''}{step}")
