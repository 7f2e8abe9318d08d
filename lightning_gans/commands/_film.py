"""``lightning figure film``: the one picture that moves."""

from __future__ import annotations

import argparse
from pathlib import Path

from lightning_gans.errors import InputError
from lightning_gans.figures.film import FILMED, frames, write_film
from lightning_gans.running.place import of_checkpoint

FILM = "film"


def make_film(args: list[str]) -> None:
    """``lightning figure film RUN_FOLDER``: a GIF, WebP or MP4 of what the run has kept as its training went on."""
    parser = argparse.ArgumentParser("lightning figure film", description=make_film.__doc__, allow_abbrev=False)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("run", nargs="?", type=Path, metavar="RUN_FOLDER", help="such as runs/gaan_digits/version_0")
    which.add_argument("--ckpt_path", type=Path, metavar="FILE", help="a checkpoint in the run's folder, instead of that")
    out_help = "ends in .gif, .webp or .mp4; pictures/film.gif in the run's folder where none"
    parser.add_argument("--out", type=Path, metavar="FILE", help=out_help)
    parser.add_argument("--seconds", type=float, default=6.0, help="how long it takes (default: %(default)s)")
    parser.add_argument("--kind", choices=FILMED, default="samples", help="what it shows (default: %(default)s)")
    given = parser.parse_args(args)
    run = _run(given.run, given.ckpt_path)
    of_kind = "" if given.kind == "samples" else f"_{given.kind}"
    file = given.out or run / "pictures" / f"{FILM}{of_kind}.gif"
    pictures = frames(run, given.kind)
    write_film(pictures, file, given.seconds)
    print(f"{len(pictures)} pictures, from step {pictures[0][0]} to {pictures[-1][0]}, are in {file}")


def _run(folder: Path | None, ckpt_path: Path | None) -> Path:
    """The folder of the run that is meant."""
    if folder is not None:
        if not folder.is_dir():
            raise InputError(f"there is no folder {folder}; give that of a run, such as runs/gaan_digits/version_0")
        return folder
    assert ckpt_path is not None
    if (found := of_checkpoint(ckpt_path)) is None:
        raise InputError(f"{ckpt_path} is not in the folder of a run; give that folder itself")
    return found
