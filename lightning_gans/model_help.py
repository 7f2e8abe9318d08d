"""``lightning fit --model.help CLASS``: a class's own arguments first, then those of its bases, each in a line or two."""

from __future__ import annotations

import inspect
import itertools
import pkgutil
import re
import shutil
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Literal, get_args, get_origin, get_type_hints

from docstring_parser import parse

import lightning_gans
from lightning_gans.errors import InputError
from lightning_gans.networks import Network
from lightning_gans.priors import Prior
from lightning_gans.suggestions import below, class_names, near

_INDENT = 26


def asked_for(args: list[str]) -> str | None:
    """The class whose help a command line asks for, or that of its ``--model``, or ``""``; ``None`` if it asks for none."""
    named = {"--model.help": None, "--model": ""}
    for arg, following in itertools.pairwise([*args, "--"]):
        option, equals, value = arg.partition("=")
        if option in named:
            named[option] = value if equals else "" if following.startswith("-") else following
    asked, model = named.values()
    return None if asked is None else asked or model


def model_help(name: str) -> str:
    """What a model, network or prior is, and its arguments; without a name, which models there are.

    Raises:
        InputError: there is no such class.
    """
    width = shutil.get_terminal_size((100, 24)).columns - 1
    if not name:
        return "\n".join(["--model takes, besides module.Class of your own:", "", *_models(width)])
    cls = _find(name)
    prefix = "" if issubclass(cls, Network | Prior) else "--model."
    lines = [*_about(cls), ""]
    for number, base in enumerate(_bases(cls)):
        of = f" of every {base.__name__}" if number else ""
        lines += [f"Arguments{of}:", *_arguments(base, prefix, width), ""]
    if prefix:
        lines += textwrap.wrap(f"Networks: {', '.join(_public(Network))}.", width, subsequent_indent="  ")
        lines += textwrap.wrap(f"Priors: {', '.join(_public(Prior))}.", width, subsequent_indent="  ")
        lines += textwrap.wrap(
            "Those that are not given are made to fit the data. What one takes: --model.help MLP; on the command line: "
            "--model.generator MLP --model.generator.hidden '[64, 64]'.",
            width,
        )
    return "\n".join(lines)


def _find(name: str) -> type:
    try:
        found: Any = pkgutil.resolve_name(name) if "." in name else getattr(lightning_gans, name)
    except (ImportError, AttributeError, ValueError) as error:
        hint = near(name.rpartition(".")[2], class_names())
        raise InputError(f"there is no class {name}{hint}; name a paper or give module.Class") from error
    if not inspect.isclass(found):
        raise InputError(f"{name} is no class; name a paper or give module.Class")
    return found


def _about(cls: type) -> list[str]:
    """Its name, the first line of its file, and its docstring as far as the arguments."""
    title = (inspect.getdoc(inspect.getmodule(cls)) or "").partition("\n")[0]
    said = re.split(r"\n(?:Args|Attributes|Raises|Examples):\n", inspect.cleandoc(cls.__doc__ or ""))[0]
    return [f"{cls.__name__}: {title}", "", *said.rstrip().splitlines()]


def _bases(cls: type) -> Iterator[type]:
    """The class and those of its bases that its constructor hands other arguments on to."""
    for base in cls.__mro__:
        constructor = vars(base).get("__init__")
        if constructor is not None:
            yield base
            if not any(p.kind is p.VAR_KEYWORD for p in inspect.signature(constructor).parameters.values()):
                return


def _arguments(cls: type, prefix: str, width: int) -> Iterator[str]:
    constructor = vars(cls)["__init__"]
    described = {p.arg_name: p.description or "" for p in parse(cls.__doc__ or "").params}
    hints: dict[str, Any] = {}
    with suppress(NameError, TypeError):  # a type that is imported for type checkers only
        hints = get_type_hints(constructor)
    for name, parameter in [*inspect.signature(constructor).parameters.items()][1:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        default = "" if parameter.default is parameter.empty else f"; default {_shown(parameter.default)}"
        said = " ".join(described.get(name, "").replace("``", "").split())
        text = f"{said} ({_type(hints.get(name), parameter.annotation)}{default})".strip()
        head = f"  {prefix}{name}"
        if len(head) >= _INDENT:
            yield head
            head = ""
        yield from textwrap.wrap(text, width, initial_indent=f"{head:<{_INDENT}}", subsequent_indent=" " * _INDENT)


def _shown(value: Any) -> str:
    return (
        "none" if value is None else str(value).lower() if isinstance(value, bool) else str(getattr(value, "__name__", value))
    )


def _type(hint: Any, written: Any) -> str:
    """The choices where there are some, else as it is written; networks are called so, whatever their type."""
    if get_origin(hint) is Literal:
        return " | ".join(map(_shown, get_args(hint)))
    if written is inspect.Parameter.empty:
        return "any"
    text = written if isinstance(written, str) else getattr(written, "__name__", str(written))
    return re.sub(r"\b(?:nn\.Module|PairNetwork|Network|Conditioned)\b", "network", text).replace("None", "none")


def _models(width: int) -> Iterator[str]:
    for module in lightning_gans.paper_modules():
        paper = pkgutil.resolve_name(module)
        for name, cls in vars(paper).items():
            if inspect.isclass(cls) and cls.__module__ == module and not name.startswith("_"):
                title = (inspect.getdoc(paper) or "").partition("\n")[0]
                yield textwrap.shorten(f"{name}: {title}", width, placeholder=" ...")


def _public(base: type) -> list[str]:
    """What is below a class and has a name in the package."""
    return sorted({cls.__name__ for cls in below(base) if getattr(lightning_gans, cls.__name__, None) is cls})
