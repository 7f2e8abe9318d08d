"""What is read of runs' folders, and what of it can be missing or damaged."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lightning_gans import InputError
from lightning_gans.report.reading import read_runs
from tests.report.fake import leave_run


def test_a_folder_above_runs_stands_for_all_below_but_those_aside(tmp_path: Path) -> None:
    for name in ("b/gan/version_0", "a/gan/version_1", "a/verify/gan/version_0"):
        leave_run(tmp_path / name, pictures=False)
    runs, left_out = read_runs([tmp_path, tmp_path / "a" / "gan" / "version_1"])
    assert [run.shown for run in runs] == ["a/gan/version_1", "b/gan/version_0"]
    assert not left_out
    (run, _) = runs
    assert (run.model, run.dataset, run.seed, run.steps, run.seconds) == ("GAN", "toys", 0, 300, 125.0)
    assert run.measured["fid"] == {100: 30.0, 200: 10.0, 300: 20.0}
    assert run.measured["loss/generator"][300] == pytest.approx(1 / 300)
    assert run.results["best"]["fid"] == {"value": 10.0, "step": 200}
    assert run.results["last"]["fid"] == {"value": 20.0, "step": 300}
    assert "loss/generator" not in run.results["last"]


def test_runs_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        leave_run(tmp_path / "gan" / f"version_{number}", pictures=False)
    assert [run.shown for run in read_runs([tmp_path])[0]] == ["version_1", "version_2", "version_10"]


def test_a_run_that_goes_on_is_one_with_what_it_goes_on_from(tmp_path: Path) -> None:
    leave_run(tmp_path / "gan" / "version_0", fid={100: 30.0, 200: 5.0, 250: 9.0})
    went_on = {"went_on_from": "/elsewhere/gan/version_0/checkpoints/last.ckpt"}
    leave_run(tmp_path / "gan" / "version_1", fid={250: 8.0, 300: 7.0}, state=went_on)
    (run,), _ = read_runs([tmp_path])
    assert [one.shown for one in run.way] == ["version_0", "version_1"]
    assert run.measured["fid"] == {100: 30.0, 200: 5.0, 250: 8.0, 300: 7.0}
    assert run.results["best"]["fid"] == {"value": 5.0, "step": 200}
    assert run.seconds == 250.0


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("metrics.csv", "loss/generator\n1\n", "losses are left out, for metrics.csv is damaged .it has no column step"),
        ("metrics.csv", "step,loss/generator\n10,3\n20,x\n", "losses are left out, for metrics.csv is damaged .*'x'"),
        ("evaluation.jsonl", "{{{\n[]\n", "measures are left out, for evaluation.jsonl is damaged .no line of it can be read"),
        (
            "evaluation.jsonl",
            '{"stage": "fit", "step": 9, "fid": 1}\n{"stage": "f',
            "1 of 2 lines of evaluation.jsonl cannot be read",
        ),
        ("config.yaml", "model: [", "settings are left out, for config.yaml is damaged"),
        ("config.yaml", "model: GAN\ntrainer: 5\n", "settings are left out, .* .trainer holds no settings by name"),
        ("run.json", '{"status": ', "what the run says of itself is left out, for run.json is damaged"),
    ],
)
def test_what_is_damaged_is_left_out_and_said(tmp_path: Path, file: str, content: str, words: str) -> None:
    run = leave_run(tmp_path / "gan" / "version_0")
    (run / file).write_text(content)
    (read,), left_out = read_runs([run])
    assert not left_out
    (problem,) = read.problems
    assert re.search(words, problem)


def test_bytes_that_are_no_text_are_damage_too(tmp_path: Path) -> None:
    run = leave_run(tmp_path / "run")
    for file in ("metrics.csv", "evaluation.jsonl", "config.yaml"):
        (run / file).write_bytes(b"\x00\xff\xfe\x00" * 9)
    (read,), _ = read_runs([run])
    assert len(read.problems) == 3
    assert read.steps == 300


def test_a_run_without_a_step_is_left_out_and_said_unless_it_is_the_only_one(tmp_path: Path) -> None:
    idle = tmp_path / "runs" / "idle"
    idle.mkdir(parents=True)
    (idle / "run.json").write_text('{"status": "running"}')
    with pytest.raises(
        InputError, match="idle is left out: it has not trained a step; give a folder of a run that has trained"
    ):
        read_runs([idle])
    leave_run(tmp_path / "runs" / "gan")
    runs, left_out = read_runs([tmp_path / "runs"])
    assert [run.shown for run in runs] == ["gan"]
    assert left_out == ["idle is left out: it has not trained a step"]


def test_what_is_no_folder_of_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no folder .*nowhere; give that of a run, as runs/NAME/version_0"):
        read_runs([tmp_path / "nowhere"])
    with pytest.raises(InputError, match=r"there is no run in .* or below it; give a folder that lightning fit has written"):
        read_runs([tmp_path])
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file is no folder"):
        read_runs([tmp_path / "file"])
