"""Fixtures that every test may use."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from lightning_gans import compiled
from tests.helpers import make_images

# Everything here is small, and threads that wait for each other would be slower; processes that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
torch.set_num_threads(1)


@pytest.hookimpl(tryfirst=True)
def pytest_make_collect_report(collector: pytest.Collector) -> None:
    """Networks that a module makes as it is imported are the same each time: torch begins with another seed in each process."""
    if isinstance(collector, pytest.Module):
        torch.manual_seed(0)


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packed images that small games train on."""
    make_images(folder := tmp_path_factory.mktemp("images"))
    return folder


@pytest.fixture(scope="session")
def common(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this session have in common, for what they need not each make; see ``made_once``."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "common"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def shared_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with the real datasets in the forms that data/README.md names; packs are not written beside the originals."""
    folder = Path(os.environ.get("LIGHTNING_GANS_TEST_DATA", "data")).resolve()
    if not (folder / "MNIST" / "raw" / "train-images-idx3-ubyte.gz").is_file():
        pytest.skip(f"no real MNIST in {folder}/MNIST/raw; set LIGHTNING_GANS_TEST_DATA to a folder that has it")
    root = tmp_path_factory.mktemp("real")
    for part in folder.iterdir():
        if part.is_dir() and part.name not in ("packed", "classifiers", "text_encoders"):
            (root / part.name).symlink_to(part)
    return root


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that the command runs in; it leaves the process as it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["lightning"])
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


@pytest.fixture(autouse=True)
def _fixed_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test starts from the same seed, and leaves none behind."""
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")
    torch.manual_seed(0)


_SEEN: set[str] = set()  # modules that are no test's own


@pytest.fixture(autouse=True)
def _no_modules_of_ones_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What a test has written and imported is forgotten; the package stays, or its classes would be there twice.

    Only new modules are looked at: to look at all the thousands takes longer than most tests.
    """
    yield
    written = str(tmp_path_factory.getbasetemp())
    for name in sys.modules.keys() - _SEEN:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(written):
            del sys.modules[name]
        else:
            _SEEN.add(name)


@pytest.fixture
def as_traced(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled updates run as they are traced, unless a test is slow, for it is about machine code."""
    if "slow" not in request.keywords:
        monkeypatch.setattr(compiled, "build", lambda graph, inputs: graph)


@pytest.fixture(autouse=True)
def _no_rendezvous() -> Iterator[None]:
    """Where ranks have met is in the environment afterwards: the next ones would go there, and find the port in use."""
    yield
    if dist.is_initialized():
        dist.destroy_process_group()
    for name in ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        os.environ.pop(name, None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what needs a device that is not there, and begin with the files that take long: none waits for the last."""
    long = {item.path for item in items if "slow" in item.keywords}
    items.sort(key=lambda item: item.path not in long)
    skip = pytest.mark.skip(reason="needs a CUDA device")
    for item in items:
        if "gpu" in item.keywords and not torch.cuda.is_available():
            item.add_marker(skip)
