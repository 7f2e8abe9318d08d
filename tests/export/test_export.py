"""An export of a checkpoint: the same samples, nothing that is unpickled, and whatever does not fit said in a sentence."""

from __future__ import annotations

import errno
import json
import os
import runpy
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from lightning_gans import InputError, load_exported
from lightning_gans.command_line import make_model, make_ready
from lightning_gans.commands.export import main
from lightning_gans.export.folder import MANIFEST, sum_of
from lightning_gans.export.weights import text_encoder_of
from lightning_gans.text import StoredEmbeddings
from lightning_gans.trust import find_own
from tests.export.models import KINDS, STEP, write_checkpoint
from tests.test_cli import MY_PAPER

pytestmark = pytest.mark.filterwarnings("ignore")


def exported(kind: str, folder: Path, *options: str, **others: Any) -> Path:
    """The folder of an export of a small model."""
    main([f"--ckpt_path={write_checkpoint(kind, folder, **others)}", f"--to={folder / 'export'}", *options])
    return folder / "export"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the export of a model of each kind, as ``KIND/export``."""
    folder = tmp_path_factory.mktemp("exports")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PL_GLOBAL_SEED", "0")  # which the command sets to that of the checkpoint
        for kind in KINDS:
            exported(kind, folder / kind)
    return folder


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Path:
    """An export that a test may spoil."""
    return Path(shutil.copytree(made / "gan" / "export", tmp_path / "copied"))


def sampled(model: Any, condition: Any) -> Tensor:
    with torch.no_grad():
        return model.sample(6, condition, torch.Generator().manual_seed(4))


def some_condition(kind: str) -> Tensor | None:
    if kind == "gan_cls":
        return torch.tensor([[*b"red hair"], [*b"blue bag"]]).repeat(3, 1)
    return torch.arange(6) if kind == "conditional_gan" else None


def with_sums(folder: Path) -> None:
    """Let the manifest have the sums of the files as they are now: whoever changes them can do that, too."""
    manifest = yaml.safe_load((folder / MANIFEST).read_text())
    manifest["files"] = {name: sum_of((folder / name).read_bytes()) for name in manifest["files"]}
    (folder / MANIFEST).write_text(yaml.safe_dump(manifest, sort_keys=False))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_loaded_samples_as_the_checkpoint_bit_for_bit(kind: str, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = torch.load(made / kind / f"{kind}.ckpt", weights_only=True)
    model = make_model(yaml.safe_load(stored["config"])["model"])
    model.load_state_dict(stored["state_dict"])
    if kind == "gan_cls":
        monkeypatch.setattr("torch.load", lambda *args, **settings: pytest.fail("something is unpickled"))
    monkeypatch.setenv("PL_GLOBAL_SEED", "11")
    before = torch.get_rng_state()
    loaded = load_exported(made / kind / "export")
    assert torch.equal(torch.get_rng_state(), before)
    assert os.environ["PL_GLOBAL_SEED"] == "11"
    assert type(loaded) is type(model)
    assert not any(module.training for module in loaded.modules())
    assert loaded.state_dict().keys() == stored["state_dict"].keys()
    assert all(torch.equal(value, stored["state_dict"][name]) for name, value in loaded.state_dict().items())
    given = some_condition(kind)
    assert torch.equal(sampled(loaded, given), sampled(model.eval(), given))
    config = yaml.safe_load((made / kind / "export" / "config.yaml").read_text())
    before = yaml.safe_load(stored["config"])
    before["data"].pop("root", None)  # which is nobody else's, like the folder of the runs
    assert config == {**before, "trainer": {"max_steps": 7}}


@pytest.mark.parametrize("kind", ["gan", "vae", "conditional_gan", "gan_cls"])
def test_the_example_runs_as_it_stands_anywhere(kind: str, made: Path, folder: Path) -> None:
    export = made / kind / "export"
    ran = runpy.run_path(str(export / "example.py"))
    model = load_exported(export)
    with torch.no_grad():
        wanted = model.sample(len(ran["samples"]), ran.get("condition"), torch.Generator().manual_seed(0))
    assert torch.equal(ran["samples"], wanted)
    assert len(wanted) == (2000 if wanted.dim() == 2 else 64)
    for picture in (folder / "samples.png", export / "samples.png"):
        assert np.asarray(Image.open(picture).convert("L")).std() > 1, "it shows something"
    if kind == "conditional_gan":
        assert torch.equal(ran["condition"], torch.arange(2000) % 25)
    if kind == "gan_cls":
        assert torch.equal(ran["condition"], load_file(export / "conditions.safetensors")["condition"])
        assert bytes(ran["condition"][0].tolist()).rstrip(b"\0").decode().endswith("hair")
        assert 'model.text_encoder.codes(["a text of yours"] * 64)' in (export / "example.py").read_text()


def test_an_export_has_its_files_and_no_others(made: Path) -> None:
    common = {"LICENSE", "README.md", "config.yaml", "example.py", "manifest.yaml", "model.safetensors", "samples.png"}
    for kind in KINDS:
        files = {file.name for file in (made / kind / "export").iterdir()}
        assert files == (common | {"conditions.safetensors"} if kind == "gan_cls" else common), kind
    assert (made / "gan" / "export" / "LICENSE").read_text().startswith("MIT License")
    manifest = yaml.safe_load((made / "gan_cls" / "export" / MANIFEST).read_text())
    assert (manifest["model"], manifest["step"]) == ("GANCLS", STEP)
    assert manifest["text_encoder"]["class_path"] == "lightning_gans.CharCNNRNN"


@pytest.mark.parametrize("name", ["model.safetensors", "config.yaml"])
def test_what_was_damaged_changed_or_lost_is_refused(name: str, copied: Path) -> None:
    content = bytearray((copied / name).read_bytes())
    content[-3] ^= 1
    (copied / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"{name} is damaged, or was changed after the export; export or fetch it anew"):
        load_exported(copied)
    (copied / name).unlink()
    with pytest.raises(InputError, match=rf"{name} cannot be read \(No such file or directory\)"):
        load_exported(copied)


def test_what_is_no_export_is_refused(copied: Path, tmp_path: Path) -> None:
    for folder in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(InputError, match="there is no export in"):
            load_exported(folder)
    (copied / MANIFEST).write_text("kind: another\nfiles: {}\n")
    with pytest.raises(InputError, match="there is no export in"):
        load_exported(copied)
    with pytest.raises(InputError, match="weights"):
        load_exported(copied, "average")


def test_weights_of_other_networks_or_that_are_no_numbers_are_refused(copied: Path) -> None:
    weights = load_file(copied / "model.safetensors")
    name = next(iter(weights))
    for changed, said in (
        ({**weights, name: torch.full_like(weights[name], torch.nan)}, f"weights of {name} .*NaN"),
        ({**weights, name: weights[name][:1]}, "has other networks than its config makes"),
        ({key: value for key, value in weights.items() if key != name}, f"other networks .*{name} differs"),
        ({**weights, "another": weights[name].clone()}, "other networks .*another differs"),
    ):
        save_file(changed, copied / "model.safetensors")
        with_sums(copied)
        with pytest.raises(InputError, match=said):
            load_exported(copied)
    (copied / "model.safetensors").write_bytes(b"no weights")
    with_sums(copied)
    with pytest.raises(InputError, match="holds no weights"):
        load_exported(copied)


@pytest.mark.parametrize("where", ["config", "manifest"])
def test_an_export_may_not_name_what_runs_other_code(where: str, copied: Path, tmp_path: Path) -> None:
    evil = {"class_path": "os.system", "init_args": {"command": f"touch {tmp_path / 'ran'}"}}
    file = copied / ("config.yaml" if where == "config" else MANIFEST)
    content = yaml.safe_load(file.read_text())
    if where == "config":
        content["model"]["init_args"]["generator"] = evil
    else:
        content["text_encoder"] = evil
    file.write_text(yaml.safe_dump(content))
    with_sums(copied)
    with pytest.raises(InputError, match=r"names os\.system, which would run code"):
        load_exported(copied)
    assert not (tmp_path / "ran").exists()


def test_a_game_of_ones_own_is_loaded_by_whoever_trusts_it(folder: Path) -> None:
    (folder / "my_game.py").write_text(MY_PAPER)
    config = {"seed_everything": 3, "model": {"class_path": "my_game.MyGame", "init_args": {"width": 4}}, "data": {}}
    make_ready()
    find_own([], [config])
    model = make_model(config["model"])
    stored = {"state_dict": model.state_dict(), "global_step": 1, "epoch": 0, "config": yaml.safe_dump(config)}
    torch.save({**stored, "game": {"paper": "MyGame", "seed": 3}}, "my.ckpt")
    with pytest.raises(InputError, match=r"names my_game\.MyGame, which would run code"):
        main(["--ckpt_path=my.ckpt", "--to=export"])
    main(["--ckpt_path=my.ckpt", "--to=export", "--trust"])
    with pytest.raises(InputError, match=r"names my_game\.MyGame, which would run code"):
        load_exported("export")
    assert torch.equal(sampled(load_exported("export", trusted=True), None), sampled(model, None))
    assert "Paper: A game of one's own." in Path("export/README.md").read_text()


def test_averaged_weights_are_beside_the_raw_ones(tmp_path: Path) -> None:
    state = torch.load(write_checkpoint("gan", tmp_path), weights_only=True)["state_dict"]
    averages = {name: value + 1 for name, value in state.items() if name.startswith("generator.")}
    average = {f"module.{name.removeprefix('generator.')}": value for name, value in averages.items()}
    ema = {"EMA": {"average": {**average, "n_averaged": torch.tensor(3)}}}
    export = exported("gan", tmp_path / "ema", callbacks=ema)
    assert load_file(export / "model_ema.safetensors").keys() == averages.keys()
    raw, averaged = load_exported(export), load_exported(export, "ema")
    for name, value in averaged.state_dict().items():
        assert torch.equal(value, averages.get(name, state[name])), name
        assert torch.equal(raw.state_dict()[name], state[name])
    assert 'load_exported(folder)  # weights="ema"' in (export / "example.py").read_text()
    assert "model_ema.safetensors" in (export / "README.md").read_text()
    with pytest.raises(InputError, match="has no averaged weights; take the raw ones"):
        load_exported(exported("gan", tmp_path / "raw"), "ema")


def test_only_a_new_or_empty_folder_or_that_of_an_earlier_export_is_written_to(copied: Path, tmp_path: Path) -> None:
    checkpoint = write_checkpoint("gan", tmp_path / "checkpoint")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    for place, said in ((tmp_path / "file", "is a file"), (tmp_path / "full", "there are other files in")):
        with pytest.raises(InputError, match=f"{said}.*give --to a folder that is new, empty, or of an earlier export"):
            main([f"--ckpt_path={checkpoint}", f"--to={place}"])
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"
    manifest = yaml.safe_load((copied / MANIFEST).read_text())
    (copied / "generator.onnx").write_text("of an earlier one")
    (copied / "notes.txt").write_text("mine")
    manifest["files"]["generator.onnx"] = ""
    manifest["files"]["../file"] = ""
    (copied / MANIFEST).write_text(yaml.safe_dump(manifest))
    main([f"--ckpt_path={checkpoint}", f"--to={copied}"])
    assert not (copied / "generator.onnx").exists(), "it is of other weights"
    assert (copied / "notes.txt").exists()
    assert (tmp_path / "file").read_text() == "mine", "nothing outside is touched"
    load_exported(copied)


def test_where_there_is_no_room_or_no_right_nothing_is_left(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = write_checkpoint("gan", tmp_path / "checkpoint")
    before = {file.name: file.read_bytes() for file in copied.iterdir()}

    def full(self: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        for place in (copied, tmp_path / "new"):
            with pytest.raises(InputError, match=rf"{place.name} cannot be written \(No space left on device\)"):
                main([f"--ckpt_path={checkpoint}", f"--to={place}"])
    assert {file.name: file.read_bytes() for file in copied.iterdir()} == before
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint", "copied"}
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot be written \(.*\); give --to a place of yours with room"):
        main([f"--ckpt_path={checkpoint}", f"--to={tmp_path / 'file' / 'below'}"])


def test_what_is_no_checkpoint_or_has_no_samples_is_refused(tmp_path: Path) -> None:
    (tmp_path / "it.ckpt").write_text("no checkpoint")
    with pytest.raises(InputError, match=r"it\.ckpt is not a checkpoint"):
        main([f"--ckpt_path={tmp_path / 'it.ckpt'}", f"--to={tmp_path / 'export'}"])
    assert not (tmp_path / "export").exists()


def test_captions_that_are_looked_up_in_a_file_cannot_travel(tmp_path: Path) -> None:
    np.savez(tmp_path / "texts.npz", captions=np.array(["red hair"]), embeddings=np.zeros((1, 5), np.float32))
    model = SimpleNamespace(text_encoder=StoredEmbeddings(tmp_path / "texts.npz"))
    with pytest.raises(InputError, match="reads captions by stored_embeddings, out of files which an export cannot have"):
        text_encoder_of(model)
    assert text_encoder_of(SimpleNamespace()) is None


def test_what_the_run_says_is_on_the_card(tmp_path: Path) -> None:
    record = {"stage": "fit", "step": STEP, "num_samples": 2000, "n_real": 10000, "split": "test", "noise_seed": 0}
    record |= {"seed": 3, "weights": "raw", "modes": 21.0, "registered": 1500, "modes_std": 2.0, "kl": float("nan")}
    run = {"devices": 1, "device": "cpu", "precision": "32-true", "parameters": {"generator": 32}, "versions": {"torch": "2"}}
    code = {"version": "0.1.0", "commit": "abcdef0123456789", "dirty": True}
    (tmp_path / "run.json").write_text(json.dumps({**run, "code": code, "went_on_from": "/home/me/last.ckpt"}))
    lines = [{**record, "modes": 3.0}, record, {**record, "step": STEP + 1, "modes": 25.0}]
    (tmp_path / "evaluation.jsonl").write_text("\n".join(map(json.dumps, lines)))
    text = (exported("gan", tmp_path) / "README.md").read_text()
    hub = pytest.importorskip("huggingface_hub")
    data = hub.ModelCard(text).data
    assert (data.license, data.library_name, data.datasets) == ("mit", "lightning-gans", ["grid25"])
    assert {one.metric_type: one.metric_value for one in data.eval_results} == {"modes": 21.0, "registered": 1500.0}
    assert data.eval_results[0].metric_name == (
        "modes (n = 2,000 samples and 10,000 real ones (test), training seed 3, noise seed 0, raw weights)"
    )
    assert data.eval_results[0].dataset_split == "test"
    for said in (
        "| modes | 21 | n = 2,000 samples",
        "Paper: Generative Adversarial Nets (Goodfellow et al., 2014).",
        "- steps: 7 batches of 32",
        "- seed: 3",
        "git abcdef012345 with changes",
        "- went on from another run: yes",
        "![Samples](samples.png)",
        "The data are made by the package.",
        "Uniform(dim=2",
    ):
        assert said in text
    assert "/home/me" not in text, "whose machine it was is nobody's business"
    assert "25" not in text.partition("## Results")[2].partition("##")[0], "later weights were measured there"


def test_the_card_says_what_is_not_known(made: Path) -> None:
    text = (made / "gan_cls" / "export" / "README.md").read_text()
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["pipeline_tag"] == "text-to-image"
    assert "datasets" not in front, "a path is no name"
    assert "model-index" not in front
    assert "Nothing was measured of these very weights" in text
    assert str(made) not in text
    assert "makes 4x4 colour images of captions" in text
    of_digits = (made / "vae" / "export" / "README.md").read_text()
    assert "8x8 grey images" in of_digits
    assert "which may bind the weights: CC BY 4.0 (UCI)." in of_digits
