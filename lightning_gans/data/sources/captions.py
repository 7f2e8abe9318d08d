"""One's own images with captions: a folder, zip or tar that has a ``captions.csv``."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from pathlib import Path, PurePosixPath

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lightning_gans.data.archive import ARCHIVES
from lightning_gans.data.captioned import describe_split, tested
from lightning_gans.data.container import Container
from lightning_gans.data.description import Description, Preview
from lightning_gans.data.source import Request, Samples, encode_captions
from lightning_gans.data.sources.files import Files
from lightning_gans.data.written import brief, is_blank, tidy
from lightning_gans.errors import InputError

_TABLE = "captions.csv"


@dataclass(frozen=True)
class _Table:
    """What ``captions.csv`` says: images by name, the captions of each, and the class of each, int64 ``(N,)``."""

    images: list[str]
    captions: list[list[str]]
    classes: tuple[str, ...]
    labels: np.ndarray


class Captions(Files):
    """Images that ``captions.csv`` beside them lists: ``image,caption`` or ``image,caption,class``, one caption a row.

    An image with several captions has several rows. Without a column ``class``, images that have a caption in common are of one
    class, called like it. A tenth of the classes, always the same, is for testing alone; of the images if there is one class.
    """

    @classmethod
    def answers_to(cls, request: Request) -> bool:
        given = Path(request.dataset)
        path = given if given.exists() else request.root / given
        return (path.is_dir() or (path.is_file() and path.suffix in ARCHIVES)) and cls(request).has_table

    @property
    def has_table(self) -> bool:
        """Whether there is a ``captions.csv``."""
        return (self.path / _TABLE).is_file() if self.path.is_dir() else self._opened.has(_TABLE)

    def _counted(self, container: Container) -> list[str]:
        return container.names

    @property
    def splits(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("train", "test")

    def samples(self, split: str) -> Samples:
        table, container = self._table, self._opened
        if len(table.classes) > 1:
            test = tested(len(table.classes))
            note = describe_split(test, "drawn once")
            test = test[table.labels]
        else:
            test = tested(len(table.images))
            note = f"split by image, drawn once, for all are of one class: {test.sum():,} are for testing"
        rows = np.flatnonzero(test == (split == "test"))
        kept, left_out = self._kept([table.images[row] for row in rows])
        rows, note = rows[kept], "; ".join(filter(None, [note, left_out]))
        captions = encode_captions([table.captions[row] for row in rows]) if len(rows) else None
        return self.of_files(
            container,
            [table.images[row] for row in rows],
            table.labels[rows],
            captions=captions,
            description=Description(table.classes, note=note),
        )

    def glance(self, split: str) -> Preview | None:
        """Nothing: how long the captions are is known when all are read."""
        return None

    @cached_property
    def _table(self) -> _Table:
        container = self._opened
        captions: dict[str, list[str]] = {}
        named: dict[str, str] = {}
        for image, caption, label in self._rows(container):
            captions.setdefault(image, []).append(caption)
            if named.setdefault(image, label) != label:
                raise InputError(f"{self._file} gives {image} the classes {named[image]!r} and {label!r}; choose one")
        bare = next((name for name in container.images() if name not in captions), None)
        if bare is not None:
            raise InputError(f"{bare} in {self.path} has no caption; add a row to {_TABLE}, or remove the image")
        images = sorted(captions)
        texts = [captions[image] for image in images]
        if any(named.values()):
            classes, labels = np.unique([named[image] for image in images], return_inverse=True)
            return _Table(images, texts, tuple(classes.tolist()), labels.astype(np.int64))
        return _Table(images, texts, *_classes_by_caption(texts))

    def _rows(self, container: Container) -> Iterator[tuple[str, str, str]]:
        """Image, caption and class of every row, the class empty where there is no such column."""
        (_, columns), *rows = self._lines(container) or [(1, [""])]
        needed = [column for column in ("image", "caption", "class") if column in columns]
        if needed[:2] != ["image", "caption"]:
            raise InputError(
                f"the first line of {self._file} is {brief(','.join(columns))}; it must name the columns image and caption, "
                "perhaps class, with commas between"
            )
        twice = next((column for column in needed if columns.count(column) > 1), None)
        if twice is not None:
            raise InputError(f"{self._file} has the column {twice} twice; leave one, and write further captions in rows below")
        if not rows:
            raise InputError(f"{self._file} lists no image; add rows of {','.join(needed)}")
        there = {unicodedata.normalize("NFC", name): name for name in container.names}
        for line, row in rows:
            where = f"line {line} of {self._file}"
            if len(row) > len(columns):
                raise InputError(f"{where} has more than {len(columns)} fields; put a caption with commas in double quotes")
            written = dict(zip_longest(columns, row, fillvalue=""))
            fields = {column: tidy(written[column]) for column in needed}
            empty = next((column for column, text in fields.items() if is_blank(text)), None)
            if empty is not None:
                raise InputError(f"{where} has no {empty}; write one, or remove the row")
            image = PurePosixPath(written["image"].strip().replace("\\", "/"))
            if image.is_absolute() or ".." in image.parts:
                raise InputError(f"{where} points outside its folder ({image}); move the image there")
            stored = there.get(unicodedata.normalize("NFC", str(image)))
            if stored is None:
                raise InputError(f"{where} has a caption for {image}, which is not there; add the image, or remove the row")
            yield stored, fields["caption"], fields.get("class", "")

    def _lines(self, container: Container) -> list[tuple[int, list[str]]]:
        """The fields of every row that is not empty, the columns' names first, with the number of its last line."""
        raw = container.read(_TABLE)
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = raw[: error.start].count(b"\n") + 1
            raise InputError(f"line {line} of {self._file} is not in UTF-8; save it as comma-separated UTF-8") from error
        if "\0" in text:
            raise InputError(f"{self._file} has zero bytes, as UTF-16 does; save it as comma-separated UTF-8")
        reader, last, lines = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True), 0, []
        try:
            for fields in reader:
                last = reader.line_num
                lines.append((last, fields))
        except csv.Error as error:
            raise InputError(
                f"the row from line {last + 1} on of {self._file} cannot be read ({error}); close its double quotes, and write "
                "one within a caption twice"
            ) from error
        return [(line, fields) for line, fields in lines if fields]

    @property
    def _file(self) -> Path:
        return self.path / _TABLE


def _classes_by_caption(captions: list[list[str]]) -> tuple[tuple[str, ...], np.ndarray]:
    """Images that have a caption in common, even through a third, are of one class, called by the first of its captions."""
    texts = sorted({caption for some in captions for caption in some})
    node = {text: len(captions) + number for number, text in enumerate(texts)}
    edges = np.array([(image, node[caption]) for image, some in enumerate(captions) for caption in some])
    size = len(captions) + len(texts)
    _, parts = connected_components(coo_array((np.ones(len(edges)), edges.T), shape=(size, size)), directed=False)
    names = dict(zip(parts[: len(captions) - 1 : -1].tolist(), reversed(texts), strict=True))
    classes = sorted(names.values())
    number = {text: position for position, text in enumerate(classes)}
    return tuple(classes), np.array([number[names[part]] for part in parts[: len(captions)].tolist()], np.int64)


SOURCE = Captions
