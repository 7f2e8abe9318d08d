"""What is known of a model that is exported: of its training, its data and what was measured of it."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from lightning_gans.data.source import Points, Request, Source, all_sources
from lightning_gans.evaluation.records import is_chosen_by
from lightning_gans.protocols import Condition
from lightning_gans.running.place import RECORD, of_checkpoint
from lightning_gans.runs.ledger import read_lines

_RECORDS = "evaluation.jsonl"


@dataclass(frozen=True)
class About:
    """A model and where it comes from.

    Args:
        model: in evaluation mode, on the processor.
        config: that it was trained with, by section.
        step: training batches that it has seen.
        samples: the first of it, images in [-1, 1] or points.
        condition: what these were made under, ``None`` for nothing.
        run: what its run says of itself, empty where it is not known.
        records: what was measured of these very weights, the last of each kind.
        source: of its data, ``None`` where they have no name but a path, which is nobody else's to know.
        averaged: whether there are averaged weights.
        onnx: whether the generator is there as ONNX.
    """

    model: Any
    config: Mapping[str, Any]
    step: int
    samples: Tensor
    condition: Condition | None
    run: Mapping[str, Any]
    records: tuple[Mapping[str, Any], ...]
    source: Source | Points | None
    averaged: bool
    onnx: bool

    @property
    def name(self) -> str:
        """Of its class."""
        return type(self.model).__name__

    @property
    def dataset(self) -> str:
        """The name of the data."""
        return "images of one's own" if self.source is None else self.source.name

    @property
    def points(self) -> bool:
        """Whether samples are points and not images."""
        return self.samples.dim() == 2

    @property
    def samples_are(self) -> str:
        """Such as "28x28 grey images"."""
        if self.points:
            return f"points of {self.samples.shape[1]} numbers"
        channels, height, width = self.samples.shape[1:]
        return f"{height}x{width} {'grey' if channels == 1 else 'colour'} images"

    @property
    def given(self) -> str:
        """What samples are made under; nothing for nothing."""
        if self.condition is None:
            return ""
        if isinstance(self.condition, dict):
            return " and ".join(self.condition)
        if self.condition.dim() == 1:
            return "labels"
        return "attributes" if self.condition.is_floating_point() else "captions"

    @property
    def paper(self) -> str:
        """The first line of the file that its class is in, which names the paper."""
        text = sys.modules[type(self.model).__module__].__doc__ or ""
        return text.strip().partition("\n")[0].rstrip(".")


def run_of(ckpt_path: Path, step: int) -> tuple[dict[str, Any], tuple[dict[str, Any], ...]]:
    """What the run of a checkpoint says of itself, and the last measurements of these very weights; empty where it is gone."""
    folder = of_checkpoint(ckpt_path)
    if folder is None:
        return {}, ()
    rows = [row for row in read_lines(folder / _RECORDS) if row.get("step") == step and measures(row)]
    last = {(row.get("weights"), row.get("features"), row.get("split"), row.get("num_samples")): row for row in rows}
    return json.loads((folder / RECORD).read_text()), tuple(last.values())


def source_of(config: Mapping[str, Any]) -> Source | Points | None:
    """The dataset that a config names, ``None`` where it is a path."""
    dataset = str((config.get("data") or {}).get("dataset"))
    request = Request(dataset, Path())
    for source in all_sources():
        if dataset in source.names() or (issubclass(source, Points) and source.answers_to(request)):
            return source(request)
    return None


def measures(record: Mapping[str, Any]) -> dict[str, float]:
    """The numbers in a record that are measured, and finite."""
    numbers = {name: value for name, value in record.items() if isinstance(value, int | float) and is_chosen_by(name)}
    return {name: float(value) for name, value in numbers.items() if math.isfinite(value)}
