"""``lightning classifier``: settings, recipes and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lightning_gans import InputError
from lightning_gans.commands.classifier import main
from lightning_gans.evaluation.features.classifiers import load_classifier
from lightning_gans.evaluation.features.recipes import RECIPES, Recipe

CONFIGS = Path(__file__).parents[1] / "configs"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    calls: list[tuple[object, ...]] = []

    def record(recipe: Recipe, root: str = "data", out: str | None = None, device: str = "auto") -> None:
        calls.append((recipe, root, out, device))

    monkeypatch.setattr("lightning_gans.commands.classifier.train_classifier", record)
    return calls


@pytest.mark.parametrize("name", ["mnist", "cifar10", "svhn", "anime_hair", "anime_eyes", "anime_hair32", "anime_eyes32"])
def test_configs_are_the_recipes_that_missing_classifiers_are_trained_by(name: str, asked: list[tuple[object, ...]]) -> None:
    config, recipe = CONFIGS / f"classifier_{name}.yaml", RECIPES[name]
    main(["--config", str(config)])
    which = {"colour_of": recipe.colour_of, "image_size": recipe.image_size}
    main(["--dataset", recipe.dataset, *(f"--{name}={value}" for name, value in which.items() if value)])
    assert asked == [(recipe, "data", None, "auto")] * 2
    assert all(f"\n{setting}: " in config.read_text() for setting in vars(recipe))


def test_settings_on_the_command_line_win(asked: list[tuple[object, ...]]) -> None:
    config = str(CONFIGS / "classifier_svhn.yaml")
    main(["--config", config, "--epochs=3", "--root", "elsewhere", "--out=c.pt", "--device=cpu", "--flip=true"])
    assert asked == [(replace(RECIPES["svhn"], epochs=3, flip=True), "elsewhere", "c.pt", "cpu")]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--epochs=many"], "epochs.*int.*many"),
        (["--architecture=vgg"], "architecture.*vgg"),
        (["--epoch_count=3"], "epoch_count"),
        (["--config=missing.yaml"], r"missing\.yaml"),
        (["--epochs=0"], "epochs is 0"),
        (["--max_error=5"], "max_error is 5"),
    ],
)
def test_settings_that_do_not_fit_are_refused(arguments: list[str], words: str, asked: list[tuple[object, ...]]) -> None:
    with pytest.raises(InputError, match=words):
        main(arguments)
    assert asked == []


def test_the_command_trains_and_stores(tmp_path: Path) -> None:
    main(
        ["--dataset=digits", f"--root={tmp_path}", "--epochs=1", "--max_error=1", f"--out={tmp_path / 'c.pt'}", "--device=cpu"]
    )
    assert load_classifier(tmp_path / "c.pt").dataset == "digits"
