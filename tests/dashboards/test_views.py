"""``lightning dashboard wandb``: a workspace and a report with the same sections, as JSON or sent, or one sentence."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lightning_gans import InputError
from lightning_gans.commands.dashboard import main

reports = pytest.importorskip("wandb_workspaces.reports.v2")
workspaces = pytest.importorskip("wandb_workspaces.workspaces")


def make_run(folder: Path, dataset: str, *measures: str) -> None:
    """What a run leaves that dashboards look at."""
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"dataset": dataset}))
    (folder / "evaluation.json").write_text(json.dumps({"best": {name: {"value": 1.0, "step": 2} for name in measures}}))


@pytest.fixture
def runs(folder: Path) -> Path:
    """Two runs on points and one on digits, where the command looks."""
    make_run(folder / "runs" / "gan_grid25" / "version_0", "grid25", "modes", "tv_true")
    make_run(folder / "runs" / "vae_grid25" / "version_0", "grid25", "modes", "registered")
    make_run(folder / "runs" / "gan_digits" / "version_0", "digits", "fd_lenet_digits")
    return folder / "runs"


def made(*arguments: str) -> dict[str, Any]:
    """What would be sent."""
    main(["wandb", "--project", "gans", "--offline", *arguments])
    return json.loads(Path("dashboard.json").read_text())


def sections(content: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The panels of a workspace by section."""
    bank = content["workspace"]["spec"]["section"]["panelBankConfig"]
    return {section["name"]: section["panels"] for section in bank["sections"]}


def grids(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What is below each heading of a report."""
    blocks = content["report"]["spec"]["blocks"]
    headings = [block["children"][0]["text"] for block in blocks if block["type"] == "heading"]
    return dict(zip(headings, (block["metadata"] for block in blocks if block["type"] == "panel-grid"), strict=True))


def test_every_measure_is_a_curve_with_its_floor_and_bars_of_the_best(runs: Path) -> None:
    shown = sections(made("--dataset", "grid25"))
    assert [name for name in shown if name in ("modes", "tv_true", "registered", "fd_lenet_digits")] == [
        *("modes", "tv_true", "registered")
    ]
    curve, bars = (panel["config"] for panel in shown["modes"])
    assert (curve["xAxis"], curve["metrics"]) == ("trainer/global_step", ["eval/modes", "floor/modes"])
    assert (curve["groupBy"], curve["groupAgg"], curve["groupArea"]) == ("group", "mean", "stddev")
    assert "higher is better" in curve["chartTitle"]
    assert (bars["metrics"], bars["groupBy"], bars["groupAgg"]) == (["best/modes"], "group", "mean")
    assert "lower is better" in shown["tv_true"][0]["config"]["chartTitle"]
    assert [panel["config"]["metrics"] for panel in shown["Best"]] == [["best/modes"], ["best/tv_true"], ["best/registered"]]


def test_samples_losses_and_the_table_are_there(runs: Path) -> None:
    shown = sections(made())
    assert "samples" in shown["Samples"][0]["config"]["mediaKeys"]
    assert "samples_over_training" in shown["Samples"][1]["config"]["mediaKeys"]
    assert shown["Losses"][0]["config"]["metricRegex"] == "^loss/[^/]+$"
    assert '"evaluation"' in json.dumps(shown["Last measurements"])


def test_the_report_has_the_sections_of_the_workspace_and_the_runs(runs: Path) -> None:
    content = made("--dataset", "grid25", "--entity", "team")
    assert content["report"]["project"].items() >= {"name": "gans", "entityName": "team"}.items()
    assert [*grids(content)] == [*sections(content), "Runs"]
    for title, grid in grids(content).items():
        panels = grid["panelBankSectionConfig"]["panels"]
        places = {(panel["layout"]["x"], panel["layout"]["y"]) for panel in panels}
        assert len(places) == len(panels), f"panels of {title} lie on each other"
        (of,) = grid["runSets"]
        assert "project" not in of, "the report's own, which need not be asked for"
        assert of["grouping"] == [{"section": "run", "name": "group"}]
        assert grid["hideRunSets"] == (title != "Runs")
    assert {"summary:best/modes", "summary:last/modes"} <= grids(content)["Runs"]["runSets"][0]["runFeed"][
        "columnPinned"
    ].keys()


def test_the_library_reads_back_what_it_would_send(runs: Path) -> None:
    from wandb_workspaces.reports.v2.internal import ReportViewspec
    from wandb_workspaces.workspaces.internal import View

    content = made("--dataset", "grid25")
    workspace = workspaces.Workspace._from_model(View.model_validate(content["workspace"]))
    report = reports.Report._from_model(ReportViewspec.model_validate(content["report"]))
    assert [section.name for section in workspace.sections] == [*sections(content)]
    assert workspace.settings.x_axis == "trainer/global_step"
    assert "grid25" in workspace.runset_settings.filters
    grid = next(block for block in report.blocks if isinstance(block, reports.PanelGrid))
    assert [panel.metrics[0].name for panel in grid.panels] == ["best/modes", "best/tv_true", "best/registered"]


@pytest.mark.parametrize("dataset", ["grid25", None])
def test_runs_of_the_dataset_alone_are_compared_by_the_tag_that_they_have(runs: Path, dataset: str | None) -> None:
    content = made(*(["--dataset", dataset] if dataset else []))
    (of,) = content["workspace"]["spec"]["section"]["runSets"]
    expected = [{"key": {"section": "run", "name": "tags"}, "op": "IN", "value": ["grid25"], "disabled": False}]
    for each in (of, grids(content)["Runs"]["runSets"][0]):
        assert each["filters"]["filters"] == (expected if dataset else [])


def test_measures_can_be_named_and_the_file_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["wandb", "--project", "gans", "--metric", "fid", "--metric", "modes", "fid", "--offline", "--out", "new/it.json"])
    assert "new/it.json" in capsys.readouterr().out
    assert [*sections(json.loads((folder / "new" / "it.json").read_text()))][1:3] == ["fid", "modes"]


def test_both_are_saved_and_their_addresses_printed(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("wandb.Api", lambda: SimpleNamespace(default_entity="me"))
    for kind in (workspaces.Workspace, reports.Report):
        monkeypatch.setattr(
            kind, "save", lambda self: SimpleNamespace(url=f"{type(self).__name__} of {self.entity}/{self.project}")
        )
    main(["wandb", "--project", "gans"])
    assert capsys.readouterr().out.splitlines() == ["Workspace of me/gans", "Report of me/gans"]
    assert not Path("dashboard.json").exists()


def test_what_cannot_be_made_is_one_sentence(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    def nobody() -> None:
        raise wandb.errors.UsageError("No API key configured. Use `wandb login` to log in.")

    monkeypatch.setattr("wandb.Api", nobody)
    (empty := runs.parent / "empty").mkdir()
    (torn := runs.parent / "torn").mkdir()
    (torn / "evaluation.json").write_text('{"best": ')
    for arguments, sentence in (
        (["--metric", "fidd"], r"fidd is no measure \(did you mean fid\?\); there are .*modes"),
        (["--dataset", "grid26"], r"on grid26 \(did you mean grid25\?\); there are digits, grid25; name --metric"),
        (["--runs", str(empty)], "no run below .*empty has measured anything; name --metric, or another folder by --runs"),
        (["--runs", str(torn)], "torn/evaluation.json cannot be read .*; name --metric, or another folder by --runs"),
        (["--out", "/dev/null/x.json", "--offline"], "/dev/null/x.json cannot be written .*; set --out elsewhere"),
        ([], r"W&B takes nothing \(No API key configured\); log in by wandb login, or .* --offline"),
    ):
        with pytest.raises(InputError, match=sentence):
            main(["wandb", "--project", "gans", *arguments])
    monkeypatch.setattr("wandb.Api", lambda: SimpleNamespace(default_entity=None))
    with pytest.raises(InputError, match="give --entity"):
        main(["wandb", "--project", "gans"])
    with pytest.raises(SystemExit):
        main(["wandb", "--project", "gans", "--ofline"])


def test_without_the_package_it_says_how_to_get_it(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb_workspaces.workspaces", None)
    with pytest.raises(InputError, match=r"pip install 'lightning-gans\[dashboards\]'"):
        made()
