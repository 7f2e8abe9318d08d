"""Configs by name, and what a wheel has in it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lightning_gans import InputError
from lightning_gans.commands import configs
from lightning_gans.packaged import config_names, find_config, with_configs
from lightning_gans.tables.table import table_names

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_packaged_configs_go_by_their_names() -> None:
    assert Path(find_config("gaan_grid25")) == ROOT / "configs" / "gaan_grid25.yaml"
    assert find_config("gaan_grid25.yaml") == find_config("gaan_grid25")
    assert Path(find_config("data/lsun_bedroom")) == ROOT / "configs" / "data" / "lsun_bedroom.yaml"
    assert {file.stem for file in ROOT.glob("configs/*.yaml")} <= {*config_names()}


@pytest.mark.parametrize("mine", ["gaan_grid25", "gaan_grid25.yaml"])
def test_a_file_of_that_name_in_the_folder_comes_first(mine: str, folder: Path) -> None:
    (folder / mine).write_text("model: GAN")
    assert find_config("gaan_grid25") == mine


def test_a_folder_of_that_name_does_not_hide_it(folder: Path) -> None:
    (folder / "gaan_grid25").mkdir()
    assert Path(find_config("gaan_grid25")).is_file()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("gaan_gird25", r"no config gaan_gird25 \(did you mean gaan_grid25\?\); .*lightning configs"),
        ("configs/gaan_grid25.yaml", r"did you mean gaan_grid25\?"),
        ("minne.yaml", r"did you mean mine\.yaml\?"),
        ("zzzzzzzz", r"no config zzzzzzzz; give"),
        (".", "is a folder"),
        ("../configs/gaan_grid25", "there is no config"),
    ],
)
def test_a_config_that_there_is_not_is_refused_with_the_one_that_may_be_meant(given: str, words: str, folder: Path) -> None:
    (folder / "mine.yaml").write_text("model: GAN")
    with pytest.raises(InputError, match=words):
        find_config(given)


def test_a_command_line_is_given_the_files() -> None:
    (one, other), text = (
        (str(ROOT / "configs" / f"{name}.yaml") for name in ("gan_mnist", "vae_mnist")),
        "model: {class_path: GAN}",
    )
    given = ["fit", "--config", "gan_mnist", "-c=vae_mnist", "--config", text, "--data.dataset", "gan_mnist", "--config"]
    expected = ["fit", "--config", one, f"-c={other}", "--config", text, "--data.dataset", "gan_mnist", "--config"]
    assert with_configs(given) == expected


def test_the_command_lists_them_or_prints_one(capsys: pytest.CaptureFixture[str]) -> None:
    configs.main([])
    listed = capsys.readouterr().out
    assert all(name in listed for name in config_names())
    configs.main(["gaan_digits"])
    assert capsys.readouterr().out == (ROOT / "configs" / "gaan_digits.yaml").read_text()


def test_a_wheel_has_configs_tables_results_types_and_classifiers(folder: Path) -> None:
    for part in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / part, folder)
    for part in ("lightning_gans", "configs", "docs/results"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    build = "import sys, setuptools.build_meta as m; m.build_wheel(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", build, "dist"], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    (wheel,) = (folder / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {*archive.namelist()}
        (metadata,) = (archive.read(name).decode() for name in names if name.endswith("/METADATA"))
    source = {f"lightning_gans/{f.relative_to(ROOT / 'lightning_gans')}" for f in (ROOT / "lightning_gans").rglob("*.py")}
    assert source | {f"lightning_gans/configs/{name}.yaml" for name in config_names()} <= names
    assert {f"lightning_gans/tables/{name}.yaml" for name in table_names()} <= names
    assert {f"lightning_gans/results/{file.name}" for file in (ROOT / "docs" / "results").glob("*.jsonl")} <= names
    assert {f"lightning_gans/report/page.{kind}" for kind in ("html.jinja", "css", "js")} <= names
    assert {"lightning_gans/py.typed", "lightning_gans/evaluation/features/trained/lenet_mnist.safetensors"} <= names
    static = Path("lightning_gans", "explore", "static")
    assert {str(static / file.name) for file in (ROOT / static).iterdir()} <= names
    assert not any(name.startswith(("configs", "tests")) for name in names)
    assert re.search(r"^Requires-Python: <3\.14,>=3\.11$", metadata, re.MULTILINE)
    assert "Description-Content-Type: text/markdown" in metadata
