"""The encoder of characters that GAN-CLS and those after it condition on."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn

from lightning_gans.data.source import decode_caption
from lightning_gans.data.written import brief
from lightning_gans.errors import InputError
from lightning_gans.networks.conditions import Conditions
from lightning_gans.networks.layers import check_sizes
from lightning_gans.text.encoder import TrainedTextEncoder

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789-,;.!?:'\"/\\|_@#$%^&*~`+-=<>()[]{} "
"""The 70 places of the authors', with the hyphen twice, of which the second counts."""
KERNEL, POOL = 4, 3


class CharCNNRNN(TrainedTextEncoder):
    """The char-CNN-RNN of Reed et al. (2016): convolutions over characters, a GRU over what they give, averaged over its steps.

    Each character is a one-hot vector of 70, capitals as small letters; all others, and what is behind the caption, are zeros.
    The layers are those of reedscot/icml2016@4f57c3b, ``modules/HybridCNNLong.lua``, with ``modules/FixedGRU.lua``: 201
    characters become 18 steps. reedscot/cvpr2016@437e242 has a third pooling, 8 steps and a plain ReLU network instead of the
    GRU. torch's GRU resets after its linear layer, theirs before, so that their weights would not fit.

    Args:
        width: of the embedding; the authors' 1024 is that of GoogLeNet's features.
        channels: of the three convolutions; the last is the GRU's width, too.
        length: bytes that are read of a caption, at least 48.
    """

    name = "char_cnn_rnn"
    length: int
    places: Tensor

    def __init__(self, width: int = 1024, channels: tuple[int, int, int] = (384, 512, 512), length: int = 201) -> None:
        super().__init__()
        check_sizes(self, width=width)
        if len(channels) != 3 or min(channels) < 1:
            raise InputError(f"channels are {channels}, but must be three numbers of at least 1, one a convolution")
        if length < 48:
            raise InputError(f"length is {length}, but the convolutions need at least 48 bytes")
        self.width, self.channels, self.length = width, tuple(channels), length
        convolutions = [nn.Conv1d(i, o, KERNEL) for i, o in pairwise((len(ALPHABET), *channels))]
        first, second, third = ([convolution, nn.ReLU()] for convolution in convolutions)
        self.convolutions = nn.Sequential(*first, nn.MaxPool1d(POOL), *second, nn.MaxPool1d(POOL), *third)
        self.recurrent = nn.GRU(channels[2], channels[2], batch_first=True)
        self.linear = nn.Linear(channels[2], width)
        self.register_buffer("places", _places())

    def forward(self, condition: Tensor) -> Tensor:
        captions = self._codes_of(condition)
        captions = nn.functional.pad(captions, (0, self.length - captions.shape[1]))
        with torch.autocast(captions.device.type, enabled=False):
            weight = self.linear.weight
            characters = torch.arange(len(ALPHABET), device=captions.device)[None, :, None]
            one_hot = (self.places[captions][:, None] == characters).to(weight.dtype)
            steps, _ = self.recurrent(self.convolutions(one_hot).transpose(1, 2))
            return self.linear(steps.mean(1))

    def check(self, condition: Conditions) -> None:
        super().check(condition)
        captions = self._codes_of(condition)
        unread = ((self.places[captions] < 0) | (captions == ord(" "))).all(1)
        if bool(unread.any()):
            raise self._unread(decode_caption(cast(Tensor, condition)[unread][0].tolist()))

    def check_caption(self, text: str) -> None:
        super().check_caption(text)
        read = text.encode()[: self.length].decode(errors="ignore").lower()
        if not set(read) & (set(ALPHABET) - {" "}):
            raise self._unread(text)

    def _unread(self, text: str) -> InputError:
        return InputError(f"nothing in the caption {brief(text)} is in the alphabet of {self.name}; write it in Latin letters")

    def settings(self) -> dict[str, Any]:
        return {"width": self.width, "channels": list(self.channels), "length": self.length}


def _places() -> Tensor:
    """The place in the alphabet of every byte, int64 ``(256,)``, -1 for none."""
    places = torch.full((256,), -1)
    for place, letter in enumerate(ALPHABET):
        places[ord(letter.upper())] = places[ord(letter)] = place
    return places
