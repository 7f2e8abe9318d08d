"""Embeddings of one's own, made of captions by whatever encoder somewhere else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lightning_gans.data.source import decode_caption, encode_captions
from lightning_gans.data.split import fit_captions
from lightning_gans.data.written import brief, tidy
from lightning_gans.errors import InputError
from lightning_gans.networks.conditions import Conditions
from lightning_gans.suggestions import near
from lightning_gans.text.encoder import TextEncoder

_LONGEST_HINTED = 1000  # to look for what is near takes long for a long text
_FACTOR = 6364136223846793005  # of a linear congruential generator: odd, so that no byte is lost


class StoredEmbeddings(TextEncoder):
    """Looks captions up. ``forward`` looks at values, and so waits for the device.

    Args:
        path: of an ``.npz`` with ``captions``, M texts, and ``embeddings``, numbers ``(M, width)``.

    Raises:
        InputError: there is no such file, or there is something else in it.
    """

    name = "stored_embeddings"
    captions: Tensor
    embeddings: Tensor

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self.path = Path(path)
        texts, embeddings = _read(self.path)
        self.width = embeddings.shape[1]
        self.register_buffer("captions", torch.from_numpy(encode_captions([[text] for text in texts])[:, 0]).long())
        self.register_buffer("embeddings", torch.from_numpy(embeddings))

    def forward(self, condition: Tensor) -> Tensor:
        rows, found = self._rows(condition)
        if not bool(found.all()):
            raise self._unknown(decode_caption(condition[~found][0].tolist()))
        return self.embeddings[rows]

    def check(self, condition: Conditions) -> None:
        super().check(condition)
        self.forward(self._codes_of(condition))

    def check_caption(self, text: str) -> None:
        super().check_caption(text)
        if not bool(self._rows(torch.tensor([[*tidy(text).encode()]], device=self.captions.device))[1].all()):
            raise self._unknown(text)

    def example(self, n: int) -> Tensor:
        return self.captions[:1].expand(n, -1).cpu()

    def _rows(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Where each caption stands, int64 ``(N,)``, and whether it does, bool ``(N,)``."""
        captions, known = self._codes_of(condition), self.captions
        length = max(captions.shape[1], known.shape[1])
        captions, known = fit_captions(captions, length), fit_captions(known, length)
        keys, order = _hashes(known).sort(stable=True)
        places = torch.searchsorted(keys, _hashes(captions)).clamp(max=len(keys) - 1)
        rows = order[places]
        return rows, (known[rows] == captions).all(1)

    def _unknown(self, text: str) -> InputError:
        hint = near(text[:_LONGEST_HINTED], map(decode_caption, self.captions.tolist()))
        return InputError(f"{self.path} has no embedding of the caption {brief(text)}{hint}; add it to the file")


def _hashes(captions: Tensor) -> Tensor:
    """One number for each caption, int64 ``(N,)``; overflow is meant."""
    powers = torch.full((captions.shape[1],), _FACTOR, device=captions.device).cumprod(0)
    return ((captions + 1) * powers).sum(1)


def _read(path: Path) -> tuple[list[str], np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            captions, embeddings = file["captions"], file["embeddings"]
    except FileNotFoundError as error:
        raise InputError(f"there are no embeddings {path}; write an .npz with captions and embeddings") from error
    except Exception as error:  # whatever readers make of bytes that are something else
        raise InputError(f"{path} cannot be read ({error}); it must be an .npz with captions and embeddings") from error
    if captions.dtype.kind not in "US" or captions.ndim != 1 or not len(captions):
        raise InputError(f"captions in {path} must be M texts, not {captions.dtype} {captions.shape}; save an array of texts")
    if embeddings.dtype.kind not in "fiu" or embeddings.ndim != 2 or len(embeddings) != len(captions) or not embeddings.size:
        raise InputError(
            f"embeddings in {path} must be numbers ({len(captions)}, width), a row a caption, not "
            f"{embeddings.dtype} {embeddings.shape}"
        )
    numbers = embeddings.astype(np.float32)
    if not np.isfinite(numbers).all():
        raise InputError(f"some embeddings in {path} are NaN or infinite; mend them")
    try:
        texts = [tidy(str(text, "utf-8") if isinstance(text, bytes) else str(text)) for text in captions]
    except UnicodeDecodeError as error:
        raise InputError(f"captions in {path} are not UTF-8; save them as an array of texts") from error
    if "" in texts:
        raise InputError(f"caption {texts.index('')} in {path} is empty; remove it")
    rows: dict[str, int] = {}
    for row, text in enumerate(texts):
        if not np.array_equal(numbers[rows.setdefault(text, row)], numbers[row]):
            raise InputError(f"{path} has two embeddings of the caption {text!r}; leave one")
    return texts, numbers
