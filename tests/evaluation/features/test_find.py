"""Feature networks by name: a feature network of somebody else's, by torch hub, in a few lines of the user's own."""

from __future__ import annotations

import inspect
import textwrap
from pathlib import Path

import pytest
import torch

from lightning_gans import evaluate
from lightning_gans.evaluation.features.find import FeatureNetwork, find_network

HUBCONF = """
import torch

def dinov2_vits14():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.AvgPool2d(56), torch.nn.Flatten(), torch.nn.Linear(48, 384))
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a hub of its own and the file that the docstring shows for it."""
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "hubconf.py").write_text(HUBCONF)
    shown = textwrap.dedent((inspect.getdoc(FeatureNetwork) or "").partition("::")[2])
    local = shown.replace('"facebookresearch/dinov2", self.name', '"hub", self.name, source="local"')
    assert local != shown
    (tmp_path / "dino.py").write_text(f"import torch\n\n{local}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def images(n: int, level: int, channels: int) -> torch.Tensor:
    return torch.cat([torch.randint(level, level + 40, (n, channels, 8, 7)), torch.zeros(n, channels, 8, 1)], 3).byte()


@pytest.mark.parametrize("channels", [1, 3])
def test_the_example_of_the_docstring_measures(here: Path, channels: int) -> None:
    real, near, far = images(60, 90, channels), images(60, 95, channels), images(60, 200, channels)
    found = [evaluate(lambda n, some=some: some[:n], real, ["fd", "prdc"], "dino.DINOv2", 60) for some in (near, far)]
    assert 0 < found[0]["fd_dinov2_vits14"] < found[1]["fd_dinov2_vits14"]
    assert found[1]["recall_dinov2_vits14"] == 0


def test_a_score_of_classes_that_it_has_not_is_refused(here: Path) -> None:
    with pytest.raises(NotImplementedError, match="is and mode_score"):
        evaluate(lambda n: images(n, 0, 3), images(20, 0, 3), ["is"], "dino.DINOv2", 20)


def test_random_streams_are_left_alone_by_a_feature_network_that_is_made(tmp_path: Path) -> None:
    stream = torch.get_rng_state()
    find_network("tests.evaluation.tiny.Drawing", "noise", tmp_path, "fp32", None, False)
    assert torch.equal(torch.get_rng_state(), stream)
