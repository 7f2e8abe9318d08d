"""``lightning probe``: the numbers of the functions, on the model and the data of a checkpoint."""

from __future__ import annotations

import json
import math
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from torch import Tensor
from torch.optim.swa_utils import update_bn

from lightning_gans import InputError
from lightning_gans.__main__ import main as lightning
from lightning_gans.cli import main as train
from lightning_gans.commands.probe import main
from lightning_gans.evaluation.probes.assumed import assume_normal
from lightning_gans.evaluation.probes.classification import few_labels, knn_probe, linear_probe, pooled_features, svm_probe
from lightning_gans.evaluation.probes.clustering import clustering_error, kmeans_error, nmi
from lightning_gans.evaluation.probes.densities import density_kl_1d, parzen_log_likelihood
from lightning_gans.evaluation.probes.likelihood import log_likelihood
from lightning_gans.evaluation.samples.drawing import samples
from lightning_gans.randomness import keyed_generator
from lightning_gans.restore import restore

DIGITS = Path(__file__).parents[1] / "configs" / "gaan_digits.yaml"
SHORT = ["--trainer.max_steps=2", "--trainer.accelerator=cpu", "--trainer.devices=1", "--trainer.enable_progress_bar=false"]
QUIET = ["--evaluation.modes=null", "--pictures.kinds=[]", "--trainer.enable_model_summary=false", "--trainer.logger=false"]
CPU = "--trainer.accelerator=cpu"
TELLER = '''
"""GAN that can tell ten clusters apart, and no encoder."""

from lightning_gans import GAN


class Teller(GAN):
    def classify(self, images):
        rows = images.flatten(1)[:, :60].unflatten(1, (10, 6))
        return rows.sum(2)

    def features(self, images, layers, condition=None):
        return self.discriminator.features(self.normalize(images), layers)

    def sample(self, n, condition=None, generator=None):
        images = super().sample(n, condition, generator)
        return images if condition is None else images * condition.view(-1, 1, 1, 1) / 9
'''

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of GAAN on the digits, one of a GAN on 25 Gaussians, and one of a GAN on the digits that classifies."""
    root = tmp_path_factory.mktemp("runs")
    (root / "teller.py").write_text(TELLER)
    networks = [
        *("--model.prior=lightning_gans.Uniform", "--model.prior.dim=2"),
        *("--model.generator=lightning_gans.ConvGenerator", "--model.generator.latent_dim=2"),
        *("--model.generator.image_shape=[1,8,8]", "--model.generator.widths=[8,8]", "--model.generator.output=sigmoid"),
        *("--model.discriminator=lightning_gans.ConvNet", "--model.discriminator.image_shape=[1,8,8]"),
        *("--model.discriminator.outputs=1", "--model.discriminator.widths=[8,8]", "--model.data_scale=1"),
    ]
    runs = {
        "gaan": ["--config", str(DIGITS), "--data.batch_size=500"],
        "gan": ["--model=GAN", "--data.dataset=grid25"],
        "teller": ["--model=teller.Teller", *networks, "--data.dataset=digits", "--data.batch_size=500"],
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setattr(sys, "path", [*sys.path])
        patch.setattr(sys, "argv", ["lightning"])
        for name, settings in runs.items():
            train(["fit", *settings, *SHORT, *QUIET, f"--trainer.default_root_dir=runs/{name}"])
            (run,) = Path("runs", name).glob("*/version_0")
            run.rename(name)
    return root


@pytest.fixture
def here(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the runs, as the working directory."""
    shutil.copytree(folder, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path / "here"


def checkpoint(name: str) -> Path:
    return Path(name, "checkpoints", "last.ckpt")


def probe(kind: str, *options: str, of: str = "gaan") -> dict[str, Any]:
    """The line that the command adds."""
    main([kind, "--ckpt_path", str(checkpoint(of)), *options, CPU, *(["--trust"] if of == "teller" else [])])
    return json.loads(Path(of, "probes.jsonl").read_text().splitlines()[-1])


class Restored:
    """The model and the data, and what the probes see of them, by other ways than theirs."""

    def __init__(self, of: str = "gaan", *options: str) -> None:
        self.model: Any
        self.model, self.data, *_ = restore(checkpoint(of), [*options, CPU, "--trust"])
        self.model.eval()

    @torch.no_grad()
    def latents(self, *splits: str) -> Tensor:
        return torch.cat([self.model.encode(self.data.real(split)) for split in splits])

    def labels(self, *splits: str) -> Tensor:
        return torch.cat([self.data.labels(split) for split in splits])

    @torch.no_grad()
    def made(self, n: int, seed: int) -> Tensor:
        return torch.cat([*samples(self.model, n, seed)])

    def sets(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.latents("train"), self.labels("train"), self.latents("test"), self.labels("test")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("kind", ["knn", "linear", "svm", "classify", "clusters", "parzen"])
def test_without_a_test_split_nothing_is_tested_on_what_it_learns_from(kind: str) -> None:
    with pytest.raises(InputError, match=rf"digits has no test split, and {kind} would be tested on what it learns from"):
        probe(kind, "--data.test_split=train")


def test_neighbours_of_the_very_training_examples_are_refused() -> None:
    x, y = torch.randn(9, 2), torch.arange(9) % 3
    with pytest.raises(InputError, match="each its own neighbour"):
        knn_probe(x, y, x.clone(), y)


@pytest.mark.usefixtures("here")
class TestNumbers:
    @pytest.mark.parametrize(("protocol", "spread"), [("dcgan", "1.96_std"), ("ali", "std")])
    def test_of_support_vector_machines(self, protocol: Any, spread: str) -> None:
        line = probe("svm", "--protocol", protocol, "--per_class=20", "--draws=3", "--seed=5")
        settings: Any = {"held_out": 1438 // 5, "per_class": 20, "draws": 3, "seed": 5}
        expected = svm_probe(*Restored().sets(), protocol=protocol, **settings)
        assert (line["error"], line["error_n"]) == (pytest.approx(expected.error.mean), 3)
        assert line[f"error_{spread}"] == pytest.approx(expected.error.spread if protocol == "dcgan" else expected.error.std)
        assert (line["validation_error"], line["C"]) == pytest.approx((expected.validation.mean, expected.C))
        assert line["protocol"] == f"{protocol}, 20 of each class a draw, 287 held out"
        assert line["features"] == "latents"

    def test_of_samples_that_are_held_out(self) -> None:
        line = probe("svm", "--per_class=20", "--draws=2", "--data.held_out=300")
        restored = Restored("gaan", "--data.held_out=300")
        train = restored.latents("train", "valid"), restored.labels("train", "valid")
        assert restored.data.size("valid") == 300
        expected = svm_probe(*train, *restored.sets()[2:], held_out=300, per_class=20, draws=2)
        assert line["error"] == pytest.approx(expected.error.mean)
        assert line["validation_error"] == pytest.approx(expected.validation.mean)

    @pytest.mark.parametrize(("protocol", "grid"), [("dcgan", 2), ("ali", None)])
    def test_of_layers_pooled_as_the_protocol_says(self, protocol: Any, grid: int | None, monkeypatch: Any) -> None:
        monkeypatch.setattr("lightning_gans.commands.probe.GRID", 2)  # the largest maps here are 4x4
        restored = Restored("teller")
        layers = [*restored.model.discriminator.stages][:2]
        line = probe("svm", "--layers", *layers, f"--protocol={protocol}", "--per_class=3", "--draws=1", of="teller")
        x, test_x = (pooled_features(restored.model, restored.data.real(split), layers, grid) for split in ("train", "test"))
        assert x.shape[1] == (8 * 4 + 8 * 4 if grid else 8 * 16 + 8 * 4)
        sets = x, restored.labels("train"), test_x, restored.labels("test")
        expected = svm_probe(*sets, protocol=protocol, held_out=287, per_class=3, draws=1)
        assert (line["error"], line["C"]) == pytest.approx((expected.error.mean, expected.C))
        assert line["features"] == f"{', '.join(layers)}, {'whole' if grid is None else 'pooled to 2x2'}"

    @pytest.mark.parametrize("protocol", ["dcgan", "ali"])
    def test_of_batch_norm_by_the_training_set(self, protocol: Any, monkeypatch: Any) -> None:
        """By torch's own ``update_bn``."""
        restored = Restored("teller")
        layers = [*restored.model.discriminator.stages][:2]
        options = ["--layers", *layers, f"--protocol={protocol}", "--per_class=3", "--draws=2"]
        before, line = probe("svm", *options, of="teller"), probe("svm", *options, "--recompute_statistics", of="teller")
        assert (line["recompute_statistics"], before["recompute_statistics"]) == (True, False)
        assert line["protocol"] == f"{before['protocol']}; batch norm by the training set"
        assert line["error"] != before["error"]

        class Seen(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.model = restored.model

            def forward(self, images: Tensor) -> Any:
                return self.model.features(images, layers)

        parts = [part for block in restored.data.real("train").split(500) for part in block.chunk(4)]
        assert {len(part) for part in parts} == {125, 110, 108}
        update_bn(parts, Seen())
        restored.model.eval()
        grid = 4 if protocol == "dcgan" else None
        x, test_x = (pooled_features(restored.model, restored.data.real(split), layers, grid) for split in ("train", "test"))
        sets = x, restored.labels("train"), test_x, restored.labels("test")
        expected = svm_probe(*sets, protocol=protocol, held_out=287, per_class=3, draws=2)
        assert (line["error"], line["C"]) == pytest.approx((expected.error.mean, expected.C))

    def test_of_neighbours_and_lines(self) -> None:
        sets = Restored().sets()
        for line, expected in (
            (probe("knn", "--k=3"), knn_probe(*sets, k=3)),
            (probe("linear"), linear_probe(*sets)),
        ):
            assert (line["error"], line["error_n"]) == (pytest.approx(expected.mean), 359)
            assert line["error_standard_error"] == pytest.approx(expected.standard_error)

    def test_of_the_models_own_classes(self) -> None:
        line, restored = probe("classify", of="teller"), Restored("teller")
        scores = restored.data.real("test").flatten(1)[:, :60].reshape(359, 10, 6).sum(2)
        wrong = (scores.argmax(1) != restored.labels("test")).double()
        assert (line["classify_error"], line["classify_error_n"]) == (pytest.approx(float(wrong.mean())), 359)
        assert line["classify_error_standard_error"] == pytest.approx(float(wrong.std(correction=0)) / 359**0.5)
        assert line["protocol"] == "the model's own classes"
        assert "probe_seed" not in line

    @pytest.mark.parametrize("labels", [20, 100])
    def test_of_few_labels(self, labels: int) -> None:
        sets = Restored().sets()
        settings: Any = {"labels": labels, "draws": 4, "seed": 1}
        for line, expected in (
            (
                probe("knn", "--k=2", f"--labels={labels}", "--draws=4", "--seed=1"),
                few_labels(knn_probe, *sets, k=2, **settings),
            ),
            (probe("linear", f"--labels={labels}", "--draws=4", "--seed=1"), few_labels(linear_probe, *sets, **settings)),
        ):
            assert (line["error"], line["error_n"], line["labels"]) == (pytest.approx(expected.mean), 4, labels)
            assert line["error_std"] == pytest.approx(expected.std)
            assert line["protocol"].endswith(f" of {labels // 10} labelled examples of each class")

    def test_of_few_labels_for_support_vector_machines(self) -> None:
        line, same = probe("svm", "--labels=50", "--draws=2"), probe("svm", "--per_class=5", "--draws=2")
        assert {**line, "labels": None} == same

    def test_of_clusters_by_k_means(self) -> None:
        line = probe("clusters", "--seed=2")
        restored = Restored()
        x, y = restored.latents("test"), restored.labels("test")
        held = restored.latents("train")[-287:], restored.labels("train")[-287:]
        error, agreement = kmeans_error(x, y, *held, seed=2)
        assert line["kmeans_nmi"] == pytest.approx(agreement)
        assert agreement == pytest.approx(nmi(y, KMeans(10, n_init=10, random_state=2).fit(x).labels_))
        assert line["kmeans_error"] == pytest.approx(error.mean)
        assert line["kmeans_error_standard_error"] == pytest.approx(error.standard_error)
        assert line["protocol"] == "k-means on the test split, its error by the 287 held out"
        assert "clustering_error" not in line

    def test_of_clusters_that_the_model_tells_apart(self) -> None:
        line = probe("clusters", of="teller")
        restored = Restored("teller")
        surety, of_test = (restored.model.classify(restored.data.real(split)).log_softmax(1) for split in ("train", "test"))
        held = restored.labels("train")[-287:]
        expected = clustering_error(surety[-287:], held, of_test, restored.labels("test"))
        assert line["clustering_error"] == pytest.approx(expected.mean)
        assert 0 < expected.mean < 0.9
        assert line["clustering_error_standard_error"] == pytest.approx(expected.standard_error)
        assert line["protocol"] == "AAE's error by the surest of 287 held out"
        assert "kmeans_nmi" not in line

    def test_of_parzen_windows_in_pixels_from_0_to_1(self) -> None:
        line = probe("parzen", "--num_samples=600", "--seed=3")
        restored = Restored()
        made, train, test = restored.made(600, 3), restored.data.real("train"), restored.data.real("test")
        expected = parzen_log_likelihood((made + 1) / 2, (test + 1) / 2, (train[-287:] + 1) / 2)
        assert line["log_likelihood"] == pytest.approx(expected.log_likelihood.mean, rel=1e-5)
        assert line["log_likelihood_standard_error"] == pytest.approx(expected.log_likelihood.standard_error, rel=1e-4)
        assert (line["sigma"], line["log_likelihood_n"]) == (expected.sigma, 359)

    def test_of_parzen_windows_of_points_in_their_units(self) -> None:
        line = probe("parzen", "--num_samples=300", of="gan")
        restored = Restored("gan")
        made, train, test = restored.made(300, 0), restored.data.real("train"), restored.data.real("test")
        expected = parzen_log_likelihood(made, test, train[-10_000:])
        assert line["log_likelihood"] == pytest.approx(expected.log_likelihood.mean, rel=1e-5)

    def test_of_likelihoods_side_by_side_in_pixels_from_0_to_1(self) -> None:
        line = probe("likelihood", "--num_samples=40", "--draws=20", "--seed=3")
        restored = Restored()
        made, train, test = restored.made(10_000, 3), restored.data.real("train"), restored.data.real("test")
        test = test[torch.randperm(359, generator=keyed_generator("test samples", 359))[:40]]
        kernels = parzen_log_likelihood((made + 1) / 2, (test + 1) / 2, (train[-287:] + 1) / 2)
        assert line["parzen_log_likelihood"] == pytest.approx(kernels.log_likelihood.mean, rel=1e-4)
        weighted = log_likelihood(assume_normal(restored.model, train[-287:], 20, 3), test, 20, 3)
        assert line["log_likelihood"] == pytest.approx(float(weighted.mean()) + 64 * math.log(2), rel=1e-4)

    def test_of_the_density_of_the_mean_pixel(self) -> None:
        line = probe("density", "--num_samples=700", "--seed=1")
        restored = Restored()
        expected = density_kl_1d(restored.data.real("train"), restored.made(700, 1))
        assert line["kl"] == pytest.approx(expected.kl, rel=1e-4)
        assert line["bandwidth"] == pytest.approx(expected.bandwidth, rel=1e-5)

    def test_of_a_conditional_model_that_is_given_the_conditions_of_the_real_samples(self) -> None:
        line = probe("density", "--num_samples=1700", of="teller")
        restored = Restored("teller")
        labels = restored.labels("train")
        made = torch.cat([*samples(restored.model, 1700, 0, condition=lambda numbers: labels[numbers % 1438])])
        expected = density_kl_1d(restored.data.real("train"), made.detach())
        assert line["kl"] == pytest.approx(expected.kl, rel=1e-4)


# What it leaves


def test_the_table_names_what_stands_after_the_plus_minus(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = probe("svm", "--per_class=20", "--draws=3")
    said = capsys.readouterr().out
    row = next(row for row in said.splitlines() if "│ error" in row)
    assert [cell.strip() for cell in row.strip(" │").split("│")] == [
        *("error", f"{line['error']:.4g}", f"{line['error_1.96_std']:.3g}", "1.96 std", "3")
    ]
    assert "svm of GAAN, step 2, on digits" in said
    assert "latents; dcgan, 20 of each class a draw, 287 held out" in said


def test_lines_are_added_to_the_run_and_beside_a_checkpoint_that_was_moved(here: Path) -> None:
    shutil.copy(checkpoint("gaan"), "moved.ckpt")
    for _ in range(2):
        probe("knn", "--k=2")
    main(["knn", "--ckpt_path=moved.ckpt"])
    lines = [json.loads(line) for line in (here / "gaan" / "probes.jsonl").read_text().splitlines()]
    assert len(lines) == 2
    assert lines[0] == lines[1]
    said = {"probe": "knn", "k": 2, "checkpoint": "last.ckpt", "step": 2, "model": "GAAN", "dataset": "digits", "seed": 0}
    assert lines[0].items() >= said.items()
    assert {*lines[0]["data"]} == {"train", "test"}
    assert json.loads((here / "probes.jsonl").read_text())["checkpoint"] == "moved.ckpt"


def test_a_model_can_be_probed_on_other_data_of_another_size_and_both_are_said(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(0)
    arrays = {f"{split}_images": random.integers(0, 256, (60, 16, 16, 3), dtype=np.uint8) for split in ("train", "test")}
    np.savez(here / "colours.npz", train_labels=np.arange(60) % 3, test_labels=np.arange(60) % 3, **arrays)
    other = ["--data.dataset=colours.npz", "--data.image_size=8", "--data.channels=1"]
    layers = [*Restored("teller").model.discriminator.stages][:2]
    line = probe("svm", *other, "--layers", *layers, "--per_class=3", "--draws=2", "--recompute_statistics", of="teller")
    assert (line["trained_on"], line["dataset"]) == ("digits", "colours")
    assert "svm of Teller, step 2, on colours, trained on digits" in " ".join(capsys.readouterr().out.split())
    assert probe("density", of="teller")["trained_on"] == "digits"
    assert "trained on" not in capsys.readouterr().out


def test_commands_are_listed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["lightning", "--help"])
    lightning()
    said = capsys.readouterr().out
    assert "\n  probe         say what" in said
    assert "\n  classifier    train a classifier" in said
    assert "\n  text-encoder  train an encoder" in said


def test_the_classifier_command_is_the_one_of_evaluation(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setattr(sys, "argv", ["lightning", "classifier", "--epochs=0"])
    with pytest.raises(SystemExit):
        lightning()
    assert "epochs is 0" in capsys.readouterr().err


# Refusals


def unlabelled(folder: Path) -> str:
    np.savez(folder / "plain.npz", images=np.random.default_rng(0).integers(0, 256, (48, 8, 8), dtype=np.uint8))
    return "--data.dataset=plain.npz"


def sorted_by_class(folder: Path) -> str:
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
    arrays = {
        "train_images": images,
        "test_images": images,
        "train_labels": np.arange(60) // 20,
        "test_labels": np.arange(60) // 20,
    }
    np.savez(folder / "sorted.npz", classes=["a", "b", "c"], **arrays)
    return "--data.dataset=sorted.npz"


@pytest.mark.parametrize(
    ("arguments", "of", "words"),
    [
        (["svm", "--per_class=200"], "gaan", "class 0 has 120 examples to draw 200 from; ask for fewer labels"),
        (["knn", "--data.classes=[3]"], "gaan", r"knn needs labels of several classes, but digits \(\w+\) has 1"),
        (["linear"], "teller", "Teller has no encoder, which linear needs; name layers with --layers"),
        (["linear"], "gan", "GAN has no encoder, which linear needs; name layers with --layers"),
        (["knn", "--layers", "nowhere"], "gaan", r"no layer \['nowhere'\]"),
        (["classify"], "gaan", "GAAN does not classify; probe its features"),
        (["classify", "--data.classes=[3]"], "teller", r"classify needs labels of several classes, but digits \(\w+\) has 1"),
        (["svm", "--draws=0"], "gaan", "--draws is 0"),
        (["knn", "--labels=0"], "gaan", "--labels is 0"),
        (["knn", "--labels=105"], "gaan", "labels is 105, but must be a multiple of the 10 classes"),
        (["svm", "--labels=5"], "gaan", "labels is 5, but must be a multiple of the 10 classes"),
        (["linear", "--labels=5000"], "gaan", "class 0 has .* examples to draw 500 from"),
        (["parzen", "--num_samples=-1"], "gaan", "--num_samples is -1"),
        (["knn", "--protocol=ali"], "gaan", "protocol"),
        (["knn", "--k=2000"], "gaan", "k is 2000"),
        (["svm", "--recompute_statistics"], "gan", "GAN has no encoder, which svm needs; name layers with --layers"),
        (["svm", "--recompute_statistics"], "gaan", "no batch norm is on the way to these features; leave --recompute_stati"),
    ],
)
@pytest.mark.usefixtures("here")
def test_what_cannot_be_probed_is_refused(arguments: list[str], of: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        probe(*arguments, of=of)
    assert not Path(of, "probes.jsonl").exists()


def test_data_without_labels_is_refused(here: Path) -> None:
    with pytest.raises(InputError, match=r"linear needs labels of several classes, but plain .* has 0"):
        probe("linear", unlabelled(here), "--data.held_out=5")
    assert math.isfinite(probe("density", unlabelled(here), "--num_samples=50")["kl"])


def test_validation_samples_of_some_classes_alone_are_refused_until_they_are_drawn(here: Path) -> None:
    data = sorted_by_class(here)
    with pytest.raises(InputError, match=r"class 0 is missing in the 12 training samples.*--data\.held_out"):
        probe("svm", data, "--per_class=3", "--draws=1")
    assert probe("svm", data, "--per_class=3", "--draws=1", "--data.held_out=20")["error_n"] == 1


@pytest.mark.parametrize("arguments", [["svn", "--ckpt_path=x.ckpt"], ["svm"], ["svm", "--ckpt_path=x", "--protocol=gan"]])
def test_commands_that_are_none_exit_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)


def test_a_checkpoint_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no checkpoint"):
        main(["svm", "--ckpt_path", str(tmp_path / "x.ckpt")])
