"""Settings that are drawn for every run of a row."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml

from lightning_gans.errors import InputError
from lightning_gans.runs.experiment import Experiment
from lightning_gans.tables.search import Draw, Search, changed
from lightning_gans.tables.sorting import belongs
from lightning_gans.tables.table import load_table

SEARCH = {
    "runs": 3,
    "draws": [
        {"settings": ["model.optimizer.lr"], "low": 1e-5, "high": 1e-3, "log": True},
        {"settings": ["model.generator.init_scale", "model.discriminator.init_scale"], "low": 0.01, "high": 0.1},
    ],
}


def table(folder: Path) -> str:
    rows = {name: {"config": "gan_toy_grid25", "search": SEARCH} for name in ("one", "other")} | {
        "as it is": {"config": "gan_toy_grid25"}
    }
    content = {"title": "t", "source": "s", "columns": {"modes": {}}, "budgets": {"full": {"about": "all"}}, "rows": rows}
    (folder / "search.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return str(folder / "search.yaml")


def test_draws_are_within_bounds_and_differ_by_seed_and_setting() -> None:
    search = Search.of(SEARCH)
    drawn = [search.options(seed) for seed in range(200)]
    rates = [one["model.optimizer.lr"] for one in drawn]
    assert all(1e-5 <= rate <= 1e-3 for rate in rates)
    assert abs(sum(map(math.log10, rates)) / 200 + 4) < 0.15, "the middle of a logarithmic law is its geometric mean"
    assert all(one["model.generator.init_scale"] == one["model.discriminator.init_scale"] for one in drawn)
    assert len(set(rates)) > 190
    assert drawn == [search.options(seed) for seed in range(200)]


def test_a_row_that_searches_has_a_cell_a_draw_and_the_same_for_every_row(tmp_path: Path) -> None:
    cells = load_table(table(tmp_path)).cells("full", load_table(table(tmp_path)).rows.values())
    assert [(cell.row.name, cell.seed) for cell in cells] == [
        *(("one", n) for n in range(3)),
        *(("other", n) for n in range(3)),
        ("as it is", None),
    ]
    one, other = cells[1], cells[4]
    assert one.experiment.hash == other.experiment.hash != cells[0].experiment.hash
    rate = one.experiment.config["model"]["init_args"]["optimizer"]["init_args"]["lr"]
    assert rate == Search.of(SEARCH).options(1)["model.optimizer.lr"]
    assert one.experiment.hash == Experiment.resolve(one.options).hash, "what is shown is not what is trained"


def test_a_run_belongs_to_the_draw_of_its_seed_alone(tmp_path: Path) -> None:
    first, second, *_ = load_table(table(tmp_path)).cells("full", load_table(table(tmp_path)).rows.values())
    line = {"config": first.experiment.hash, "settings": first.experiment.config}
    assert belongs(line | {"seed": 0}, first)
    assert not belongs(line | {"seed": 1}, first)
    assert not belongs(line | {"seed": 1}, second)


@pytest.mark.parametrize("bounds", [(1.0, 1.0), (2.0, 1.0), (0.0, math.inf)])
def test_bounds_must_be_a_range(bounds: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="no such range"):
        Draw(["x"], *bounds)
    with pytest.raises(ValueError, match="no such range"):
        Draw(["x"], 0.0, 1.0, log=True)


def test_a_table_with_a_wrong_search_is_refused(tmp_path: Path) -> None:
    content = yaml.safe_load(Path(table(tmp_path)).read_text())
    content["rows"]["one"]["search"]["draws"][0]["low"] = 1.0
    (tmp_path / "search.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=r"is no table: a number is drawn between 1.0 and 0.001"):
        load_table(str(tmp_path / "search.yaml"))


def test_a_setting_that_is_not_there_cannot_be_drawn() -> None:
    with pytest.raises(KeyError, match=r"there is no setting model.optimizer.momentum to draw"):
        changed({"model": {"init_args": {"optimizer": {"init_args": {"lr": 1.0}}}}}, {"model.optimizer.momentum": 0.5})
