"""In what settings differ from those of a checkpoint, each in a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lightning_gans.config_files import read_config

_UNKNOWN = object()


def differences(before: Mapping[str, Any], now: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """A sentence for each setting that both have and that is another one now, named by its path in nested ones.

    Objects that only Python code can make are passed over: they cannot be told apart.
    """
    for name in now:
        if name not in before or str(name).startswith("_"):
            continue
        old, new = plain(before[name]), plain(now[name])
        if isinstance(old, dict) and isinstance(new, dict) and old.get("class_path") == new.get("class_path"):
            yield from differences(old, new, f"{path}{name}.")
        elif old != new and _UNKNOWN not in (old, new):
            yield f"{path}{name} was {_short(old)} in the checkpoint, this run goes on with {_short(new)}"


def left_out(config: Path, model: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for a config whose model is not the one that is trained, and that has settings this one does not take.

    Args:
        config: a file that was read.
        model: what has come of all: its ``class_path`` and ``init_args``.
    """
    theirs = read_config(config).get("model")
    if not isinstance(theirs, dict) or "class_path" not in theirs:
        return
    given, taken = (str(one["class_path"]).rpartition(".")[2] for one in (theirs, model))
    names = [name for name in theirs.get("init_args") or {} if name not in (model.get("init_args") or {})]
    if given != taken and names:
        yield f"{taken} does not take {', '.join(names)}, which {config} sets for {given}: left out"


def plain(value: Any) -> Any:
    """A setting as YAML has it."""
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if hasattr(value, "as_dict"):
        return plain(value.as_dict())
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value if value is None or isinstance(value, bool | int | float | str) else _UNKNOWN


def _short(value: Any) -> str:
    """A setting in a sentence: of a class its name and what it is given."""
    if isinstance(value, dict) and "class_path" in value:
        given = ", ".join(f"{name}={_short(one)}" for name, one in (value.get("init_args") or {}).items())
        return f"{str(value['class_path']).rpartition('.')[2]}({given})"
    return str(value)
