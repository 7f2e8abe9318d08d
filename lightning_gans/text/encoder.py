"""What makes numbers of captions, however it does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch import Tensor, nn

from lightning_gans.data.source import encode_captions
from lightning_gans.data.written import tidy, typed
from lightning_gans.errors import InputError
from lightning_gans.networks.conditions import Condition, Conditions
from lightning_gans.stored import identity_of

_AT_ONCE = 10_000


class TextEncoder(Condition):
    """Makes ``(N, width)`` numbers of captions as byte codes, int64 ``(N, L)``: UTF-8, padded with zeros.

    The same captions give the same numbers on the same device, in float32 whatever is cast around it. Loaded from a file, an
    encoder needs no gradients.

    Attributes:
        name: in logs and records.
        width: how many numbers.
        length: bytes that are read, ``None`` for all; what is behind them is left out with a warning, once.
    """

    name: str
    length: int | None = None
    _warned = False

    def forward(self, condition: Tensor) -> Tensor:
        raise NotImplementedError

    def check(self, condition: Conditions) -> None:
        captions = self._codes_of(condition)
        empty = (captions == 0).all(1).nonzero().flatten()
        if len(empty):
            raise InputError(f"caption {int(empty[0])} is empty; write one, or remove the image")

    def check_caption(self, text: str) -> None:
        """Refuse a caption of which nothing would be read, and warn of one that is too long.

        Raises:
            InputError: says what is wrong.
        """
        typed(text, "the caption")
        self._warn_of(len(text.encode()))

    def check_captions(self, data: Any) -> None:
        """Refuse captions of a dataset that is open, of whatever split, as ``check`` does.

        Raises:
            InputError: says which.
        """
        device = next(self.buffers()).device
        for split in data.splits:
            codes = data.caption_codes(split)
            for some in () if codes is None else codes.flatten(0, 1).unique(dim=0).split(_AT_ONCE):
                self.check(some.long().to(device))

    def example(self, n: int) -> Tensor:
        return torch.from_numpy(encode_captions([["a"]] * n)[:, 0]).long()

    def codes(self, texts: Sequence[str]) -> Tensor:
        """Captions that somebody wrote, as ``forward`` takes them: int64 ``(N, L)`` on the CPU.

        Raises:
            InputError: nothing would be read of one of them.
        """
        for text in texts:
            self.check_caption(text)
        return torch.from_numpy(encode_captions([[tidy(text)] for text in texts])[:, 0]).long()

    @property
    def fingerprint(self) -> str:
        """sha256 of all that the numbers depend on, in hexadecimal digits."""
        return identity_of(self)

    def describe(self) -> dict[str, Any]:
        """What a record says of it, in plain types."""
        return {"text_encoder": self.name, "text_encoder_width": self.width, "text_encoder_sha256": self.fingerprint}

    def _codes_of(self, condition: Conditions) -> Tensor:
        """The captions, as far as they are read; looks at type and shape alone."""
        if not isinstance(condition, Tensor) or condition.dim() != 2 or condition.dtype != torch.int64:
            given = f"{condition.dtype} {tuple(condition.shape)}" if isinstance(condition, Tensor) else type(condition).__name__
            raise InputError(f"captions must be byte codes, int64 (N, L), not {given}; set data.condition to captions")
        self._warn_of(condition.shape[1])
        return condition[:, : self.length]

    def _warn_of(self, length: int) -> None:
        if self.length is not None and length > self.length and not self._warned:
            self._warned = True
            rank_zero_warn(f"there are captions of {length} bytes; {self.name} reads the first {self.length} of each")


class TrainedTextEncoder(TextEncoder):
    """One that was trained with images, as ``lightning text-encoder`` does.

    Attributes:
        linear: its last layer.
        score: share of the images of a held-out class that retrieve it first, mean over classes; NaN where not measured.
        chance: the same of guesses.
        dataset: that it was trained on, empty where on none.
    """

    linear: nn.Linear

    def __init__(self) -> None:
        super().__init__()
        self.score = self.chance = math.nan
        self.dataset = ""

    def settings(self) -> dict[str, Any]:
        """What it is made anew from, beside its weights, in plain types."""
        raise NotImplementedError

    def describe(self) -> dict[str, Any]:
        about = {"text_encoder_dataset": self.dataset, "text_encoder_score": self.score, "text_encoder_chance": self.chance}
        return {**super().describe(), **about}
