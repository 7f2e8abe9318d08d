"""Write one HTML file of some runs, to be sent to a colleague."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from lightning_gans.errors import InputError
from lightning_gans.report.page import MARK, make_page
from lightning_gans.report.reading import read_runs
from lightning_gans.whole_files import write_whole

_HEAD = 4096  # bytes in which the mark of a report is


def main(args: list[str]) -> None:
    """``lightning report RUN [RUN ...]``: tables, learning curves, pictures, films and settings of runs in one file.

    It loads nothing from elsewhere. Several seeds of one config are one row and one line. A folder above runs stands for all
    runs below it.
    """
    parser = argparse.ArgumentParser("lightning report", description=main.__doc__, allow_abbrev=False)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder, as runs/NAME/version_0, or one above such")
    parser.add_argument("--out", type=Path, default=Path("report.html"), metavar="FILE", help="(default: %(default)s)")
    given = parser.parse_args(args)
    _refuse(given.out)
    runs, left_out = read_runs(given.runs)
    page = make_page(runs, left_out)
    _write(page, given.out)
    several = f"{len(runs)} runs" if len(runs) > 1 else "one run"
    print(f"report of {several} in {given.out}, {len(page.encode()) / 1e6:.1f} MB")
    for said in left_out:
        print(said)


def _refuse(file: Path) -> None:
    """Say now, not after all the work, that a file cannot be written."""
    above = next(folder for folder in file.absolute().parents if folder.exists())
    if file.is_dir():
        raise InputError(f"{file} is a folder; set --out to a file, as {file / 'report.html'}")
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise InputError(f"{file} cannot be written, for {above} is not to be written in; set --out to a file elsewhere")
    if file.exists():
        try:
            with open(file, "rb") as opened:
                is_report = MARK.encode() in opened.read(_HEAD)
        except OSError as error:
            raise InputError(f"{file} is there and cannot be read ({error.strerror}); set --out to another file") from error
        if not is_report:
            raise InputError(f"{file} is there and is no report; set --out to another file, or remove it")


def _write(page: str, file: Path) -> None:
    """All of it or nothing."""
    try:
        write_whole(file, page.encode())
    except OSError as error:
        raise InputError(f"{file} cannot be written ({error.strerror}); set --out to a file elsewhere") from error
