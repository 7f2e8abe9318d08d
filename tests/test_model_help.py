"""What ``--model.help`` says."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import pytest

import lightning_gans
from lightning_gans import InputError
from lightning_gans.cli import main
from lightning_gans.model_help import asked_for, model_help
from tests.papers.test_papers import CLASSES


@pytest.mark.parametrize(
    ("command_line", "asked"),
    [
        ("fit --model.help GAAN", "GAAN"),
        ("fit --model.help=GAAN --data.dataset digits", "GAAN"),
        ("fit --model GAN --model.help", "GAN"),
        ("fit --model.help --model GAN", "GAN"),
        ("fit --model.help", ""),
        ("fit --model GAN", None),
    ],
)
def test_whose_help_a_command_line_asks_for(command_line: str, asked: str | None) -> None:
    assert asked_for(command_line.split()) == asked


def test_the_command_says_the_papers_own_arguments_first_and_networks_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    main(["fit", "--model.help", "GAAN"])
    lines = capsys.readouterr().out.splitlines()
    said = " ".join(" ".join(lines).split())
    assert "weight of W; 0 is GAAN_1 of Table 2. (float; default 1.0)" in said
    assert "(own | shared | batches; default own)" in said
    first = [line.split()[0] for line in lines if line.startswith("  --model.")]
    assert [option.removeprefix("--model.") for option in first[:5]] == [*inspect.signature(lightning_gans.GAAN).parameters][:5]
    assert first.index("--model.lambda_r") < first.index("--model.gradient_clip_val")
    assert said.count("ConvGenerator") == 1
    assert len(lines) < 100
    assert max(map(len, lines)) <= 128


def arguments(*classes: type) -> set[str]:
    parameters = [p for cls in classes for p in inspect.signature(cls).parameters.values()]
    return {p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}


@pytest.mark.parametrize("name", CLASSES)
def test_every_paper_is_named_with_all_that_it_takes(name: str) -> None:
    said, cls = model_help(name), getattr(lightning_gans, name)
    taken, own = arguments(*cls.__mro__), arguments(cls)
    named = {line.split()[0].removeprefix("--model.") for line in said.splitlines() if line.startswith("  --model.")}
    assert own <= named <= taken
    assert f"{name}: " in model_help("")


def test_networks_and_classes_of_ones_own_have_help_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own_module.py").write_text('class Own:\n    """Mine."""\n    def __init__(self, width=3):\n        pass\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    main(["fit", "--model.help", "own_module.Own"])
    assert "  --model.width" in capsys.readouterr().out
    assert "  hidden " in model_help("MLP")


@pytest.mark.parametrize("name", ["GAANN", "lightning_gans.GAANN"])
def test_a_class_that_there_is_not_is_refused_with_the_one_that_may_be_meant(name: str) -> None:
    with pytest.raises(InputError, match=rf"no class {name} \(did you mean GAAN\?\)"):
        model_help(name)
