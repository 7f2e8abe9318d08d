"""Draw several models of the same data side by side: samples, and what they make of test samples."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch

from lightning_gans import checks
from lightning_gans.commands._pictures import save_and_say
from lightning_gans.errors import InputError
from lightning_gans.evaluation.samples.drawing import evaluating
from lightning_gans.figures import comparison, montage
from lightning_gans.figures.subject import Subject
from lightning_gans.protocols import Generates
from lightning_gans.restore import restore

_LEAST_BYTES = 1024  # that a panel takes until it is drawn
_LOOKED_AT = 1000  # test images that are compared


def main(args: list[str]) -> None:
    """``lightning compare --ckpt_path A.ckpt B.ckpt``: a column a model.

    Of images a grid of samples from the same noise, and below it reconstructions of the same test images. Of points in the
    plane test points by component, their latents, reconstructions, latents of the prior, samples (Fig. 8 of ALI); latents of
    other than two numbers are left out. Further options, such as ``--data.root``, change every stored config.
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
    parser.add_argument("--num_images", type=int, default=64, help="samples in a grid of images (default: %(default)s)")
    given, options = parser.parse_known_args(args)
    checks.positive(**{"--num_images": given.num_images})
    checks.fits_memory(f"--num_images {given.num_images:,}", given.num_images * _LEAST_BYTES)
    files: list[Path] = given.ckpt_path
    if given.names is not None and len(given.names) != len(files):
        raise InputError(f"--names must be as many as there are models, {len(files)}, not {len(given.names)}")
    columns: list[Any] = []
    first: Any = None
    for number, file in enumerate(files):
        model, data, _, _ = restore(file, options)
        first = data if first is None else first
        _refuse(model, data, file)
        _refuse_other_data(data, file, first, files[0])
        name = type(model).__name__ if given.names is None else given.names[number]
        with evaluating(model):
            if _of_images(data):
                columns.append(montage.shown(name, Subject(model, data, seed=given.seed, num_images=given.num_images)))
            else:
                columns.append(comparison.column(name, Subject(model, data, seed=given.seed, draw=True)))
    kind = montage if _of_images(first) else comparison
    save_and_say(kind.draw(columns, first.name), given.out)


def _of_images(data: Any) -> bool:
    return len(data.shape) == 3


def _refuse(model: Any, data: Any, file: Path) -> None:
    if not isinstance(model, Generates):
        raise InputError(f"{file} has a {type(model).__name__}, which makes no samples; leave it out")
    if not _of_images(data) and data.shape != (2,):
        raise InputError(
            f"{file} is of {data.name}, points of {data.shape[0]} numbers; compare models of images, or of points in the plane"
        )


def _refuse_other_data(data: Any, file: Path, first: Any, its_file: Path) -> None:
    kind = "images" if _of_images(first) else "points"
    if data.name != first.name:
        raise InputError(f"{file} is of {data.name}, but {its_file} of {first.name}; compare models of the same {kind}")
    if data is first:
        return
    size = data.size("test") if data.shape == first.shape else 0
    rows = torch.arange(size)[: _LOOKED_AT if kind == "images" else None]
    if size != first.size("test") or not torch.equal(data.real("test", rows).cpu(), first.real("test", rows).cpu()):
        raise InputError(
            f"{file} has other test {kind} of {data.name} than {its_file}; give the options of data that both are to have"
        )
