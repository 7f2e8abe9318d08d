"""Statistics are computed once for everything that they depend on, and never wrong."""

from __future__ import annotations

import json
import stat
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist

from lightning_gans.evaluation.features.frechet import FeatureSums, Gaussian
from lightning_gans.evaluation.real import statistics
from lightning_gans.evaluation.real.statistics import real_statistics
from tests.helpers import on_ranks

KEY: dict[str, Any] = {
    "data": {"name": "mnist", "sha256": "ab"},
    "split": "test",
    "n": 100,
    "features": "cd",
    "layer": "fd_lenet_mnist",
    "resize": "tf1",
    "precision": "fp32",
    "quantiser": "round",
}


class Computer:
    """Counts how often it is asked, and never answers the same twice."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> Gaussian:
        self.calls += 1
        sums = FeatureSums(6)
        sums.update(torch.randn(50, 6, generator=torch.Generator().manual_seed(self.calls)))
        return sums.gaussian()


@pytest.fixture
def compute() -> Computer:
    return Computer()


def equal(a: Gaussian, b: Gaussian) -> bool:
    return a.n == b.n and all(torch.equal(getattr(a, name), getattr(b, name)) for name in ("mean", "covariance", "root"))


def test_what_was_computed_is_read_to_the_last_bit(tmp_path: Path, compute: Computer) -> None:
    first = real_statistics(KEY, tmp_path / "made" / "here", compute)
    again = real_statistics(dict(reversed(KEY.items())), tmp_path / "made" / "here", compute)
    assert compute.calls == 1
    assert "root" in vars(again), "the root was not read"
    assert equal(first, again)


@pytest.mark.parametrize("name", KEY)
def test_anything_that_changed_is_computed_anew(tmp_path: Path, compute: Computer, name: str) -> None:
    first = real_statistics(KEY, tmp_path, compute)
    changed = {**KEY, name: {"name": "mnist", "sha256": "ac"} if name == "data" else 101 if name == "n" else "other"}
    assert not equal(real_statistics(changed, tmp_path, compute), first)
    real_statistics({**KEY, "more": None}, tmp_path, compute)
    assert compute.calls == 3
    assert equal(real_statistics(KEY, tmp_path, compute), first)


def test_the_file_is_what_pytorch_fid_reads_and_says_what_it_is_of(tmp_path: Path, compute: Computer) -> None:
    found = real_statistics(KEY, tmp_path, compute)
    (file,) = tmp_path.iterdir()
    with np.load(file) as stored:
        mu, sigma = stored["mu"][:], stored["sigma"][:]
        assert json.loads(str(stored["key"])) == KEY
        assert stored["n"] == 50
        np.testing.assert_allclose(stored["sqrt_sigma"] @ stored["sqrt_sigma"], sigma, atol=1e-14)
    assert np.array_equal(mu, found.mean)
    assert np.array_equal(sigma, found.covariance)
    assert mu.dtype == sigma.dtype == np.float64
    assert file.suffix == ".npz"
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_a_damaged_file_is_computed_anew_and_said(tmp_path: Path, compute: Computer) -> None:
    real_statistics(KEY, tmp_path, compute)
    (file,) = tmp_path.iterdir()
    sound = file.read_bytes()
    flips = [sound[:i] + bytes([sound[i] ^ 0x55]) + sound[i + 1 :] for i in range(200, len(sound) // 2, len(sound) // 7)]
    for number, content in enumerate([b"", b"nonsense", sound[: len(sound) // 2], sound[:-1], *flips], 2):
        file.write_bytes(content)
        with pytest.warns(UserWarning, match=f"{file.name} are damaged"):
            again = real_statistics(KEY, tmp_path, compute)
        assert compute.calls == number
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert equal(real_statistics(KEY, tmp_path, compute), again)


def test_no_byte_can_be_changed_unnoticed_in_the_numbers(tmp_path: Path, compute: Computer) -> None:
    first = real_statistics(KEY, tmp_path, compute)
    (file,) = tmp_path.iterdir()
    sound = file.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i in range(0, len(sound), 9):
            file.write_bytes(sound[:i] + bytes([sound[i] ^ 0x01]) + sound[i + 1 :])
            found = statistics._read(file, json.dumps(KEY, sort_keys=True))
            assert found is None or equal(found, first)


def test_a_file_of_other_statistics_under_this_name_is_not_believed(tmp_path: Path, compute: Computer) -> None:
    real_statistics(KEY, tmp_path, compute)
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    real_statistics({**KEY, "split": "train"}, tmp_path, compute)
    (other,) = set(tmp_path.iterdir()) - {file}
    other.write_bytes(content)
    with pytest.warns(UserWarning, match="made for something else"):
        real_statistics({**KEY, "split": "train"}, tmp_path, compute)
    assert compute.calls == 3


def test_writers_and_readers_at_once_see_whole_files_only(tmp_path: Path) -> None:
    text, found = json.dumps(KEY, sort_keys=True), Computer()()
    file, errors = tmp_path / "shared.npz", list[str]()
    statistics._write(file, text, found)
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen = statistics._read(file, text)
            if seen is None or not equal(seen, found):
                errors.append("half a file")

    def write() -> None:
        for _ in range(30):
            statistics._write(file, text, found)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        readers, writers = ([threading.Thread(target=work) for _ in range(2)] for work in (read, write))
        for thread in readers + writers:
            thread.start()
        for thread in writers:
            thread.join()
        done.set()
        for thread in readers:
            thread.join()
    assert not errors
    assert list(tmp_path.iterdir()) == [file]


def test_where_nothing_can_be_written_it_is_said_once(tmp_path: Path, compute: Computer) -> None:
    (tmp_path / "file").write_text("in the way")
    folder = tmp_path / "file" / "below"
    with pytest.warns(UserWarning, match=f"cannot keep statistics in {folder}") as said:
        found = [real_statistics(KEY, folder, compute) for _ in range(2)]
    assert len(said) == 1
    assert [some.n for some in found] == [50, 50]


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, compute: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.warns(UserWarning, match="No space left"):
        real_statistics(KEY, tmp_path, compute)
    assert not list(tmp_path.iterdir())


def test_on_two_ranks_the_first_decides_and_writes(tmp_path: Path) -> None:
    def slowly(*args: Any, write: Any = statistics._write) -> None:
        time.sleep(0.2)
        write(*args)

    def work(rank: int) -> None:
        statistics._write = slowly  # type: ignore[assignment]  # in this process alone
        compute, found, seen = Computer(), [], []

        def together() -> Gaussian:
            dist.barrier()
            return compute()

        for _ in range(2):  # folders of two machines
            found.append(real_statistics(KEY, tmp_path / f"rank{rank}", together))
            seen.append(len(list((tmp_path / "rank0").glob("[!.]*.npz"))))
        torch.save((compute.calls, found, seen), tmp_path / f"{rank}.pt")

    on_ranks(work, tmp_path)
    for rank in (0, 1):
        calls, (first, second), seen = torch.load(tmp_path / f"{rank}.pt", weights_only=False)
        assert calls == 1
        assert equal(first, second)
        assert seen == [1, 1]
    assert not (tmp_path / "rank1").exists()
