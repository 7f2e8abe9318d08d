"""The private names of Lightning that the package leans on: all in one place, and all there in the installed version."""

from __future__ import annotations

import ast
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from lightning.fabric.plugins.environments import LightningEnvironment
from lightning.pytorch import LightningModule
from lightning.pytorch.strategies import DDPStrategy

from lightning_gans import lightning_internals
from lightning_gans.lightning_internals import PRIVATE_NAMES, SET_AT_EVERY_HOOK, trains_on_several_devices

PACKAGE = Path(lightning_internals.__file__).parent


@pytest.mark.parametrize("name", PRIVATE_NAMES)
def test_a_private_name_is_still_there(name: str) -> None:
    pkgutil.resolve_name(name)


def test_private_attributes_of_instances_are_still_there() -> None:
    assert hasattr(LightningModule(), SET_AT_EVERY_HOOK)
    assert hasattr(LightningEnvironment(), "_main_port")
    assert hasattr(DDPStrategy(), "_start_method")


def test_a_name_that_is_gone_would_be_noticed() -> None:
    with pytest.raises(AttributeError):
        pkgutil.resolve_name(f"{PRIVATE_NAMES[-1]}_of_old")


def test_private_names_of_lightning_are_imported_in_one_place() -> None:
    def is_private(module: str, name: str) -> bool:
        return module.partition(".")[0] in ("lightning", "jsonargparse") and (name.startswith("_") or "._" in module)

    assert {file for file, module, name in imports() if is_private(module, name)} == {"lightning_internals.py"}


def test_modules_keep_their_private_names_to_themselves() -> None:
    ours = [(file, module, name) for file, module, name in imports() if module.startswith("lightning_gans")]
    assert len(ours) > 100
    assert [it for it in ours if it[2].startswith("_") and it[2] != "__version__"] == []
    # The command is on top: beside its entry only the runner knows it, which starts it
    assert {file for file, module, _ in ours if module == "lightning_gans.cli"} == {"__main__.py", "runs/experiment.py"}


def imports() -> Iterator[tuple[str, str, str]]:
    """File, module and name of everything that the package imports from somewhere."""
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom):
                yield from ((str(file.relative_to(PACKAGE)), node.module or "", alias.name) for alias in node.names)


@pytest.mark.parametrize(("devices", "num_nodes", "several"), [(1, 1, False), (2, 1, True), (1, 2, True), ("auto", 1, False)])
def test_several_devices_or_machines_train_data_parallel(devices: int | str, num_nodes: int, several: bool) -> None:
    assert trains_on_several_devices("cpu", devices, num_nodes) is several
