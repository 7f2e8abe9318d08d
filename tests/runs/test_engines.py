"""Where runs go: graphics cards of this machine, jobs of a cluster, commands for any other queue."""

from __future__ import annotations

import os
import random
import shlex
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_gans.commands import seeds as command
from lightning_gans.errors import InputError
from lightning_gans.runs import engines, ledger
from lightning_gans.runs.experiment import Experiment
from lightning_gans.runs.run import Run
from tests import fake_runs
from tests.fake_runs import fake, train


def test_several_runs_have_a_card_each_and_one_has_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "import os; (folder / 'cards').write_text(os.environ['CUDA_VISIBLE_DEVICES']); time.sleep(1)"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    train(tmp_path / "many", fake(body), range(4), jobs=4)
    assert sorted(file.read_text() for file in tmp_path.rglob("cards")) == ["3", "3", "5", "5"]
    train(tmp_path / "one", fake(body), [0])
    assert next((tmp_path / "one").rglob("cards")).read_text() == "3,5"


def test_commands_for_another_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(Experiment, "resolve", lambda options: fake())
    train(tmp_path, fake(), [1])
    capsys.readouterr()
    options = ["--config", "a b.yaml", "--seeds", "0..2", "--out", str(tmp_path)]
    command.main([*options, "--print-commands"])
    lines = [shlex.split(line) for line in capsys.readouterr().out.splitlines()]
    assert [line[-3] for line in lines] == ["0", "2"]
    for line in lines:
        assert line[:4] == ["lightning", "seeds", "--config", "a b.yaml"]
        command.main(line[2:])
        command.main(line[2:])  # does nothing
    assert sorted(row["seed"] for row in ledger.read_lines(tmp_path / "runs.jsonl")) == [0, 1, 2]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--engine-options", "timeout_min=3"], "--engine-options are for --engine submitit"),
        (["--engine", "submitit", "--engine-options", "timeout_min"], "--engine-options has 'timeout_min', but must be like"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: list[str], said: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(Experiment, "resolve", lambda _: fake())
    with pytest.raises(InputError, match=said):
        command.main(["--model=GAN", "--seeds=0", f"--out={tmp_path}", *options])


def test_without_submitit_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(InputError, match="needs the package submitit; pip install"):
        engines.run_by_submitit([Run(fake(), 0, tmp_path)], 1, {})


SEEDS, KILLED = 3, 2  # a job takes seconds to import what it needs
# Counts to 20 with a checkpoint every five, from where the last one stands; what comes of it depends on the seed alone
COUNTS = """
import shutil
done = int(pathlib.Path(checkpoint).name.split('=')[1].split('.')[0]) if checkpoint else 0
for step in range(done + 1, 21):
    time.sleep(0.02)
    if step % 5 == 0:
        shutil.copy(folder.parents[2] / f"step={step}.ckpt", folder / "new")
        (folder / "new").rename(folder / f"step={step}.ckpt")
"""


def at_work(folder: Path) -> list[int]:
    """Other processes whose command names a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(folder).encode() in (process / "cmdline").read_bytes() and int(process.name) != os.getpid():
                found.append(int(process.name))
    return found


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_jobs_that_are_killed_at_random_give_every_line_once_and_the_same_as_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("submitit")
    pytest.importorskip("cloudpickle").register_pickle_by_value(fake_runs)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    for step in (5, 10, 15, 20):
        torch.save({"global_step": step}, tmp_path / f"step={step}.ckpt")
    experiment, out = fake(COUNTS), tmp_path / "jobs"
    ended, killed, chance = threading.Event(), list[int](), random.Random(0)

    def kill() -> None:
        while len(killed) < KILLED and not ended.wait(chance.uniform(0.3, 1.0)):
            if found := at_work(out):
                killed.append(chance.choice(found))
                with suppress(ProcessLookupError):
                    os.kill(killed[-1], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        failed = engines.run_by_submitit([Run(experiment, seed, out) for seed in range(SEEDS)], 2, {}, cluster="local")
    finally:
        ended.set()
        killer.join()
    assert failed == 0
    assert killed
    train(tmp_path / "here", experiment, range(SEEDS))
    there, here = (ledger.read_lines(folder / "runs.jsonl") for folder in (out, tmp_path / "here"))
    assert len(there) == SEEDS
    assert {row["seed"]: row["results"] for row in there} == {row["seed"]: row["results"] for row in here}
