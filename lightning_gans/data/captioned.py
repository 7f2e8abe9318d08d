"""What sets of images with captions share: classes that are for testing alone, and the captions that Reed et al. collected."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch

from lightning_gans.data.container import Container
from lightning_gans.data.description import Description, part_of
from lightning_gans.data.folder import fingerprint
from lightning_gans.data.source import Samples, Source, encode_captions
from lightning_gans.data.written import tidy
from lightning_gans.errors import InputError
from lightning_gans.randomness import keyed_generator


def tested(count: int) -> np.ndarray:
    """Which of ``count`` classes are for testing alone, bool ``(count,)``: always the same tenth, never the only one."""
    chosen = np.zeros(count, bool)
    if count > 1:
        order = torch.randperm(count, generator=keyed_generator("held out", count)).numpy()
        chosen[order[: max(1, round(count / 10))]] = True
    return chosen


def describe_split(test: np.ndarray, how: str) -> str:
    """The note on a split by class; ``test`` is bool ``(classes,)``."""
    return f"split by class, {how}: {test.sum():,} of {len(test):,} are for testing alone"


@dataclass(frozen=True)
class Listed:
    """The images of a set, their names in order, and their classes int64 ``(N,)`` that count ``classes``."""

    images: Container
    names: list[str]
    labels: np.ndarray
    classes: tuple[str, ...]


class FineGrained(Source):
    """Images of many classes that Reed et al. (2016) had described in ten sentences each.

    Their files are ``text_c10/CLASS/IMAGE.txt`` with a sentence a line, and the names of the classes for testing in
    ``testclasses.txt`` beside ``text_c10``; all others, of their ``trainclasses.txt`` and ``valclasses.txt``, are for training.
    Without the captions images and labels work alone; without the list a tenth of the classes, drawn once, is for testing.

    Attributes:
        places: where the official files may be, below the root.
        needed: what there must be in one of them.
        text: the folder of the captions.
        count: images of the official set.
    """

    usual_size, usual_channels = 64, 3
    places: tuple[str, ...]
    needed: tuple[str, ...]
    text: str
    count: int

    def listed(self, folder: Path) -> Listed:
        """What the official lists say."""
        raise NotImplementedError

    def fingerprint(self, split: str) -> dict[str, Any] | None:
        folder, text = self._folder(), self._text_folder()
        if folder is None:
            return None
        return {"images": fingerprint(folder), "text": None if text is None else fingerprint(text.parent)}

    def samples(self, split: str) -> Samples:
        folder = self._folder()
        if folder is None:
            near = self.find(*self.places) or self.request.root / self.places[0]
            raise self.missing(f"{near.name}/{next(name for name in self.needed if not (near / name).exists())}")
        listed = self.listed(folder)
        there = set(listed.images.names)
        missing = next((name for name in listed.names if name not in there), None)
        if missing is not None:
            raise InputError(f"{missing} is not in {listed.images.path}, but is one of {self.name}; get the images anew")
        test, note = self._test_classes(listed)
        rows = np.flatnonzero(test[listed.labels] == (split == "test"))
        names, labels = [listed.names[row] for row in rows], listed.labels[rows]
        captions = self._captions(names, labels)
        if self._text_folder() is None:
            note += f"; no captions: there is no {self.text}/text_c10"
        return self.of_files(
            listed.images,
            names,
            labels,
            captions=captions,
            description=Description(listed.classes, note=note, partial=part_of(len(listed.names), self.count)),
        )

    def _folder(self) -> Path | None:
        places = (self.request.root / place for place in self.places)
        return next((place for place in places if all((place / name).exists() for name in self.needed)), None)

    def _test_classes(self, listed: Listed) -> tuple[np.ndarray, str]:
        """Which classes are for testing alone, bool ``(classes,)``, and the note on that."""
        count = len(listed.classes)
        folder = self._text_folder()
        file = None if folder is None else folder.parent / "testclasses.txt"
        if file is None or not file.is_file():
            there = np.unique(listed.labels)
            test = tested(len(there))
            note = describe_split(test, "drawn once" if file is None else "drawn once for want of testclasses.txt")
            return np.isin(np.arange(count), there[test]), note
        lines = [line for line in _lines(file) if line]
        numbers = [_number(line) for line in lines]
        wrong = next((line for line, n in zip(lines, numbers, strict=True) if not 1 <= n <= count), None)
        if wrong is not None or not numbers:
            raise InputError(f"{file} names {wrong or 'no class'}, not one of the {count} classes; get it anew")
        test = np.isin(np.arange(count) + 1, numbers)
        return test, describe_split(test, "as Reed et al. did")

    def _captions(self, names: Sequence[str], labels: np.ndarray) -> np.ndarray | None:
        folder = self._text_folder()
        if folder is None:
            return None
        written = Container(folder)
        texts = {_key(_number(name), name): name for name in written.names if name.endswith(".txt")}
        captions: list[list[str]] = []
        for name, label in zip(names, labels, strict=True):
            text = texts.get(_key(int(label) + 1, name))
            sentences = [] if text is None else [line for line in _lines(folder / text) if line]
            if not sentences:
                raise InputError(f"{name} of {self.name} has no caption in {folder}; get the captions anew")
            captions.append(sentences)
        return encode_captions(captions) if captions else None

    def _text_folder(self) -> Path | None:
        return self.find(f"{self.text}/text_c10", f"{self.name}/{self.text}/text_c10")


def _lines(file: Path) -> list[str]:
    return [tidy(line) for line in file.read_text(encoding="utf-8", errors="replace").splitlines()]


def _number(name: str) -> int:
    """The number of a class, as in ``009.Brewers_Blackbird/..`` and ``class_00009``, 0 where there is none."""
    digits = re.search(r"\d+", name)
    return int(digits[0]) if digits else 0


def _key(number: int, name: str) -> tuple[int, str]:
    """Class and the end of an image's name: some captions of CUB have another spelling of the bird before it."""
    return number, "_".join(PurePosixPath(name).stem.split("_")[-2:])
