"""A table with the published numbers and ours, on a screen or in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group
from rich.table import Table as Drawn
from rich.text import Text

from lightning_gans.tables.cells import Estimate, our_text, published_text
from lightning_gans.tables.reference import perfect_draws
from lightning_gans.tables.sorting import Sorted
from lightning_gans.tables.table import Row, Table


@dataclass(frozen=True)
class Filled:
    """A table with its runs, as lines of text.

    Args:
        head: titles of the columns.
        rows: cells of text; the first names row and kind.
        notes: sentences that go below.
    """

    title: str
    head: list[str]
    rows: list[list[str]]
    notes: list[str]

    def drawn(self) -> Group:
        """For a screen."""
        table = Drawn(title=self.title, title_justify="left", title_style="bold")
        for number, title in enumerate(self.head):
            table.add_column(title, justify="left" if number == 0 else "right", overflow="fold")
        for number, row in enumerate(self.rows):
            ends = number + 1 == len(self.rows) or not self.rows[number + 1][0].startswith("  ")
            table.add_row(*map(Text, row), end_section=ends)
        return Group(table, *(Text(note) for note in self.notes))

    def markdown(self) -> str:
        """For a document."""
        lines = [f"**{self.title}**", "", _in_bars(self.head), _in_bars(["---"] * len(self.head))]
        lines += [_in_bars(cell.replace("  ", "&emsp;", 1) for cell in row) for row in self.rows]
        return "\n".join([*lines, "", *(f"{note}  " for note in self.notes)]).rstrip() + "\n"


def fill(table: Table, budget: str, rows: Sequence[Row], found: Sorted) -> Filled:
    """Put the runs into the table.

    Args:
        table: what is shown.
        budget: of the runs.
        rows: those that are shown.
        found: the runs, sorted.
    """
    shown: list[list[str]] = []
    for row in rows:
        lines = list(found.rows.get(row.name, {}).values())
        shown += _of_row(table, budget, row, lines)
    if table.reference is not None:
        draws = perfect_draws(table.reference)
        values = [Estimate.of(draws[column.key]).mean if column.key in draws else None for column in table.columns]
        cells = ["" if value is None else f"{value:.{c.digits}f}" for value, c in zip(values, table.columns, strict=True)]
        shown.append(["exact draws", *cells])
    title = f"{table.title}: {table.source}, budget {budget}"
    return Filled(title, ["", *(column.title for column in table.columns)], shown, _notes(table, budget, rows, found))


def _of_row(table: Table, budget: str, row: Row, lines: list[dict[str, Any]]) -> list[list[str]]:
    published = [published_text(column, row.published.get(column.key)) for column in table.columns]
    shown = [[row.name, *([""] * len(table.columns))]]
    if any(published):
        shown.append(["  published", *published])
    if not lines:
        built = row.config is not None
        why = "no finished run" if table.cells(budget, [row]) else "not under this budget" if built else "not built yet"
        return [*shown, ["  ours", why, *([""] * (len(table.columns) - 1))]]
    count = "one seed" if len(lines) == 1 else f"n = {len(lines)}"
    beside = row.published if table.budget(budget).compares else {}
    last = [our_text(column, lines, "last", beside.get(column.key)) for column in table.columns]
    shown.append([f"  ours, {count}", *last])
    if any(column.has_best for column in table.columns):
        best = [our_text(column, lines, "best") if column.has_best else "" for column in table.columns]
        shown.append(["  ours, best", *best])
    return shown


def _notes(table: Table, budget: str, rows: Sequence[Row], found: Sorted) -> list[str]:
    notes = [table.protocol] if table.protocol else []
    if table.published_runs:
        notes.append(f"Published: {table.published_runs}.")
    notes.append(f"Budget {budget}: {table.budget(budget).about}.")
    lines = [line for row in rows for line in found.rows.get(row.name, {}).values()]
    if lines:
        notes.append(
            "Ours: mean [95 % bootstrap interval over training seeds] at the end, and below it at each run's best; one seed "
            f"has no interval. Made on {_made_on(lines)}."
        )
    notes += [f"{row.name}: {row.remark}" for row in rows if row.remark]
    notes += table.remarks
    return notes + found.unfinished + [f"Apart: {said}." for said in found.apart]


def _made_on(lines: Iterable[Mapping[str, Any]]) -> str:
    kinds: dict[str, int] = {}
    for line in lines:
        torch = (line.get("versions") or {}).get("torch", "?").partition("+")[0]
        threads = "" if line.get("threads") is None else f", {line['threads']} thread{'s' if line['threads'] != 1 else ''}"
        kind = f"{line.get('device') or 'an unknown device'}{threads}, {line.get('precision') or '?'}, torch {torch}"
        kinds[kind] = kinds.get(kind, 0) + 1
    return "; ".join(f"{kind} ({count} run{'s' if count > 1 else ''})" for kind, count in kinds.items())


def _in_bars(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
