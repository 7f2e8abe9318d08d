"""Embeddings of one's own: looked up by caption, and refused where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lightning_gans import InputError
from lightning_gans.data.source import encode_captions
from lightning_gans.text import StoredEmbeddings, load_text_encoder

TEXTS = ["red hair", "blue hair", "blue long hair and \u00e9toiles"]
NUMBERS = np.arange(6, dtype=np.float32).reshape(3, 2)


def kept(path: Path, captions: Any = TEXTS, embeddings: Any = NUMBERS, **others: Any) -> Path:
    np.savez(path, captions=np.asarray(captions), embeddings=np.asarray(embeddings), **others)
    return path


def codes(*texts: str, length: int = 0) -> torch.Tensor:
    found = torch.from_numpy(encode_captions([[text] for text in texts])[:, 0]).long()
    return torch.nn.functional.pad(found, (0, max(0, length - found.shape[1])))


@pytest.mark.parametrize("length", [0, 40])
def test_captions_are_looked_up_however_they_are_padded(length: int, tmp_path: Path) -> None:
    encoder = load_text_encoder(kept(tmp_path / "e.npz"))
    assert encoder.width == 2
    assert encoder(codes(TEXTS[2], TEXTS[0], TEXTS[2], length=length)).tolist() == [[4, 5], [0, 1], [4, 5]]
    assert encoder(codes(TEXTS[1], length=length)).tolist() == [[2, 3]]
    encoder.check(codes(*TEXTS))
    encoder.check(encoder.example(3))
    encoder.check_caption("blue  hair ")
    assert not [*encoder.parameters()]


def test_a_caption_that_is_not_there_is_refused_with_the_nearest_that_is(tmp_path: Path) -> None:
    encoder = StoredEmbeddings(kept(tmp_path / "e.npz"))
    for unknown in ("blue hairs", "blue hai"):
        said = rf"no embedding of the caption '{unknown}' \(did you mean blue hair\?\)"
        with pytest.raises(InputError, match=said):
            encoder.check(codes("red hair", unknown))
        with pytest.raises(InputError, match=said):
            encoder.check_caption(unknown)
    with pytest.raises(InputError, match="no embedding of the caption 'zzz'; add it"):
        encoder(codes("zzz"))
    with pytest.raises(InputError, match="is empty"):
        encoder.check_caption("")


def test_fingerprints_tell_embeddings_apart(tmp_path: Path) -> None:
    one, same = StoredEmbeddings(kept(tmp_path / "e.npz")), StoredEmbeddings(kept(tmp_path / "f.npz"))
    assert one.fingerprint == same.fingerprint
    assert one.fingerprint != StoredEmbeddings(kept(tmp_path / "g.npz", embeddings=NUMBERS + 1)).fingerprint
    assert one.fingerprint != StoredEmbeddings(kept(tmp_path / "h.npz", ["a", "b", "c"])).fingerprint


def test_many_captions_are_told_apart(tmp_path: Path) -> None:
    texts = [f"{number} hair" for number in range(5000)]
    encoder = StoredEmbeddings(kept(tmp_path / "e.npz", texts, np.arange(5000)[:, None]))
    order = torch.randperm(5000)
    assert torch.equal(encoder(codes(*(texts[n] for n in order)))[:, 0].long(), order)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"captions": [1, 2, 3]}, "must be M texts"),
        ({"captions": []}, "must be M texts"),
        ({"captions": np.array(TEXTS, object)}, "cannot be read"),
        ({"captions": [b"\xff", b"a", b"b"]}, "not UTF-8"),
        ({"captions": ["a", " ", "b"]}, "caption 1 .* is empty"),
        ({"captions": ["a", "b", "a"]}, "two embeddings of the caption 'a'"),
        ({"embeddings": NUMBERS[:2]}, r"numbers \(3, width\)"),
        ({"embeddings": NUMBERS[0]}, r"numbers \(3, width\)"),
        ({"embeddings": NUMBERS[:, :0]}, r"numbers \(3, width\)"),
        ({"embeddings": NUMBERS * np.nan}, "NaN"),
    ],
)
def test_files_that_hold_something_else_are_refused(content: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        StoredEmbeddings(kept(tmp_path / "e.npz", **content))


def test_files_that_are_missing_or_no_archive_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no embeddings .*e\.npz"):
        load_text_encoder(tmp_path / "e.npz")
    (tmp_path / "e.npz").write_bytes(b"something else")
    with pytest.raises(InputError, match="cannot be read"):
        load_text_encoder(tmp_path / "e.npz")
    np.savez(tmp_path / "e.npz", captions=np.array(TEXTS))
    with pytest.raises(InputError, match=r"cannot be read.*embeddings"):
        load_text_encoder(tmp_path / "e.npz")
