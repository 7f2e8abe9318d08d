"""Pictures of test samples that a stochastic encoder encodes by a draw, and not by its mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor

from lightning_gans import Pictures
from lightning_gans.commands import figure as command
from lightning_gans.figures.kinds import attributes, draw, reconstructions
from lightning_gans.figures.subject import Subject
from tests.figures.test_attributes import Faces
from tests.figures.test_comparison import Corners, Stochastic
from tests.figures.test_kinds import Album, Copyist, Painter, tiles
from tests.games.ali import make_image_ali
from tests.helpers import fit, made_images, make_images


class Unsure(Copyist):
    """Copies with noise of 0.2 where a draw is asked for."""

    def encode(self, images: Tensor, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        mean = super().encode(images, condition)
        return mean if generator is None else mean + 0.2 * torch.randn(mean.shape, generator=generator)


def subject(model: Any, data: Any = None, **settings: Any) -> Subject:
    return Subject(model, data or Album(), **{"step": 7, "num_images": 40, "num_points": 50, "draw": True, **settings})


def words(figure: Figure) -> str:
    texts = [text.get_text() for text in figure.texts] + [axes.get_title() for axes in figure.axes]
    return " ".join(" ".join(texts).split())


def test_draws_are_around_the_means_and_the_same_each_time() -> None:
    means, first, again, other = (
        draw("reconstructions", subject(Unsure(), draw=drawn, seed=seed))
        for drawn, seed in ((False, 0), (True, 0), (True, 0), (True, 1))
    )
    shown = [tiles(figure, columns=2)[..., 8:].astype(float) for figure in (means, first, again, other)]
    assert (shown[1] == shown[2]).all()
    assert (shown[1] != shown[3]).any()
    difference = (shown[1] - shown[0])[:, :, 0, [0, -1]] / 127.5
    assert difference.std() == pytest.approx(0.2, rel=0.3)
    assert abs(difference.mean()) < 0.1
    assert len(np.unique(difference.round(3))) > 15, "each image has noise of its own"
    assert "Unsure on album, step 7, by a draw of the posterior" in words(first)
    assert "draw" not in words(means)


def test_both_ends_of_a_way_are_draws_with_noise_of_their_own() -> None:
    model, exact = Unsure(), Unsure()
    figure = draw("interpolations", subject(model, num_images=80))
    draw("interpolations", subject(exact, num_images=80, draw=False))
    drawn, means = (of.latents[-1].unflatten(0, (-1, 8))[:, [0, -1]] for of in (model, exact))
    noise = (drawn - means).flatten(0, 1)
    assert float(noise.std()) == pytest.approx(0.2, rel=0.5)
    assert len(noise.unique(dim=0)) == 8
    assert torch.equal(model.latents[0], exact.latents[0]), "ways between draws of the prior are as before"
    assert "between draws of the posteriors of test images" in words(figure)


@pytest.mark.parametrize("kind", ["reconstructions", "interpolations"])
@pytest.mark.parametrize("model", [Copyist(), Painter()], ids=["deterministic", "no encoder"])
def test_nothing_is_said_of_draws_where_there_are_none(kind: str, model: Any) -> None:
    it = subject(model)
    assert not it.draws
    if kind == "interpolations" or model.__class__ is Copyist:
        assert "draw" not in words(draw(kind, it)).replace("draws of the prior", "")


def test_points_and_times_say_it_too() -> None:
    it = subject(Stochastic(), Corners())
    assert "by a draw" in words(draw("reconstructions", it))
    one = reconstructions.keep(it)
    assert torch.equal(one, reconstructions.keep(it)), "what changes over the training is the model"
    figure = reconstructions.over_training(it, [("step 1", one), ("step 2", -one)])
    assert figure.get_suptitle().endswith("by a draw of the posterior")


def test_attribute_vectors_and_what_they_are_added_to_stay_means() -> None:
    drawn, exact = (attributes.draw(subject(Unsure(), Faces(), draw=wanted), 1.0, ["lit"]) for wanted in (True, False))
    for one, other in zip(drawn.axes[0].images, exact.axes[0].images, strict=True):
        assert (np.asarray(one.get_array()) == np.asarray(other.get_array())).all()


def test_a_run_and_the_command_draw_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_images(tmp_path)
    game, data = make_image_ali(), made_images(tmp_path)
    fit(game, 1, data, callbacks=[Pictures(num_images=4, draw=True, kinds=["reconstructions"])], default_root_dir=tmp_path)
    data.setup("validate")
    asked: list[list[str]] = []

    def restore(file: Path, options: list[str], weights: str) -> Any:
        asked.append(options)
        return game, data, Pictures(num_images=4, draw="--pictures.draw=True" in options), 1

    monkeypatch.setattr(command, "restore", restore)
    for number, options in enumerate((["--draw"], ["--no-draw"], [])):
        command.main(["reconstructions", "--ckpt_path=it.ckpt", f"--out={tmp_path / f'{number}.png'}", *options])
    assert asked == [["--pictures.draw=True"], ["--pictures.draw=False"], []]
    run, drawn, mean, usual = (
        (tmp_path / name).read_bytes() for name in ("pictures/reconstructions_0000001.png", "0.png", "1.png", "2.png")
    )
    assert run == drawn
    assert mean == usual != drawn
