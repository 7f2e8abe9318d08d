"""Encoders of sentences that others have trained, as they are and under a layer that is trained with images."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch import Tensor, nn

from lightning_gans.data.source import decode_caption
from lightning_gans.data.written import brief
from lightning_gans.errors import InputError
from lightning_gans.networks.conditions import Conditions
from lightning_gans.networks.layers import check_sizes
from lightning_gans.text.encoder import TextEncoder, TrainedTextEncoder
from lightning_gans.text.towers import digest_of, read_tower


class PretrainedTextEncoder(TextEncoder):
    """A text encoder of transformers or open_clip that stays as it is, in float32.

    Of CLIP it gives the projected text, of others the mean over tokens, or what a folder of sentence-transformers says. Each
    caption is read once, by itself, so that its numbers do not depend on those beside it, and kept: ``forward`` waits for the
    device. Checkpoints have no weights of it, but their fingerprint, and are refused with other ones.

    Args:
        path: of a folder with ``config.json`` or ``open_clip_config.json``, a tokeniser and weights in ``.safetensors``.

    Attributes:
        digest: the bytes of a sha256 of weights, settings and tokeniser, uint8 ``(32,)``.

    Raises:
        InputError: the package is not installed, or the folder has something else.
    """

    digest: Tensor

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self.path = Path(path)
        self.name = self.path.resolve().name
        self._tower = read_tower(self.path)  # no module of this one: neither stored nor cast with the model
        with torch.no_grad():
            self.width = len(self._tower.embed("a"))
        self._numbers: dict[bytes, Tensor] = {}
        self.register_buffer("digest", torch.tensor([*digest_of(self.path, self._tower.network)], dtype=torch.uint8))
        self.register_load_state_dict_pre_hook(_refuse_another)

    def forward(self, condition: Tensor) -> Tensor:
        device = condition.device
        keys = [row.tobytes().rstrip(b"\0") for row in self._codes_of(condition).to(torch.uint8).cpu().numpy()]
        return torch.stack([self._numbers_of(key, device) for key in keys]).to(device)

    def check(self, condition: Conditions) -> None:
        super().check(condition)
        for row in cast(Tensor, condition).tolist():
            self._check_known(decode_caption(row))

    def check_caption(self, text: str) -> None:
        super().check_caption(text)
        self._check_known(text)

    def _check_known(self, text: str) -> None:
        if not any(map(self._tower.is_known, self._tower.tokens(text))):
            raise InputError(
                f"{self.name} knows nothing in the caption {brief(text)}; write it in a language that it was trained on"
            )

    def _numbers_of(self, caption: bytes, device: torch.device) -> Tensor:
        if (known := self._numbers.get(caption)) is None:
            text = caption.decode(errors="replace")
            self._warn_of_tokens(text)
            with torch.inference_mode(False), torch.no_grad(), torch.autocast(device.type, enabled=False):
                self._tower.network.to(device)
                known = self._numbers[caption] = self._tower.embed(text).float().cpu()
        return known

    def _warn_of_tokens(self, text: str) -> None:
        count = 0 if self._warned else len(self._tower.tokens(text))
        if count > self._tower.longest:
            self._warned = True
            rank_zero_warn(f"there are captions of {count} tokens; {self.name} reads the first {self._tower.longest} of each")


class ProjectedTextEncoder(TrainedTextEncoder):
    """A linear layer, trained with images, over the scaled numbers of a pretrained encoder that stays as it is.

    Args:
        pretrained: its folder.
        width: of the embedding.
    """

    def __init__(self, pretrained: str | Path, width: int) -> None:
        super().__init__()
        check_sizes(self, width=width)
        self.width = width
        self.pretrained = PretrainedTextEncoder(pretrained)
        self.name = f"linear_{self.pretrained.name}"
        self.scaled = nn.BatchNorm1d(self.pretrained.width, affine=False)  # as over a frozen network of images
        self.linear = nn.Linear(self.pretrained.width, width)

    def forward(self, condition: Tensor) -> Tensor:
        with torch.autocast(condition.device.type, enabled=False):
            return self.linear(self.scaled(self.pretrained(condition).to(self.linear.weight.dtype)))

    def check(self, condition: Conditions) -> None:
        self.pretrained.check(condition)

    def check_caption(self, text: str) -> None:
        self.pretrained.check_caption(text)

    def settings(self) -> dict[str, Any]:
        return {"texts": str(self.pretrained.path.resolve()), "width": self.width}


def _refuse_another(encoder: PretrainedTextEncoder, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Refuse the weights of a model, or a layer, that was trained over another encoder."""
    stored = state.get(f"{prefix}digest")
    if isinstance(stored, Tensor) and not torch.equal(stored.cpu(), encoder.digest.cpu()):
        now, before = (bytes(digest.tolist()).hex()[:12] for digest in (encoder.digest, stored))
        raise InputError(
            f"the text encoder {encoder.path} is not the one that this was trained with (sha256 {now}, not {before}); put that "
            "in its place, or train anew"
        )
