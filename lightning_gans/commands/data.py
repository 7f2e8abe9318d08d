"""Say which datasets are there, pack them and draw what they look like."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from lightning_gans.data import Images
from lightning_gans.data.source import Dataset, Request, Source, all_sources, decode_caption, find_source
from lightning_gans.errors import InputError
from lightning_gans.figures import plots

_SHOWN = 48


def main(args: list[str]) -> None:
    """``lightning data [NAME...]``: a table of all datasets; then those named, or all that are there, are packed and drawn."""
    parser = argparse.ArgumentParser("lightning data", description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a dataset's name, or the path of one's own images")
    parser.add_argument("--root", default="data", help="folder with the datasets' files")
    parser.add_argument("--image_size", type=int, help="side in pixels")
    parser.add_argument(
        "--crop", type=lambda text: text if text == "resize" else int(text), help="a number of pixels, or resize"
    )
    parser.add_argument("--download", action="store_true", help="fetch what is missing")
    given = parser.parse_args(args)
    named = [find_source(Request(name, Path(given.root))) for name in given.names]
    known = [source(Request(name, Path(given.root))) for source in all_sources() for name in source.names()]
    Console().print(_table(named or known, given.root))
    settings = {"image_size": given.image_size, "crop": given.crop, "download": given.download}
    refused = []
    for source in named or filter(_is_there, known):
        try:
            _pack(Images(source.request.dataset, given.root, **(settings if isinstance(source, Source) else {})))
        except InputError as error:
            refused.append(str(error))
    if refused:  # the others are packed all the same
        raise InputError("; and ".join(refused))


def _pack(data: Images) -> None:
    data.prepare_data()
    data.setup("validate")
    if len(data.shape) == 3:
        print(f"  drawn in {_draw(data)}")


def _table(sources: Sequence[Dataset], root: str) -> Table:
    table = Table(title=f"datasets under {root}/")
    for column in ("dataset", "there", "size", "where from"):
        table.add_column(column, overflow="fold")
    for source in sources:
        table.add_row(source.request.dataset, "yes" if _is_there(source) else "no", source.size, source.where)
    return table


def _is_there(source: Dataset) -> bool:
    return not isinstance(source, Source) or source.fingerprint("train") is not None


def _draw(data: Images) -> Path:
    """Some images, evenly from the first to the last, with what travels with them."""
    rows = torch.linspace(0, data.size("train") - 1, min(_SHOWN, data.size("train"))).long()
    file = Path(data.root) / "packed" / f"{data.name}.png"
    figure = plots.contact_sheet(data.real("train", rows), [*_titles(data, rows)])
    plots.save(figure, file)
    return file


def _titles(data: Images, rows: torch.Tensor) -> Iterator[str]:
    conditions = data.conditions("train", rows)
    if not isinstance(conditions, torch.Tensor):
        yield from map(str, rows.tolist())
        return
    for condition in conditions:
        if data.condition_name == "captions":
            yield decode_caption(condition)
        elif data.condition_name == "attributes":
            yield ", ".join(name for name, has in zip(data.attributes, condition, strict=True) if has)
        else:
            yield data.classes[int(condition)] if data.classes else str(int(condition))
