"""The licences that exports name are those of the table in data/README.md."""

from __future__ import annotations

import re
from pathlib import Path

from lightning_gans.data.source import all_sources

PAGE = Path(__file__).parents[2] / "data" / "README.md"


def test_every_named_dataset_has_the_licence_of_the_table() -> None:
    rows = [line.split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    table = {name: row[-1].strip("| ") for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    named = {name: source.licence for source in all_sources() for name in source.names()}
    assert len(named) > 15
    assert {name: table[name] for name in named} == named
