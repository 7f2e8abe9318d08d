"""The name that somebody may have meant who mistyped one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator


def near(word: str, known: Iterable[str]) -> str:
    """``" (did you mean NAME?)"`` for the nearest of the known names, nothing where none is near; capitals do not count."""
    names = {name.lower(): name for name in known if name != word}
    found = difflib.get_close_matches(word.lower(), names, n=1)
    return f" (did you mean {names[found[0]]}?)" if found else ""


def class_names() -> Iterator[str]:
    """What settings may name without a module: papers, networks, priors, callbacks, loggers, optimisers and schedules."""
    from lightning.pytorch import Callback, LightningModule
    from lightning.pytorch.loggers import Logger
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from lightning_gans.networks import Network
    from lightning_gans.priors import Prior

    for base in (LightningModule, Network, Prior, Callback, Logger, Optimizer, LRScheduler):
        yield from (cls.__name__ for cls in below(base) if not cls.__name__.startswith("_"))


def below(base: type) -> Iterator[type]:
    """All that derives from a class, as far as it has been imported."""
    derived: list[type] = base.__subclasses__()
    for cls in derived:
        yield cls
        yield from below(cls)
