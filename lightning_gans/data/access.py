"""What a dataset that is open tells of its samples, to evaluation and figures."""

from __future__ import annotations

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from lightning_gans.data.description import Preview
from lightning_gans.data.opened import Opened
from lightning_gans.data.split import Split, fit_captions
from lightning_gans.errors import InputError
from lightning_gans.networks.suggest import ConditionKind
from lightning_gans.protocols import Condition


class OpenedData(LightningDataModule):
    """The samples of a dataset by split and number; the data module ``Images`` opens it, and says what its attributes are."""

    name: str

    def __init__(self) -> None:
        super().__init__()
        self._opened: tuple[Opened, Preview] | None = None
        self._by_name = False

    @property
    def opened(self) -> Opened:
        """The dataset behind this, after ``setup``."""
        return self._known[0]

    @property
    def shape(self) -> tuple[int, ...]:
        return self._known[1].shape

    @property
    def extent(self) -> float:
        return self._known[1].extent

    @property
    def condition_kinds(self) -> dict[str, ConditionKind]:
        return self._known[1].condition_kinds

    @property
    def condition_name(self) -> str | None:
        return next(iter(self.condition_kinds)) if len(self.condition_kinds) == 1 else None

    @property
    def classes(self) -> tuple[str, ...]:
        return self.opened.description.classes

    @property
    def attributes(self) -> tuple[str, ...]:
        return self.opened.description.attributes

    @property
    def partial(self) -> str:
        return self.opened.description.partial

    @property
    def centres(self) -> Tensor | None:
        return self.opened.centres

    @property
    def std(self) -> float | None:
        return self.opened.std

    @property
    def _known(self) -> tuple[Opened, Preview]:
        if self._opened is None:
            raise InputError("the data is not open yet; call prepare_data() and setup('fit') first")
        return self._opened

    @property
    def splits(self) -> tuple[str, ...]:
        """``train``, ``test`` and, where some samples are held out, ``valid``."""
        return tuple(self.opened.splits)

    def size(self, split: str) -> int:
        """Number of samples in ``train``, ``test`` or, where some are held out, ``valid``."""
        return len(self._of(split))

    def real(self, split: str, rows: Tensor | None = None) -> Tensor:
        """The samples of a split, or some of them by number, as models see them at their doors, where they are kept."""
        return self._of(split).take(torch.arange(self.size(split)) if rows is None else rows)

    def labels(self, split: str) -> Tensor | None:
        """int64 ``(N,)``, where the data has them."""
        return self._of(split).labels()

    def captions(self, split: str) -> list[list[str]] | None:
        """All captions of every sample, where the data has them."""
        return self._of(split).captions()

    def caption_codes(self, split: str) -> Tensor | None:
        """The same as byte codes, uint8 ``(N, K, L)``: UTF-8, padded with zeros."""
        return self._of(split).caption_codes()

    def conditions(self, split: str, rows: Tensor) -> Condition | None:
        """What travels with samples of a split by number: by name where several were asked for, ``None`` where nothing does.

        Captions are as long as those of the training samples, see ``condition_kinds``.
        """
        of_each = {name: self._condition(split, rows, name) for name in self.condition_kinds}
        return of_each if self._by_name else next(iter(of_each.values()), None)

    def conditions_for(self, numbers: Tensor) -> Condition | None:
        """What made samples of some numbers are conditioned on: sample i on what travels with the i-th test sample.

        After the last test sample the first follows.
        """
        return self.conditions("test", numbers % self.size("test"))

    def _condition(self, split: str, rows: Tensor, name: str) -> Tensor:
        condition = self._of(split).condition(name, self._of(split).stored(rows), rows)
        return fit_captions(condition, self.condition_kinds[name].width) if name == "captions" else condition

    def fingerprint(self, split: str) -> str:
        """A hash of what the samples of a split are."""
        self._of(split)
        return self.opened.fingerprint(split)

    def _of(self, split: str) -> Split:
        if split not in self.opened.splits:
            raise InputError(f"{self.name} has the splits {', '.join(self.opened.splits)}, not {split}; set data.held_out")
        self.opened.check_files()
        return self.opened.splits[split]
