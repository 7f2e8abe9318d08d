"""Anime faces: any folder or archive of them, with captions where there is a ``captions.csv``."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lightning_gans.data.description import Preview
from lightning_gans.data.source import Request, Samples, Source
from lightning_gans.data.sources.captions import Captions
from lightning_gans.data.sources.files import Files
from lightning_gans.errors import InputError

_PLACES = tuple(f"anime{suffix}" for suffix in ("", ".zip", ".tar", ".tar.gz", ".tgz"))
_KAGGLE = "splcher/animefacedataset"


class Anime(Source):
    """The faces in the folder ``root/anime``, or in ``root/anime.zip`` or such a tar.

    With a ``captions.csv`` they are split by class as one's own images with captions are, see ``Captions``; without, they are
    read as one's own images, see ``Files``.
    """

    name = "anime"
    usual_size = 64
    where = f"put images of faces into anime/, with captions.csv if there are captions (kaggle.com/datasets/{_KAGGLE} has none)"
    size = "400 MB"
    licence = "ask their source"

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self._files: Files | None = None
        if (path := self.find(*_PLACES)) is not None:
            captioned = Captions(request, path)
            self._files = captioned if captioned.has_table else Files(request, path)
            self._files.name, self._files.usual_size = self.name, self.usual_size

    @property
    def splits(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("train", "test") if self._files is None else self._files.splits

    def fingerprint(self, split: str) -> dict[str, Any] | None:
        return None if self._files is None else self._files.fingerprint(split)

    def samples(self, split: str) -> Samples:
        if self._files is None:
            raise self.missing("anime/")
        return self._files.samples(split)

    def glance(self, split: str) -> Preview | None:
        return None if self._files is None else self._files.glance(split)

    def download(self, splits: Iterable[str]) -> None:
        """Fetch the 63,565 faces that Kaggle has, without captions; the 21,552 of AEGAN's paper are another set."""
        place = self.request.root / "anime"
        try:
            import kagglehub
        except ImportError as error:
            raise InputError(
                f"{self.name} is fetched by kagglehub, which is not installed; install it, or get the images from "
                f"kaggle.com/datasets/{_KAGGLE} and put them into {place}"
            ) from error
        try:
            fetched = Path(kagglehub.dataset_download(_KAGGLE))
            place.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".anime.", dir=place.parent) as scratch:
                os.rename(shutil.copytree(fetched, Path(scratch) / "anime"), place)
        except (OSError, ValueError) as error:
            raise self.not_downloaded(error) from error


SOURCE = Anime
