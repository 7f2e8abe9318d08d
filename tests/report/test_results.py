"""Tables: means over seeds, what is best, what stands beside it; learning curves as shapes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from lightning_gans.figures.plots import Curve
from lightning_gans.report import charts, settings
from lightning_gans.report.published import Published, published_of
from lightning_gans.report.reading import read_runs
from lightning_gans.report.results import groups_of, tables
from lightning_gans.runs.experiment import Experiment
from tests.report.fake import leave_run


def nothing(_: object) -> list[Published]:
    return []


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """Two seeds of one model and one of another."""
    leave_run(tmp_path / "gan_0", "GAN", 0, {100: 30.0, 200: 10.0, 300: 20.0})
    leave_run(tmp_path / "gan_1", "GAN", 1, {100: 28.0, 200: 16.0, 300: 14.0})
    leave_run(tmp_path / "vae", "VAE", 0, {100: 40.0, 200: 18.0, 300: 16.0}, latent=2)
    return tmp_path


def test_a_row_is_the_mean_over_seeds_and_the_best_is_marked(three: Path) -> None:
    groups = groups_of(read_runs([three])[0])
    assert [(group.name, group.count) for group in groups] == [("GAN on toys", "2 seeds"), ("VAE on toys", "one seed")]
    (table,) = tables(groups, nothing)
    assert table.measures == [("fid", "lower is better"), ("modes", "higher is better"), ("oddity", "")]
    gan, vae = (row.cells[0] for row in table.rows)
    assert (gan.last, gan.best, gan.at) == ("17 ± 4.2", "12 ± 2.8", "200 to 300")
    assert (vae.last, vae.best, vae.at) == ("16", "16", "300")
    assert (gan.last_wins, gan.best_wins, vae.last_wins, vae.best_wins) == (False, True, True, False)
    assert all(row.cells[1].last_wins for row in table.rows)  # both have as many
    assert not any(row.cells[2].last_wins or row.cells[2].best for row in table.rows)  # nobody knows which way is better
    assert table.notes == [
        "Measured by 100 samples, 60 real samples of test, features tiny of SHA-256 abababababab, raw weights."
    ]


def test_nothing_is_best_where_it_was_measured_otherwise_and_that_is_said(tmp_path: Path) -> None:
    leave_run(tmp_path / "few", "GAN", how={"num_samples": 50})
    leave_run(tmp_path / "many", "VAE")
    (table,) = tables(groups_of(read_runs([tmp_path])[0]), nothing)
    assert not any(cell.last_wins or cell.best_wins for row in table.rows for cell in row.cells)
    assert table.notes == ["The groups are not measured alike, so that none is in bold: 50 or 100 samples."]


def test_the_perfect_sampler_of_the_records_is_a_row_and_what_has_not_ended_is_said(tmp_path: Path) -> None:
    how = {"floor": {"modes": 24.5}, "floor_is": "perfect sampler"}
    leave_run(tmp_path / "gan", how=how, state={"status": "stopped", "steps_planned": 5000})
    (table,) = tables(groups_of(read_runs([tmp_path])[0]), nothing)
    assert (table.rows[-1].name, table.rows[-1].aside) == ("perfect sampler", "100 samples")
    assert [cell.last for cell in table.rows[-1].cells] == ["", "24.5", ""]
    assert table.notes[-1] == "GAN on toys, seed 0, was stopped: step 300 of 5,000."


def test_datasets_have_tables_of_their_own(tmp_path: Path) -> None:
    leave_run(tmp_path / "a", dataset="toys")
    leave_run(tmp_path / "b", dataset="dolls")
    assert [table.dataset for table in tables(groups_of(read_runs([tmp_path])[0]), nothing)] == ["toys", "dolls"]


@pytest.mark.filterwarnings("ignore")
def test_published_numbers_stand_below_the_group_of_that_config(tmp_path: Path) -> None:
    run = leave_run(tmp_path / "gaan", "GAAN", fid={100: 9.0}, dataset="grid25")
    config = Experiment.resolve(["--config=gaan_grid25", "--trainer.max_epochs=2"]).config
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    (read,), _ = read_runs([run])
    found = published_of(read)
    (gaan,) = [one for one in found if one.name == "GAAN_2"]
    assert gaan.source == "Tran, Bui and Cheung (2018), Table 2, Fig. 7"
    assert gaan.values["modes"] == "25.00 ± 0.00"
    assert "trainer.max_epochs 2 and not 500" in gaan.otherwise
    assert "GAAN_1" not in [one.name for one in found]  # which has another lambda_r
    (table,) = tables(groups_of([read]), published_of)
    assert [row.name for row in table.rows] == ["GAAN on grid25", "published, GAAN_2"]
    assert table.rows[1].cells[[name for name, _ in table.measures].index("modes")].last == "25.00 ± 0.00"
    assert any("beside GAAN_2" in note and "max_epochs 2 and not 500" in note for note in table.notes)


def test_only_settings_that_differ_are_listed(three: Path) -> None:
    groups = groups_of(read_runs([three])[0])
    assert settings.differing(groups) == [
        ("model", [("model", ["lightning_gans.GAN", "lightning_gans.VAE"]), ("latent", [settings.MISSING, "2"])])
    ]
    assert settings.differing([groups[0]]) == []


def test_settings_within_lists_are_told_apart(tmp_path: Path) -> None:
    for seed, width in enumerate((8, 9)):
        leave_run(
            tmp_path / str(seed), "GAN", seed, net={"class_path": "Table", "init_args": {"rows": [{"n": 1}, {"n": width}]}}
        )
    assert settings.differing(groups_of(read_runs([tmp_path])[0])) == [("model.net", [("rows[1].n", ["8", "9"])])]


def test_a_run_says_where_its_numbers_come_from(three: Path) -> None:
    (run, *_), _ = read_runs([three])
    said = dict(settings.origin(run))
    assert said["git revision"] == "c0ffee, changed since"
    assert said["features"] == f"tiny, SHA-256 {'ab' * 32}"
    expected = {"device": "cpu, 1 thread, 32-true", "samples measured": "100", "weights": "raw", "steps": "300 of 300"}
    assert expected.items() <= said.items()
    assert said["runs again by"] == f"lightning fit --config {three / 'gan_0' / 'config.yaml'}"


# Curves


def points(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"([\d.]+),([\d.]+)", path)]


def test_a_line_goes_through_its_values_within_a_band() -> None:
    chart = charts.chart("fid (lower is better)", [Curve("b", [0, 50, 100], [4.0, 2.0, 0.0], [0.0, 1.0, 0.0])], ["a", "b"])
    assert chart is not None
    assert (chart.title, chart.aside) == ("fid", "lower is better")
    (line,) = chart.lines
    assert (line.group, line.said) == (1, "b: 0 at 100")
    places = {label: place for place, label in chart.up}
    assert points(line.path)[0] == (52.0, places["4"])
    assert points(line.path)[-1] == (charts.WIDTH - 12.0, places["0"])
    assert points(line.path)[1][1] == pytest.approx((places["4"] + places["0"]) / 2, abs=0.1)
    assert {y for x, y in points(line.band) if x == points(line.path)[1][0]} == {places["1"], places["3"]}


def test_many_points_are_thinned_and_what_is_no_number_is_left_out() -> None:
    steps = list(range(1, 5001))
    values = [float("nan") if step == 3000 else step / 5000 for step in steps]
    chart = charts.chart("x", [Curve("a", steps, values)], ["a"])
    assert chart is not None
    drawn = points(chart.lines[0].path)
    assert len(drawn) == 300
    assert drawn[-1][0] == charts.WIDTH - 12
    assert not chart.lines[0].band
    assert charts.chart("x", [Curve("a", [1, 2], [float("nan"), float("inf")])], ["a"]) is None


def test_an_axis_is_logarithmic_where_values_are_of_many_sizes() -> None:
    chart = charts.chart("kl (nats)", [Curve("a", [1, 2, 3, 4], [1000.0, 1.0, 0.1, 0.01])], ["a"])
    assert chart is not None
    assert chart.aside == "nats, logarithmic axis"
    heights = [y for _, y in points(chart.lines[0].path)]
    assert heights[2] - heights[1] == pytest.approx(heights[3] - heights[2], abs=0.2)
    constant = charts.chart("c", [Curve("a", [5], [-2.0])], ["a"])
    assert constant is not None  # a single number is no division by zero
