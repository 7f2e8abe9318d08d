"""One split of a dataset in memory: which stored images its samples are made of, and what travels with them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lightning_gans.errors import InputError
from lightning_gans.randomness import keyed_generator


@dataclass(frozen=True)
class Split:
    """Samples by number.

    Attributes:
        samples: stored images uint8 ``(N, C, H, W)``, or points float32 ``(N, 2)``.
        conditions: ``labels`` int64 ``(N,)``, ``attributes`` uint8 ``(N, A)``, ``captions`` uint8 ``(N, K, L)``.
        rows: int64 ``(n,)``, the stored image of each sample; ``(n, 3)`` where three digits make one sample; ``None``: all.
        copies: 2 where a mirrored copy of every sample follows the last of them, else 1.
        pool: the stored digits that training draws its own triples from, int64.
        cut: side in pixels of the squares that are cut out of stored images, ``None`` for all of these.
    """

    samples: Tensor
    conditions: dict[str, Tensor]
    rows: Tensor | None = None
    copies: int = 1
    pool: Tensor | None = None
    cut: int | None = None

    def __len__(self) -> int:
        return self.copies * self.originals

    @property
    def originals(self) -> int:
        """Samples without the mirrored copies."""
        return len(self.samples if self.rows is None else self.rows)

    @property
    def nbytes(self) -> int:
        return self.samples.nbytes + sum(condition.nbytes for condition in self.conditions.values())

    def to(self, device: torch.device) -> Split:
        """The same on a device."""
        conditions = {name: condition.to(device) for name, condition in self.conditions.items()}
        rows, pool = (None if numbers is None else numbers.to(device) for numbers in (self.rows, self.pool))
        return replace(self, samples=self.samples.to(device), conditions=conditions, rows=rows, pool=pool)

    def stored(self, numbers: Tensor) -> Tensor:
        """The rows of the stored images that make up samples by number."""
        numbers = numbers.to(self.samples.device, non_blocking=True)
        if self.copies > 1:
            numbers = numbers % self.originals
        return numbers if self.rows is None else self.rows[numbers]

    @property
    def room(self) -> int:
        """Pixels by which the corner of a square that is cut out can move, down and to the right."""
        return 0 if self.cut is None else self.samples.shape[-1] - self.cut

    def images(self, stored: Tensor, corners: Tensor | None = None) -> Tensor:
        """Stored images as models see them, float in [-1, 1]; points as they are.

        Args:
            stored: their rows, int64 ``(N,)``, or ``(N, 3)`` for the digits of a sample, which become its channels.
            corners: first row and first column of what is cut out of each, int64 ``(N, 2)`` from 0 to ``room``; none cuts out
                the middle.
        """
        if stored.dim() == 2:
            of_digits = None if corners is None else corners.repeat_interleave(stored.shape[1], dim=0)
            return self.images(stored.flatten(), of_digits).unflatten(0, stored.shape).flatten(1, 2)
        samples = self.samples.index_select(0, stored)
        samples = samples if self.cut is None else cut_out(samples, self.cut, corners)
        return samples.float().mul_(2 / 255).sub_(1) if samples.dtype == torch.uint8 else samples

    def take(self, numbers: Tensor) -> Tensor:
        """Samples by number, as models see them."""
        return self.with_copies(self.images(self.stored(numbers)), numbers)

    def with_copies(self, images: Tensor, numbers: Tensor) -> Tensor:
        """The images of samples by number, those mirrored that are mirrored copies."""
        return mirror(images, numbers >= self.originals) if self.copies > 1 else images

    def condition(self, name: str, stored: Tensor, which: Tensor) -> Tensor:
        """What travels with stored images: labels int64, attributes float, of the captions the ``which``-th as byte codes."""
        if stored.dim() == 2:
            return self.conditions[name][stored].mul(torch.tensor([100, 10, 1], device=stored.device)).sum(1)
        rows = self.conditions[name].index_select(0, stored)
        if name == "captions":
            return rows[torch.arange(len(rows), device=rows.device), which.to(rows.device) % rows.shape[1]].long()
        return rows.float() if name == "attributes" else rows

    def several_captions(self, stored: Tensor, order: Tensor, count: int) -> Tensor:
        """``count`` captions of each of N stored images as byte codes, int64 ``(N, count, L)``.

        They differ where an image has so many that do; else each of these comes, and then again from the first one on.

        Args:
            stored: the rows of the images.
            order: numbers in [0, 1), one for each stored caption ``(N, K)``; the lowest comes first.
            count: how many.
        """
        captions = self.conditions["captions"].index_select(0, stored)
        known = (captions[:, :, None] == captions[:, None]).all(dim=3).tril(-1).any(dim=2)  # (N, K): one before says the same
        turns = (order.to(captions.device, non_blocking=True) + known).argsort(dim=1, stable=True)
        which = turns.gather(1, torch.arange(count, device=captions.device) % (~known).sum(dim=1, keepdim=True))
        return captions.gather(1, which[:, :, None].expand(-1, -1, captions.shape[2])).long()

    def labels(self) -> Tensor | None:
        """int64 ``(n,)`` of every sample."""
        if "labels" not in self.conditions:
            return None
        numbers = torch.arange(len(self), device=self.samples.device)
        return self.condition("labels", self.stored(numbers), numbers)

    def captions(self) -> list[list[str]] | None:
        """All captions of every sample."""
        codes = self.caption_codes()
        if codes is None:
            return None
        return [[bytes(caption).rstrip(b"\0").decode() for caption in captions] for captions in codes.tolist()]

    def caption_codes(self) -> Tensor | None:
        """The same as they are stored, uint8 ``(n, K, L)``."""
        if "captions" not in self.conditions:
            return None
        return self.conditions["captions"][self.stored(torch.arange(len(self), device=self.samples.device))]

    def chosen(self, numbers: Tensor) -> Split:
        """Only some of the samples."""
        return replace(self, rows=self.stored(numbers))

    def stacked(self, count: int, name: str) -> Split:
        """``count`` samples of three digits each, drawn once and for all; training draws others all the time."""
        pool = self.stored(torch.arange(len(self)))
        drawn = torch.randint(len(pool), (count, 3), generator=keyed_generator("stacked", name, count))
        return replace(self, rows=pool[drawn], pool=pool)

    def of_classes(self, position: Tensor) -> Split:
        """The samples of some classes: those whose ``position`` ``(K,)`` among the kept ones, their new label, is not -1."""
        split = replace(self, conditions={**self.conditions, "labels": position[self.conditions["labels"]]})
        labels = split.labels()
        assert labels is not None
        return split.chosen((labels >= 0).nonzero().flatten())

    def balanced_subset(self, count: int, seed: int) -> Split:
        """``count`` samples, the same number of each class.

        Raises:
            InputError: there are no labels, or ``count`` cannot be had in equal parts.
        """
        labels = self.labels()
        if labels is None:
            raise InputError("data.labelled needs a dataset with labels; leave it out")
        classes, sizes = labels.unique(return_counts=True)
        share, rest = divmod(count, len(classes))
        if rest or not 0 < share <= int(sizes.min()):
            raise InputError(
                f"data.labelled is {count}, but must be a multiple of the {len(classes)} classes, "
                f"of at most {int(sizes.min())} a class"
            )
        generator = keyed_generator("labelled", seed)
        of_each = [(labels == c).nonzero().flatten() for c in classes]
        drawn = [of_class[torch.randperm(len(of_class), generator=generator)[:share]] for of_class in of_each]
        return self.chosen(torch.cat(drawn))

    def halves(self, held_out: float, name: str) -> tuple[Split, Split]:
        """The samples but a share of them, and that share, drawn once and for all."""
        size = len(self)
        wanted = held_out * size if 0 < held_out < 1 else held_out
        count = round(wanted) if 0 < wanted < size else 0
        if not count or (held_out >= 1 and count != held_out):
            raise InputError(f"data.held_out is {held_out:g}, but must be a share or a number of the {size} training samples")
        order = torch.randperm(size, generator=keyed_generator("held out", name))
        return self.chosen(order[count:].sort().values), self.chosen(order[:count].sort().values)


def fit_captions(codes: Tensor, length: int) -> Tensor:
    """Captions as byte codes ``(N, L)``, filled up with zeros or cut to ``length``, never within a character."""
    if codes.shape[1] <= length:
        return torch.nn.functional.pad(codes, (0, length - codes.shape[1]))
    kept, inside = codes[:, :length].clone(), _continues(codes[:, length])
    for place in range(length - 1, max(length - 4, -1), -1):  # a character has four bytes at the most
        inside_before = inside & _continues(kept[:, place])
        kept[:, place] = kept[:, place].masked_fill(inside, 0)
        inside = inside_before
    return kept


def _continues(codes: Tensor) -> Tensor:
    """Whether bytes of UTF-8 are not the first of their character."""
    return (codes & 0xC0) == 0x80


def mirror(images: Tensor, which: Tensor) -> Tensor:
    """Some of the images ``(N, C, H, W)`` from left to right, those where ``which`` ``(N,)`` is true."""
    return torch.where(which.to(images.device, non_blocking=True)[:, None, None, None], images.flip(-1), images)


def cut_out(images: Tensor, side: int, corners: Tensor | None = None) -> Tensor:
    """Squares ``(N, C, side, side)`` of images: their middle, or each from its first row and column ``(N, 2)`` on."""
    places = images.unfold(2, side, 1).unfold(3, side, 1)  # (N, C, rows, columns, side, side), a view
    if corners is None:
        return places[:, :, (places.shape[2] - 1) // 2, (places.shape[3] - 1) // 2]
    rows, columns = corners.to(images.device, non_blocking=True).unbind(1)
    return places[torch.arange(len(images), device=images.device), :, rows, columns]
