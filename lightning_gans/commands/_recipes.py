"""What commands have in common that train by a recipe: settings, of which those not given are the dataset's."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any, TypeVar

from jsonargparse import ArgumentParser

from lightning_gans.errors import InputError
from lightning_gans.packaged import with_configs

R = TypeVar("R")


def read_recipe(
    args: list[str], command: str, about: str, kind: type[R], usual: Callable[[Any], R], train: Callable[..., Any]
) -> tuple[R, dict[str, Any]]:
    """The recipe that is asked for, and the other settings of ``train`` by name.

    Args:
        args: of the command line.
        command: its name.
        about: it, for its help.
        kind: of recipe.
        usual: gives the recipe for the dataset that is asked for.
        train: takes a ``recipe`` and the other settings.

    Raises:
        InputError: a setting does not fit.
    """
    args = with_configs(args)
    parser = ArgumentParser(prog=f"lightning {command}", description=about, exit_on_error=False)
    parser.add_argument("-c", "--config", action="config", help="YAML file of settings")
    parser.add_class_arguments(kind)
    parser.add_function_arguments(train, skip={"recipe"})
    try:
        parser.set_defaults(asdict(usual(parser.parse_args(args))))  # type: ignore[call-overload]
        settings = parser.parse_args(args).as_dict()
    except argparse.ArgumentError as error:
        raise InputError(f"{' '.join(str(error).split())} (see lightning {command} --help)") from error
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    others = {name: value for name, value in settings.items() if name not in (*names, "config")}
    return kind(**{name: settings[name] for name in names}), others
