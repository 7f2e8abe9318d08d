"""The configs that come with the package, by name, and its results."""

from __future__ import annotations

from pathlib import Path

from lightning_gans.errors import InputError
from lightning_gans.suggestions import near

_CONFIG_OPTIONS = ("--config", "-c")


def configs_folder() -> Path:
    """Where they are: within the installed package, or beside it in a checkout."""
    return _folder("configs", "configs")


def results_folder() -> Path:
    """Where the lines of finished runs are that come with the package."""
    return _folder("results", "docs/results")


def config_names() -> list[str]:
    """Such as ``gaan_grid25``, and ``data/lsun_bedroom`` for the part of a config that goes under another."""
    folder = configs_folder()
    return sorted(file.relative_to(folder).with_suffix("").as_posix() for file in folder.rglob("*.yaml"))


def find_config(given: str) -> str:
    """The file that is meant: one of that name as seen from the working folder, else the packaged one of that name.

    Args:
        given: a path, with or without ``.yaml``; a packaged config's name; or the text of a config, which is left as it is.

    Raises:
        InputError: there is neither.
    """
    if _is_text(given):
        return given
    for path in (Path(given), Path(f"{given}.yaml")):
        if path.exists() and not path.is_dir():
            return str(path)
    name = given.removesuffix(".yaml")
    names = config_names()
    if name in names:
        return str(configs_folder() / f"{name}.yaml")
    if Path(given).is_dir():
        raise InputError(f"the config {given} is a folder; give a YAML file, or a name that lightning configs lists")
    files = map(str, Path(given).parent.glob("*.yaml"))
    hint = near(f"{name}.yaml", files) or near(name, names) or near(Path(name).name, names)
    raise InputError(f"there is no config {given}{hint}; give a YAML file, or a name that lightning configs lists")


def with_configs(args: list[str]) -> list[str]:
    """A command line with the files that its configs are."""
    found = list(args)
    for number, arg in enumerate(args):
        option, equals, value = arg.partition("=")
        if option in _CONFIG_OPTIONS and equals:
            found[number] = f"{option}={find_config(value)}"
        elif option in _CONFIG_OPTIONS and number + 1 < len(args):
            found[number + 1] = find_config(args[number + 1])
    return found


def _folder(inside: str, beside: str) -> Path:
    """Within the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    return package / inside if (package / inside).is_dir() else package.parent / beside


def _is_text(given: str) -> bool:
    return "\n" in given or "{" in given or ": " in given
