"""COCO's photographs with their captions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from lightning_gans.data.container import Container
from lightning_gans.data.description import part_of
from lightning_gans.data.folder import fingerprint
from lightning_gans.data.source import Samples, Source, encode_captions, stamp
from lightning_gans.data.written import tidy
from lightning_gans.errors import InputError

_BASES = ("coco/", "COCO/", "")
_PARTS = {"train": "train", "test": "val"}
_COUNTS = {"train2014": 82_783, "val2014": 40_504, "train2017": 118_287, "val2017": 5_000}


class COCO(Source):
    """Photographs of everyday scenes with five captions each (Lin et al., 2014; Chen et al., 2015); the test split is ``val``.

    Looked for in ``root/coco`` (or ``COCO``) and ``root``: ``annotations/captions_train2014.json``, ``captions_val2014.json``,
    and the folders or zips ``train2014`` and ``val2014``, there or in ``images``. Without those of 2014 (82,783 and 40,504
    images), those of 2017 (118,287 and 5,000), which are the same photographs divided in another way: the two never mix.
    """

    name = "coco"
    usual_size, usual_channels = 64, 3
    where = (
        "put annotations/ with captions_train2014.json and captions_val2014.json, and train2014.zip and val2014.zip (or the "
        "folders in them) into coco/ (cocodataset.org)"
    )
    size = "19 GB"
    licence = "CC BY 4.0, images as on Flickr"

    def fingerprint(self, split: str) -> dict[str, Any] | None:
        captions, images = self._files(split)
        return None if captions is None or images is None else {"images": fingerprint(images), **stamp(captions)}

    def samples(self, split: str) -> Samples:
        part = f"{_PARTS[split]}{self._year()}"
        captions, images = self._files(split)
        if captions is None:
            raise self.missing(f"annotations/captions_{part}.json")
        if images is None:
            raise self.missing(f"{part}.zip")
        listed = self._captions(captions)
        container = Container(images)
        there = {PurePosixPath(name).name: name for name in container.images()}
        missing = next((name for name in listed if name not in there), None)
        if missing is not None:
            raise InputError(f"{captions} has captions for {missing}, which is not in {images}; get the images anew")
        names = [there[name] for name in listed]
        note, partial = f"the test split is val{self._year()}", part_of(len(listed), _COUNTS[part])
        return self.of_files(
            container,
            names,
            captions=encode_captions([*listed.values()]) if listed else None,
            description=replace(self.description, note=note, partial=partial),
        )

    def _captions(self, file: Path) -> dict[str, list[str]]:
        """The captions of each image by the name of its file."""
        try:
            content = json.loads(file.read_bytes())
            names = {entry["id"]: PurePosixPath(entry["file_name"]).name for entry in content["images"]}
            captions: dict[str, list[str]] = {name: [] for name in names.values()}
            for entry in content["annotations"]:
                captions[names[entry["image_id"]]] += [text] if (text := tidy(entry["caption"])) else []
        except Exception as error:  # a damaged file may raise anything
            raise InputError(f"{file} is damaged ({type(error).__name__}: {error}); get it anew") from error
        bare = next((name for name, some in captions.items() if not some), None)
        if bare is not None:
            raise InputError(f"{bare} has no caption in {file}; get it anew")
        return captions

    def _files(self, split: str) -> tuple[Path | None, Path | None]:
        part = f"{_PARTS[split]}{self._year()}"
        places = [f"{base}{below}{part}{end}" for base in _BASES for below in ("", "images/") for end in ("", ".zip")]
        return self._annotations(part), self.find(*places)

    def _annotations(self, part: str) -> Path | None:
        return self.find(*(f"{base}annotations/captions_{part}.json" for base in _BASES))

    def _year(self) -> int:
        """The edition that is there."""
        return 2017 if self._annotations("train2017") and not self._annotations("train2014") else 2014


SOURCE = COCO
