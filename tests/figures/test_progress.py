"""What a run keeps of its drawing times, also over an interruption, and what it draws of that at its end."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor

from lightning_gans import Pictures
from lightning_gans.figures import kinds, plots
from lightning_gans.figures.kinds import reconstructions, samples
from lightning_gans.figures.progress import Progress
from lightning_gans.figures.subject import Subject
from tests.figures.test_kinds import Album, Copyist, Placer, Plane, subject, tiles, to_bytes
from tests.games.gaan import make_gaan, make_image_gaan
from tests.games.sae import make_sae
from tests.helpers import fit, made_images, make_images, saving


def kept(value: float) -> Tensor:
    return torch.full((4, 1, 2, 2), value)


def test_the_change_is_the_mean_square_since_the_time_before_per_100_steps(tmp_path: Path) -> None:
    times = Progress(tmp_path)
    assert times.add("it", 100, torch.tensor([0.0, 1.0])) is None
    assert times.add("it", 150, torch.tensor([0.5, 0.0])) == pytest.approx((0.25 + 1) / 2 * 100 / 50)
    assert times.add("it", 950, torch.tensor([0.5, 2.0])) == pytest.approx(4 / 2 * 100 / 800)
    titles = [title for title, _ in times.spread("it", 8, changes=True)]
    assert titles[0] == "step 100"
    assert titles[1:3] == ["step 150,\nmean squared change 1.2 / 100 steps", "step 950,\nmean squared change 0.25 / 100 steps"]
    assert [title for title, _ in times.spread("it", 8, changes=False)] == [f"step {n}" for n in (100, 150, 950)]


def test_what_was_kept_with_other_settings_is_not_set_beside_what_is_kept_now(tmp_path: Path) -> None:
    times = Progress(tmp_path)
    for step, count in ((1, 3), (2, 3), (3, 2), (4, 2)):
        times.add("it", step, torch.zeros(count))
    assert [title for title, _ in times.spread("it", 8, changes=False)] == ["step 3", "step 4"]
    assert times.add("it", 5, torch.zeros(1)) is None


def test_samples_of_an_empirical_prior_are_others_each_time_and_not_kept() -> None:
    assert not kinds.keeps("samples", Subject(make_sae()))
    assert kinds.keeps("reconstructions", Subject(make_sae()))
    assert kinds.keeps("samples", Subject(make_gaan()))
    assert not kinds.keeps("interpolations", Subject(make_gaan()))
    assert Subject(make_sae(), step=3).kind_of_samples == "reconstructed training samples"


def test_the_first_the_last_and_some_evenly_between_are_shown_and_kinds_kept_apart(tmp_path: Path) -> None:
    times = Progress(tmp_path)
    for step in range(10, 310, 10):
        times.add("it", step, kept(step / 512))
        times.add("more_it", step, kept(-1))
    shown = times.spread("it", 4, changes=False)
    assert [title for title, _ in shown] == ["step 10", "step 110", "step 200", "step 300"]
    assert [value.unique().tolist() for _, value in shown] == [[10 / 512], [110 / 512], [200 / 512], [300 / 512]]
    assert len(times.spread("more_it", 40, changes=False)) == 30
    assert sum(file.stat().st_size for file in tmp_path.rglob("*.npz")) < 60 * 1000


def test_a_resumed_run_takes_over_what_was_kept_up_to_its_step_and_of_no_other_run(tmp_path: Path) -> None:
    def steps(folder: Path) -> list[str]:
        return [title for title, _ in Progress(folder).spread("it", 9, changes=False)]

    first, second = tmp_path / "first" / "pictures", tmp_path / "second" / "pictures"
    for folder in (first, second):
        for step in (1, 2, 3):
            Progress(folder).add("it", step, kept(step))
    Progress(second).add("it", 9, kept(9))
    checkpoint = tmp_path / "first" / "checkpoints" / "last.ckpt"
    Progress(second).begin(checkpoint, 2)
    assert steps(second) == ["step 1", "step 2"]
    assert steps(first) == ["step 1", "step 2", "step 3"]
    Progress(first).begin(checkpoint, 2)
    assert steps(first) == ["step 1", "step 2"], "the same run goes on"
    Progress(second).begin(None, 0)
    assert steps(second) == []
    Progress(tmp_path / "new").begin(tmp_path / "lone.ckpt", 5)
    assert steps(tmp_path / "new") == []


def test_the_pictures_of_a_resumed_run_are_those_of_the_run_that_was_left_alone(tmp_path: Path) -> None:
    def run(folder: str, max_steps: int, **settings: Any) -> None:
        keep = saving(tmp_path / folder / "checkpoints")
        keep["callbacks"].append(Pictures(every_n_steps=2, num_images=12))
        fit(make_image_gaan(), max_steps, made_images(tmp_path), default_root_dir=tmp_path / folder, **keep, **settings)

    make_images(tmp_path)
    run("alone", 8)
    run("stopped", 5)  # with a time at 5 that the other run had not
    run("resumed", 8, ckpt_path=tmp_path / "stopped" / "checkpoints" / "step=4.ckpt")
    for kind in ("samples", "reconstructions"):
        alone, resumed = (tmp_path / run / "pictures" / f"{kind}_over_training.png" for run in ("alone", "resumed"))
        assert alone.read_bytes() == resumed.read_bytes()
        assert alone.read_bytes() != (tmp_path / "stopped" / "pictures" / alone.name).read_bytes()
    assert not (tmp_path / "resumed" / "pictures" / "samples_0000002.png").exists()


def test_reconstructions_over_training_are_the_same_test_images_at_each_time() -> None:
    data, model = Album(), Copyist()
    one = reconstructions.keep(subject(model, data))
    assert torch.equal(one, reconstructions.keep(subject(model, data, num_images=4, seed=3)))
    figure = reconstructions.over_training(subject(model, data), [("step 1", one), ("step 2", -one)])
    real = data.images[subject(model, data).rows(10)]
    again = model.decode(model.encode(real))
    titles = [text.get_text() for text in figure.texts]
    assert titles == ["reconstructions by Copyist on album: test images, as they are", "step 1", "step 2"]
    for panel, expected in enumerate((real, again, -again)):
        np.testing.assert_allclose(tiles(figure, panel)[0], to_bytes(expected), atol=1)


def test_points_are_shown_in_a_panel_for_each_time() -> None:
    it = subject(Placer(), Plane())
    one = reconstructions.keep(it)
    assert torch.equal(one, reconstructions.keep(it))
    assert one.shape == (50, 2)
    figure = reconstructions.over_training(it, [("step 1", one), ("step 2", -one)])
    assert [axes.get_title() for axes in figure.axes] == ["test points", "step 1", "step 2"]
    assert torch.equal(torch.as_tensor(figure.axes[2].collections[1].get_offsets().data), -one.double())
    assert samples.keep(it).shape == (50, 2)
    assert samples.keep(subject(Copyist())).shape == (10, 1, 8, 8)


def test_titles_are_neither_cut_off_nor_in_the_way_of_others() -> None:
    title = "step 123456,\nmean squared change 0.00012 / 100 steps"
    for it, made in ((subject(Copyist()), torch.zeros(10, 1, 8, 8)), (subject(Placer(), Plane()), torch.zeros(9, 2))):
        figure = samples.over_training(it, [(title, made)] * 8)
        figure.draw_without_rendering()
        boxes = [axes.title.get_window_extent() for axes in figure.axes] if it.points else []
        boxes += [text.get_window_extent() for text in figure.texts]
        assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width and box.y1 <= figure.bbox.height for box in boxes)
        assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_whatever_kind_keeps_something_is_drawn_over_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[str, Tensor]] = []
    logged: list[dict[str, float]] = []

    def over_training(it: Subject, times: list[tuple[str, Tensor]]) -> Figure:
        shown.extend(times)
        return plots.scatter([("it", torch.rand(9, 2))], None, 1.0)

    weights = SimpleNamespace(
        draw=samples.draw,
        why_not=lambda it: None,
        keep=lambda it: next(it.model.generator.parameters()).detach().clone(),
        over_training=over_training,
    )
    monkeypatch.setitem(kinds.KINDS, "weights", weights)
    monkeypatch.setattr("lightning_gans.figures.callback.log_numbers", lambda trainer, numbers: logged.append(numbers))
    pictures = Pictures(every_n_steps=2, num_points=60, kinds=["weights_over_training", "samples_over_training"])
    fit(game := make_gaan(), 5, callbacks=[pictures], default_root_dir=tmp_path)
    assert [title for title, _ in shown] == ["step 2", "step 4", "step 5"]
    torch.testing.assert_close(shown[-1][1], next(game.generator.parameters()).detach(), rtol=1e-3, atol=1e-6)
    assert [*map(list, logged)] == [["change/samples"]] * 2
    assert all(value > 0 for numbers in logged for value in numbers.values())
    assert (tmp_path / "pictures" / "weights_over_training.png").is_file()
    assert not (tmp_path / "pictures" / "weights.png").exists(), "it was not asked for"
