"""Models of images and texts: what their networks are given are the numbers that a trained encoder makes of a text."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch import Tensor, nn

from lightning_gans.batch import Batch
from lightning_gans.errors import InputError
from lightning_gans.game import Game
from lightning_gans.logs import data_of
from lightning_gans.networks import eval_mode
from lightning_gans.protocols import Condition


class TextGame(Game):
    """A game whose networks are given texts as numbers, outside its losses; a paper derives from it.

    Conditions are captions, alone or beside others by name, and other whole numbers that the encoder takes, such as labels.
    Those that are no whole numbers stay as they are: they are a text's numbers already, such as some between two texts.

    Attributes:
        text_encoder: makes numbers ``(N, width)`` of captions, int64 ``(N, L)`` of UTF-8 bytes padded with zeros, or of labels
            ``(N,)``, as a ``LabelCondition`` does. It stays as it is, in evaluation mode.
    """

    conditional = averages_captions = True
    text_encoder: nn.Module

    def take_text_encoder(self, text_encoder: nn.Module) -> None:
        """Have that encoder, frozen."""
        self.text_encoder = text_encoder.requires_grad_(False)

    def setup(self, stage: str) -> None:
        self._check_captions(data_of(self.trainer))
        super().setup(stage)

    def texts(self, condition: Condition) -> Tensor:
        """The numbers ``(N, width)`` of texts; of several an image ``(N, K, L)`` their mean.

        Raises:
            InputError: there are several conditions by name, and none is captions.
        """
        if isinstance(condition, dict):
            if "captions" not in condition:
                raise InputError(f"there are {', '.join(condition)}, but no captions; let data.condition have them, too")
            condition = condition["captions"]
        if condition.is_floating_point():
            return self.to_model(condition)
        several = condition.dim() == 3
        with torch.no_grad(), eval_mode(self.text_encoder):
            numbers = self.text_encoder(condition.flatten(0, 1) if several else condition)
        return self.to_model(numbers.unflatten(0, condition.shape[:2]).mean(1) if several else numbers)

    def _check_captions(self, data: Any) -> None:
        """Refuse captions of the data that the encoder cannot read; say where it is of other data.

        Raises:
            InputError: says which.
        """
        check, of = getattr(self.text_encoder, "check_captions", None), getattr(self.text_encoder, "dataset", "")
        if "captions" not in getattr(data, "condition_kinds", {}) or not callable(check):
            return
        check(data)
        if of and of != data.name:
            rank_zero_warn(f"the text encoder was trained on {of}, and may not tell the captions of {data.name} apart")

    def given(self, batch: Batch) -> tuple[Any, ...]:
        return tuple(map(self.texts, super().given(batch)))

    def _given(self, condition: Condition | None) -> tuple[Condition, ...]:
        return tuple(map(self.texts, super()._given(condition)))
