"""What kinds of pictures there are: a module each, found in this folder, behind the callback and ``lightning figure`` alike.

A kind NAME is ``kinds/NAME.py`` with

- ``draw(subject) -> Figure``, the picture;
- ``why_not(subject) -> str | None``, what a model that ``Generates`` or its data lack for it, ``None`` where nothing.

It may have

- ``EACH_TIME = True``: it is drawn as training goes on and not only at its end;
- ``OPTIONS``, names of what it alone is told by the subject;
- ``PLACE``, its number in lists; those without one come last, by name;
- ``keep(subject) -> Tensor``, what of each time is needed to show the way of the training, and
  ``over_training(subject, times) -> Figure``, which shows it from (title, what was kept) of some of the times, in their order;
  numbers are kept in 16 bits;
- ``keeps(subject) -> bool``, whether that makes sense for a model;
- ``frame(subject) -> Tensor``, what a film shows of a time: bytes of images ``(N, C, H, W)``, or points ``(N, 2)``;
- ``CHANGES = True``: these titles say the mean squared change of what was kept since the time before.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from matplotlib.figure import Figure

from lightning_gans.errors import InputError
from lightning_gans.figures.subject import Subject
from lightning_gans.protocols import Generates

OVER_TRAINING = "_over_training"


def _find() -> dict[str, ModuleType]:
    modules = {name: importlib.import_module(f"{__name__}.{name}") for _, name, _ in pkgutil.iter_modules(__path__)}
    return dict(sorted(modules.items(), key=lambda kind: (getattr(kind[1], "PLACE", len(modules)), kind[0])))


KINDS = _find()


def why_not(kind: str, subject: Subject) -> str | None:
    """What a model or its data lack for a picture, ``None`` where nothing."""
    if not isinstance(subject.model, Generates):
        return f"{type(subject.model).__name__} makes no samples"
    problem: str | None = KINDS[kind.removesuffix(OVER_TRAINING)].why_not(subject)
    return problem


def keeps(kind: str, subject: Subject) -> bool:
    """Whether something is kept of each time."""
    module = KINDS[kind]
    return hasattr(module, "keep") and (not hasattr(module, "keeps") or bool(module.keeps(subject)))


def draw(kind: str, subject: Subject) -> Figure:
    """A picture of a kind.

    Raises:
        InputError: there is no such kind, or not of this model; says which there are.
    """
    problem = f"there is no such kind of picture as {kind}" if kind not in KINDS else why_not(kind, subject)
    if problem is not None:
        there = [name for name in KINDS if why_not(name, subject) is None]
        raise InputError(f"{problem}; {subject.name} has {', '.join(there) or 'no pictures'}")
    figure: Figure = KINDS[kind].draw(subject)
    return figure
