"""What the README says is so."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import yaml

from lightning_gans import paper_modules
from lightning_gans.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


@pytest.mark.filterwarnings("ignore")
def test_the_paper_added_there_trains_counts_modes_and_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert 20 <= code.count("\n") <= 45
    (tmp_path / "my_paper.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["lightning"])
    monkeypatch.setattr(sys, "path", [*sys.path])
    settings = ["--trainer.accelerator=cpu", "--trainer.max_steps=3", "--trainer.enable_progress_bar=false"]
    main(["fit", "--model", "my_paper.LSGAN", "--data.dataset", "ring8", *settings])
    run = tmp_path / "runs" / "lsgan_ring8" / "version_0"
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
