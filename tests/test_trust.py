"""What others' files may make the command do: real attacks, each of which would leave a marker, and what is still allowed."""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from lightning_gans import trust
from lightning_gans.cli import main
from lightning_gans.commands.figure import main as figure
from lightning_gans.errors import InputError
from lightning_gans.evaluation.features.find import find_network

SMALL = [
    *("--trainer.accelerator=cpu", "--trainer.max_steps=1", "--pictures.kinds=[]", "--evaluation.num_samples=10"),
    *(f"--trainer.{name}=false" for name in ("enable_progress_bar", "enable_model_summary")),
]
EVIL = """
from pathlib import Path
Path(r"{marker}").touch()
from lightning.pytorch import Callback
from lightning_gans.papers.gan import GAN
from lightning_gans.priors import Normal
class Mine(GAN): pass
class Watcher(Callback): pass
class Flat(Normal): pass
def network(): raise RuntimeError
"""

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The checkpoint of a GAN on points after a step."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder := tmp_path_factory.mktemp("honest"))
        patch.setattr(sys, "argv", ["lightning"])
        main(["fit", "--model=GAN", *SMALL])
    return torch.load(next(folder.rglob("last.ckpt")), weights_only=True)


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What an attack would make; a module ``evil`` that makes it lies in the folder that the command runs in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["lightning"])
    monkeypatch.setattr(sys, "path", [*sys.path])
    file = tmp_path / "marker"
    (tmp_path / "evil.py").write_text(EVIL.format(marker=file))
    yield file
    sys.modules.pop("evil", None)
    trust.lift()


@pytest.fixture
def run(stored: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command on the checkpoint with some of its config changed, and gives what it refuses."""

    def command(change: dict[str, Any], *args: str, command: str = "test") -> str:
        config = merged(yaml.safe_load(stored["config"]), change)
        torch.save({**stored, "config": yaml.safe_dump(config)}, "given.ckpt")
        given = ["--ckpt_path=given.ckpt", *args]
        with suppress(SystemExit):
            try:
                figure(["samples", *given]) if command == "figure" else main([command, *given])
            except InputError as error:
                return str(error)
        return "".join(line for line in capsys.readouterr().err.splitlines() if line.startswith("lightning: error"))

    return command


def merged(config: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    config = deepcopy(config)
    for key, value in change.items():
        both = isinstance(value, dict) and isinstance(config.get(key), dict)
        config[key] = merged(config[key], value) if both else value
    return config


TOUCH = ["touch", "marker"]
ATTACKS: dict[str, dict[str, Any]] = {
    "a model of its own": {"model": {"class_path": "evil.Mine"}},
    "a callback": {"trainer": {"callbacks": [{"class_path": "evil.Watcher"}]}},
    "a process": {"trainer": {"callbacks": [{"class_path": "subprocess.Popen", "init_args": {"args": TOUCH}}]}},
    "a process by another name": {"trainer": {"logger": [{"class_path": "torch.os.system", "init_args": {"command": "x"}}]}},
    "a prior, nested": {"model": {"init_args": {"prior": {"class_path": "evil.Flat"}}}},
    "a prior in text": {"model": {"init_args": {"prior": "{class_path: evil.Flat}"}}},
    "features": {"evaluation": {"features": "evil.network", "metrics": ["fd"]}},
    "a function of torch's": {"evaluation": {"features": "torch.hub.list"}},
    "a strategy": {"trainer": {"strategy": {"class_path": "evil.Mine"}}},
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_checkpoint_names_no_code_of_others(attack: str, run: Callable[..., str], marker: Path) -> None:
    assert "given.ckpt names" in run(ATTACKS[attack])
    assert not marker.exists()


def test_a_picture_of_it_does_not_either(run: Callable[..., str], marker: Path) -> None:
    assert "names evil.Mine" in run(ATTACKS["a model of its own"], command="figure")
    assert not marker.exists()


def test_a_checkpoint_names_no_file_that_does(run: Callable[..., str], marker: Path) -> None:
    Path("more.yaml").write_text("class_path: evil.Mine")
    assert run({"model": "more.yaml"})
    Path("prior.yaml").write_text("class_path: evil.Flat")
    assert run({"model": {"init_args": {"prior": "prior.yaml"}}, "trainer": {"callbacks": "prior.yaml"}})
    assert not marker.exists()


@pytest.mark.parametrize("said", [["--trust"], ["--trainer.callbacks=evil.Watcher"]], ids=["--trust", "named"])
def test_what_the_user_says_is_trusted(said: list[str], run: Callable[..., str], marker: Path) -> None:
    assert run(ATTACKS["a prior, nested"], *SMALL, *said) == ""
    assert marker.exists()


def test_only_a_class_is_made_for_features(tmp_path: Path, marker: Path) -> None:
    trust.find_own(["evil.network"])
    with pytest.raises(InputError, match="is no class"):
        find_network("evil.network", "digits", tmp_path, "fp32", None, False)


class Shell:
    """Unpickled, it runs a command."""

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, ("touch marker",)


@pytest.fixture
def served() -> Iterator[str]:
    """A server of the folder, and its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.mark.parametrize("settings", [{}, {"weights_only": False}], ids=["", "weights_only false"])
@pytest.mark.parametrize("far", [False, True], ids=["file", "url"])
def test_no_config_makes_a_pickle_run(
    far: bool, settings: dict[str, Any], stored: dict[str, Any], served: str, marker: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({**stored, "more": Shell()}, "shell.ckpt")
    place = f"{served}/shell.ckpt" if far else "shell.ckpt"
    Path("theirs.yaml").write_text(yaml.safe_dump({"model": {"class_path": "GAN"}, "ckpt_path": place, **settings}))
    with pytest.raises(SystemExit):
        main(["fit", "--config=theirs.yaml", *SMALL])
    assert ("weights_only" if settings else "shell.ckpt") in capsys.readouterr().err
    assert not marker.exists()


def test_a_script_beside_the_data_stands_in_for_nothing(marker: Path) -> None:
    """Also under ``python -m``, which puts the working folder first."""
    for name in ("yaml", "torch", "rich", "tqdm"):
        Path(f"{name}.py").write_text(Path("evil.py").read_text())
    done = subprocess.run([sys.executable, "-m", "lightning_gans", "data", "--help"], capture_output=True, text=True)
    assert (done.returncode, marker.exists()) == (0, False), done.stderr


def test_a_class_that_is_named_is_the_one_in_the_folder(marker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place, value in (("installed", 1), (".", 2)):
        Path(place).mkdir(exist_ok=True)
        Path(place, "my_twins.py").write_text(f"class Mine: value = {value}")
    monkeypatch.syspath_prepend("installed")
    trust.find_own(["--model=my_twins.Mine"])
    assert sys.modules.pop("my_twins").Mine.value == 2
    assert sys.path[-1] == str(Path.cwd())
