"""The tables' files: every row can be trained, budgets are fair, and the printed numbers agree with each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightning_gans import tables
from lightning_gans.errors import InputError
from lightning_gans.packaged import config_names
from lightning_gans.tables.publish import documents, with_tables
from lightning_gans.tables.show import fill
from lightning_gans.tables.sorting import sort
from lightning_gans.tables.table import FULL, Cell, load_table, table_names

TABLES = Path(tables.__file__).parent
OWN = [name for name in table_names() if "\nruns:" not in (TABLES / f"{name}.yaml").read_text()]
# Every row under the first budget, and the first row under every other, for each takes a second
CELLS = [
    (name, cell.row.name, budget)
    for name in OWN
    for table in [load_table(name)]
    for number, budget in enumerate(table.budgets)
    for cell in table.cells(budget, table.pick([]))[: 1 if number else None]
]
# Batches of 128 of 50,000 points, and steps of all players in each
BATCHES = 391
PLAYED = {"GAAN_2": 7, "GAAN_1": 7, "WGAN-GP": 6, "WGAN-GP, critic first": 6, "GAN": 2, "GAN, alternating": 2}
PLAYED |= {"VAE/GAN": 3, "VAE/GAN, both fakes": 3, "ALI": 2, "DAN-2S": 2}


def test_all_tables_of_the_papers_are_there() -> None:
    assert {"gaan_2", "gaan_3", "gaan_4", "gaan_fig5", "gaan_fig7", "gaan_fig8"} <= {*table_names()}
    assert {"dan_balance", "family_grid25", "infogan_codes", "unrolled_ring"} <= {*table_names()}
    assert {"aegan_collapse", "sae_stability", "dcgan_svhn", "dcgan_cifar10", "aae_labels", "ali_svhn"} <= {*table_names()}


@pytest.mark.parametrize(("name", "row", "budget"), CELLS)
def test_every_built_row_is_something_that_fit_takes(name: str, row: str, budget: str) -> None:
    table = load_table(name)
    cell = Cell(table, table.rows[row], budget)
    assert table.rows[row].config in config_names()
    trainer = cell.experiment.config["trainer"]
    assert trainer["max_steps"] > 0 or trainer["max_epochs"] > 0


@pytest.mark.parametrize("name", table_names())
def test_titles_of_columns_are_texts(name: str) -> None:
    columns = load_table(name).columns
    assert all(isinstance(column.title, str) and column.title for column in columns)


def test_full_is_what_the_config_says() -> None:
    table = load_table("gaan_2")
    epochs = {cell.experiment.config["trainer"]["max_epochs"] for cell in table.cells(FULL, table.pick([]))}
    assert epochs == {500}


def test_rows_of_the_short_budget_end_at_the_same_learning_rate() -> None:
    table = load_table("gaan_2")
    for name, per_batch in PLAYED.items():
        config = Cell(table, table.rows[name], "short").experiment.config
        scheduler = config["model"]["init_args"]["scheduler"]["init_args"]
        assert config["model"]["init_args"]["schedule_counts"] == "shared"
        falls = config["trainer"]["max_epochs"] * BATCHES * per_batch // scheduler["step_size"]
        assert scheduler["gamma"] ** falls == pytest.approx(0.9**16)


def test_figures_show_the_runs_of_their_table() -> None:
    runs, figure = load_table("gaan_2"), load_table("gaan_fig7")
    assert figure.budgets == runs.budgets
    assert figure.options == runs.options
    for name, row in figure.rows.items():
        assert (row.config, row.options) == (runs.rows[name].config, runs.rows[name].options)
        assert row.published.keys() <= {"tv_differential"}


def test_a_budget_may_be_for_some_rows_only() -> None:
    table = load_table("aegan_collapse")
    short = [f"{name}, 32 pixels" for name in ("AEGAN", "GAN", "AAE")]
    assert [cell.row.name for cell in table.cells("short", table.pick([]))] == short
    assert len(table.cells(FULL, table.pick([]))) == 6
    filled = fill(table, "short", table.pick(["GAN"]), sort([], []))
    assert filled.rows[2][:2] == ["  ours", "not under this budget"]


def test_the_printed_variations_are_what_the_remark_says_of_them() -> None:
    for row in load_table("gaan_2").rows.values():
        if row.published and row.name != "DAN-2S":
            registered, true, differential = (row.published[key][0] for key in ("registered", "tv_true", "tv_differential"))
            assert min(1, differential + 1 - registered / 2000) == pytest.approx(true, abs=0.03)


def test_documents_show_what_the_lines_say() -> None:
    assert documents()
    for document in documents():
        text = document.read_text()
        assert with_tables(text) == text, f"{document.name} is not made of docs/results; run make table"


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no table gaan2 \(did you mean gaan_2\?\)"):
        load_table("gaan2")
    file = tmp_path / "mine.yaml"
    for content, said in [
        ("title: a", "'columns'"),
        (
            "title: a\nsource: b\ncolumns: {modes: {better: more}}\nrows: {}\nbudgets: {full: {about: c}}",
            "better is more in modes",
        ),
        (
            "title: a\nsource: b\ncolumns: {}\nrows: {x: {published: {modes: [1]}}}\nbudgets: {full: {about: c}}",
            "x has published modes",
        ),
        ("title: a\nsource: b\ncolumns: {}\nrows: {}\nbudgets: {short: {about: c}}", "there is no budget full"),
        ("title: a\nsource: b\ncolumns: {}\nrows: {}\nbudgets: {full: {about: c, rows: {y: {}}}}", "a budget is for y"),
    ]:
        file.write_text(content)
        with pytest.raises(InputError, match=f"{file} is no table: .*{said}"):
            load_table(str(file))


def test_rows_and_budgets_by_wrong_names_are_refused() -> None:
    table = load_table("gaan_2")
    with pytest.raises(InputError, match=r"gaan_2 has no row GAAN2 \(did you mean GAAN_2\?\)"):
        table.pick(["GAAN2"])
    with pytest.raises(InputError, match="gaan_2 has no budget tiny; it has full, short, smoke"):
        table.budget("tiny")
    table = load_table("dcgan_svhn")
    with pytest.raises(InputError, match="KNN of dcgan_svhn is not built yet"):
        Cell(table, table.rows["KNN"], FULL).experiment  # noqa: B018
