"""``lightning table`` as it is used: run, run again, show, verify, publish."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from lightning_gans.commands.table import main
from lightning_gans.errors import InputError
from lightning_gans.runs.ledger import read_lines
from lightning_gans.runs.run import Run
from lightning_gans.tables.estimate import duration, estimate
from lightning_gans.tables.table import load_table
from lightning_gans.tables.verify import compare

SMOKE = ["gaan_2", "--rows", "GAN", "--budget", "smoke", "--own"]


def run(*args: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main([*args])
    return int(ended.value.code or 0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two seeds of one row, as the command trains them."""
    out = tmp_path_factory.mktemp("tables")
    assert run(*SMOKE, "--seeds", "0..1", "--jobs", "2", "--out", str(out)) == 0
    return out


@pytest.mark.slow
def test_a_table_is_trained_once_and_shown(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = read_lines(trained / "runs.jsonl")
    assert sorted(line["seed"] for line in lines) == [0, 1]
    for line in lines:
        assert (line["model"], line["dataset"], line["steps"], line["precision"]) == ("GAN", "grid25", 20, "32-true")
        assert line["curves"][0]["step"] == [10, 20]
        assert line["settings"]["trainer"]["max_steps"] == 20
        assert line["seconds"] > 0
        assert line["threads"] >= 1
        assert (trained / line["folder"]).is_dir()
    written = (trained / "runs.jsonl").stat().st_mtime_ns
    capsys.readouterr()
    assert run(*SMOKE, "--seeds", "0..1", "--out", str(trained)) == 0
    shown = capsys.readouterr()
    assert (trained / "runs.jsonl").stat().st_mtime_ns == written
    assert "starts" not in shown.err
    assert "ours, n = 2" in shown.out
    assert "21.50 ± 2.00" in shown.out
    assert "25.00" in shown.out  # exact draws
    assert "Budget smoke: 20 batches" in shown.out


@pytest.mark.slow
def test_a_finished_run_can_be_verified(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*SMOKE, "--verify", "--out", str(trained)) == 0
    assert "is the same to the last bit" in capsys.readouterr().out
    assert len(read_lines(trained / "runs.jsonl")) == 2


@pytest.mark.slow
def test_lines_are_published_once(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for count in (2, 0):
        assert run(*SMOKE, "--publish", str(tmp_path), "--out", str(trained), "--markdown") == 0
        shown = capsys.readouterr().out
        assert f"{count} of 2 runs were not in" in shown
        assert "| &emsp;ours, n = 2 |" in shown
    assert read_lines(tmp_path / "gaan_2.jsonl") == read_lines(trained / "runs.jsonl")


def test_commands_for_other_queues_are_one_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--print-commands", *SMOKE, "--seeds", "0,3", "--data.root=x", "--out", str(tmp_path)])
    lines = [shlex.split(line) for line in capsys.readouterr().out.splitlines()]
    assert [line[line.index("--seeds") + 1] for line in lines] == ["0", "3"]
    assert all(line[:3] == ["lightning", "table", "gaan_2"] and "--data.root=x" in line for line in lines)
    assert not list(tmp_path.iterdir())


def test_all_tables_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    shown = capsys.readouterr().out
    assert "gaan_2" in shown
    assert "2 of 3 built" in shown


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["gaan_2", "--model.lambda_r=0"], "--model.lambda_r=0 is not among what may be set here"),
        (["gaan_2", "--seed_everything=1"], "--seed_everything=1 is not among"),
        (["gaan_2", "--budget", "shrot"], r"gaan_2 has no budget shrot \(did you mean short\?\)"),
        (["gaan_2", "--rows", "GAM"], r"gaan_2 has no row GAM \(did you mean GAN\?\)"),
        (["--rows", "GAN", "gaan_2"], "no table is named; give its name first"),
        (["gan_2"], r"there is no table gan_2 \(did you mean gaan_2\?\)"),
        (["gaan_2", "--seeds", "x"], "--seeds has 'x'"),
        ([*SMOKE, "--verify"], "there is no finished run to verify"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_trains(args: list[str], said: str, folder: Path) -> None:
    with pytest.raises(InputError, match=said):
        main(args)
    assert not list(folder.iterdir())


def record(value: float, **more: Any) -> dict[str, Any]:
    return {"device": "a", "threads": 1, "results": {"last": {"modes": {"value": value, "step": 1}}}, **more}


@pytest.mark.parametrize(
    ("before", "now", "others", "same", "said"),
    [
        (record(3), record(3), [], True, "same to the last bit"),
        (record(3), record(3.0000001), [], False, "x differs on the same kind of machine: modes 3 and now 3"),
        (record(3), record(4, device="b"), [record(5)], True, r"differs on other terms \(device\), but is within"),
        (record(3), record(6, threads=2), [record(5)], False, r"other terms \(threads\), and modes not within"),
        (record(3), record(4, device="b"), [], False, "not within"),
        (record(3), {"results": {"last": {}}}, [], False, "no measure in common"),
    ],
)
def test_runs_are_compared(before: Any, now: Any, others: Any, same: bool, said: str) -> None:
    result, sentence = compare("x", before, now, others)
    assert result is same
    assert re.search(said, sentence)


def test_how_long_it_will_take_is_said_by_measured_speed(tmp_path: Path) -> None:
    table = load_table("gaan_2")
    (cell,) = table.cells("short", table.pick(["GAN"]))
    missing = [(cell, Run(cell.experiment, seed, tmp_path)) for seed in (0, 1)]
    assert estimate(missing, [], 1) == [
        "GAN: 2 runs; how long one takes is known after the first",
        "2 runs, 1 at a time: unknown yet",
    ]
    settings = json.loads(json.dumps(cell.experiment.config))
    settings["trainer"]["max_epochs"] = 21
    line = {"model": "GAN", "dataset": "grid25", "config": "other", "settings": settings, "steps": 8211, "seconds": 82.11}
    told = estimate(missing, [{**line, "finished": "2026", "device": "a CPU"}], 2)
    assert told == [
        "GAN: 2 runs of 82,110 steps, 14 min each, 27 min at 100 steps/s (a CPU)",
        "2 runs, 2 at a time: 14 min",
    ]
    assert [duration(seconds) for seconds in (5, 80, 240, 12000)] == ["5 s", "80 s", "4 min", "3 h 20 min"]
