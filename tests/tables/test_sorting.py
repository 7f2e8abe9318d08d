"""Which runs stand in a table: those of exactly a row's settings; alien ones are named, with what differs."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from lightning_gans.runs.hashing import config_hash, settings_of
from lightning_gans.runs.lines import lines_below, make_line
from lightning_gans.tables.show import fill
from lightning_gans.tables.sorting import belongs, sort
from lightning_gans.tables.table import Cell, load_table

TABLE = load_table("gaan_2")


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    return [Cell(TABLE, TABLE.rows[name], "short") for name in ("GAAN_2", "GAAN_1", "GAN")]


def finished(config: dict[str, Any], seed: int, modes: float, **more: Any) -> dict[str, Any]:
    """The record of a run."""
    results = {when: {"modes": {"value": modes, "step": 9}} for when in ("last", "best")}
    return {
        "config": config_hash(config),
        "seed": seed,
        "model": "GAAN",
        "dataset": "grid25",
        "steps": 9,
        "seconds": 3.0,
        "finished": "2026-01-01",
        "device": "a CPU",
        "threads": 1,
        "precision": "32-true",
        "versions": {"torch": "2.11.0"},
        "results": results,
        "curves": [],
        "settings": settings_of(config),
        **more,
    }


def changed(cell: Cell, path: str, value: Any) -> dict[str, Any]:
    """The config of a row with another setting."""
    config = deepcopy(cell.experiment.config)
    *sections, name = path.split(".")
    within = config
    for section in sections:
        within = within[section]
    within[name] = value
    return config


def test_a_row_takes_only_runs_of_its_own_settings(cells: list[Cell]) -> None:
    gaan_2, gaan_1, _ = cells
    lines = [
        finished(gaan_2.experiment.config, 0, 25),
        finished(gaan_2.experiment.config, 1, 24),
        finished(gaan_1.experiment.config, 0, 20),
        finished(changed(gaan_2, "model.init_args.lambda_r", 0.2), 0, 1),
        finished(changed(gaan_2, "trainer.max_epochs", 500), 0, 2),
        finished(changed(gaan_2, "data.dataset", "ring8"), 0, 3, dataset="ring8"),
        finished(changed(gaan_2, "evaluation.modes", "ali"), 0, 4),
        finished(changed(gaan_2, "pictures.every_n_steps", 7), 2, 25),  # nothing depends on that
    ]
    found = sort(cells, lines)
    assert {name: sorted(runs) for name, runs in found.rows.items()} == {"GAAN_2": [0, 1, 2], "GAAN_1": [0], "GAN": []}
    assert found.apart.pop() == "1 run of other datasets"
    assert [said.partition("is not ")[2] for said in found.apart] == [
        "GAAN_2: model.lambda_r 0.2 and not 0.1",
        "GAAN_2: trainer.max_epochs 500 and not 60",
        "GAAN_2: evaluation.modes ali and not gaan",
    ]
    filled = fill(TABLE, "short", TABLE.pick(["GAAN_2", "GAAN_1", "GAN", "DAN-2S"]), found)
    shown = dict.fromkeys(row[0] for row in filled.rows)
    assert [*shown][:4] == ["GAAN_2", "  published", "  ours, n = 3", "  ours, best"]
    assert filled.rows[2][1] == "24.67 [24.00, 25.00], within"
    assert "  ours, one seed" in shown
    assert ["  ours", "no finished run", "", "", ""] in filled.rows
    assert any("lambda_r 0.2 and not 0.1" in note for note in filled.notes)
    assert any("a CPU, 1 thread, 32-true, torch 2.11.0 (4 runs)" in note for note in filled.notes)
    assert "| &emsp;ours, n = 3 | 24.67 [24.00, 25.00], within |" in filled.markdown()


def test_a_table_of_which_nothing_is_built_yet_is_shown_beside_any_runs(cells: list[Cell]) -> None:
    table = load_table("dcgan_svhn")
    found = sort([], [finished(cells[0].experiment.config, 0, 25)])
    assert found.apart == ["1 run of other datasets"]
    filled = fill(table, "full", table.pick([]), found)
    assert ["  ours", "not built yet"] in filled.rows
    assert filled.rows[1] == ["  published", "77.93"]


def test_a_setting_that_came_later_counts_as_its_default_unless_the_row_names_it(cells: list[Cell]) -> None:
    cell = cells[0]
    config = deepcopy(cell.experiment.config)
    del config["model"]["init_args"]["encoder_alone"]  # which the config does not name
    assert config_hash(config) != cell.experiment.hash
    assert belongs(finished(config, 0, 25), cell)
    del config["model"]["init_args"]["lambda_w"]  # which it does
    assert not belongs(finished(config, 0, 25), cell)
    more = changed(cell, "model.init_args.gone", 3)
    assert not belongs(finished(more, 0, 25), cell)


def leave_run(folder: Path, config: dict[str, Any], status: str, modes: float) -> None:
    """What ``lightning fit`` leaves."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "run.json").write_text(json.dumps({"status": status, "step": 9, "device": "cpu", "seconds": 3.0}))
    (folder / "metrics.csv").write_text("a,step\n1,\n1,7\n")
    results = {"modes": {"value": modes, "step": 9}}
    (folder / "evaluation.json").write_text(json.dumps({"best": results, "last": results}))


def test_runs_of_fit_below_the_folder_count_where_they_are_the_very_same(tmp_path: Path, cells: list[Cell]) -> None:
    gaan_2 = cells[0].experiment
    line = finished(gaan_2.config, 0, 25)
    (tmp_path / "runs.jsonl").write_text(json.dumps(line) + "\n")
    leave_run(tmp_path / "mine/version_0", gaan_2.config | {"seed_everything": 4}, "finished", 23)
    leave_run(tmp_path / "mine/version_1", changed(cells[0], "trainer.max_epochs", 2) | {"seed_everything": 5}, "finished", 1)
    leave_run(tmp_path / "mine/version_2", gaan_2.config | {"seed_everything": 6}, "stopped", 2)
    leave_run(tmp_path / "mine/version_3", gaan_2.config | {"seed_everything": 0}, "finished", 7)  # is there already
    leave_run(tmp_path / "verify/x/seed0", gaan_2.config | {"seed_everything": 8}, "finished", 8)
    own = tmp_path / gaan_2.hash / "seed9"
    leave_run(own / "gaan_grid25/version_0", gaan_2.config | {"seed_everything": 9}, "finished", 9)
    (own / "attempt.json").write_text("{}")  # a runner's, which has not recorded it yet
    below = lines_below(tmp_path)
    found = sort(cells, below.finished, below.unfinished)
    assert {seed: run["results"]["last"]["modes"]["value"] for seed, run in found.rows["GAAN_2"].items()} == {0: 25, 4: 23}
    assert found.apart == ["GAAN on grid25, seed 5, with modes 1.00, is not GAAN_2: trainer.max_epochs 2 and not 60"]
    unfinished = sorted(said.partition(",")[0] for said in found.unfinished)
    assert unfinished == ["GAAN_2 seed 6 is unfinished", "GAAN_2 seed 9 is unfinished"]
    assert "at step 7" in found.unfinished[0]


def test_what_is_no_run_of_ours_is_named_and_changes_nothing(tmp_path: Path, cells: list[Cell]) -> None:
    line = finished(cells[0].experiment.config, 0, 25)
    del line["settings"]
    (tmp_path / "runs.jsonl").write_text(json.dumps(line) + "\n[1]\n{\n")
    for name, config, state in [
        ("a", "seed_everything: 0\nmodel: 3", "{}"),
        ("b", "[1, 2]", '{"status": "finished"}'),
        ("c", "x: [", "{}"),
        ("d", None, "{}"),
        ("e", yaml.safe_dump(cells[0].experiment.config), "no JSON"),
    ]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(state)
        if config is not None:
            (tmp_path / name / "config.yaml").write_text(config)
    below = lines_below(tmp_path)
    assert (below.finished, below.unfinished) == ([], [])
    assert below.unreadable[0] == f"1 of 1 lines of {tmp_path / 'runs.jsonl'} are none of this version"
    assert [said.split(" is no run")[0][-1] for said in below.unreadable[1:]] == ["a", "b", "c", "d", "e"]


def test_a_line_keeps_at_most_fifty_points_of_a_curve_and_the_last(cells: list[Cell]) -> None:
    row = {"stage": "fit", "device": "cpu", "tv_true_halved": 1}
    measured = [{**row, "step": step, "modes": step / 3} for step in range(1, 121)]
    changed = [{"stage": "fit", "step": 60, "change/samples": 0.25}]
    curve, changes = make_line(cells[0].experiment, {}, measured, changed, {}, seed=0)["curves"]
    assert changes == {"step": [60], "change/samples": [0.25]}
    assert len(curve["step"]) == 40
    assert curve["step"][-1] == 120
    assert curve["modes"][0] == 1.0
    assert "tv_true_halved" not in curve
