"""Configs as text: read as far as they are settings by name, and no further than a computer can follow."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from lightning_gans.errors import InputError

_MOST_BYTES = 1 << 20
_MOST_VALUES = 100_000
_DEEPEST = 100
LARGEST = 1e18
"""Its square is still a number of 32 bits."""


def read_config(file: Path) -> dict[str, Any]:
    """The settings in a YAML file.

    Raises:
        InputError: it is no regular file, cannot be read, or holds no settings by name.
    """
    if not file.is_file():
        raise InputError(f"{file} is no file; give a YAML file of settings")
    try:
        with open(file, "rb") as opened:
            raw = opened.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror})") from error
    if len(raw) > _MOST_BYTES:
        raise InputError(f"{file} is too long for a config, more than {_MOST_BYTES:,} bytes; give a YAML file of settings")
    try:
        return parse_config(raw.decode(), str(file))
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not a YAML file, but binary; give a YAML file of settings") from error


def parse_config(text: Any, name: str) -> dict[str, Any]:
    """The settings in YAML text.

    Args:
        text: what should be text.
        name: of where it comes from, for the refusal.

    Raises:
        InputError: it is no text, no YAML, holds no settings by name, or too many for that.
    """
    if not isinstance(text, str):
        raise InputError(f"{name} is not a YAML text, but {type(text).__name__}; give a --config of your own")
    try:
        settings = yaml.safe_load(text)
        count = sum(1 for _ in islice(_values(settings), _MOST_VALUES))
    except yaml.YAMLError as error:
        raise InputError(f"{name} is not a YAML file ({' '.join(str(error).split())})") from error
    except (RecursionError, ValueError) as error:  # also a number or a date that there is not
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InputError(
            f"{name} is not a YAML file of settings ({why}); write them as in those that lightning configs lists"
        ) from error
    if not isinstance(settings, dict) or not all(isinstance(key, str) for key in settings):
        raise InputError(f"{name} holds no settings by name; write them as in those that lightning configs lists")
    if count == _MOST_VALUES:
        raise InputError(f"{name} repeats itself into more than {_MOST_VALUES:,} settings; write it without so many aliases")
    return settings


def check_numbers(settings: Any, name: str = "") -> None:
    """Refuse numbers in a nest of settings that no training computes with: NaN, infinite, or too large for 32 bits.

    Raises:
        InputError: says which setting.
    """
    inner = settings if isinstance(settings, Mapping) else vars(settings) if isinstance(settings, Namespace) else {}
    for key, value in inner.items():
        check_numbers(value, f"{name}.{key}".removeprefix(".").replace(".init_args", "").replace(".class_path", ""))
    for number, value in enumerate(settings if isinstance(settings, list | tuple) else ()):
        check_numbers(value, f"{name}[{number}]")
    if isinstance(settings, float) and not abs(settings) <= LARGEST:
        raise InputError(f"{name} is {settings}, but must be a finite number of at most {LARGEST:g}")
    if isinstance(settings, int) and abs(settings) >= 1 << 63:
        raise InputError(f"{name} is {settings}, but must be a number of less than 64 bits")


def nested(value: Any) -> Iterator[str]:
    """Every text in a nest of settings, keys included; text that holds settings itself is opened, as the parser would."""
    for one in islice(_values(value), _MOST_VALUES):
        if not isinstance(one, str):
            continue
        yield one
        if any(mark in one for mark in ":[{,\n"):
            try:
                inner = yaml.safe_load(one)
            except (yaml.YAMLError, RecursionError, ValueError):
                continue
            if isinstance(inner, dict | list):
                yield from nested(inner)


def _values(value: Any) -> Iterator[Any]:
    """Everything in a nest, keys included, however often a YAML alias repeats it."""
    waiting = [iter([value])]
    while waiting:
        if len(waiting) > _DEEPEST:
            raise RecursionError
        for one in waiting[-1]:
            yield one
            if isinstance(one, dict):
                yield from one
                waiting.append(iter(one.values()))
                break
            if isinstance(one, list | tuple | set):
                waiting.append(iter(one))
                break
        else:
            waiting.pop()
