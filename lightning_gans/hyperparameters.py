"""What of a constructor's arguments is stored in checkpoints: all under the command, else what is plain."""

from __future__ import annotations

import inspect
from contextlib import suppress
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from lightning.pytorch import LightningModule

from lightning_gans.lightning_internals import under_command

_PLAIN = (bool, int, float, str, NoneType)


def save_hyperparameters(module: LightningModule) -> None:
    """Store what the constructors of ``module`` were given; must be called in one of them.

    Under the command networks are stored too, as the settings that they are made from; else only what is plain by its type.
    """
    stored = under_command()  # and logged by it, with all other settings
    module.save_hyperparameters(ignore=[] if stored else _not_plain(type(module)), logger=not stored)


def _not_plain(cls: type) -> list[str]:
    """The names of the constructors' arguments that may be other than plain values."""
    names: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if "__init__" in vars(base) and base.__module__ != "builtins":
            hints: dict[str, Any] = {}
            with suppress(NameError):  # a type that is imported for type checkers only
                hints = get_type_hints(base.__init__)  # type: ignore[misc]
            names |= {name: hints.get(name) for name in inspect.signature(base).parameters}
    return [name for name, hint in names.items() if not _is_plain(hint)]


def _is_plain(hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return True
    if get_origin(hint) in (Union, UnionType, tuple, list, dict):
        return all(part is Ellipsis or _is_plain(part) for part in get_args(hint))
    return hint in _PLAIN
