"""The processes of a run on one machine: whoever of them ends or stands still takes the others along, within seconds.

The first process starts the others and looks after them; each of these looks whether the first is there. What one of them says
at its end is said by the first, once.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch.distributed import TCPStore

from lightning_gans.errors import InputError
from lightning_gans.lightning_internals import ScriptLauncher

_EVERY = 0.3
_STANDING = 10.0
"""Seconds that a process may be stopped: the whole run may be, by Ctrl-Z, and goes on together."""
_ECHO = 1.5
"""Seconds after an error here in which it may turn out to be but the echo of another process's end."""
_OWN_END = 4.0
"""Seconds that the first process is given to end by itself, with what it has to say itself."""
_TOLD = 60.0
"""The same where the run was told to end and saves a checkpoint."""

_FIRST = "LIGHTNING_GANS_FIRST_RANK"  # its process id
_SAID = "LIGHTNING_GANS_SAID"  # the folder where the others leave what they say

_children: _Children | None = None
_server: TCPStore | None = None


class Launcher(ScriptLauncher):
    """Starts the other processes by re-running the command, and looks after them: Lightning's own looks every five seconds."""

    def launch(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.cluster_environment.creates_processes_externally:
            _look_after_first()
        else:
            os.environ[_FIRST] = str(os.getpid())
            os.environ[_SAID] = tempfile.mkdtemp(prefix="lightning-gans-ranks-")
            if self.num_nodes == 1 and self.cluster_environment.main_address in ("127.0.0.1", "localhost"):
                _meet_on_this_machine(self.cluster_environment.main_port)
            self._call_children_scripts()
            _look_after(self.procs)
        return super().launch(function, *args, **kwargs)  # which starts none where there are some


def _meet_on_this_machine(port: int) -> None:
    """Serve what processes meet by to this machine alone: torch would listen on all its networks.

    Raises:
        InputError: the port is taken.
    """
    global _server
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError as error:
        listening.close()
        raise InputError(
            f"port {port}, where the processes of this run are to meet, cannot be used ({error.strerror}); "
            "unset MASTER_PORT, or set it to another"
        ) from error
    listening.listen()
    settings: dict[str, Any] = {"is_master": True, "wait_for_workers": False, "master_listen_fd": listening.detach()}
    _server = TCPStore("127.0.0.1", port, **settings)
    os.environ["TORCHELASTIC_USE_AGENT_STORE"] = "True"  # there is one already, so torch makes none
    if any(name == "lo" for _, name in socket.if_nameindex()):
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")


def _look_after(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    global _children
    _children = _Children(processes)
    _children.start()
    atexit.register(_children.wait)


def _look_after_first() -> None:
    """In another process than the first: end when that is gone or stands still."""
    if _FIRST in os.environ and os.environ.get("LOCAL_RANK", "0") != "0":
        threading.Thread(target=_watch_first, args=(int(os.environ[_FIRST]),), daemon=True).start()


def leave_word(sentence: str) -> None:
    """Leave what this process says at its end for the first one to say."""
    with suppress(OSError, KeyError):
        Path(os.environ[_SAID], os.environ["LOCAL_RANK"]).write_text(sentence)


def failure_elsewhere() -> str | None:
    """Which other process failed first and how, where an error here may be but its echo; waits a moment for it."""
    return None if _children is None else _children.failure_within(_ECHO)


def end_others() -> None:
    """In the first process: end the others at once, for it ends itself."""
    if _children is not None:
        _children.kill()


def told_to_end(signal_number: int) -> bool:
    """Pass a signal on to the first process, which ends all; whether this is the first, which then has some time for it."""
    if os.environ.get("LOCAL_RANK", "0") != "0" and _FIRST in os.environ:
        os.kill(int(os.environ[_FIRST]), signal_number)
        return False
    if _children is not None:
        _children.told = True
    return True


class _Children(threading.Thread):
    """Ends this process, and the others with it, when one of the others fails."""

    def __init__(self, processes: Sequence[subprocess.Popen[bytes]]) -> None:
        super().__init__(daemon=True, name="ranks")
        self.processes = processes
        self.told = False
        self._failed = threading.Event()
        self._failure = ""
        self._standing: dict[int, float] = {}

    def run(self) -> None:
        while not self._failed.is_set():
            codes = [process.poll() for process in self.processes]
            if all(code == 0 for code in codes):
                return
            for rank, code in enumerate(codes, 1):
                if code or (code is None and self._stands(rank)):
                    self._failure = self._describe(rank, code)
                    self._failed.set()
                    break
            else:
                time.sleep(_EVERY)
        time.sleep(_TOLD if self.told else _OWN_END)  # the main thread may say it, too
        _print(self._failure)
        self.kill()
        os._exit(1)

    def failure_within(self, seconds: float) -> str | None:
        """What failed, if anything does in so many seconds."""
        return self._failure if self._failed.wait(seconds) else None

    def wait(self) -> None:
        """Until all of them have ended by themselves, as they are about to."""
        for process in self.processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_TOLD)
        self.kill()

    def kill(self) -> None:
        """End all of them."""
        for process in self.processes:
            with suppress(OSError):
                process.kill()
        for process in self.processes:
            process.wait()

    def _stands(self, rank: int) -> bool:
        if not _is_stopped(self.processes[rank - 1].pid):
            self._standing.pop(rank, None)
            return False
        return time.monotonic() - self._standing.setdefault(rank, time.monotonic()) > _STANDING

    def _describe(self, rank: int, code: int | None) -> str:
        said = Path(os.environ[_SAID], str(rank))
        with suppress(OSError):
            return f"rank {rank}: {said.read_text()}"
        if code is None:
            return f"rank {rank} was stopped and does not go on, so the run ends"
        if code < 0:
            why = " (perhaps for want of memory)" if code == -signal.SIGKILL else ""
            return f"rank {rank} was ended by {signal.Signals(-code).name}{why}, so the run ends"
        return f"rank {rank} ended with status {code}, so the run ends"


def _watch_first(pid: int) -> None:
    stands_since: float | None = None
    while os.getppid() == pid:
        if _is_stopped(pid):
            stands_since = stands_since or time.monotonic()
            if time.monotonic() - stands_since > _STANDING:
                break
        else:
            stands_since = None
        time.sleep(_EVERY)
    if os.environ["LOCAL_RANK"] == "1":
        _print("the first process of the run is gone or stands still, so the run ends")
    os._exit(1)


def _is_stopped(pid: int) -> bool:
    """Whether a process is stopped, as by Ctrl-Z; only Linux says so."""
    with suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "Tt"
    return False


def _print(sentence: str) -> None:
    print(f"lightning: error: {sentence}", file=sys.stderr, flush=True)
