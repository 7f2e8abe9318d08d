"""Exports go to the hub in private, whole, and not before all that can be refused is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from lightning_gans import InputError
from lightning_gans.commands.export import main
from tests.export.models import write_checkpoint

pytestmark = pytest.mark.filterwarnings("ignore")
hub = pytest.importorskip("huggingface_hub")


class Shelf:
    """Stands in for the hub: keeps what it is given in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.made = folder, {}

    def create_repo(self, repo: str, private: bool, exist_ok: bool) -> str:
        assert exist_ok
        self.made[repo] = "private" if private else "public"
        return f"https://huggingface.co/{repo}"

    def upload_folder(self, repo_id: str, folder_path: Path, allow_patterns: list[str], commit_message: str) -> None:
        for name in hub.utils.filter_repo_objects([file.name for file in folder_path.iterdir()], allow_patterns=allow_patterns):
            target = self.folder / repo_id / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((folder_path / name).read_bytes())


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint("gan", tmp_path_factory.mktemp("hub"))


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    monkeypatch.setattr(hub, "get_token", lambda: "hf_none")
    monkeypatch.setattr(hub, "HfApi", lambda: shelf)
    shelf = Shelf(tmp_path / "shelf")
    return shelf


def test_all_files_of_the_export_and_no_others_are_pushed_in_private(
    shelf: Shelf, checkpoint: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = [f"--ckpt_path={checkpoint}", "--to=export", "--push=me/gan"]
    main(export)
    (folder / "export" / "notes.txt").write_text("mine")
    main([*export, "--public"])
    assert shelf.made == {"me/gan": "public"}
    main(export)
    assert shelf.made == {"me/gan": "private"}
    written = {file.name: file.read_bytes() for file in (folder / "export").iterdir() if file.name != "notes.txt"}
    assert {file.name: file.read_bytes() for file in (shelf.folder / "me" / "gan").iterdir()} == written
    assert "manifest.yaml" in written
    assert "pushed to https://huggingface.co/me/gan" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("repo", "token", "package", "said"),
    [
        ("me/gan", None, True, "there is no token to push with; run hf auth login, or set HF_TOKEN"),
        ("me/gan/more", "hf_none", True, "--push me/gan/more is no repository .*; call it USER/NAME"),
        ("me/gan", "hf_none", False, r"--push needs huggingface_hub; pip install 'lightning-gans\[hub\]', or leave it out"),
    ],
)
def test_what_cannot_be_pushed_is_refused_before_anything_is_written(
    repo: str, token: str | None, package: bool, said: str, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "get_token", lambda: token)
    if not package:
        monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match=said):
        main([f"--ckpt_path={checkpoint}", f"--to={tmp_path / 'export'}", f"--push={repo}"])
    assert not (tmp_path / "export").exists()


def test_what_the_hub_refuses_is_said_and_the_export_stays(
    shelf: Shelf, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **settings: Any) -> None:
        raise ConnectionError("403 Forbidden: write access is needed. See the documentation.")

    monkeypatch.setattr(shelf, "create_repo", refuse)
    with pytest.raises(InputError, match=r"export is written, but was not pushed to me/gan \(403 Forbidden.*\); try again"):
        main([f"--ckpt_path={checkpoint}", f"--to={tmp_path / 'export'}", "--push=me/gan"])
    assert (tmp_path / "export" / "manifest.yaml").is_file()
