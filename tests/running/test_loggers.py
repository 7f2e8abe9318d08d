"""What the loggers are given, read back from what they wrote: one x-axis, one config, one place, one run."""

from __future__ import annotations

import csv
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lightning_gans import Evaluation, Images
from lightning_gans.cli import main
from lightning_gans.dashboards.measures import measured_below
from lightning_gans.dashboards.views import Comparison
from tests.running import wandb_file
from tests.test_cli import SMALL, in_folder, last, records, the_run

wandb = pytest.importorskip("wandb")
STEPS = ["--trainer.max_steps=4", "--trainer.log_every_n_steps=2", "--evaluation.every_n_steps=2", "--pictures.every_n_steps=2"]
WANDB = {"class_path": "lightning.pytorch.loggers.WandbLogger", "init_args": {"offline": True, "tags": ["mine"]}}
TENSORBOARD = {"class_path": "lightning.pytorch.loggers.TensorBoardLogger", "init_args": {"save_dir": "tensorboard"}}

pytestmark = pytest.mark.filterwarnings("ignore")


@dataclass
class Logged:
    """A run of four steps with several loggers, and its test."""

    run: Path
    fitted: dict[str, Any]
    tested: dict[str, Any]
    folder: Path


def has_tensorboard() -> bool:
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        return False
    return True


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Logged:
    folder = tmp_path_factory.mktemp("logged")
    loggers = [WANDB, *([TENSORBOARD] if has_tensorboard() else [])]
    with in_folder(folder), pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "offline")
        patch.setenv("WANDB_SILENT", "true")
        patch.delenv("WANDB_DIR", raising=False)
        try:
            main(["fit", "--model=GAN", *SMALL, *STEPS, f"--trainer.logger={json.dumps(loggers)}"])
            wandb.finish()
            run = the_run(folder)
            main(["test", *SMALL, f"--ckpt_path={last(run)}", f"--trainer.logger={json.dumps([WANDB])}"])
        finally:
            wandb.finish()
    return Logged(run, *written(run), folder)


def numbers(run: Path) -> list[dict[str, str]]:
    """The rows of metrics.csv."""
    with open(run / "metrics.csv", newline="") as file:
        return list(csv.DictReader(file))


def written(run: Path) -> list[dict[str, Any]]:
    """What W&B's own process has written of the training and of the test, in this order; it may be behind."""
    folders = sorted(run.glob("wandb/offline-run-*"))
    assert len(folders) == 2
    for _ in range(300):
        read = [wandb_file.read(folder) for folder in folders]
        if all("id" in each and each["summary"] for each in read):
            break
        time.sleep(0.1)
    return read


def test_metrics_are_in_the_runs_folder_whatever_other_loggers_there_are(logged: Logged) -> None:
    rows = numbers(logged.run)
    assert {int(row["step"]) for row in rows} == {2, 4}
    for name in ("loss/generator", "loss/discriminator", "eval/modes", "pace/images_seen", "pace/steps_per_second"):
        assert [int(row["step"]) for row in rows if row[name]] == [2, 4], name
    assert [float(row["pace/images_seen"]) for row in rows if row["pace/images_seen"]] == [256, 512]
    assert all(float(row["memory/process_gib"]) > 0 for row in rows if row["memory/process_gib"])
    assert [(record["stage"], record["step"]) for record in records(logged.run)] == [("fit", 2), ("fit", 4), ("test", 4)]


def test_every_logger_counts_as_the_records_do(logged: Logged) -> None:
    steps = {row["trainer/global_step"] for row in logged.fitted["history"] if "trainer/global_step" in row}
    assert steps == {2, 4}
    pictures = [row for row in logged.fitted["history"] if "samples/width" in row]
    assert [row["trainer/global_step"] for row in pictures] == [2, 4]


def test_a_run_is_told_what_it_is_and_what_it_is_with(logged: Logged) -> None:
    fitted = logged.fitted
    assert fitted["name"] == "gan_grid25 seed 0 version_0"
    assert fitted["group"].startswith("gan_grid25-")
    assert fitted["tags"] == {"mine", "GAN", "grid25", "seed 0"}
    assert fitted["job_type"] == "fit"


def test_the_config_as_it_was_built_is_logged_once(logged: Logged) -> None:
    config = logged.fitted["config"]
    assert config["config"]["model"]["init_args"]["generator"]["class_path"] == "lightning_gans.MLP"
    assert config["config"] == yaml.safe_load((logged.run / "config.yaml").read_text())
    built = json.loads((logged.run / "run.json").read_text())
    assert config["built"] == {key: built[key] for key in config["built"]}
    assert built["parameters"]["generator"] > 1000
    assert built["protocol"]["num_samples"] == 200
    assert {"version"} <= built["code"].keys()
    assert (built["status"], built["step"]) == ("finished", 4)
    assert "generator" not in config, "what Lightning logs of its own says the same again"


def test_best_and_last_are_in_the_summary_with_their_direction(logged: Logged) -> None:
    summary, metrics = logged.fitted["summary"], logged.fitted["metrics"]
    kept = json.loads((logged.run / "evaluation.json").read_text())
    for name, direction in (("registered", "max"), ("tv_true", "min")):
        best, last = kept["best"][name]["value"], kept["last"][name]["value"]
        assert (summary[f"best/{name}"], summary[f"last/{name}"]) == (best, last)
        assert summary[f"eval/{name}"] == {direction: best, "last": last}, "W&B's own, from the first measurement on"
        kinds = metrics[f"eval/{name}"].summary
        assert (kinds.max, kinds.min) == (direction == "max", direction == "min")


def test_whatever_is_logged_stands_against_the_training_batches(logged: Logged) -> None:
    metrics = logged.fitted["metrics"]
    axes = {name: metric.step_metric for name, metric in metrics.items() if name != "trainer/global_step"}
    assert axes["*"] == "trainer/global_step", "all that has no definition of its own"
    assert {*axes.values()} == {"trainer/global_step"}


def test_what_a_perfect_sampler_gets_is_a_constant_beside_its_measure(logged: Logged) -> None:
    data = Images("grid25")
    data.setup("fit")
    expected = Evaluation(num_samples=200).evaluator(data).floor
    assert {"modes", "registered", "tv_true"} <= expected.keys()
    rows = [row for row in logged.fitted["history"] if "eval/modes" in row]
    for name, floor in expected.items():
        assert [row[f"floor/{name}"] for row in rows] == [floor, floor]
        column = [float(row[f"floor/{name}"]) for row in numbers(logged.run) if row[f"floor/{name}"]]
        assert column == pytest.approx([floor, floor])


def test_the_last_measurement_is_a_table(logged: Logged) -> None:
    (row,) = (row for row in logged.fitted["history"] if "evaluation/path" in row)
    assert row["trainer/global_step"] == 4
    table = json.loads((logged.fitted["folder"] / "files" / row["evaluation/path"]).read_text())
    kept = json.loads((logged.run / "evaluation.json").read_text())
    assert table["columns"] == ["measure", "value", "best", "floor", "n", "features"]
    assert [line[0] for line in table["data"]] == [*kept["last"]]
    (modes,) = (line for line in table["data"] if line[0] == "modes")
    assert modes == ["modes", kept["last"]["modes"]["value"], kept["best"]["modes"]["value"], *modes[3:]]
    assert modes[3] == pytest.approx(25, abs=1)
    assert modes[4:] == [200, None]


def test_pictures_are_media_with_captions(logged: Logged) -> None:
    rows = [row for row in logged.fitted["history"] if "samples/filenames" in row]
    assert [row["samples/captions"] for row in rows] == [["samples, step 2"], ["samples, step 4"]]
    (file,) = rows[-1]["samples/filenames"]
    sent, drawn = logged.fitted["folder"] / "files" / file, logged.run / "pictures" / "samples_0000004.png"
    assert sent.read_bytes() == drawn.read_bytes()


def test_the_keys_are_the_same_in_every_paper(logged: Logged, tmp_path: Path) -> None:
    own = {name for row in logged.fitted["history"] for name in row}
    kept = {name for name in numbers(logged.run)[0] if name != "step"}
    assert kept < own, "what W&B has is what the run's folder has"
    assert {name.partition("/")[0] for name in kept} == {"loss", "change", "eval", "floor", "pace", "memory", "epoch"}
    gan = {name for name in kept if not name.startswith("loss/")}
    kinds = "--pictures.kinds=[samples_over_training, reconstructions_over_training]"  # none but those that change
    for model, more in (("VAE", {"change/reconstructions"}), ("GAAN", {"change/reconstructions"})):
        with in_folder(tmp_path):
            main(["fit", f"--model={model}", *SMALL, *STEPS, kinds, "--trainer.logger=true"])
        columns = numbers(next(tmp_path.glob(f"runs/{model.lower()}_grid25/version_0")))[0]
        assert {name for name in columns if not name.startswith("loss/")} - {"step"} == gan | more


def test_a_test_goes_into_the_run_that_it_belongs_to(logged: Logged) -> None:
    assert logged.tested["id"] == logged.fitted["id"]
    assert logged.tested["project"] == logged.fitted["project"]
    (row,) = (row for row in logged.tested["history"] if "test/registered" in row)
    assert row["trainer/global_step"] == 4


def test_a_dashboard_shows_what_runs_log(logged: Logged) -> None:
    pytest.importorskip("wandb_workspaces")
    content = Comparison("gans", "", "grid25", measured_below(logged.folder, "grid25")).content()
    panels = [each for one in content["workspace"]["spec"]["section"]["panelBankConfig"]["sections"] for each in one["panels"]]
    sent = {name for row in logged.fitted["history"] for name in row}
    summary = logged.fitted["summary"].keys()
    curves = [panel["config"] for panel in panels if panel["viewType"] == "Run History Line Plot"]
    assert {name for curve in curves for name in curve["metrics"]} <= sent
    assert {name for name in sent if name.startswith("eval/") and not name.endswith("_halved")} <= {
        name for curve in curves for name in curve["metrics"]
    }
    for curve in curves:
        assert curve["xAxis"] in sent
        assert (
            not curve.get("metricRegex")
            or "terms" in curve["chartTitle"]
            or any(re.search(curve["metricRegex"], name) for name in sent)
        )
    assert {name for panel in panels if panel["viewType"] == "Bar Chart" for name in panel["config"]["metrics"]} <= summary
    media = {key for panel in panels if panel["viewType"] == "Media Browser" for key in panel["config"]["mediaKeys"]}
    assert {"samples", "samples_over_training"} <= {key for key in media if f"{key}/filenames" in sent | summary}


@pytest.fixture(scope="module")
def events(logged: Logged) -> Any:
    """What TensorBoard reads of the training."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    (folder,) = {file.parent for file in (logged.folder / "tensorboard").rglob("events.*")}
    return accumulator.EventAccumulator(str(folder)).Reload()


def test_tensorboard_has_losses_measures_with_their_floors_and_pictures(logged: Logged, events: Any) -> None:
    for name in ("loss/generator", "eval/modes", "floor/modes"):
        assert [event.step for event in events.Scalars(name)] == [2, 4]
    assert [event.step for event in events.Images("samples")] == [2, 4]
    text = events.Tensors("evaluation/text_summary")[0].tensor_proto.string_val[0].decode()
    assert text.splitlines()[0] == "| measure | value | best | floor | n | features |"
    assert "| modes | " in text


def test_tensorboard_has_settings_beside_best_and_last(logged: Logged, events: Any) -> None:
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    def read(kind: str) -> Any:
        return HParamsPluginData.FromString(events.summary_metadata[f"_hparams_/{kind}"].plugin_data.content)

    settings = read("session_start_info").session_start_info.hparams
    assert settings["data.dataset"].string_value == "grid25"
    assert "model.init_args.discriminator_scale" in settings
    columns = {metric.name.tag for metric in read("experiment").experiment.metric_infos}
    kept = json.loads((logged.run / "evaluation.json").read_text())
    assert columns == {f"{when}/{name}" for when in kept for name in kept[when]} | {"steps"}
    for name in ("best/tv_true", "last/registered"):
        when, _, measure = name.partition("/")
        (event,) = events.Scalars(name)
        assert (event.step, event.value) == (4, pytest.approx(kept[when][measure]["value"]))


def test_tensorboard_shows_losses_in_one_chart_and_each_measure_with_its_floor(events: Any) -> None:
    from tensorboard.plugins.custom_scalar.layout_pb2 import Layout

    layout = Layout.FromString(events.Tensors("custom_scalars__config__")[-1].tensor_proto.string_val[0])
    charts = {(section.title, chart.title): chart.multiline.tag for section in layout.category for chart in section.chart}
    names = events.Tags()["scalars"]

    def shown(*chart: str) -> set[str]:
        return {name for name in names for tag in charts[chart] if re.match(tag, name)}

    assert shown("losses", "losses") == {"loss/generator", "loss/discriminator"}
    assert shown("measures", "modes") == {"eval/modes", "floor/modes"}
    assert {title for section, title in charts if section == "measures"} == {
        name.removeprefix("eval/") for name in names if name.startswith("eval/")
    }
