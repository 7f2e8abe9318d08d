"""What the user can get wrong: status 2, one sentence that names it, no traceback, and nothing left behind."""

from __future__ import annotations

import gzip
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_gans import Images, InputError
from lightning_gans.cli import main

CONFIGS = Path(__file__).parents[1] / "configs"
QUIET = ["--trainer.max_steps=2", "--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false"]
GAAN = ["fit", "--model=GAAN", "--trainer.accelerator=cpu", *QUIET]
GAN = ["fit", "--model=GAN", "--trainer.accelerator=cpu", *QUIET]
MNIST = ["fit", f"--config={CONFIGS / 'dcgan_mnist.yaml'}", "--trainer.accelerator=cpu", *QUIET]
TRAIN_IMAGES = "train-images-idx3-ubyte"

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.usefixtures("folder")]


@pytest.fixture
def refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., None]:
    """Runs the command and sees that it is refused as it should be, in a sentence with the given words."""

    def refuse(arguments: list[str], *words: str) -> None:
        before = files(folder)
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        sentence = the_sentence(stopped.value.code, capsys.readouterr().err)
        assert [word for word in words if word not in sentence] == [], sentence
        assert files(folder) - before == set(), "something was left behind"

    return refuse


def the_sentence(status: object, stderr: str) -> str:
    """What the command says is wrong."""
    assert status == 2
    assert "Traceback" not in stderr
    lines = stderr.splitlines()
    said = [line for line in lines if line.startswith("lightning: error: ")]
    assert len(said) == 1
    assert lines[-1] == said[0], "it goes on after its sentence"
    sentence = said[0].removeprefix("lightning: error: ")
    assert not re.search(r"[a-z)][.!?] [A-Z]", sentence), f"more than one sentence: {sentence}"
    return sentence


def files(folder: Path) -> set[Path]:
    """All files; a dataset that was packed whole is no loss."""
    whole = {pack.parent for pack in folder.rglob("pack.json") if not pack.parent.name.startswith(".")}
    return {file for file in folder.rglob("*") if file.is_file() and file.parent not in whole}


@pytest.fixture(scope="module")
def gan_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GAN on points, trained for two steps."""
    folder = tmp_path_factory.mktemp("gan")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["lightning"])
        main([*GAN, "--evaluation.num_samples=10", "--pictures.num_points=10"])
    return next(folder.rglob("last.ckpt"))


def mlp(network: str, **settings: object) -> list[str]:
    """Arguments that put an MLP in the place of a network."""
    return [f"--model.{network}=lightning_gans.MLP", *(f"--model.{network}.{key}={value}" for key, value in settings.items())]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        pytest.param([*GAAN, "--data.dataset=cifra10"], ["cifra10", "grid25", "digits"], id="unknown dataset"),
        pytest.param([*GAAN, "--data.dataset=no/such/images"], ["no/such/images"], id="missing folder"),
        pytest.param([*GAAN, "--data.dataset=images.zip"], ["images.zip"], id="missing archive"),
        pytest.param(MNIST, [TRAIN_IMAGES, "data.root"], id="missing MNIST files"),
        pytest.param([*GAAN, "--data.dataset=grid24"], ["24"], id="grid of no square"),
        pytest.param([*GAAN, "--data.batch_size=50001"], ["data.batch_size", "50001", "50000"], id="batch larger than the set"),
        pytest.param([*GAAN, "--data.dataset=grid100000000"], ["grid100000000", "modes"], id="more modes than points"),
        pytest.param([*GAAN, "--data.image_size=1000000"], ["1,000,000 pixels", "memory"], id="images that no memory holds"),
        pytest.param(
            [*GAAN, f"--evaluation.num_samples={10**18}"], ["evaluation.num_samples", "memory"], id="samples likewise"
        ),
        pytest.param([*GAAN, f"--pictures.num_points={10**18}"], ["pictures.num_points", "memory"], id="points likewise"),
        pytest.param([*GAAN, "--trainer.limit_train_batches=0"], ["limit_train_batches is 0"], id="no batches"),
        pytest.param([*GAAN, "--trainer.limit_train_batches=1e-6"], ["limit_train_batches", "391"], id="a share of no batch"),
        pytest.param(
            [*GAAN, "--trainer.check_val_every_n_epoch=2"],
            ["check_val_every_n_epoch", "evaluation.every_n_steps"],
            id="no validation",
        ),
        pytest.param(
            [*GAAN, "--trainer.val_check_interval=5"],
            ["val_check_interval", "evaluation.every_n_steps"],
            id="no validation in between",
        ),
        pytest.param(["fit", "--config=/dev/zero"], ["/dev/zero is no file"], id="config that never ends"),
        pytest.param(
            [*GAAN, "--data.dataset=/dev/zero"], ["/dev/zero is neither a folder nor a regular file"], id="data likewise"
        ),
        pytest.param([*GAAN, "--data.batch_size=0"], ["data.batch_size", "0"], id="batch of none"),
        pytest.param([*GAAN, "--data.num_predict=0"], ["data.num_predict", "0"], id="no samples to predict"),
        pytest.param([*MNIST, "--data.dataset=digits"], ["1x28x28", "1x8x8"], id="networks of another image size"),
        pytest.param(
            [*GAN, *mlp("generator", output="tanh"), "--model.data_range=[0,1]"],
            ["data_range", "[-1.0, 1.0]"],
            id="tanh for data in [0, 1]",
        ),
        pytest.param([*GAAN, "--model.phi=null", *mlp("generator", output="tanh")], ["logits", "sigmoid"], id="no logits"),
        pytest.param([*GAAN, "--model.data_scale=1"], ["data_scale"], id="data_scale too small"),
        pytest.param([*GAAN, "--model.data_scale=0"], ["data_scale"], id="data_scale 0"),
        pytest.param(
            [
                *GAN,
                "--model.prior=lightning_gans.Uniform",
                "--model.prior.dim=3",
                *mlp("generator", inputs=2, output="sigmoid"),
            ],
            ["generator", "3"],
            id="prior of 3 for a generator of 2",
        ),
        pytest.param([*GAAN, *mlp("encoder", outputs=5)], ["encoder", "5", "prior", "2"], id="encoder to 5 for a prior of 2"),
        pytest.param([*GAN, *mlp("discriminator", inputs=3, outputs=1)], ["GAN", "grid25", "3"], id="discriminator of 3"),
        pytest.param([*GAAN, "--model.lambda_r=-1"], ["lambda_r", "-1"], id="negative lambda"),
        pytest.param([*GAAN, "--model.lambda_r=.nan"], ["lambda_r", "nan"], id="lambda NaN"),
        pytest.param([*GAAN, "--model.lambda_p=.inf"], ["lambda_p", "inf"], id="lambda infinite"),
        pytest.param([*GAAN, "--model.discriminator_steps=0"], ["discriminator_steps"], id="no discriminator step"),
        pytest.param(
            [*GAAN, "--model.optimizers={critic: {class_path: lightning_gans.Adam}}"],
            ["critic", "autoencoder, discriminator, generator"],
            id="optimizer of an unknown player",
        ),
        pytest.param(["fit", *QUIET, "--model=GAAAN"], ["GAAAN"], id="unknown model"),
        pytest.param(["fit", *QUIET, "--model=lightning_gans.GAAAN"], ["GAAAN"], id="unknown model of ours"),
        pytest.param(["fit", *QUIET, "--model=my_missing_file.GAN"], ["my_missing_file"], id="model in a missing file"),
        pytest.param(["fit", *QUIET, "--model=torch.nn.Linear"], ["torch.nn.Linear"], id="a class that is no model"),
        pytest.param(["fit", *QUIET], ["model"], id="no model"),
        pytest.param([*GAAN, "--model.lambda_q=1"], ["lambda_q"], id="unknown option of the model"),
        pytest.param([*GAAN, "--trainer.max_stepz=1"], ["max_stepz"], id="unknown option of the trainer"),
        pytest.param([*GAAN, "--nonsense=1"], ["nonsense"], id="unknown option"),
        pytest.param([*GAAN, "--data.batch_size=many"], ["data.batch_size", "many"], id="text for a number"),
        pytest.param([*GAAN, "--model.lambda_r=big"], ["lambda_r", "big"], id="text for a number of the model"),
        pytest.param([*GAN, "--model.loss=hard"], ["loss", "hard"], id="unknown choice"),
        pytest.param([*GAAN, "--trainer.max_steps=0"], ["trainer.max_steps", "0"], id="max_steps 0"),
        pytest.param([*GAAN, "--trainer.max_epochs=0"], ["trainer.max_epochs", "0"], id="max_epochs 0"),
        pytest.param([*GAAN, "--trainer.accelerator=gpus"], ["gpus"], id="unknown accelerator"),
        pytest.param([*GAAN, "--ckpt_path=no.ckpt"], ["no.ckpt"], id="missing checkpoint to resume"),
        pytest.param(["test", "--ckpt_path=no.ckpt"], ["no.ckpt"], id="missing checkpoint to test"),
        pytest.param(["test", "--ckpt_path"], ["ckpt_path"], id="no checkpoint after --ckpt_path"),
        pytest.param(["fit", "--config=no.yaml"], ["no.yaml"], id="missing config"),
        pytest.param([*GAAN, "--evaluation.weights=ema"], ["evaluation.weights", "lightning_gans.EMA"], id="ema without EMA"),
        pytest.param([*GAAN, "--evaluation.modes=pacgan"], ["evaluation.modes", "pacgan"], id="unknown counting protocol"),
        pytest.param([*GAAN, "--evaluation.num_samples=0"], ["num_samples"], id="nothing to measure"),
        pytest.param(["fti"], ["fti"], id="unknown command"),
    ],
)
def test_one_sentence_names(arguments: list[str], names: list[str], refused: Callable[..., None]) -> None:
    refused(arguments, *names)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_an_accelerator_that_is_not_there(refused: Callable[..., None]) -> None:
    refused(["fit", "--model=GAAN", *QUIET, "--trainer.accelerator=cuda"], "CUDA")


def test_a_log_directory_below_a_file(folder: Path, refused: Callable[..., None]) -> None:
    (folder / "file").write_text("not a folder")
    refused([*GAAN, "--trainer.default_root_dir=file/x"], "file/x")


@pytest.mark.parametrize("text", ["model: [", "model: {class_path: GAAN", "just words", "- 1\n- 2"])
def test_a_config_that_is_no_config(text: str, folder: Path, refused: Callable[..., None]) -> None:
    (folder / "bad.yaml").write_text(text)
    refused(["fit", "--config=bad.yaml"], "bad.yaml")


@pytest.mark.parametrize("content", [b"these are no weights", b"", b"PK\x03\x04 cut off"], ids=["text", "empty", "cut zip"])
@pytest.mark.parametrize("command", [GAAN, ["test"], ["test", "--model=GAAN"]], ids=["fit", "test", "test with a model"])
def test_a_checkpoint_that_is_none(command: list[str], content: bytes, folder: Path, refused: Callable[..., None]) -> None:
    (folder / "bad.ckpt").write_bytes(content)
    refused([*command, "--ckpt_path=bad.ckpt"], "bad.ckpt")


@pytest.mark.parametrize("command", [GAAN, ["test", "--model=GAAN"]], ids=["fit", "test"])
def test_the_checkpoint_of_another_paper(command: list[str], gan_checkpoint: Path, refused: Callable[..., None]) -> None:
    refused([*command, f"--ckpt_path={gan_checkpoint}"], "of GAN", "of GAAN")


def test_the_checkpoint_of_other_networks(gan_checkpoint: Path, refused: Callable[..., None]) -> None:
    refused([*GAN, *mlp("generator", hidden=[64], output="sigmoid"), f"--ckpt_path={gan_checkpoint}"], "generator")


def _truncated(raw: Path) -> None:
    packed = gzip.compress(b"\0\0\x08\x03" + bytes(10_000), mtime=0)
    (raw / f"{TRAIN_IMAGES}.gz").write_bytes(packed[: len(packed) // 2])


def _altered(raw: Path) -> None:
    header = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (60_000, 28, 28))
    (raw / f"{TRAIN_IMAGES}.gz").write_bytes(gzip.compress(header + bytes(60_000 * 28 * 28), compresslevel=1, mtime=0))


def _truncated_idx(raw: Path) -> None:
    header = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (60_000, 28, 28))
    (raw / TRAIN_IMAGES).write_bytes(header + bytes(28 * 28))


@pytest.mark.parametrize("damage", [_truncated, _altered, _truncated_idx])
def test_damaged_mnist_files(damage: Callable[[Path], None], folder: Path, refused: Callable[..., None]) -> None:
    raw = folder / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    damage(raw)
    for name in ("train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (raw / f"{name}-ubyte.gz").write_bytes(b"")
    refused(MNIST, TRAIN_IMAGES)
    assert not list(folder.rglob("pack.json"))


def _a_text_file(images: Path) -> str:
    (images / "notes.txt").write_text("no image")
    return "notes.txt"


def _unreadable(images: Path) -> str:
    (images / "b.png").write_bytes(b"no image either")
    return "b.png"


def _cut_off(images: Path) -> str:
    (images / "b.png").write_bytes((images / "a.png").read_bytes()[:-40])
    return "b.png"


@pytest.mark.parametrize("spoil", [_a_text_file, _unreadable, _cut_off])
def test_a_folder_with_something_else_in_it(spoil: Callable[[Path], str], folder: Path, refused: Callable[..., None]) -> None:
    images = folder / "images"
    images.mkdir()
    Image.effect_noise((28, 28), 80).save(images / "a.png")
    name = spoil(images)
    refused([*MNIST, "--data.dataset=images"], f"{name} in images")
    assert not list(folder.rglob("pack.json"))


@pytest.mark.parametrize("content", [b"", b"no arrays"], ids=["empty", "text"])
def test_an_npz_that_is_none(content: bytes, folder: Path, refused: Callable[..., None]) -> None:
    (folder / "made.npz").write_bytes(content)
    refused([*MNIST, "--data.dataset=made.npz"], "made.npz")


def test_an_npz_of_floats(folder: Path, refused: Callable[..., None]) -> None:
    np.savez(folder / "made.npz", images=np.zeros((4, 28, 28), np.float32))
    refused([*MNIST, "--data.dataset=made.npz"], "float32")


def test_a_batch_that_the_devices_cannot_share() -> None:
    data = Images(batch_size=128)
    data.trainer = SimpleNamespace(world_size=3, global_rank=0, strategy=SimpleNamespace(root_device=torch.device("cpu")))
    with pytest.raises(InputError, match=r"data\.batch_size is 128, which 3 devices cannot share"):
        first_batches(data)


def first_batches(data: Images) -> None:
    """What the trainer asks for before the first step."""
    data.prepare_data()
    data.setup("fit")
    data.train_dataloader()


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file can become longer than 20,000 bytes, which ends as it does on a full disk."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("full_disk")
def test_a_disk_that_is_full_while_packing(folder: Path, refused: Callable[..., None]) -> None:
    refused([*MNIST, "--data.dataset=digits"], "no space left in data/packed")
    assert files(folder) == set()
