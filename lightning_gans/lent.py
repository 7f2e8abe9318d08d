"""Steps that a module of one's own need not write: what protocols.py can ask it for is enough to measure and to draw."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch import Tensor

from lightning_gans.errors import InputError
from lightning_gans.logs import data_of
from lightning_gans.protocols import Generates, to_device
from lightning_gans.randomness import global_seed, keyed_generator

_STEPS = {"validate": "validation_step", "test": "test_step", "predict": "predict_step"}


def lend_step(model: LightningModule, command: str) -> None:
    """Give a module the step of ``lightning validate``, ``test`` or ``predict`` where it has none.

    Raises:
        InputError: it has none and cannot be asked for samples; says what to add.
    """
    step = _STEPS.get(command)
    if step is None or is_overridden(step, model, LightningModule):
        return
    if not isinstance(model, Generates):
        lacking = [name for name in ("prior", "decode", "sample") if not hasattr(model, name)]
        raise InputError(
            f"lightning {command} has nothing to do with {type(model).__name__}: it has no {step} of its own, nor "
            f"{', '.join(lacking)} to be asked for samples; add either"
        )

    def nothing(batch: Any, batch_idx: int) -> None:
        """The evaluation callback measures when the loop is through."""

    def drawn(batch: Tensor, batch_idx: int) -> Tensor:
        return draw(model, batch)

    setattr(model, step, drawn if command == "predict" else nothing)


def draw(model: Any, numbers: Tensor) -> Tensor:
    """As many samples as there are ``numbers``, from noise keyed by the first, under conditions of test rows.

    Where the data names latents, samples are made of those of these numbers, under the conditions beside them.
    """
    condition, data, numbers = None, data_of(model.trainer), numbers.cpu()
    given = getattr(data, "given", None)
    if getattr(model, "conditional", False) and data is not None:
        condition = data.conditions_for(numbers) if given is None else given.conditions_for(numbers, data)
    if given is not None:
        z = given.of(numbers, model.prior.dim)
        return model.decode(z.to(model.device, model.dtype), to_device(condition, model.device))
    return model.sample(len(numbers), condition, keyed_generator("predict", global_seed(), int(numbers[0])))


def has_own_step(model: Any, stage: str) -> bool:
    """Whether a module has a step for ``validate`` or ``test`` that wants real data: one that it wrote itself."""
    step = getattr(type(model), _STEPS[stage], None)
    return step is not None and step.__module__.partition(".")[0] not in ("lightning", "lightning_gans")
