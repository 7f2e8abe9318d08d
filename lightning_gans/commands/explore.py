"""Open a page to look at trained models with: samples, ways, codes, images of one's own."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any, get_args

from lightning_gans.errors import InputError
from lightning_gans.explore import Explorer
from lightning_gans.restore import Weights, restore


def main(args: list[str]) -> None:
    """``lightning explore --ckpt_path FILE``: a page for this machine's browser alone, of a model, or of several side by side.

    Further options, such as ``--data.root``, change every stored config.
    """
    from lightning_gans.explore.page import HOST, listen, make_app, serve  # what it needs is an extra

    parser = argparse.ArgumentParser("lightning explore", description=main.__doc__, allow_abbrev=False)
    parser.add_argument(
        "--ckpt_path", type=Path, nargs="+", action="extend", required=True, metavar="FILE", help="of the models"
    )
    parser.add_argument("--names", nargs="+", metavar="NAME", help="of the models, in the order of the files")
    parser.add_argument("--port", type=int, default=7411, help="or the next one that is free (default: %(default)s)")
    parser.add_argument("--num_images", type=int, default=36, help="samples in a grid (default: %(default)s)")
    parser.add_argument("--weights", choices=get_args(Weights), default="raw", help="of the generators (default: %(default)s)")
    given, options = parser.parse_known_args(args)
    files: list[Path] = given.ckpt_path
    if given.names is not None and len(given.names) != len(files):
        raise InputError(f"--names must be as many as there are models, {len(files)}, not {len(given.names)}")
    listening = listen(given.port)
    explorers: list[Explorer] = []
    for file, name in zip(files, given.names or [None] * len(files), strict=True):
        model, data, _, step = restore(file, options, given.weights)
        explorer = Explorer(model, data, name, step, given.num_images, given.weights)
        _refuse_other_data(explorer, file, explorers, files[0])
        explorers.append(explorer)
    commands = [_predict(file, options) if given.weights == "raw" else None for file in files]
    port = listening.getsockname()[1]
    if given.port not in (0, port):
        print(f"port {given.port} is taken, the next free one is {port}")
    print(f"for this machine alone, until Ctrl-C: http://{HOST}:{port}", flush=True)
    serve(make_app(explorers, commands), listening)


def _predict(file: Path, options: list[str]) -> str:
    return shlex.join(["lightning", "predict", "--ckpt_path", str(file), "--data.latents", "latent.json", *options])


def _refuse_other_data(explorer: Explorer, file: Path, others: list[Explorer], its_file: Path) -> None:
    data: Any = explorer.data
    first: Any = others[0].data if others else data
    if (data.name, explorer.points) != (first.name, len(first.shape) == 1):
        raise InputError(f"{file} is of {data.name}, but {its_file} of {first.name}; explore models of the same data together")
