"""Processes of a run: none is left waiting for one that is gone, and one sentence says which."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightning_gans import InputError, ranks

ROOT = str(Path(__file__).parents[1])
FIRST = """
import os, subprocess, sys, time
os.environ.update(LIGHTNING_GANS_FIRST_RANK=str(os.getpid()), LOCAL_RANK="1")
other = "from lightning_gans import ranks; ranks._look_after_first(); print('ready', flush=True); import time; time.sleep(100)"
child = subprocess.Popen([sys.executable, "-c", other])
print(child.pid, flush=True)
time.sleep(100)
"""


@pytest.fixture
def others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ranks._Children]:
    """Two processes that would go on for long, looked after."""
    monkeypatch.setenv("LIGHTNING_GANS_SAID", str(tmp_path))
    monkeypatch.setattr(ranks, "_STANDING", 0.3)
    monkeypatch.setattr(ranks, "_OWN_END", 1e6)  # seconds: this process goes on with other tests, and is not to be ended
    children = ranks._Children([subprocess.Popen(["sleep", "100"]) for _ in range(2)])
    children.start()
    yield children
    children.kill()
    assert children.failure_within(10)  # it has read how long to wait, which is another time after this


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (signal.SIGKILL, "rank 2 was ended by SIGKILL (perhaps for want of memory), so the run ends"),
        (signal.SIGTERM, "rank 2 was ended by SIGTERM, so the run ends"),
        (signal.SIGSTOP, "rank 2 was stopped and does not go on, so the run ends"),
    ],
)
def test_the_first_says_how_another_ended(number: signal.Signals, sentence: str, others: ranks._Children) -> None:
    assert others.failure_within(0.5) is None
    os.kill(others.processes[1].pid, number)
    assert others.failure_within(10) == sentence
    others.kill()
    assert all(process.poll() is not None for process in others.processes)


def test_what_another_left_is_said_by_the_first(others: ranks._Children, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    ranks.leave_word("line 3 of mine.py raised KeyError")
    others.processes[0].terminate()
    assert others.failure_within(10) == "rank 1: line 3 of mine.py raised KeyError"


def test_another_ends_when_the_first_is_gone() -> None:
    """Takes as long as importing torch does."""
    environment = {**os.environ, "PYTHONPATH": ROOT, "PYTHONUNBUFFERED": "1"}
    first = subprocess.Popen(
        [sys.executable, "-c", FIRST], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    assert first.stdout is not None
    assert first.stderr is not None
    pid = int(first.stdout.readline())
    assert first.stdout.readline() == "ready\n"
    first.kill()
    said = first.stderr.readline()
    assert said == "lightning: error: the first process of the run is gone or stands still, so the run ends\n"
    give_up = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and _runs(pid) and time.monotonic() < give_up:
        time.sleep(0.1)
    assert not _runs(pid)
    first.wait()


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


HIT = """
import os, signal
from lightning.pytorch import Callback
from lightning_gans import ranks

ranks._STANDING = 1.0


class Hit(Callback):
    def on_train_batch_start(self, trainer, *args):
        if trainer.global_step == 2 and trainer.global_rank == 1:
            os.kill(os.getpid(), signal.{name})
"""
SHORT = ("--evaluation.modes=null", "--pictures.kinds=[]", "--trainer.enable_progress_bar=false")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("SIGKILL", "rank 1 was ended by SIGKILL (perhaps for want of memory), so the run ends"),
        ("SIGSTOP", "rank 1 was stopped and does not go on, so the run ends"),
    ],
)
def test_under_plain_ddp_the_run_ends_with_one_sentence_too(name: str, sentence: str, tmp_path: Path) -> None:
    """Takes as long as two processes need to start."""
    (tmp_path / "hit.py").write_text(HIT.format(name=name))
    places = ("--trainer.accelerator=cpu", "--trainer.devices=2", "--trainer.strategy=ddp", "--trainer.callbacks=hit.Hit")
    done = subprocess.run(
        [sys.executable, "-m", "lightning_gans", "fit", "--model=GAN", "--trainer.max_steps=1000", *places, *SHORT],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ROOT},
        capture_output=True,
        text=True,
    )
    assert [line for line in done.stderr.splitlines() if "error:" in line] == [f"lightning: error: {sentence}"]
    assert done.returncode == 1


def test_they_meet_on_this_machine_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TORCHELASTIC_USE_AGENT_STORE", "GLOO_SOCKET_IFNAME"):
        monkeypatch.setenv(name, "")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ranks._meet_on_this_machine(port)
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines() if " 0A " in line]
    assert [address for address in listening if address.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]
    with pytest.raises(InputError, match=rf"port {port}, where .* \(Address already in use\); unset MASTER_PORT"):
        ranks._meet_on_this_machine(port)
    monkeypatch.setattr(ranks, "_server", None)
