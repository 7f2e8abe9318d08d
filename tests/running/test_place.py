"""Every run has a folder of its own, also those that start together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lightning_gans import InputError
from lightning_gans.running.place import RunFiles, claim, give_back


def test_runs_that_start_together_get_folders_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = list(tmp_path.iterdir())
    monkeypatch.setattr(Path, "iterdir", lambda self: iter(listed))  # all have looked before any has made one
    (tmp_path / "gan").mkdir()
    with ThreadPoolExecutor(8) as pool:
        folders = [*pool.map(claim, [tmp_path / "gan"] * 16)]
    assert sorted(folder.name for folder in folders) == sorted(f"version_{n}" for n in range(16))


def test_numbers_go_on_above_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "gan" / "version_7").mkdir(parents=True)
    (tmp_path / "gan" / "version_x").mkdir()
    assert claim(tmp_path / "gan").name == "version_8"


def test_a_folder_that_came_to_nothing_is_removed_and_others_are_not(tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    folder = claim(tmp_path / "runs" / "gan")
    (folder / "events.out.tfevents.1").touch()
    give_back(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    (claim(tmp_path / "runs" / "gan") / "metrics.csv").touch()
    give_back(tmp_path / "runs" / "gan" / "version_0")
    assert (tmp_path / "runs" / "gan" / "version_0" / "metrics.csv").is_file()


def test_a_place_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(InputError, match=r"cannot be made \(.*\); set trainer\.default_root_dir elsewhere"):
        claim(tmp_path / "runs" / "gan")


def test_numbers_go_to_the_folder(tmp_path: Path) -> None:
    files = RunFiles(claim(tmp_path / "gan"))
    files.log_metrics({"loss/generator": 0.5}, step=3)
    files.save()
    assert (tmp_path / "gan" / "version_0" / "metrics.csv").read_text().split() == ["loss/generator,step", "0.5,3"]
    assert (files.save_dir, files.name, files.version) == (str(tmp_path), "gan", "version_0")
