"""Train and show a table of a paper, its published numbers beside ours."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table as Drawn

from lightning_gans.errors import InputError
from lightning_gans.runs.engines import add_options, run_by
from lightning_gans.runs.experiment import is_aside, parse_seeds
from lightning_gans.runs.lines import lines_below, packaged_lines
from lightning_gans.runs.run import Run
from lightning_gans.tables.estimate import estimate
from lightning_gans.tables.publish import publish
from lightning_gans.tables.show import fill
from lightning_gans.tables.sorting import Sorted, sort
from lightning_gans.tables.table import FULL, Cell, load_table, table_names
from lightning_gans.tables.verify import verify

_OUT = Path("runs", "tables")


def main(args: list[str]) -> None:
    """``lightning table NAME [--rows ROW ...] [--seeds 0..7] [--budget short] [--jobs N]``: run what is missing, show it all.

    Runs that come with the package count as they are, so that a table that is complete there is shown at once. Options such as
    --data.root, on which no result depends, are handed on to lightning fit. Without a name: the tables that there are.
    """
    given, handed_on = _parser().parse_known_args(args)
    if given.name is None:
        if args:
            raise InputError("no table is named; give its name first, as in lightning table gaan_2 --show")
        Console().print(_tables())
        return
    for option in handed_on:
        if option.startswith("-") and not is_aside(option.lstrip("-").partition("=")[0]):
            raise InputError(f"{option} is not among what may be set here; a table's settings are in its file, see --help")
    table, seeds = load_table(given.name), parse_seeds(given.seeds)
    rows = table.pick(given.rows)
    cells = table.cells(given.budget, rows, handed_on)
    found = _found(cells, given)
    missing = [
        (cell, Run(cell.experiment, seed, given.out, cell.row.name))
        for cell in cells
        for seed in seeds
        if cell.takes(seed) and seed not in found.rows[cell.row.name]
    ]
    if given.print_commands:
        for cell, run in missing:
            print(_command(cell, run, given))
        return
    failed = 0
    if given.verify:
        same, sentence = verify(cells, found, given.out, lambda runs: run_by(given, runs))
        print(sentence)
        failed = int(not same)
    elif given.publish:
        print(publish(given.publish / f"{table.name}.jsonl", found))
    elif missing and not given.show:
        print("\n".join(estimate(missing, [*lines_below(given.out).finished, *packaged_lines()], given.jobs)), flush=True)
        try:
            failed = run_by(given, [run for _, run in missing])
        except KeyboardInterrupt:
            sys.exit("Interrupted; the same command goes on where this one was.")
        found = _found(cells, given)
    filled = fill(table, given.budget, rows, found)
    if given.markdown:
        print(filled.markdown(), end="")
    else:
        Console().print(filled.drawn())
    sys.exit(int(failed > 0))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("lightning table", description=main.__doc__, allow_abbrev=False)
    parser.add_argument("name", nargs="?", help="of a table, or a YAML file of your own")
    parser.add_argument("--rows", nargs="+", default=[], metavar="ROW", help="only these")
    parser.add_argument("--seeds", nargs="+", default=["0..2"], metavar="SEED", help="0..7 or 0,1,2 or 0 1 2 (default: 0..2)")
    parser.add_argument("--budget", default=FULL, help="how long each row is trained, see the table (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=_OUT, help="folder of the runs and their records (default: %(default)s)")
    parser.add_argument("--own", action="store_true", help="leave out the runs that come with the package")
    parser.add_argument("--show", action="store_true", help="train nothing, show what is there")
    parser.add_argument("--markdown", action="store_true", help="print the table in Markdown")
    parser.add_argument("--verify", action="store_true", help="train one of the finished runs again, and compare")
    parser.add_argument("--publish", type=Path, metavar="FOLDER", help="train nothing, add lines of finished runs to FOLDER")
    add_options(parser)
    return parser


def _found(cells: Sequence[Cell], given: argparse.Namespace) -> Sorted:
    """The runs of one's own, before those that come with the package; of the latter none is said to stand apart."""
    own = lines_below(given.out)
    found = sort(cells, own.finished, own.unfinished)
    found.apart += own.unreadable
    if not given.own:
        for name, lines in sort(cells, packaged_lines()).rows.items():
            found.rows[name] = lines | found.rows[name]
    return found


def _command(cell: Cell, run: Run, given: argparse.Namespace) -> str:
    """What trains one run and nothing else; it may be given twice, or at once on several machines that share the folder."""
    options = [*cell.extra, "--budget", cell.budget, "--out", str(run.out), *(["--own"] if given.own else [])]
    return shlex.join(["lightning", "table", given.name, "--rows", cell.row.name, "--seeds", str(run.seed), *options])


def _tables() -> Drawn:
    drawn = Drawn("table", "is", "rows", title="lightning table NAME")
    for name in table_names():
        table = load_table(name)
        built = sum(row.config is not None for row in table.rows.values())
        count = str(built) if built == len(table.rows) else f"{built} of {len(table.rows)} built"
        drawn.add_row(name, f"{table.title} ({table.source})", count)
    return drawn
