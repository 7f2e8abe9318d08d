"""``lightning explore``: what it serves and refuses, and that ``lightning predict`` makes the same sample again."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lightning_gans import InputError
from lightning_gans.cli import main as lightning
from lightning_gans.commands import explore
from lightning_gans.explore import Explorer
from tests.explore.conftest import explorer, trained  # noqa: F401

page = pytest.importorskip("lightning_gans.explore.page", reason="needs the extra explore", exc_type=InputError)

CPU = "--trainer.accelerator=cpu"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Fills with the applications that would be served; their ports are free again."""
    apps: list[Any] = []
    monkeypatch.setattr(page, "serve", lambda app, listening: (apps.append(app), listening.close()))
    return apps


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("model", "kind"), [("ConditionalGAN", "json"), ("VAE", "npz")])
def test_predict_makes_the_same_sample_bit_for_bit(
    model: str,
    kind: str,
    explorer: Callable[[str], Explorer],  # noqa: F811
    trained: Callable[[str], Path],  # noqa: F811
    folder: Path,
) -> None:
    it = explorer(model)
    shown = [it.choose(2, 5, {"labels": 4}), it.choose(2, 6), it.show(it.choose(0, 1).latent, {"labels": 1})]
    content = {"latents": [one.latent for one in shown]}
    if model == "ConditionalGAN":
        content["labels"] = [one.condition["labels"] for one in shown]
    (folder / "z.json").write_text(json.dumps(content))
    np.savez(folder / "z.npz", **{name: np.array(value) for name, value in content.items()})
    options = [f"--ckpt_path={trained(model)}", f"--data.latents=z.{kind}", "--trainer.default_root_dir=runs"]
    lightning(["predict", CPU, "--trainer.enable_progress_bar=false", *options])
    files = sorted(folder.rglob("samples/step=2/*.png"))
    assert len(files) == 3
    for file, one in zip(files, shown, strict=True):
        made = np.asarray(Image.open(file))[::4, ::4]  # digits are enlarged
        assert np.array_equal(made, np.repeat(one.picture, 3, 2))
    assert len({file.read_bytes() for file in files}) == 3


@pytest.mark.filterwarnings("ignore")
def test_latents_of_another_length_are_refused(
    trained: Callable[[str], Path],  # noqa: F811
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (folder / "z.json").write_text('{"latents": [[1, 2]]}')
    with pytest.raises(SystemExit) as stopped:
        lightning(["predict", CPU, f"--ckpt_path={trained('VAE')}", "--data.latents=z.json", "--trainer.default_root_dir=runs"])
    assert stopped.value.code == 2
    assert "z.json has latents of 2 numbers, but those of the model have" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore")
def test_models_are_served_with_what_predicts_them(
    trained: Callable[[str], Path],  # noqa: F811
    served: list[Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Any] = []
    original = page.make_app
    monkeypatch.setattr(page, "make_app", lambda *given: made.append(given) or original(*given))
    files = [str(trained("VAE")), str(trained("ConditionalGAN"))]
    explore.main(["--ckpt_path", *files, "--port=0", "--names", "mine", "other", "--num_images=9", CPU])
    ((explorers, commands),) = made
    assert [it.name for it in explorers] == ["mine", "other"]
    assert [it.count for it in explorers] == [9, 9]
    assert commands[1] == f"lightning predict --ckpt_path {files[1]} --data.latents latent.json {CPU}"
    assert re.search(r"for this machine alone, until Ctrl-C: http://127\.0\.0\.1:\d+\n", capsys.readouterr().out)


@pytest.mark.filterwarnings("ignore")
def test_a_port_that_is_taken_is_said(
    trained: Callable[[str], Path],  # noqa: F811
    served: list[Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    with page.listen(0) as taken:
        port = taken.getsockname()[1]
        explore.main([f"--ckpt_path={trained('VAE')}", f"--port={port}", CPU])
    assert f"port {port} is taken, the next free one is " in capsys.readouterr().out
    assert len(served) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--ckpt_path=none.ckpt"], "none.ckpt"),
        (["--ckpt_path=text.ckpt"], "text.ckpt"),
        (["--ckpt_path=text.ckpt", "--names", "a", "b"], "--names must be as many as there are models, 1, not 2"),
        (["--ckpt_path=text.ckpt", "--port=99999"], "--port is 99999, but must be a number from 0"),
    ],
)
def test_what_cannot_be_served_is_refused(arguments: list[str], sentence: str, folder: Path) -> None:
    (folder / "text.ckpt").write_text("no checkpoint")
    with pytest.raises(InputError, match=re.escape(sentence)):
        explore.main(arguments)


def test_without_the_packages_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "starlette.applications", None)
    monkeypatch.delitem(sys.modules, "lightning_gans.explore.page")
    with pytest.raises(InputError, match=re.escape("needs starlette and uvicorn; pip install 'lightning-gans[explore]'")):
        explore.main(["--ckpt_path=none.ckpt"])


def test_ctrl_c_ends_it_quietly(capfd: pytest.CaptureFixture[str]) -> None:
    """In a process that starts as a copy of this one: a page that is served has signals of its own."""
    listening = page.listen(0)
    process = multiprocessing.get_context("fork").Process(target=page.serve, args=(page.make_app([]), listening))
    process.start()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=20) as answer:
            assert b"lightning explore" in answer.read()
        assert process.pid is not None
        os.kill(process.pid, signal.SIGINT)
        process.join(20)
        assert process.exitcode == 0
    finally:
        process.kill()
        listening.close()
    assert capfd.readouterr() == ("", "")
