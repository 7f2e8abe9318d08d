"""Sums of samples' latents, on models made by hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from lightning_gans import Images, Pictures
from lightning_gans.commands import figure as command
from lightning_gans.errors import InputError
from lightning_gans.figures import plots
from lightning_gans.figures.kinds import draw
from lightning_gans.figures.kinds import samples as samples_kind
from lightning_gans.figures.subject import Subject
from lightning_gans.priors import Empirical, Normal, Uniform
from tests.figures.test_attributes import Faces, names, tiles
from tests.figures.test_conditions import Numbered
from tests.figures.test_kinds import Album, Copyist, Painter, Placer, Plane, shows, to_bytes
from tests.figures.test_kinds import tiles as tiles_of_grid
from tests.figures.test_styles import row_names

FIG7 = "3,5,9 - 1,2,4 + 7,8,20"


def subject(model: Any = None, terms: str | None = FIG7, data: Any = None, **settings: Any) -> Subject:
    return Subject(model or Painter(Uniform(6)), data or Album(), 7, num_images=36, terms=terms, **settings)


def drawn(it: Subject) -> Tensor:
    """The latents of the picture of samples."""
    it.model.latents.clear()
    samples_kind.draw(Subject(it.model, it.data, num_images=36, seed=it.seed))
    (z,) = it.model.latents
    return z


def made(it: Subject) -> tuple[Figure, Tensor]:
    """The picture, and the latents that were decoded for it."""
    assert it.samples is not None
    it.model.latents.clear()
    return draw("arithmetic", it), torch.cat(it.model.latents)


def test_a_term_is_the_mean_latent_of_samples_that_are_counted_by_row_in_their_picture(tmp_path: Path) -> None:
    it = subject()
    z = drawn(it)
    figure, decoded = made(it)
    means = [z[numbers].mean(0) for numbers in ([3, 5, 9], [1, 2, 4], [7, 8, 20])]
    torch.testing.assert_close(decoded[:3], torch.stack(means))
    total = means[0] - means[1] + means[2]
    torch.testing.assert_close(decoded[3 + 4], total)
    away = (decoded[3:] - total)[[0, 1, 2, 3, 5, 6, 7, 8]]
    assert 0.2 < float(away.abs().max()) <= 0.25
    assert len(away.unique(dim=0)) == 8
    assert abs(float(away.mean())) < 0.1
    shown = tiles(figure)
    assert shown.shape[:2] == (4, 6)
    grid = tiles_of_grid(samples_kind.draw(Subject(it.model, it.data, num_images=36))).reshape(36, 8, 8)
    for column, numbers in enumerate(([3, 5, 9], [1, 2, 4], [7, 8, 20])):
        np.testing.assert_array_equal(shown[:3, column], grid[numbers])
    images = to_bytes(Painter().decode(decoded).clamp(-1, 1))
    np.testing.assert_array_equal(shown[3, :3], images[:3])
    np.testing.assert_array_equal(shown[:3, 3:].reshape(9, 8, 8), images[3:])
    assert (shown[3, 3:] == 255).all()
    assert names(figure) == ["3,5,9", "- 1,2,4", "+ 7,8,20", "", "= sum", ""]
    assert row_names(figure) == ["sample"] * 3 + ["mean"]
    plots.save(figure, tmp_path / "it.png")
    assert shows(tmp_path / "it.png")


def test_terms_may_have_any_number_of_samples() -> None:
    it = subject(terms="3 - 1,2,4,6")
    z = drawn(it)
    figure, decoded = made(it)
    torch.testing.assert_close(decoded[2 + 4], z[3] - z[[1, 2, 4, 6]].mean(0))
    shown = tiles(figure)
    assert shown.shape[:2] == (5, 5)
    assert (shown[1:4, 0] == 255).all()


def test_samples_are_moved_along_the_sum_and_one_of_them_stays_where_it_is() -> None:
    it = subject(terms="1,2,4 - 3,5,9", along=True)
    z = drawn(it)
    figure, decoded = made(it)
    ways = decoded.view(4, 9, 6)
    total = z[[1, 2, 4]].mean(0) - z[[3, 5, 9]].mean(0)
    torch.testing.assert_close(ways[:, 4], z[:4])
    torch.testing.assert_close(ways[:, 8], z[:4] + total)
    torch.testing.assert_close(ways[:, 1] - ways[:, 0], (total / 4).expand(4, 6))
    assert names(figure) == ["-1", "-0.75", "-0.5", "-0.25", "0", "+0.25", "+0.5", "+0.75", "+1"]
    assert tiles(figure).shape[:2] == (4, 9)
    assert "1,2,4 - 3,5,9" in " ".join(figure.texts[0].get_text().split())


def test_noise_and_samples_are_those_of_the_seed() -> None:
    first, again, other = (made(subject(seed=seed))[1] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_latents_are_put_back_on_the_surface_of_a_prior() -> None:
    class Sphere(Normal):
        def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
            return self.project(super().sample(n, generator))

        def project(self, z: Tensor) -> Tensor:
            return nn.functional.normalize(z, dim=1)

    _, decoded = made(subject(Painter(Sphere(5))))
    torch.testing.assert_close(decoded.norm(dim=1), torch.ones(len(decoded)))


def test_a_conditional_model_is_given_the_condition_of_the_first_test_sample() -> None:
    it = subject(Painter(Uniform(4)), data=Numbered())
    made(it)
    assert {*it.model.conditions[-1].tolist()} == {0}


def test_terms_may_be_attributes_of_test_images() -> None:
    data, model = Faces(), Copyist()
    figure, decoded = made(it := subject(model, "lit,even=0 - lit=0", data))
    rows = it.rows(30)
    has = data.has[rows].bool()
    of = [rows[has[:, 1] & ~has[:, 0]][:3], rows[~has[:, 1]][:3]]
    means = [model.encode(data.images[some]).mean(0) for some in of]
    torch.testing.assert_close(decoded[:2], torch.stack(means))
    torch.testing.assert_close(decoded[2 + 4], means[0] - means[1])
    for column, some in enumerate(of):
        np.testing.assert_array_equal(tiles(figure)[:3, column], to_bytes(data.images[some]))


class Square(Uniform):
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        return super().sample(n, generator).view(n, 2, -1)


@pytest.mark.parametrize(
    ("model", "data", "terms", "sentence"),
    [
        (Painter(), Album(), None, 'latent arithmetic needs terms, such as --terms "3,5,9 - 1,2,4 + 7,8,20"'),
        (Painter(Empirical(4, 9)), Album(), FIG7, "latents of Painter are those of training images, others each time"),
        (Painter(Square(4)), Album(), FIG7, "latents of Painter are (2, 2) and no row of numbers to add"),
        (Placer(), Plane(), FIG7, "samples are points and no images"),
        (
            Painter(),
            Album(),
            "3,40 - 1",
            "--terms names sample 40, but those of the picture are 0 to 35; name others, or raise",
        ),
        (Painter(), Album(), "3,5-1", "--terms has '3,5-1', which is no number, and Painter has no encoder; a term is numbers"),
        (Copyist(), Album(), "lit", "--terms has 'lit', which is no number, and the data has no attributes; a term is numbers"),
        (Copyist(), Faces(), "lit - tall", "--terms has 'tall', but faces has the attributes even, lit, rare; a term is"),
        (Copyist(), Faces(), "lit=2", "--terms has 'lit=2', but faces has the attributes even, lit, rare; a term is numbers"),
        (Copyist(), Faces(), "lit - ", "--terms has 'lit -', but faces has"),
        (Copyist(), Faces(), "rare", "1 of the test images of faces are rare, and 3 are needed; ask for less"),
    ],
)
def test_what_cannot_be_added_is_refused(model: Any, data: Any, terms: str | None, sentence: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}"):
        draw("arithmetic", subject(model, terms, data))


def test_the_command_takes_terms_for_this_kind_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, model = Images("digits", root=str(tmp_path)), Painter(Normal(2))
    data.prepare_data()
    data.setup("validate")
    monkeypatch.setattr(command, "restore", lambda *given: (model, data, Pictures(num_images=16), 3))
    figures: list[Figure] = []
    monkeypatch.setattr(command, "save_and_say", lambda figure, file: figures.append(figure))
    command.main(["arithmetic", "--ckpt_path=it.ckpt", "--terms", "3,5 - 1"])
    command.main(["arithmetic", "--ckpt_path=it.ckpt", "--terms", "3,5 - 1", "--along"])
    assert [names(figure)[0] for figure in figures] == ["3,5", "-1"]
    for option, kinds in (
        (["--terms", "3"], "arithmetic"),
        (["--along"], "arithmetic or captions"),
        (["--without=label"], "conditions"),
    ):
        what = option[0].partition("=")[0]
        with pytest.raises(InputError, match=f"{what} is of the picture {kinds}, and samples does without; leave it out"):
            command.main(["samples", "--ckpt_path=it.ckpt", *option])
    with pytest.raises(InputError, match="Painter has no condition"):
        command.main(["conditions", "--ckpt_path=it.ckpt", "--without=latent"])
    with pytest.raises(InputError, match=r"those of the picture are 0 to 15"):
        command.main(["arithmetic", "--ckpt_path=it.ckpt", "--terms", "16"])
