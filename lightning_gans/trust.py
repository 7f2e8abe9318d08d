"""What a checkpoint may name: the config in one is somebody else's text, and a name in it is imported and called."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import pkgutil
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from lightning_gans.config_files import nested
from lightning_gans.errors import InputError
from lightning_gans.lightning_internals import watch_imports

OPTION = "--trust"
"""Lets a checkpoint name any class; for those that one has written oneself."""

_ROOTS = frozenset({"lightning_gans", "torch", "torchvision", "lightning"})
_CALLABLE = ("torch.nn.", "lightning_gans.")
"""Where functions may be named, such as an activation; elsewhere only classes."""
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
_PLAIN = ("data", "ckpt_path", "seed_everything")
"""Sections in which nothing is imported: a file called ``faces.zip`` is no module."""

_allowed: frozenset[str] | None = None


def asked_for(args: Sequence[str]) -> tuple[bool, list[str]]:
    """Whether ``--trust`` is among the arguments, and the others."""
    return OPTION in args, [arg for arg in args if arg != OPTION]


def lift() -> None:
    """What is imported from now on is not named by a checkpoint."""
    global _allowed
    _allowed = None


def restrict(config: dict[str, Any], path: Path, args: Sequence[str]) -> None:
    """Refuse names in a checkpoint's config that are not of this package, torch, torchvision or lightning.

    From now on the parser, too, imports nothing else: a setting may be a file that holds further names.

    Args:
        config: by section.
        path: of the checkpoint.
        args: of the command line, which may name modules of the user's own.

    Raises:
        InputError: says which name.
    """
    global _allowed
    _allowed = _ROOTS.union(_roots(args))
    for section, settings in config.items():
        if section in _PLAIN:
            continue
        for name in _names(settings):
            if not _may_name(name):
                raise InputError(
                    f"the config in {path} names {name}, which would run code that is not of this package, torch, torchvision "
                    f"or lightning; give {OPTION} if the checkpoint is yours, or a --config of your own"
                )


def _roots(args: Sequence[str]) -> list[str]:
    """The modules that a command line names."""
    return [name.partition(".")[0] for arg in args if not arg.startswith("-") or "=" in arg for name in _names(_value(arg))]


def _value(arg: str) -> str:
    return arg.partition("=")[2] if arg.startswith("-") else arg


def _names(value: Any) -> Iterator[str]:
    """Every dotted name in a nest of settings, also in text that holds settings itself."""
    return (text for text in nested(value) if _DOTTED.fullmatch(text))


def _may_name(name: str) -> bool:
    assert _allowed is not None
    root = name.partition(".")[0]
    if root not in _allowed:
        return not _can_be_imported(root)
    if root not in _ROOTS:
        return True
    try:
        found = pkgutil.resolve_name(name)
    except Exception:  # there is none, which the parser says better
        return True
    return _is_ours(found)


def _can_be_imported(root: str) -> bool:
    with suppress(ImportError, ValueError):
        return root in sys.modules or importlib.util.find_spec(root) is not None
    return True


def _is_ours(found: Any) -> bool:
    """Whether it is defined where names may come from: ``torch.os`` is Python's ``os``."""
    if not (inspect.isclass(found) or inspect.isroutine(found)):
        return not inspect.ismodule(found)
    home = f"{getattr(found, '__module__', None)}."
    if home.partition(".")[0] not in (_allowed or _ROOTS):
        return False
    return inspect.isclass(found) or home.startswith(_CALLABLE)


def _check_import(path: str) -> None:
    if _allowed is not None and path.partition(".")[0] not in _allowed:
        raise InputError(f"a checkpoint may not name {path}; give {OPTION} if it is yours")


watch_imports(_check_import)


def find_own(args: Sequence[str], configs: Sequence[dict[str, Any]] = ()) -> None:
    """Let classes in files of the working folder be found, those that are named before anything installed.

    The folder is last on the path: a script beside the data must not stand in for a package that is imported on the way.

    Args:
        args: of the command line.
        configs: what it names.
    """
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.append(folder)
    for root in dict.fromkeys([*_roots(args), *(name.partition(".")[0] for name in _names(list(configs)))]):
        if root in sys.modules or root in sys.stdlib_module_names or root in _ROOTS:
            continue
        places = (Path(folder, f"{root}.py"), Path(folder, root, "__init__.py"))
        if (file := next(filter(Path.is_file, places), None)) is None:
            continue
        spec = importlib.util.spec_from_file_location(root, file)
        assert spec is not None
        sys.modules[root] = module = importlib.util.module_from_spec(spec)
        assert spec.loader is not None
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[root]
            raise
