"""``make data``: which datasets are there, and where to get the others."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lightning_gans.data.source import Points, Request, find_source

_WHERE = {
    "grid25": "made on the spot (so are ring8, swissroll and other sizes)",
    "digits": "comes with scikit-learn",
    "mnist": "the four original .gz files in MNIST/raw; torchvision.datasets.MNIST(root, download=True) fetches them",
}


def main() -> None:
    """Print a table of the datasets by name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("data"))
    root = parser.parse_args().root
    table = Table(title=f"datasets under {root}/")
    for column in ("dataset", "there", "where from"):
        table.add_column(column)
    for name, where in _WHERE.items():
        source = find_source(Request(name, root))
        there = isinstance(source, Points) or source.fingerprint("train") is not None
        table.add_row(name, "yes" if there else "no", where)
    table.add_row("your own images", "", "any folder, zip, tar or .npz: --data.dataset PATH")
    Console().print(table)


if __name__ == "__main__":
    main()
