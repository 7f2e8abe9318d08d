"""Which pictures a run leaves, and that ``lightning figure`` draws the same from its checkpoint."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lightning_gans import Game, InputError, Pictures, Uniform
from lightning_gans.cli import main as lightning
from lightning_gans.commands.figure import main
from lightning_gans.networks import ConvGenerator, ConvNet
from tests.games import IMAGE
from tests.games.gaan import make_gaan, make_image_gaan
from tests.games.gan import make_gan
from tests.helpers import fit, made_images, make_images, make_trainer

SMALL = {"num_images": 4, "num_points": 60}


def drawn(folder: Path) -> list[str]:
    """Names of the pictures of a run; none of them is blank."""
    files = sorted(folder.rglob("*.png"))
    for file in files:
        assert np.asarray(Image.open(file).convert("L")).std() > 1, file.name
    return [file.stem for file in files]


def images_with_two_latents() -> Game:
    networks = {"encoder": ConvNet(IMAGE, 2, (8,), norm=None), "generator": ConvGenerator(2, IMAGE, (8,), output="sigmoid")}
    return make_image_gaan(prior=Uniform(2), **networks)


@pytest.mark.parametrize(
    ("make", "ends"),
    [
        (make_gan, ["latent_map"]),
        (make_gaan, ["latent_map"]),
        (make_image_gaan, ["density", "interpolations", "neighbours"]),
        (images_with_two_latents, ["density", "interpolations", "latent_map", "manifold", "neighbours"]),
    ],
)
def test_a_run_leaves_all_that_applies(make: Callable[[], Game], ends: list[str], tmp_path: Path) -> None:
    make_images(tmp_path)
    data = None if make in (make_gan, make_gaan) else made_images(tmp_path)
    fit(make(), 3, data, callbacks=[Pictures(every_n_steps=2, **SMALL)], default_root_dir=tmp_path)  # type: ignore[arg-type]
    kept = ["samples"] if make is make_gan else ["reconstructions", "samples"]
    repeated = [*kept, *(["codes"] if make in (make_gaan, images_with_two_latents) else [])]
    steps = [f"{kind}_{step:07d}" for kind in repeated for step in (2, 3)]
    assert drawn(tmp_path) == sorted([*ends, *steps, *(f"{kind}_over_training" for kind in kept)])


def test_only_the_kinds_asked_for_are_drawn(tmp_path: Path) -> None:
    asked = Pictures(every_n_steps=1, kinds=["samples_over_training", "latent_map"], num_points=60)
    fit(make_gaan(), 2, callbacks=[asked], default_root_dir=tmp_path)
    assert drawn(tmp_path) == ["latent_map", "samples_over_training"]


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(InputError, match=r"as sample; set pictures\.kinds to some of samples, recon"):
        Pictures(kinds=["sample"])


def test_a_kind_that_does_not_apply_is_refused_before_training(tmp_path: Path) -> None:
    game = make_gan()
    before = [p.clone() for p in game.parameters()]
    with pytest.raises(InputError, match=r"pictures\.kinds has reconstructions, but GAN has no encoder; leave it out"):
        fit(game, 2, callbacks=[Pictures(kinds=["samples", "reconstructions"])], default_root_dir=tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(before, game.parameters(), strict=True))


def test_a_generator_that_gives_no_numbers_does_not_end_the_run(tmp_path: Path) -> None:
    make_images(tmp_path)
    game = make_image_gaan()

    def decode(z: Tensor, condition: Tensor | None = None) -> Tensor:
        return torch.full((len(z), *IMAGE), float("nan"))

    game.decode = decode  # type: ignore[method-assign]
    with pytest.warns(UserWarning, match="the picture density is left out"):
        fit(game, 1, made_images(tmp_path), callbacks=[Pictures(**SMALL)], default_root_dir=tmp_path)  # type: ignore[arg-type]
    assert drawn(tmp_path) == ["interpolations", "neighbours", "reconstructions_0000001", "samples_0000001"]


def test_the_map_by_label_appears_with_a_classifier(tmp_path: Path) -> None:
    make_images(tmp_path)
    sizes = []
    for number, classifier in enumerate((None, lambda images: images.flatten(1)[:, :3].float())):
        pictures = Pictures(kinds=["latent_map"], **SMALL)  # type: ignore[arg-type]
        pictures.classifier = classifier
        folder = tmp_path / str(number)
        fit(images_with_two_latents(), 1, made_images(tmp_path), callbacks=[pictures], default_root_dir=folder)
        sizes.append(Image.open(folder / "pictures" / "latent_map.png").width)
    assert sizes[1] > 1.4 * sizes[0]


def test_loggers_get_every_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[tuple[str, str]] = []
    monkeypatch.setattr(
        "lightning_gans.figures.callback.log_picture", lambda trainer, name, file: logged.append((name, file.stem))
    )
    make_images(tmp_path)
    fit(make_image_gaan(), 2, made_images(tmp_path), callbacks=[Pictures(**SMALL)], default_root_dir=tmp_path)  # type: ignore[arg-type]
    assert sorted(file for _, file in logged) == drawn(tmp_path)
    assert {name for name, _ in logged} == {"density", "interpolations", "neighbours", "reconstructions", "samples"}


def test_data_that_does_not_say_what_it_is_still_gets_samples(tmp_path: Path) -> None:
    trainer = make_trainer(2, callbacks=[Pictures(**SMALL)], default_root_dir=tmp_path)  # type: ignore[arg-type]
    trainer.fit(make_gan(), torch.utils.data.DataLoader(torch.randn(64, 2), batch_size=32))
    assert drawn(tmp_path) == ["samples_0000002"]


# The command


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The checkpoint of a GAAN on digits with two latents, after two steps; commands run in its folder."""
    folder = tmp_path_factory.mktemp("trained")
    config = Path(__file__).parents[2] / "configs" / "gaan_digits.yaml"
    quiet = [f"--trainer.{name}=false" for name in ("enable_progress_bar", "enable_model_summary")]
    two = ["--model.encoder.outputs=2", "--model.generator.latent_dim=2", "--model.prior.dim=2"]
    few = ["--pictures.num_images=20", "--pictures.num_points=80", "--pictures.seed=4", "--evaluation.num_samples=50"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["lightning"])
        patch.setattr(sys, "path", [*sys.path])
        patch.setattr("warnings.filters", [("ignore", None, Warning, None, 0)])
        arguments = [f"--config={config}", "--trainer.max_steps=2", "--trainer.accelerator=cpu", *quiet, *two, *few]
        lightning(["fit", *arguments])
        (checkpoint,) = folder.glob("runs/*/*/checkpoints/last.ckpt")
        yield checkpoint


@pytest.mark.parametrize("kind", ["samples", "reconstructions", "interpolations", "latent_map", "density", "codes", "manifold"])
def test_the_command_draws_what_the_run_did(kind: str, trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([kind, f"--ckpt_path={trained}"])
    made = trained.with_name(f"last_{kind}.png")
    assert f"drawn in {made}" in capsys.readouterr().out
    (own,) = trained.parents[1].glob(f"pictures/{kind}*.png")
    assert made.read_bytes() == own.read_bytes()


def test_seed_number_and_place_are_options(trained: Path, tmp_path: Path) -> None:
    def picture(*options: str) -> Any:
        main(["samples", "--ckpt_path", str(trained), "--out", str(tmp_path / "new" / "it.png"), *options])
        return np.asarray(Image.open(tmp_path / "new" / "it.png"))

    usual, other, more = picture(), picture("--seed=5"), picture("--num_images=100")
    assert usual.shape == other.shape
    assert (usual != other).any()
    assert more.shape[0] > usual.shape[0]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["sample"],
            r"no such kind of picture as sample; GAAN on digits, step 2 has samples, rec.*, codes, manifold, neighbours$",
        ),
        (["samples", "--out=/dev/null/x.png"], "cannot be written"),
        (["samples", "--data.root=7", "--data.nonsense=3"], "data.nonsense"),
        (["samples", "--ckpt_path=missing.ckpt"], "there is no checkpoint missing.ckpt"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(arguments: list[str], sentence: str, trained: Path) -> None:
    with pytest.raises(InputError, match=sentence) as refused:
        main([arguments[0], f"--ckpt_path={trained}", *arguments[1:]])
    assert "\n" not in str(refused.value)
