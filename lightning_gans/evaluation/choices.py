"""The metrics that there are: those of the files in ``metrics/``, by name."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from lightning_gans.errors import InputError
from lightning_gans.evaluation import metrics
from lightning_gans.evaluation.metrics.base import Metric


def _find() -> dict[str, type[Metric]]:
    modules = [importlib.import_module(f"{metrics.__name__}.{file.name}") for file in pkgutil.iter_modules(metrics.__path__)]
    classes = [one for module in modules for one in vars(module).values() if getattr(one, "__module__", "") == module.__name__]
    return {one.name: one for one in classes if inspect.isclass(one) and issubclass(one, Metric) and "name" in vars(one)}


METRICS = _find()
"""Their classes."""

if TYPE_CHECKING:
    MetricName = str
else:  # the parser checks the option and names the choices by it
    MetricName = Literal[tuple(METRICS)]


def chosen(names: Iterable[str]) -> list[type[Metric]]:
    """The classes of metrics by name, each once.

    Raises:
        InputError: there is none of a name.
    """
    names = list(dict.fromkeys(names))
    for name in names:
        if name not in METRICS:
            raise InputError(f"evaluation.metrics names {name!r}, but must be of {', '.join(METRICS)}")
    return [METRICS[name] for name in names]


def descriptions() -> str:
    """Each metric by name with the first paragraph of its docstring, as one sentence for the help."""
    paragraphs = {name: inspect.cleandoc(metric.__doc__ or "").partition("\n\n")[0] for name, metric in METRICS.items()}
    return "; ".join(f"``{name}``: {' '.join(text.split()).rstrip('.')}" for name, text in paragraphs.items()) + "."
