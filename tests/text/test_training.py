"""Text encoders as they are trained on made images, measured on classes that training never sees, stored and found."""

from __future__ import annotations

import csv
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_gans import Images, InputError
from lightning_gans.commands.text_encoder import main
from lightning_gans.text import CharCNNRNN, load_text_encoder, loading, text_encoder_for, training
from lightning_gans.text.recipes import TEXT_RECIPES, TextRecipe, text_encoder_path
from lightning_gans.text.training import train_text_encoder

CONFIGS = Path(__file__).parents[2] / "configs"
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255), "black": (0, 0, 0)}
STILL = TextRecipe("anime", degrees=0, scale=0, shift=0, flip=False)
SMALL = replace(STILL, width=16, channels=(16, 16, 16), length=48, image_size=8, batch_size=32, lr=1e-2)
QUICK, SHORT = replace(SMALL, epochs=15, min_score=0.8), replace(SMALL, epochs=1)


def lay_out(root: Path) -> None:
    """Eight faces of every pair of colours: hair above eyes."""
    (root / "anime").mkdir(parents=True)
    draw = np.random.default_rng(0)
    with open(root / "anime" / "captions.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image", "caption"])
        for number, (hair, eyes) in enumerate((hair, eyes) for hair in COLOURS for eyes in COLOURS for _ in range(8)):
            pixels = np.repeat([[COLOURS[hair]], [COLOURS[eyes]]], 4, axis=0).repeat(8, axis=1)
            noisy = (pixels + draw.normal(0, 20, pixels.shape)).clip(0, 255).astype(np.uint8)
            Image.fromarray(noisy).save(root / "anime" / f"{number:03d}.png")
            table.writerow([f"{number:03d}.png", f"{hair} hair and {eyes} eyes"])


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lay_out(root := tmp_path_factory.mktemp("data"))
    return root


@pytest.fixture(scope="module")
def file(root: Path) -> Path:
    return train_text_encoder(QUICK, root, root / "quick.pt", "cpu")


def trained(path: Path, min_score: float | None = None) -> CharCNNRNN:
    encoder = load_text_encoder(path, min_score)
    assert isinstance(encoder, CharCNNRNN)
    return encoder


def test_pairs_of_colours_that_it_never_saw_are_told_apart(file: Path, root: Path) -> None:
    encoder, stored = trained(file), torch.load(file, weights_only=True)
    assert stored["classes"] == {"train": 23, "test": 2}
    assert encoder.score >= 0.8
    assert encoder.chance == 0.5
    assert encoder.dataset == "anime"
    data = Images("anime", root=str(root), image_size=8)
    data.setup("fit")
    assert stored["data"] == {split: data.fingerprint(split) for split in ("train", "test")}
    assert stored["sha256"] == encoder.fingerprint


def test_what_is_loaded_is_what_was_stored_and_needs_no_gradients(file: Path) -> None:
    encoder, stored = trained(file), torch.load(file, weights_only=True)
    assert all(torch.equal(value, stored["weights"][name]) for name, value in encoder.state_dict().items())
    assert not any(p.requires_grad for p in encoder.parameters())
    assert not encoder.training
    about = encoder.describe()
    assert (about["text_encoder_dataset"], about["text_encoder_score"]) == ("anime", stored["score"])


def test_training_is_a_function_of_the_recipe_and_leaves_random_streams_alone(root: Path) -> None:
    before = torch.get_rng_state()
    with torch.inference_mode():
        one = trained(train_text_encoder(SHORT, root, root / "one.pt", "cpu"))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(5)
    assert trained(train_text_encoder(SHORT, root, root / "one.pt", "cpu")).fingerprint == one.fingerprint
    assert trained(train_text_encoder(replace(SHORT, seed=1), root, root / "one.pt", "cpu")).fingerprint != one.fingerprint


def test_an_encoder_that_is_too_poor_is_stored_with_a_warning_and_refused(root: Path) -> None:
    with pytest.warns(UserWarning, match=r"min_score 100\.00%: its use is refused"):
        path = train_text_encoder(replace(SHORT, min_score=1), root, root / "poor.pt", "cpu")
    score = trained(path, min_score=0).score
    with pytest.raises(InputError, match=rf"retrieves {score:.2%} of the images of held-out classes, less than 100\.00%"):
        load_text_encoder(path)
    trained(path, min_score=score)


def test_a_score_that_is_unknown_is_too_small(file: Path, tmp_path: Path) -> None:
    torch.save({**torch.load(file, weights_only=True), "score": float("nan")}, tmp_path / "c.pt")
    with pytest.raises(InputError, match="nan%"):
        load_text_encoder(tmp_path / "c.pt", min_score=0)


def test_a_rounded_file_is_measured_as_it_is_stored(root: Path) -> None:
    path = train_text_encoder(SHORT, root, root / "c.safetensors", "cpu")
    encoder = trained(path)
    assert all(torch.equal(p, p.half().float()) for p in encoder.parameters() if p.dim() > 1)
    assert path.stat().st_size < 0.7 * train_text_encoder(SHORT, root, root / "c.pt", "cpu").stat().st_size


def test_images_may_be_embedded_by_a_network_that_stays_as_it_is(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Pixels(torch.nn.Module):
        dim = 6

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            assert images.dtype == torch.uint8
            return images.float().unflatten(2, (2, 4)).mean((3, 4)).flatten(1)

    monkeypatch.setattr(training, "find_network", lambda *args: Pixels())
    encoder = trained(train_text_encoder(replace(QUICK, images="inception768"), root, root / "frozen.pt", "cpu"))
    assert encoder.score >= 0.8


def test_files_that_are_damaged_or_something_else_are_refused(file: Path, tmp_path: Path) -> None:
    stored, path = torch.load(file, weights_only=True), tmp_path / "c.pt"

    def refused(words: str) -> None:
        with pytest.raises(InputError, match=rf"c\.pt.*{words}|{words}.*c\.pt"):
            load_text_encoder(path, min_score=0)

    refused("there is no text encoder")
    path.write_bytes(file.read_bytes()[:-200])
    refused("damaged")
    torch.save({**stored, "kind": "lightning_gans.classifier/1"}, path)
    refused("not a text encoder of this version")
    for other in ({"width": 3}, {"channels": [1]}, {"weights": {}}, {"recipe": []}, {"score": "high"}):
        torch.save({**stored, **other}, path)
        refused("damaged")
    stored["weights"]["linear.bias"][0] += 1e-6
    torch.save(stored, path)
    refused("damaged")
    with pytest.raises(InputError, match=r"notes\.txt is no text encoder; give a file \.pt or \.safetensors"):
        load_text_encoder(tmp_path / "notes.txt")


def test_an_encoder_that_is_missing_is_trained_once_and_said(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(training, "rank_zero_info", said.append)
    monkeypatch.setitem(TEXT_RECIPES, "anime", SHORT)
    path = text_encoder_path("anime", root)
    first = load_text_encoder(path)
    assert path == root / "text_encoders" / "char_cnn_rnn_anime.pt"
    assert "no text encoder of anime" in said[0]
    assert "of a held-out class retrieve it first of 2 (50.00% by chance), 16 images in all" in said[1]
    monkeypatch.setattr(training, "train_text_encoder", None)
    assert text_encoder_for("anime", str(root)).fingerprint == first.fingerprint


def test_other_ranks_wait_for_the_first_and_share_its_failure(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failed(objects: list[str | None]) -> None:
        objects[0] = "no space left"

    monkeypatch.setattr("lightning_gans.strategy.world_size", lambda: 2)
    monkeypatch.setattr("torch.distributed.get_rank", lambda: 1)
    monkeypatch.setattr("torch.distributed.broadcast_object_list", failed)
    monkeypatch.setattr(loading, "_train_missing", None)
    with pytest.raises(InputError, match="no space left"):
        text_encoder_for("anime", tmp_path)


def test_data_that_are_missing_or_without_captions_or_classes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="anime/ is not under"):
        text_encoder_for("anime", tmp_path)
    with pytest.raises(InputError, match=r"recipe for 'anme' \(did you mean anime"):
        text_encoder_for("anme", tmp_path)
    with pytest.raises(InputError, match="digits has no captions"):
        train_text_encoder(replace(SHORT, dataset="digits"), tmp_path)
    lay_out(tmp_path)
    table = tmp_path / "anime" / "captions.csv"
    rows = table.read_text().splitlines()
    table.write_text("\n".join([rows[0], *(f"{row.split(',')[0]},red hair" for row in rows[1:])]))
    with pytest.raises(InputError, match="has one class, a text encoder needs two"):
        train_text_encoder(SHORT, tmp_path)


@pytest.mark.parametrize("name", TEXT_RECIPES)
def test_configs_are_the_recipes_that_missing_encoders_are_trained_by(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr("lightning_gans.commands.text_encoder.train_text_encoder", _recorder(asked))
    main([f"--config=text_encoder_{name}"])
    main(["--dataset", name])
    main(["--dataset", name, "--epochs=3", "--channels=[1,2,3]", "--root=elsewhere", "--out=c.pt", "--device=cpu"])
    recipe = TEXT_RECIPES[name]
    assert asked[:2] == [(recipe, "data", None, "auto")] * 2
    assert asked[2] == (replace(recipe, epochs=3, channels=(1, 2, 3)), "elsewhere", "c.pt", "cpu")
    assert all(f"\n{setting}: " in (CONFIGS / f"text_encoder_{name}.yaml").read_text() for setting in vars(recipe))


def _recorder(asked: list[tuple[object, ...]]) -> object:
    def train_text_encoder(recipe: TextRecipe, root: str = "data", out: str | None = None, device: str = "auto") -> None:
        asked.append((recipe, root, out, device))

    return train_text_encoder


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--epochs=many"], "epochs.*int.*many"),
        (["--channels=[1,2]"], "channels"),
        (["--epoch_count=3"], r"epoch_count.*lightning text-encoder --help"),
        (["--config=missing.yaml"], r"missing\.yaml"),
        (["--batch_size=1"], "batch_size is 1, .* at least 2"),
        (["--min_score=5"], "min_score is 5"),
        (["--images=vgg", "--root={root}", "--image_size=8"], "images is 'vgg'.*lenet, resnet"),
    ],
)
def test_settings_that_do_not_fit_are_refused(arguments: list[str], words: str, root: Path) -> None:
    with pytest.raises(InputError, match=words):
        main([argument.format(root=root) for argument in arguments])


def test_the_command_trains_and_stores(root: Path, tmp_path: Path) -> None:
    small = ["--width=4", "--channels=[4,4,4]", "--length=48", "--image_size=8", "--epochs=1", "--min_score=0"]
    main([f"--root={root}", *small, f"--out={tmp_path / 'c.pt'}", "--device=cpu"])
    assert trained(tmp_path / "c.pt").width == 4


def test_every_class_counts_the_same_in_the_score(root: Path) -> None:
    data = Images("anime", root=str(root), image_size=8)
    data.setup("fit")
    encoder, tower = CharCNNRNN(4, (4, 4, 4), 48), torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 4))
    pairs = training._Pairs.of(data, "train")
    crowded = replace(pairs, numbers=pairs.numbers.clamp(max=3), classes=4)  # nearly all are of the last
    means = training.class_means(encoder(pairs.captions(rows := torch.arange(184), rows * 0)), crowded.numbers, 4)
    found = (tower(pairs.images(rows)) @ means.T).argmax(1) == crowded.numbers
    expected = [float(found[crowded.numbers == number].double().mean()) for number in range(4)]
    assert training.measure_score(encoder, tower, crowded) == pytest.approx(sum(expected) / 4)


def test_captions_of_real_faces_are_read_whole_and_told_apart(shared_data: Path) -> None:
    if not (shared_data / "anime" / "captions.csv").is_file():
        pytest.skip("no captioned anime faces")
    encoder = CharCNNRNN(16, (16, 16, 16), TEXT_RECIPES["anime"].length)
    with open(shared_data / "anime" / "captions.csv", newline="") as file:
        texts = sorted({row["caption"] for row in csv.DictReader(file) if row["caption"].count(" ") < 7})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        codes = encoder.codes(texts)
    encoder.check(codes)
    assert len(encoder(codes).unique(dim=0)) == len(texts) > 1000
