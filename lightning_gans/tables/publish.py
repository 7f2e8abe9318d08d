"""The lines of finished runs that come with the package, and the tables that documents show of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

from lightning_gans.errors import InputError
from lightning_gans.runs.ledger import read_lines
from lightning_gans.runs.lines import packaged_lines
from lightning_gans.tables.show import fill
from lightning_gans.tables.sorting import Sorted, sort
from lightning_gans.tables.table import load_table

_BLOCK = re.compile(r"(<!-- lightning table (?P<name>\S+) --budget (?P<budget>\S+) -->\n).*?(<!-- end of table -->)", re.DOTALL)
_ROOT = Path(__file__).parents[2]


def publish(file: Path, found: Sorted) -> str:
    """Add runs that are not there yet to a file of lines; says what was done."""
    known = {(line["config"], line["seed"], line["finished"]) for line in read_lines(file)}
    lines = [line for row in found.rows.values() for line in row.values()]
    new = [line for line in lines if (line["config"], line["seed"], line["finished"]) not in known]
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "a") as opened:
        opened.writelines(json.dumps(line) + "\n" for line in new)
    return f"{len(new)} of {len(lines)} runs were not in {file} and have been added"


def documents() -> list[Path]:
    """Those that may show tables."""
    return [_ROOT / "README.md", *sorted((_ROOT / "docs").glob("*.md"))]


def with_tables(text: str) -> str:
    """A document's text with its tables made again from the lines that come with the package.

    A table stands between the comments ``<!-- lightning table NAME --budget BUDGET -->`` and ``<!-- end of table -->``.

    Raises:
        InputError: it asks for a table or budget that there is not.
    """
    return _BLOCK.sub(lambda block: block[1] + _markdown(block["name"], block["budget"]) + block[4], text)


def _markdown(name: str, budget: str) -> str:
    table = load_table(name)
    found = sort(table.cells(budget, table.pick([])), packaged_lines())
    found.apart.clear()
    return fill(table, budget, table.pick([]), found).markdown()


def main() -> None:
    """Write the tables in README.md and docs/ anew."""
    for document in documents():
        text = document.read_text()
        try:
            made = with_tables(text)
        except InputError as error:
            raise SystemExit(f"{document}: {error}") from error
        if made != text:
            document.write_text(made)
            print(f"{document.relative_to(_ROOT)} has new tables")


if __name__ == "__main__":
    main()
