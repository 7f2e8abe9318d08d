"""``lightning curves``: the lines are the numbers of evaluation.jsonl, and what cannot be drawn is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from lightning_gans import InputError
from lightning_gans.commands.curves import main
from lightning_gans.evaluation import records
from lightning_gans.figures import plots
from lightning_gans.runs.measured import read_run


def make_run(folder: Path, model: str, seed: int, values: dict[int, dict[str, float]], **settings: Any) -> Path:
    """The files that a run leaves of its measurements."""
    described = {
        "model": model,
        "dataset": "mnist",
        "seed": seed,
        "num_samples": 100,
        "tf32": False,
        "versions": {"torch": "2"},
    }
    for step, found in values.items():
        records.write_record(folder, {"stage": "fit", "step": step, **described}, found)
    records.write_record(folder, {"stage": "test", "step": max(values), **described}, {"fid": -1.0, "tested": 2.0})
    config = {"seed_everything": seed, "model": {"class_path": model, **settings}, "data": {"dataset": "mnist"}, "trainer": {}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


GAN = {100: {"fid": 30.0, "modes": 4.0}, 200: {"fid": 20.0, "modes": 5.0}, 300: {"fid": 25.0, "modes": 2.0}}
AEGAN = {
    100: {"fid": 28.0, "modes": 4.0, "reconstruction_mse": 0.5},
    200: {"fid": 12.0, "modes": 9.0, "reconstruction_mse": 0.2},
}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Fills with the figures that are saved."""
    figures: list[Figure] = []
    save = plots.save

    def kept(figure: Figure, file: Path) -> None:
        figures.append(figure)
        save(figure, file)

    monkeypatch.setattr(plots, "save", kept)
    return figures


def draw(*arguments: str | Path) -> None:
    main([str(argument) for argument in arguments])


def lines(figure: Figure, panel: int = 0) -> dict[str, dict[int, float]]:
    """Values by step, by name."""
    return {str(line.get_label()): dict(zip(*line.get_data(), strict=True)) for line in figure.axes[panel].lines}


def test_lines_are_the_numbers_of_the_records(tmp_path: Path, drawn: list[Figure], capsys: pytest.CaptureFixture[str]) -> None:
    runs = [make_run(tmp_path / "a", "GAN", 0, GAN), make_run(tmp_path / "b", "AEGAN", 0, AEGAN)]
    out = tmp_path / "new" / "it.png"
    draw(*runs, "--metric", "modes", "reconstruction_mse", "--metric", "fid", "--out", out)
    assert str(out) in capsys.readouterr().out
    assert np.asarray(Image.open(out).convert("L")).std() > 1
    (figure,) = drawn
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert [label.partition(" ")[0] for label in labels] == ["modes", "reconstruction_mse", "fid"]
    assert ["higher" in label for label in labels] == [True, False, False]
    for panel, metric in enumerate(("modes", "reconstruction_mse", "fid")):
        assert figure.axes[panel].get_ylim()[0] == 0, "the axis is cut"
        expected = {"GAN on mnist, seed 0": GAN, "AEGAN on mnist, seed 0": AEGAN}
        values = {name: {step: row[metric] for step, row in rows.items() if metric in row} for name, rows in expected.items()}
        assert lines(figure, panel) == {name: row for name, row in values.items() if row}
        assert "steps" in figure.axes[panel].get_xlabel()
    assert [text.get_text() for text in figure.legends[0].texts] == ["GAN on mnist, seed 0", "AEGAN on mnist, seed 0"]


def test_a_name_looks_the_same_in_every_panel_and_like_no_other(tmp_path: Path, drawn: list[Figure]) -> None:
    runs = [make_run(tmp_path / str(n), f"M{n}", 0, AEGAN if n % 2 else GAN) for n in range(8)]
    draw(*runs, "--metric", "fid", "reconstruction_mse", "--out", tmp_path / "it.png")
    looks = [{line.get_label(): (to_hex(line.get_color()), line.get_linestyle()) for line in a.lines} for a in drawn[0].axes]
    assert len(set(looks[0].values())) == 8
    assert looks[1].items() < looks[0].items()
    assert looks[0]["M0 on mnist, seed 0"][1] != looks[0]["M1 on mnist, seed 0"][1], "told apart without colours"


def test_seeds_of_one_config_are_a_mean_in_a_band_at_the_steps_that_all_have(tmp_path: Path, drawn: list[Figure]) -> None:
    values = ([3.0, 5.0, 9.0], [4.0, 5.0], [8.0, 2.0])
    runs = [
        make_run(tmp_path / str(n), "GAN", n, {100 * (i + 1): {"fid": value} for i, value in enumerate(some)})
        for n, some in enumerate(values)
    ]
    other = make_run(tmp_path / "other", "GAN", 3, GAN, lr=0.1)
    draw(*runs, other, "--metric", "fid", "--out", tmp_path / "it.png")
    of_seeds, alone = lines(drawn[0]).items()
    assert of_seeds[0].startswith("GAN on mnist, ")
    assert of_seeds[0].endswith("mean ± standard deviation of 3 seeds")
    assert of_seeds[1] == {100: 5.0, 200: 4.0}
    assert alone[0] == f"GAN on mnist, {other}, seed 3"
    (band,) = drawn[0].axes[0].collections
    corners = {tuple(point) for point in band.get_paths()[0].vertices.round(6).tolist()}
    std = [float(np.std([row[i] for row in values], ddof=1)) for i in (0, 1)]
    assert {(100.0, round(5 - std[0], 6)), (100.0, round(5 + std[0], 6)), (200.0, round(4 + std[1], 6))} <= corners


def test_names_are_given_by_line_and_runs_of_one_seed_stay_apart(tmp_path: Path, drawn: list[Figure]) -> None:
    runs = [make_run(tmp_path / name, "GAN", 0, GAN) for name in ("a", "b")]
    draw(*runs, "--metric", "fid", "--out", tmp_path / "it.png")
    draw(*runs, "--metric", "fid", "--out", tmp_path / "it.png", "--names", "first", "second")
    assert [*lines(drawn[0])] == [f"GAN on mnist, {run}, seed 0" for run in runs]
    assert [*lines(drawn[1])] == ["first, seed 0", "second, seed 0"], "how many runs it is, is said in any case"


def test_what_was_measured_after_the_checkpoint_that_a_run_goes_on_from_counts_only_once(tmp_path: Path) -> None:
    run = make_run(tmp_path, "GAN", 0, GAN | {400: {"fid": 1.0}})
    make_run(tmp_path, "GAN", 0, {200: {"fid": 21.0, "modes": 6.0}, 300: {"fid": 22.0}})
    assert read_run(run).measured == {"fid": {100: 30.0, 200: 21.0, 300: 22.0}, "modes": {100: 4.0, 200: 6.0}}
    assert read_run(run / "evaluation.jsonl").measured == read_run(run).measured


def test_a_run_of_somebody_elses_script_needs_no_config(tmp_path: Path, drawn: list[Figure]) -> None:
    for name in ("a", "b"):
        make_run(tmp_path / name, "GAN", ord(name), GAN)
        (tmp_path / name / "config.yaml").unlink()
    draw(tmp_path / "a", tmp_path / "b", "--metric", "fid", "--out", tmp_path / "it.png")
    assert len(lines(drawn[0])) == 2, "nobody knows that their configs are the same"


def test_what_cannot_be_drawn_is_one_sentence(tmp_path: Path) -> None:
    gan, aegan = make_run(tmp_path / "gan" / "version_0", "GAN", 0, GAN), make_run(tmp_path / "aegan", "AEGAN", 0, AEGAN)
    silent = tmp_path / "silent"
    silent.mkdir()
    (silent / "evaluation.jsonl").write_text(json.dumps({"stage": "test", "step": 3, "fid": 2.0}) + "\n")
    for arguments, sentence in (
        ([tmp_path / "nowhere", "--metric", "fid"], "there is no evaluation.jsonl in .*nowhere; give the folder of a run"),
        ([gan.parent, "--metric", "fid"], "no evaluation.jsonl in .*; below it there are .*version_0$"),
        ([silent, "--metric", "fid"], "nothing was measured in training in .*silent"),
        ([gan, aegan, "--metric", "kid"], "no run has measured kid; there are fid, modes, reconstruction_mse$"),
        ([gan, aegan, "--metric", "reconstruction_mse"], "version_0 has not measured reconstruction_mse; it has fid, modes$"),
        ([gan, aegan, "--metric", "fid", "--names", "one"], "--names must be different and as many as .* 2: .*version_0; "),
        ([gan, aegan, "--metric", "fid", "--names", "one", "one"], "--names must be different"),
        ([gan, "--metric", "fid", "--out", "/dev/null/x.png"], "cannot be written"),
        ([gan, "--metric", "fid", "--out", tmp_path / "it.nonsense"], "cannot be written"),
    ):
        with pytest.raises(InputError, match=sentence):
            draw(*arguments)
