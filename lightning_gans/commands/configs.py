"""List the configs that come with the package, or print one to change."""

from __future__ import annotations

import argparse
import itertools
import re
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lightning_gans.packaged import config_names, configs_folder, find_config


def main(args: list[str]) -> None:
    """``lightning configs [NAME]``: all of them, or the text of one; ``lightning configs NAME > mine.yaml`` makes it yours."""
    parser = argparse.ArgumentParser("lightning configs", description=main.__doc__, allow_abbrev=False)
    parser.add_argument("name", nargs="?", help="of a config")
    given = parser.parse_args(args)
    if given.name:
        print(Path(find_config(given.name)).read_text(), end="")
        return
    table = Table("config", "is", title="lightning fit --config NAME")
    for name in config_names():
        table.add_row(name, _summary(configs_folder() / f"{name}.yaml"))
    Console().print(table)


def _summary(file: Path) -> str:
    """The first sentence of the comment at its top, without the command."""
    comment = [line.lstrip("# ") for line in itertools.takewhile(lambda line: line.startswith("#"), file.open())]
    said = "".join(line for line in comment if not line.startswith("lightning "))
    return re.split(r"(?<!al)\. (?=[A-Z])", " ".join(said.split()))[0].rstrip(".")
