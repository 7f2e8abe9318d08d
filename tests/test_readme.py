"""What the README says is so."""

from __future__ import annotations

import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest
import yaml

from lightning_gans import paper_modules
from lightning_gans.__main__ import main as lightning
from lightning_gans.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = [
    [
        shlex.split(line, comments=True)[1:]
        for line in block.replace("\\\n", "").splitlines()
        if line.startswith("    lightning ")
    ]
    for block in re.findall(r"(?:^    .*\n)+", README, re.MULTILINE)
]
COMMANDS = [command for block in BLOCKS for command in block]
# Those that need more than a folder and a processor, or start processes, are parsed and not run
NEEDY = ("path/to/images", "--trainer.devices", "WandbLogger", "seeds")
# So that what runs takes moments; a setting that a command has itself is replaced
QUICK = {
    "--trainer.max_steps": "2",
    "--trainer.accelerator": "cpu",
    "--trainer.enable_progress_bar": "false",
    "--trainer.enable_model_summary": "false",
    "--evaluation.every_n_steps": "1",
    "--evaluation.num_samples": "60",
    "--pictures.kinds": "[samples]",
}
SHORTER = {
    "fit": QUICK,
    "test": QUICK,
    "predict": {"--data.num_predict": "2", "--trainer.accelerator": "cpu"},
    "classifier": {"--epochs": "1", "--max_error": "1", "--device": "cpu"},
    "figure": {"--num_images": "4"},
    "explore": {"--trainer.accelerator": "cpu"},
    "figure film": {"--seconds": "2"},
    "probe likelihood": {"--num_samples": "4", "--draws": "4"},
}


def run(*arguments: str) -> int:
    """The ``lightning`` command; gives its status."""
    sys.argv[1:] = arguments
    try:
        lightning()
    except SystemExit as stopped:
        return int(stopped.code or 0)
    return 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_every_command_runs_in_its_order_in_an_empty_folder(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightning_gans.explore.page.serve", lambda app, listening: listening.close())
    assert len(COMMANDS) >= 15
    for command, *options in COMMANDS:
        needy = any(word in NEEDY for word in (command, *options))
        shorter = SHORTER.get(f"{command} {options[0] if options else ''}") or SHORTER.get(command, {})
        quick = [f"{name}={value}" for name, value in shorter.items()]
        if command == "seeds":
            command, options = "fit", options[: options.index("--seeds")]
        if command == "table" and "--own" in options:  # trains runs, which tests of its own do
            options = [*(option for option in options if option != "--verify"), "--show"]
        status = run(command, *options, *(["--print_config"] if needy else quick))
        assert status == 0, f"{command} {options}: {capsys.readouterr().err[-1000:]}"
    assert (folder / "curves.png").is_file()
    assert (folder / "runs" / "gaan_digits" / "version_0" / "checkpoints" / "last_interpolations.png").is_file()
    assert (folder / "runs" / "gaan_digits" / "version_0" / "pictures" / "film.gif").is_file()
    assert (folder / "gaan_digits" / "model.safetensors").is_file()


@pytest.mark.filterwarnings("ignore")
def test_the_paper_added_there_trains_counts_modes_and_draws(folder: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert 20 <= code.count("\n") <= 45
    (folder / "my_paper.py").write_text(code)
    settings = ["--trainer.accelerator=cpu", "--trainer.max_steps=3", "--trainer.enable_progress_bar=false"]
    main(["fit", "--model", "my_paper.LSGAN", "--data.dataset", "ring8", *settings])
    run = folder / "runs" / "lsgan_ring8" / "version_0"
    assert (run / "evaluation.jsonl").is_file()
    assert (run / "pictures" / "latent_map.png").is_file()
    assert yaml.safe_load((run / "config.yaml").read_text())["model"]["class_path"] == "my_paper.LSGAN"


def test_every_config_and_paper_is_named_there() -> None:
    for config in (ROOT / "configs").glob("*.yaml"):
        assert config.stem in README or config.stem.endswith("_demo")
    assert README.count("| `") >= len(paper_modules())


def test_every_file_that_it_links_to_is_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if not link.startswith("http")]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_what_the_package_shows_of_it_has_no_link_that_works_in_the_repository_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("setuptools.setup", lambda **settings: said.append(settings["long_description"]))
    urls = '[project]\nurls = {Repository = "https://example.org/gans"}\n'
    for project in ((ROOT / "pyproject.toml").read_text(), urls):
        (tmp_path / "pyproject.toml").write_text(project)
        (tmp_path / "README.md").write_text(README)
        monkeypatch.chdir(tmp_path)
        runpy.run_path(str(ROOT / "setup.py"))
    assert not any(re.search(r"\]\((?!https:)", text) for text in said)
    assert "](https://example.org/gans/raw/main/docs/gallery.md)" in said[1]
