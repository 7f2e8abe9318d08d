"""Films: what a run keeps for them, what their frames show, and in what files they are."""

from __future__ import annotations

import shutil
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence
from torch import nn

from lightning_gans import InputError, Pictures
from lightning_gans.commands.figure import main
from lightning_gans.figures import film
from lightning_gans.figures.film import frames, write_film
from lightning_gans.figures.kinds import reconstructions, samples
from lightning_gans.figures.progress import Progress, frame_after
from tests.figures.test_kinds import Album, Copyist, subject
from tests.games.gaan import make_gaan, make_image_gaan
from tests.helpers import fit, made_images, saving, state

Frames = list[tuple[int, Image.Image]]


def steps_of(folder: Path, kind: str = "samples") -> list[int]:
    return [step for step, _ in Progress(folder / "pictures").times(f"{kind}_film")]


def run(folder: Path, images: Path | None, max_steps: int, **settings: Any) -> nn.Module:
    """A game after some steps with the pictures of a default run, on packed images or on points; it keeps checkpoints."""
    keep = saving(folder / "checkpoints", 12)
    keep["callbacks"].append(Pictures(num_points=300, kinds=["samples", "reconstructions"]))
    game, data = (make_gaan(), None) if images is None else (make_image_gaan(), made_images(images))
    fit(game, max_steps, data, default_root_dir=folder, **keep, **settings)
    return game


@pytest.fixture(scope="module")
def of_images(tmp_path_factory: pytest.TempPathFactory, image_folder: Path) -> Path:
    """The folder of a run on images, after 24 steps."""
    run(folder := tmp_path_factory.mktemp("images_run"), image_folder, 24)
    (folder / "run.json").write_text("{}")
    return folder


@pytest.fixture(scope="module")
def of_points(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on points, after 12 steps."""
    run(folder := tmp_path_factory.mktemp("points_run"), None, 12)
    (folder / "config.yaml").write_text("data: {dataset: grid25}")
    return folder


@pytest.fixture
def flashes() -> Frames:
    """Ten grey frames."""
    return [(step, Image.new("RGB", (61, 41), (25 * step,) * 3)) for step in range(10)]


def test_frames_lie_ever_further_apart_and_are_few_however_long_a_run_is() -> None:
    steps = [frame_after(0)]
    while steps[-1] < 1_000_000:
        steps.append(frame_after(steps[-1]))
    assert steps[:8] == [1, 11, 21, 31, 41, 51, 61, 73]
    assert len(steps) <= 61
    assert all(9 <= later - sooner <= 0.21 * sooner + 10 for sooner, later in pairwise(steps))
    assert frame_after(60) == 61, "a resumed run has the same ones"


def test_a_default_run_leaves_frames_and_trains_to_the_same_last_bit(of_points: Path, of_images: Path) -> None:
    assert steps_of(of_images) == steps_of(of_images, "reconstructions") == [1, 11, 21, 24]
    assert steps_of(of_points) == [1, 11, 12]
    kept = [*(of_points / "pictures" / "progress").glob("*_film_*.npz")]
    assert len(kept) == 6
    assert max(file.stat().st_size for file in kept) < 4000
    fit(with_film := make_gaan(), 12, callbacks=[Pictures(kinds=["samples"])], default_root_dir=of_points / "again")
    fit(without := make_gaan(), 12)
    for name, value in state(without).items():
        assert torch.equal(value, state(with_film)[name]), name


def test_whoever_wants_no_film_has_none(tmp_path: Path) -> None:
    for name, settings in {"off": {"film": False}, "no_kinds": {"kinds": []}, "others": {"kinds": ["latent_map"]}}.items():
        fit(make_gaan(), 2, callbacks=[Pictures(num_points=9, **settings)], default_root_dir=tmp_path / name)
        assert not [*(tmp_path / name).rglob("*_film_*")], name


def test_frames_show_the_images_enlarged_by_whole_factors_below_their_step(tmp_path: Path) -> None:
    images = torch.randint(0, 256, (25, 1, 28, 28), dtype=torch.uint8)
    for step in (1, 1200):
        Progress(tmp_path / "pictures").add("samples_film", step, images)
    (first, one), (second, other) = frames(tmp_path)
    assert (first, second) == (1, 1200)
    assert one.mode == "RGB"
    assert one.size == other.size == (5 * 87 + 3, 5 * 87 + 3 + 26)
    pixels = np.asarray(one)[26:, :, 0]
    seventh = pixels[3 + 87 : 3 + 87 + 84, 3 + 87 : 3 + 87 + 84]
    assert np.array_equal(seventh, images[6, 0].numpy().repeat(3, 0).repeat(3, 1))
    heads = [np.asarray(picture)[:26] for picture in (one, other)]
    assert all((head < 100).any() for head in heads)
    assert not np.array_equal(*heads), "the step is in them"


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (3, 3), (4, 2), (5, 3), (9, 3), (10, 5), (16, 4), (25, 5)])
def test_rows_of_a_frame_make_a_rectangle_where_that_is_possible(count: int, columns: int) -> None:
    assert film._columns(count) == columns


def test_a_frame_has_25_small_images_or_fewer_large_ones() -> None:
    for side, count in ((8, 25), (64, 9), (200, 1)):
        data = Album()
        data.shape = (3, side, side)
        assert reconstructions.in_frame(subject(Copyist(), data)) == count


def test_reconstructions_are_beside_the_test_images() -> None:
    it = subject(Copyist(), Album())
    kept = reconstructions.frame(it)
    assert kept.shape == (25, 1, 8, 16)
    assert kept.dtype == torch.uint8
    real = it.real(it.rows(25))
    torch.testing.assert_close(kept[..., :8].float(), (real + 1) * 127.5, atol=0.51, rtol=0)
    torch.testing.assert_close(kept[..., 8:].float(), (it.reconstruct(it.rows(25)) + 1) * 127.5, atol=0.51, rtol=0)
    assert samples.frame(it).shape == (25, 1, 8, 8)


def test_points_lie_over_the_true_centres(of_points: Path) -> None:
    pictures = frames(of_points)
    assert [step for step, _ in pictures] == [1, 11, 12]
    assert len({picture.size for _, picture in pictures}) == 1
    pixels = np.asarray(pictures[0][1]).astype(int)
    orange, blue = (np.abs(pixels - colour).sum(-1) < 90 for colour in ((0xD5, 0x5E, 0), (0, 0x72, 0xB2)))
    assert orange.sum() > 25 * 10, "25 circles"
    assert blue.sum() > 20
    assert not np.array_equal(np.asarray(pictures[1][1]), pixels)


def test_a_resumed_run_has_the_frames_of_the_run_before(of_images: Path, image_folder: Path, tmp_path: Path) -> None:
    before = shutil.copytree(of_images / "checkpoints", tmp_path / "before" / "checkpoints")
    shutil.copytree(of_images / "pictures" / "progress", tmp_path / "before" / "pictures" / "progress")
    run(tmp_path / "after", image_folder, 24, ckpt_path=before / "step=12.ckpt")
    assert steps_of(tmp_path / "after") == steps_of(of_images)
    for (step, picture), (_, alone) in zip(frames(tmp_path / "after"), frames(of_images), strict=True):
        assert picture == alone, step


def test_an_older_run_is_shown_by_the_times_that_it_drew(tmp_path: Path) -> None:
    for step in (500, 1000, 1500):
        Progress(tmp_path / "pictures").add("samples", step, torch.zeros(10, 1, 8, 8))
    Progress(tmp_path / "pictures").add("samples_film", 1500, torch.zeros(25, 1, 8, 8, dtype=torch.uint8))
    assert [step for step, _ in frames(tmp_path)] == [500, 1000, 1500]


def test_a_run_with_one_time_or_none_is_refused_in_a_sentence(tmp_path: Path, of_points: Path) -> None:
    with pytest.raises(InputError, match=r"has kept no samples, which makes no film; give the folder of a run"):
        frames(tmp_path)
    Progress(tmp_path / "pictures").add("samples_film", 7, torch.zeros(4, 1, 8, 8, dtype=torch.uint8))
    with pytest.raises(InputError, match=r"has kept only step 7 of its samples, which makes no film"):
        frames(tmp_path)
    with pytest.raises(InputError, match="there is no film of density; give one of samples, reconstructions"):
        frames(of_points, "density")


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_a_film_takes_so_many_seconds_and_stays_longest_at_its_end(suffix: str, flashes: Frames, tmp_path: Path) -> None:
    write_film(flashes, file := tmp_path / "new" / f"film{suffix}", 3)
    with Image.open(file) as written:
        shown = [(np.asarray(each.convert("L"))[0, 0], each.info["duration"]) for each in ImageSequence.Iterator(written)]
        assert written.info["loop"] == 0
    assert [int(grey) for grey, _ in shown] == [25 * step for step in range(10)]
    durations = [duration for _, duration in shown]
    assert sum(durations) == pytest.approx(3000, abs=60)
    assert durations[-1] == pytest.approx(2 * durations[0], abs=20)
    assert [path.name for path in file.parent.iterdir()] == [file.name], "nothing else is left"


def test_a_film_in_colours_keeps_them(tmp_path: Path) -> None:
    colours = [(200, 30, 30), (30, 30, 200)]
    write_film([(n, Image.new("RGB", (40, 40), colour)) for n, colour in enumerate(colours)], tmp_path / "it.gif", 1)
    with Image.open(tmp_path / "it.gif") as written:
        assert [each.convert("RGB").getpixel((5, 5)) for each in ImageSequence.Iterator(written)] == colours


def test_a_video_has_even_sides_and_its_length(flashes: Frames, tmp_path: Path) -> None:
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    write_film(flashes, tmp_path / "film.mp4", 2)
    count, seconds = ffmpeg.count_frames_and_secs(str(tmp_path / "film.mp4"))
    assert (count, seconds) == (pytest.approx(50, abs=6), pytest.approx(2, abs=0.25))
    assert next(ffmpeg.read_frames(str(tmp_path / "film.mp4")))["size"] == (62, 42)


def test_what_cannot_be_written_is_said(flashes: Frames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"film\.avi is no film; call it film\.gif, film\.webp, film\.mp4"):
        write_film(flashes, tmp_path / "film.avi", 3)
    with pytest.raises(InputError, match="--seconds is 0, but a film takes more than none"):
        write_film(flashes, tmp_path / "film.gif", 0)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"film\.gif cannot be written \(.*\); set --out to a place of yours"):
        write_film(flashes, tmp_path / "file" / "film.gif", 3)
    monkeypatch.setattr("lightning_gans.figures.film.shutil.which", lambda name: None)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(InputError, match=r"an \.mp4 needs ffmpeg; pip install 'lightning-gans\[film\]'"):
        write_film(flashes, tmp_path / "film.mp4", 3)


def test_the_command_finds_the_run_by_its_folder_or_a_checkpoint(
    of_images: Path, of_points: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["film", str(of_images), "--kind=reconstructions"])
    assert "4 pictures, from step 1 to 24, are in" in capsys.readouterr().out
    assert (of_images / "pictures" / "film_reconstructions.gif").is_file()
    checkpoint = of_images / "checkpoints" / "step=12.ckpt"
    main(["film", "--ckpt_path", str(checkpoint), f"--out={tmp_path / 'it.webp'}", "--seconds=2"])
    assert (tmp_path / "it.webp").is_file()
    with pytest.raises(SystemExit):
        main(["film"])
    assert "RUN_FOLDER --ckpt_path is required" in capsys.readouterr().err
    for wrong, said in (
        ([str(tmp_path / "nowhere")], "there is no folder"),
        (["--ckpt_path", str(tmp_path / "lone.ckpt")], "is not in the folder of a run"),
    ):
        with pytest.raises(InputError, match=said):
            main(["film", *wrong])
