"""Draw several models of the same points side by side: data, latents, reconstructions, prior and samples."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch

from lightning_gans.commands._pictures import save_and_say
from lightning_gans.errors import InputError
from lightning_gans.evaluation.samples.drawing import evaluating
from lightning_gans.figures import comparison
from lightning_gans.figures.subject import Subject
from lightning_gans.protocols import Generates
from lightning_gans.restore import restore


def main(args: list[str]) -> None:
    """``lightning compare --ckpt_path A.ckpt B.ckpt``: a column a model, on points in the plane, with two latent numbers.

    Rows are test points by component, their latents, reconstructions, latents of the prior, samples (Fig. 8 of ALI). Further
    options, such as ``--data.root``, change every stored config.
    """
    parser = argparse.ArgumentParser("lightning compare", description=main.__doc__, allow_abbrev=False)
    parser.add_argument(
        "--ckpt_path", type=Path, nargs="+", action="extend", required=True, metavar="FILE", help="of the models"
    )
    parser.add_argument(
        "--names", nargs="+", metavar="NAME", help="of the columns, in the order of the files; by default classes"
    )
    parser.add_argument("--out", type=Path, default=Path("compare.png"), metavar="FILE", help="PNG (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the noise (default: %(default)s)")
    given, options = parser.parse_known_args(args)
    files: list[Path] = given.ckpt_path
    if given.names is not None and len(given.names) != len(files):
        raise InputError(f"--names must be as many as there are models, {len(files)}, not {len(given.names)}")
    columns: list[comparison.Column] = []
    first: Any = None
    for number, file in enumerate(files):
        model, data, _, _ = restore(file, options)
        _refuse(model, data, file)
        first = data if first is None else first
        _refuse_other_points(data, file, first, files[0])
        name = type(model).__name__ if given.names is None else given.names[number]
        with evaluating(model):
            columns.append(comparison.column(name, Subject(model, data, seed=given.seed, draw=True)))
    save_and_say(comparison.draw(columns, first.name), given.out)


def _refuse(model: Any, data: Any, file: Path) -> None:
    if not isinstance(model, Generates):
        raise InputError(f"{file} has a {type(model).__name__}, which makes no samples; leave it out")
    if data.shape != (2,):
        shape = "x".join(map(str, data.shape))
        raise InputError(
            f"{file} is of {data.name} ({shape}), and no points in the plane; compare models of grid25 or the like"
        )
    if model.prior.dim != 2:
        raise InputError(f"{file} has latents of {model.prior.dim} numbers, and only 2 can be shown; leave it out")


def _refuse_other_points(data: Any, file: Path, first: Any, its_file: Path) -> None:
    if data.name != first.name:
        raise InputError(f"{file} is of {data.name}, but {its_file} of {first.name}; compare models of the same points")
    if not torch.equal(data.real("test").cpu(), first.real("test").cpu()):
        raise InputError(
            f"{file} has other test points of {data.name} than {its_file}; give the options of data that both are to have"
        )
