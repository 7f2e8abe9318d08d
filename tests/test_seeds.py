"""``lightning seeds``: what is run, what is recorded, what survives a kill, and the numbers that come of it."""

from __future__ import annotations

import json
import math
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from lightning_gans.cli import main as lightning
from lightning_gans.commands import seeds as command
from lightning_gans.errors import InputError
from lightning_gans.runs import ledger
from lightning_gans.runs.experiment import Experiment, parse_seeds
from lightning_gans.runs.hashing import config_hash
from lightning_gans.runs.lines import device_name
from lightning_gans.runs.run import Run
from lightning_gans.runs.summary import mean_std, show_mean_std
from tests.fake_runs import CONFIG, fake, train


def recorded(out: Path) -> list[int]:
    return [row["seed"] for row in ledger.read_lines(out / "runs.jsonl")]


@pytest.mark.parametrize(
    ("words", "meant"),
    [(["0..7"], [*range(8)]), (["0,1,2"], [0, 1, 2]), (["0", "1", "2"], [0, 1, 2]), (["3..3", "9,1", "1"], [3, 9, 1])],
)
def test_seeds_are_read_in_all_three_forms(words: list[str], meant: list[int]) -> None:
    assert parse_seeds(words) == meant


@pytest.mark.parametrize("word", ["7..0", "-1", "x", "1.5", "0..", "", "4294967296"])
def test_what_is_no_seed_is_refused(word: str) -> None:
    with pytest.raises(InputError, match="--seeds has"):
        parse_seeds([word])


@pytest.mark.parametrize(
    ("path", "value", "same"),
    [
        ("seed_everything", 5, True),
        ("ckpt_path", "x.ckpt", True),
        ("trainer.default_root_dir", "elsewhere", True),
        ("trainer.logger", False, True),
        ("data.latents", "z.json", True),
        ("data.root", "elsewhere", True),
        ("evaluation.cache_dir", "elsewhere", True),
        ("trainer.max_steps", 5, False),
        ("data.dataset", "ring8", False),
        ("model.init_args", {"loss": "lsgan"}, False),
    ],
)
def test_the_hash_differs_where_results_may(path: str, value: Any, same: bool) -> None:
    changed = json.loads(json.dumps(CONFIG))
    section, _, name = path.rpartition(".")
    (changed[section] if section else changed)[name] = value
    assert (config_hash(changed) == config_hash(CONFIG)) is same
    assert CONFIG["seed_everything"] == 0


@pytest.mark.parametrize("option", ["--seed_everything=3", "--trainer.default_root_dir", "--ckpt_path=x", "--print_config"])
def test_what_seeds_sets_itself_is_refused(option: str) -> None:
    with pytest.raises(InputError, match=f"sets {option.partition('=')[0]} itself"):
        Experiment.resolve(["--config", "x.yaml", option, "y"])


def test_loggers_of_the_users_own_write_to_the_run(tmp_path: Path) -> None:
    logger = {"class_path": "CSVLogger", "init_args": {"save_dir": "elsewhere", "name": "mine"}}
    config = {**CONFIG, "trainer": {"logger": [logger]}}
    given = next(a for a in Experiment((), config).arguments(3, tmp_path, None) if a.startswith("--trainer.logger="))
    assert json.loads(given.partition("=")[2])[0]["init_args"] == {"save_dir": str(tmp_path), "name": "mine"}
    assert logger["init_args"]["save_dir"] == "elsewhere"


def test_options_reach_every_run_with_its_own_seed_and_folder(tmp_path: Path) -> None:
    arguments = Experiment(("--config=x.yaml", "--trainer.max_steps", "5"), CONFIG).arguments(3, tmp_path, Path("a.ckpt"))
    assert arguments[:4] == [sys.executable, "-m", "lightning_gans", "fit"]
    assert arguments[-6:] == [
        *("--config=x.yaml", "--trainer.max_steps", "5"),
        *("--seed_everything=3", f"--trainer.default_root_dir={tmp_path}", "--ckpt_path=a.ckpt"),
    ]


def test_only_what_is_missing_is_run_and_a_changed_config_has_rows_of_its_own(tmp_path: Path) -> None:
    assert train(tmp_path, fake(), [0, 1]) == 0
    assert train(tmp_path, fake(), [0, 1, 2]) == 0
    assert recorded(tmp_path) == [0, 1, 2]
    assert train(tmp_path, fake(loss="lsgan"), [1]) == 0
    assert recorded(tmp_path) == [0, 1, 2, 1]
    assert yaml.safe_load((tmp_path / fake(loss="lsgan").hash / "config.yaml").read_text())["model"]["init_args"] == {
        "loss": "lsgan"
    }


def test_a_record_says_all_that_the_numbers_depend_on(tmp_path: Path) -> None:
    train(tmp_path, fake("time.sleep(0.5)"), [3])
    (row,) = ledger.read_runs(tmp_path).values()
    assert row["results"] == {"best": {"modes": {"value": 20, "step": 2}}, "last": {"modes": {"value": 19, "step": 4}}}
    assert (row["config"], row["seed"], row["model"], row["dataset"]) == (fake().hash, 3, "GAN", "grid25")
    assert (row["device"], row["devices"]) == (device_name("cpu"), 1)
    assert (row["steps"], row["precision"], row["protocol"]) == (4, "32-true", {"modes": "gaan"})
    assert row["curves"] == [{"step": [2, 4], "modes": [12345.0, 19.0]}]
    assert row["settings"] == {
        "trainer": {"max_steps": 4},
        "model": CONFIG["model"],
        "data": {"dataset": "grid25"},
        "evaluation": {"every_n_steps": 2},
    }
    assert 0.5 <= row["seconds"] < 20
    assert row["code"] == ledger.code_version()
    assert row["threads"] == int(os.environ["OMP_NUM_THREADS"])
    assert (tmp_path / row["folder"] / "gan_grid25/version_0/evaluation.json").is_file()


def test_cores_are_shared_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(9)), raising=False)
    train(tmp_path, fake(), [0, 1, 2, 3], jobs=4)
    assert {row["threads"] for row in ledger.read_runs(tmp_path).values()} == {2}


def test_as_many_runs_as_jobs_go_at_once(tmp_path: Path) -> None:
    train(tmp_path, fake("time.sleep(0.6)"), range(4), jobs=2)
    spans = [json.loads(file.read_text()) for file in tmp_path.rglob("times.json")]
    at_once = [sum(a <= began < b for a, b in spans) for began, _ in spans]
    assert len(spans) == 4
    assert max(at_once) == 2


def test_a_failed_run_is_reported_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    body = "print(*range(20), 'loss is [nan]', sep='\\n'); assert seed != 1, 'the reason'"
    monkeypatch.setattr(Experiment, "resolve", lambda options: fake(body))
    with pytest.raises(SystemExit) as stopped:
        command.main(["--seeds", "0..2", "--out", str(tmp_path)])
    shown = capsys.readouterr()
    assert stopped.value.code == 1
    assert recorded(tmp_path) == [0, 2]
    assert "gan_grid25 seed 1 failed with status 1" in shown.err
    assert "the reason" in shown.err
    assert "loss is [nan]" in shown.err
    assert "\n  3\n" not in shown.err
    assert "2 of 3 seeds" in shown.out
    assert "12 ± 2.8" in shown.out  # of 10 and 14


def test_the_command_passes_on_what_it_does_not_know_and_names_other_configs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given: list[list[str]] = []
    monkeypatch.setattr(Experiment, "resolve", lambda options: given.append(options) or fake(loss="lsgan"))
    monkeypatch.chdir(tmp_path)
    out = Path("runs/seeds/gan_grid25")
    train(out, fake(), [0])
    command.main(["--config", "a.yaml", "--seeds", "2", "--model.lr", "-3", "--config=b.yaml"])
    assert given == [["--config", "a.yaml", "--model.lr", "-3", "--config=b.yaml"]]
    shown = capsys.readouterr().out
    assert f"gan_grid25, config {fake(loss='lsgan').hash}: 1 of 1 seeds, in {out}\n" in shown
    assert f"Left out: runs of other configs, {fake().hash}; see" in shown
    assert "14" in shown
    assert "±" not in shown


def test_runs_of_another_code_version_are_pointed_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Experiment, "resolve", lambda options: fake())
    command.main(["--seeds", "0", "--out", str(tmp_path)])
    assert "different versions" not in capsys.readouterr().out
    monkeypatch.setattr(ledger, "code_version", lambda: {"version": "9"})
    command.main(["--seeds", "0", "1", "--out", str(tmp_path)])
    assert "different versions of the code" in capsys.readouterr().out


def test_a_torn_line_is_run_again_and_the_next_is_whole(tmp_path: Path) -> None:
    train(tmp_path, fake(), [0, 1])
    file = tmp_path / "runs.jsonl"
    file.write_bytes(file.read_bytes()[:-40])
    assert recorded(tmp_path) == [0]
    train(tmp_path, fake(), [0, 1])
    assert recorded(tmp_path) == [0, 1]
    assert len(file.read_text().splitlines()) == 3


def test_a_run_that_another_process_trains_is_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(fake(), 0, tmp_path)
    lock = run.folder.with_suffix(".lock")
    taken = ledger.claim(lock)
    assert taken is not None
    assert ledger.claim(lock) is None
    child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(1)"], pass_fds=(taken,))
    os.close(taken)  # a run outlives the process that started it
    began = time.monotonic()
    assert train(tmp_path, fake(), [0, 1]) == 0
    assert child.wait() == 0
    assert time.monotonic() - began > 0.5
    assert recorded(tmp_path) == [1, 0]  # the other one meanwhile
    assert "gan_grid25 seed 0 is being trained by another process" in capsys.readouterr().err


def test_what_another_process_has_finished_meanwhile_is_not_run_again(tmp_path: Path) -> None:
    train(tmp_path, fake(), [0])
    line = (tmp_path / "runs.jsonl").read_text()
    (tmp_path / "runs.jsonl").unlink()
    taken = ledger.claim(Run(fake(), 0, tmp_path).folder.with_suffix(".lock"))
    assert taken is not None

    def finish() -> None:
        (tmp_path / "runs.jsonl").write_text(line)
        os.close(taken)

    threading.Timer(0.5, finish).start()
    assert train(tmp_path, fake("raise SystemExit('trained')"), [0]) == 0
    assert recorded(tmp_path) == [0]


def test_a_run_that_was_killed_goes_on_by_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = interrupted(tmp_path)
    body = """
if not (folder / "killed").exists():
    (folder / "killed").touch()
    import os
    os.kill(os.getpid(), 9)
print("from", checkpoint)
"""
    assert train(tmp_path, fake(body), [0]) == 0
    assert recorded(tmp_path) == [0]
    assert "gan_grid25 seed 0 was killed" in capsys.readouterr().err
    assert (folder / "log.txt").read_text() == f"from {folder / 'whole.ckpt'}\n"


def test_a_run_that_is_killed_again_and_again_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(tmp_path, fake("import os; os.kill(os.getpid(), 9)"), [0]) == 1
    assert capsys.readouterr().err.count("was killed") == 2
    assert recorded(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        train(tmp_path / "file" / "out", fake(), [0])


@pytest.mark.parametrize("jobs", ["0", "-1", "many"])
def test_jobs_must_be_positive(jobs: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"--jobs is {jobs}"):
        command.main(["--model=GAN", "--seeds=0", f"--jobs={jobs}", f"--out={tmp_path}"])


def interrupted(out: Path, step: int = 2) -> Path:
    """What a run leaves that was killed at its checkpoint, 100 s after it began: an older, a torn and a whole checkpoint."""
    folder = out / fake().hash / "seed0"
    (folder / "version_0").mkdir(parents=True)
    last = {"modes": {"value": 25, "step": 2}}
    (folder / "version_0" / "evaluation.json").write_text(json.dumps({"best": last, "last": last}))
    (folder / "attempt.json").write_text(json.dumps({"started": 1000.0, "seconds_before": 30.0}))
    for age, name in enumerate(["torn", "whole", "old"]):
        torch.save({"global_step": step, "filling": torch.zeros(1000)}, folder / f"{name}.ckpt")
        os.utime(folder / f"{name}.ckpt", (1100 - age, 1100 - age))
    (folder / "torn.ckpt").write_bytes((folder / "torn.ckpt").read_bytes()[:-1000])
    os.utime(folder / "torn.ckpt", (1100, 1100))
    return folder


def test_an_interrupted_run_goes_on_from_its_newest_whole_checkpoint(tmp_path: Path) -> None:
    folder = interrupted(tmp_path)
    train(tmp_path, fake("print('from', checkpoint)"), [0])
    assert (folder / "log.txt").read_text() == f"from {folder / 'whole.ckpt'}\n"
    (row,) = ledger.read_runs(tmp_path).values()
    assert row["results"]["best"]["modes"]["value"] == 25  # before the interruption
    assert row["results"]["last"]["modes"]["value"] == 10
    assert row["seconds"] == pytest.approx(30 + 99, abs=15)


@pytest.mark.parametrize("left", ['{"status": "stopped"}', '{"sta', None])
def test_a_run_that_did_not_reach_its_end_does_not_count(left: str | None, tmp_path: Path, capsys: Any) -> None:
    write = f"(folder / 'run.json').write_text({left!r})" if left else "(folder / 'run.json').unlink()"
    assert train(tmp_path, fake(write), [0]) == 1
    assert recorded(tmp_path) == []
    assert "seed 0 ended before its last step" in capsys.readouterr().err


def test_a_run_without_a_whole_checkpoint_starts_anew(tmp_path: Path) -> None:
    folder = interrupted(tmp_path)
    for name in ("whole", "old"):
        (folder / f"{name}.ckpt").unlink()
    train(tmp_path, fake(), [0])
    (row,) = ledger.read_runs(tmp_path).values()
    assert row["results"]["best"]["modes"]["value"] == 20
    assert row["seconds"] < 20
    assert not (folder / "version_0").exists()


# Has nothing left to train, so that it measures nothing, but where it is asked for just that
TRAINED = """
if stage == "validate":
    line = {"stage": stage, "step": 4, "device": "cpu", "seed": 0, "modes": 17, "tv_true": 0.5}
    run = folder / "gan_grid25/version_1"
    run.mkdir(parents=True)
    (run / "evaluation.jsonl").write_text(json.dumps(line))
if checkpoint:
    sys.exit(0)
"""


@pytest.mark.parametrize("before", [True, False])
def test_a_run_whose_last_measurement_was_lost_is_measured_and_not_trained(tmp_path: Path, before: bool) -> None:
    folder = interrupted(tmp_path, step=4)
    if not before:  # it is measured at the end of training only
        (folder / "version_0" / "evaluation.json").unlink()
    body = TRAINED + "raise SystemExit('trained')"
    assert train(tmp_path, fake(body), [0]) == 0
    (row,) = ledger.read_runs(tmp_path).values()
    last = {"modes": {"value": 17, "step": 4}, "tv_true": {"value": 0.5, "step": 4}}
    best = {**last, "modes": {"value": 25, "step": 2}} if before else last
    assert row["results"] == {"best": best, "last": last}
    assert row["device"] == device_name("cpu")
    assert row["seconds"] == pytest.approx(30 + 99, abs=15)


def test_a_run_whose_last_measurement_was_lost_and_cannot_be_made_is_repeated(tmp_path: Path) -> None:
    interrupted(tmp_path, step=4)
    train(tmp_path, fake("if checkpoint: sys.exit(0)"), [0])
    (row,) = ledger.read_runs(tmp_path).values()
    assert row["results"]["last"]["modes"] == {"value": 10, "step": 4}


def test_a_finished_run_that_measures_nothing_is_recorded(tmp_path: Path) -> None:
    (interrupted(tmp_path, step=4) / "version_0" / "evaluation.json").unlink()
    train(tmp_path, fake("if checkpoint: sys.exit(0)"), [0])
    (row,) = ledger.read_runs(tmp_path).values()
    assert row["results"] == {"best": {}, "last": {}}


def test_measures_are_best_over_all_folders_of_a_run(tmp_path: Path) -> None:
    for number, (modes, fid) in enumerate([(3, 9.0), (5, 7.0), (4, 8.0)]):
        found = {name: {"value": value, "step": number} for name, value in (("modes", modes), ("fid", fid))}
        file = tmp_path / f"version_{2 - number}" / "evaluation.json"
        file.parent.mkdir()
        file.write_text(json.dumps({"best": found, "last": found}))
        os.utime(file, (number, number))
    results = ledger.read_results(tmp_path)
    assert results["best"] == {"modes": {"value": 5, "step": 1}, "fid": {"value": 7.0, "step": 1}}
    assert results["last"]["fid"] == {"value": 8.0, "step": 2}


def test_mean_and_standard_deviation() -> None:
    assert mean_std([2.0, 4.0, 9.0]) == pytest.approx((5.0, math.sqrt(13)))
    assert math.isnan(mean_std([2.0])[1])
    assert show_mean_std([2.0, 4.0, 9.0]) == "5 ± 3.6"
    assert show_mean_std([0.95, math.nextafter(0.95, 1)]) == "0.95 ± 0"
    assert show_mean_std([1827.38]) == "1827.4"
    assert show_mean_std([]) == ""


def test_the_code_version_has_commit_and_changes_of_a_checkout_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "package"
    (package / "runs").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(ledger, "__file__", str(package / "runs" / "ledger.py"))
    git: Callable[..., Any] = lambda *args: subprocess.run(  # noqa: E731
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", *args], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    git("init")
    assert "commit" not in ledger.code_version()  # below a checkout, but not of it
    git("add", "package")
    git("commit", "-m", "x")
    commit = git("rev-parse", "HEAD").stdout.strip()
    assert {k: v for k, v in ledger.code_version().items() if k != "version"} == {"commit": commit, "dirty": False}
    (package / "new.py").write_text("")
    assert ledger.code_version()["dirty"]


KILLER = '''
import os, signal, time
from pathlib import Path
from lightning.pytorch import Callback


class Killer(Callback):
    """Kill the parent once, then wait for one's own end."""

    def on_train_batch_start(self, trainer, *args):
        if trainer.global_step == 5 and not Path("killed").exists():
            Path("killed").write_text(str(os.getpid()))
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(30)
            Path("survived").touch()
'''
REAL = [
    *("--model=GAN", "--data.dataset=grid25", "--data.held_out=49872", "--data.batch_size=64"),  # two batches an epoch
    "--trainer.callbacks=killer.Killer",
    *("--trainer.accelerator=cpu", "--trainer.devices=1", "--trainer.max_steps=8", "--trainer.enable_model_summary=false"),
    *("--evaluation.num_samples=200", "--evaluation.every_n_steps=3", "--pictures.num_points=100"),
]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_real_run_that_was_killed_before_its_last_measurement_gets_the_same(folder: Path) -> None:
    """Waits for two processes that each import torch: one finds nothing left to train, and one measures."""
    settings = [setting for setting in REAL if not any(name in setting for name in ("callbacks", "every_n_steps", "max_steps"))]
    experiment = Experiment((*settings, "--trainer.max_steps=2", "--pictures.kinds=[]"), CONFIG)
    out = folder / "out"
    run = out / experiment.hash / "seed0"
    lightning(experiment.arguments(0, run, None)[3:])
    first = ledger.read_results(run)
    for file in run.rglob("evaluation.json*"):
        file.unlink()
    checkpoints = {file: file.stat().st_mtime_ns for file in run.rglob("*.ckpt")}
    assert checkpoints
    assert train(out, experiment, [0]) == 0
    (row,) = ledger.read_runs(out).values()
    assert {file: file.stat().st_mtime_ns for file in run.rglob("*.ckpt")} == checkpoints
    assert row["results"] == first
    assert row["results"]["last"]["registered"]["step"] == 2


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere runs outlive their parent, and keep the folder locked")
def test_real_runs_survive_kill_9(tmp_path: Path) -> None:
    (tmp_path / "killer.py").write_text(KILLER)
    start = [sys.executable, "-m", "lightning_gans", "seeds", *REAL, "--seeds", "0,1", "--out", "out"]
    first = subprocess.run(start, cwd=tmp_path, capture_output=True, text=True)
    assert first.returncode == -signal.SIGKILL
    assert not (tmp_path / "out" / "runs.jsonl").exists()
    second = subprocess.run([*start, "--jobs=2"], cwd=tmp_path, capture_output=True, text=True)
    assert second.returncode == 0, second.stderr
    assert not (tmp_path / "survived").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "killed").read_text()), 0)

    runs = {seed: row for (_, seed), row in ledger.read_runs(tmp_path / "out").items()}
    assert sorted(runs) == [0, 1]
    folder = tmp_path / "out" / runs[0]["folder"] / "gan_grid25"
    steps = [[row["step"] for row in ledger.read_lines(folder / f"version_{n}" / "evaluation.jsonl")] for n in (0, 1)]
    assert steps == [[3], [6, 8]]  # resumed from the checkpoint at step 4
    final = []
    for seed, run in runs.items():
        *_, record = ledger.read_lines(max((tmp_path / "out" / run["folder"]).rglob("evaluation.jsonl")))
        assert record["seed"] == seed
        assert run["results"]["last"]["registered"] == {"value": record["registered"], "step": 8}
        final.append(record["registered"])
    row = next(line for line in second.stdout.splitlines() if "registered " in line)
    assert f"{statistics.mean(final):.5g} ± {statistics.stdev(final):.2g}" in row
