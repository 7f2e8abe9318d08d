"""The callback that measures a model while it trains and at ``lightning validate`` and ``test``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Literal, cast, get_args

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.rank_zero import rank_zero_info, rank_zero_warn
from torch import Tensor

from lightning_gans import checks
from lightning_gans.ema import EMA
from lightning_gans.errors import InputError
from lightning_gans.evaluation import records, refusals
from lightning_gans.evaluation.classifiers import Classifier
from lightning_gans.evaluation.features import counting_classifier, describe_network, find_network, must_be_trained
from lightning_gans.evaluation.inception import Precision
from lightning_gans.evaluation.measure import Evaluator, MetricName
from lightning_gans.evaluation.modes import ModeCount, Protocol
from lightning_gans.evaluation.real import RealImages, RealSet
from lightning_gans.logs import data_of, log_numbers, run_folder
from lightning_gans.protocols import Generates
from lightning_gans.randomness import global_seed

_NEED_A_NETWORK = {"fid", "fd", "kid", "is", "mode_score", "prdc", "diversity"}


class Evaluation(Callback):
    """Says how good samples are, in the words of the papers.

    Results go to every logger as ``eval/NAME``, can be monitored by checkpoints as ``NAME``, and are kept in the run's folder:
    a JSON line each in ``evaluation.jsonl``, the best and the last in ``evaluation.json``. Training is bit-equal with it and
    without: noise, modes and statistics are its own. The value does not depend on the number of devices.

    Args:
        metrics: what to measure; none counts the modes of points and measures nothing of images. ``fd`` is the Fréchet distance
            in the features, logged as ``fid`` for the genuine Inception at pool3 and else under a name of its own; ``fid``
            insists on the former; ``kid``; ``is``; ``mode_score``, by a classifier of the dataset; ``prdc`` for precision,
            recall, density and coverage; ``diversity``, the mean distance between samples over that between real ones, of
            points or in the features; ``modes`` of points by their centres, of images by the classifier of their dataset;
            ``reconstruction`` errors, where the model encodes.
        features: ``inception`` (``inception768``, ``inception192``, ``inception64``), ``classifier`` for that of the dataset,
            trained first if there is none, a classifier's ``.pt`` file, or ``module.Class``.
        weights_path: of Inception; else from $LIGHTNING_GANS_INCEPTION_WEIGHTS or torch hub's cache.
        download: fetch Inception's weights if they are missing.
        precision: of Inception's convolutions; ``fp32`` is without TF32.
        modes: the counting protocol for points, see ``lightning_gans.evaluation.ModeCount``; none to count nothing.
        num_samples: generated samples; none for 2,000 points, 25,600 of MNIST-1K, 10,000 other images.
        num_real: real samples to compare with; none for as many as generated ones, or all there are.
        real: the split that these are of: ``test``, ``train`` or ``valid``.
        every_n_steps: training batches between measurements; none measures at the end of training only.
        weights: the generator's ``raw`` weights, or their average (``ema``) where the EMA callback is there, or ``both``.
        batch_size: images that a feature network is given at a time.
        seed: of the samples' noise.
        cache_dir: folder for statistics of real images, none for ``statistics`` below the data's root.
    """

    def __init__(
        self,
        metrics: list[MetricName] | None = None,
        features: str = "inception",
        weights_path: str | None = None,
        download: bool = False,
        precision: Precision = "fp32",
        modes: Protocol | None = "gaan",
        num_samples: int | None = None,
        num_real: int | None = None,
        real: Literal["test", "train", "valid"] = "test",
        every_n_steps: int | None = None,
        weights: Literal["raw", "ema", "both"] = "raw",
        batch_size: int = 100,
        seed: int = 0,
        cache_dir: str | None = None,
    ) -> None:
        if modes is not None:
            ModeCount(torch.zeros(1, 2), 1.0, modes)  # refuses an unknown protocol now and not after training
        counts = {"num_samples": num_samples, "num_real": num_real, "every_n_steps": every_n_steps, "batch_size": batch_size}
        checks.positive(**{name: value for name, value in counts.items() if value is not None})
        unknown = [name for name in metrics or () if name not in get_args(MetricName)]
        if unknown:
            raise InputError(f"evaluation.metrics names {unknown[0]!r}, but must be of {', '.join(get_args(MetricName))}")
        self.metrics, self.features, self.weights_path, self.download = metrics, features, weights_path, download
        self.precision, self.modes, self.num_samples, self.num_real = precision, modes, num_samples, num_real
        self.real, self.every_n_steps, self.weights = real, every_n_steps, weights
        self.batch_size, self.seed, self.cache_dir = batch_size, seed, cache_dir
        self._evaluator: Evaluator | None = None
        self._measured_at = -1
        self._last: dict[str, float] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Find all that is needed now and not after an epoch."""
        if self.weights != "raw" and self._ema(trainer) is None:
            raise InputError(
                f"evaluation.weights is {self.weights}, but nothing is averaged; add lightning_gans.EMA to trainer.callbacks"
            )
        data, self._evaluator = data_of(trainer), None
        measurable = isinstance(pl_module, Generates) and hasattr(data, "fingerprint")
        if stage == "predict":
            return
        if measurable and not self._trains_first(data):
            self._evaluator = self.evaluator(data)
        if measurable and stage == "fit" and self.every_n_steps is None:
            refusals.check_monitors(trainer)
        refusals.say_what_is_left_out(self.metrics or (), pl_module, data, measurable)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Train a classifier that is not there only now, when nothing is refused any more."""
        data = data_of(trainer)
        if self._evaluator is None and isinstance(pl_module, Generates) and hasattr(data, "fingerprint"):
            self._evaluator = self.evaluator(data)

    on_validation_start = on_test_start = on_fit_start

    def _trains_first(self, data: RealImages) -> bool:
        wanted = {*(self.metrics or ())}
        classifies = "modes" in wanted or (self.features == "classifier" and wanted & _NEED_A_NETWORK)
        root = Path(getattr(data, "root", "data"))
        return bool(classifies) and len(data.shape) > 1 and must_be_trained(self.features, data.name, root)

    def evaluator(self, data: RealImages) -> Evaluator:
        """What measures any model against ``data``, without a trainer.

        Raises:
            InputError: a network that the metrics need is missing.
        """
        data.size(self.real)  # refuses a split that there is not
        points = len(data.shape) == 1
        default: list[MetricName] = ["modes"] if points else []
        metrics = default if self.metrics is None else self.metrics
        root = Path(getattr(data, "root", "data"))
        network = reference = classifier = None
        if _NEED_A_NETWORK & {*metrics} and not points:
            found = (self.weights_path, self.download)
            network = find_network(self.features, data.name, root, self.precision, *found)
            if getattr(network, "precision", "fp32") in ("fp16", "bf16"):
                reference = find_network(self.features, data.name, root, "fp32", *found)
            refusals.check_network(network, metrics, data)
        if "modes" in metrics and not points:
            classifier = counting_classifier(self.features, data.name, root)
            if isinstance(network, Classifier) and network.identity == classifier.identity:
                classifier = network  # so that images go through it once
        many = 2_000 if points else 25_600 if data.name == "mnist1k" else 10_000
        num_samples = self.num_samples or many
        cache = Path(self.cache_dir) if self.cache_dir else root / "statistics"
        num_real = self.num_real or num_samples
        if network is not None:
            refusals.check_numbers(metrics, num_samples, min(num_real, data.size(self.real)))
        real = RealSet(data, self.real, num_real, network, batch_size=self.batch_size, cache=cache, reference=reference)
        return Evaluator(real, tuple(metrics), classifier, self.modes, num_samples, self.seed)

    def evaluate(self, model: Generates, data: RealImages) -> dict[str, float]:
        """Every number for any model and any data, without a trainer; the same as in training."""
        return self.evaluator(data).measure(model)

    @property
    def has_classifier(self) -> bool:
        """Whether classes of single images are told apart, after ``setup``."""
        return self._evaluator is not None and self._evaluator.classifier is not None and self._evaluator.data.name != "mnist1k"

    def labels_of(self, images: Tensor) -> Tensor:
        """The classifier's logits ``(N, K)`` of uint8 images ``(N, C, H, W)``."""
        assert self._evaluator is not None
        classifier = self._evaluator.classifier
        assert classifier is not None
        return classifier.logits(classifier(images.to(classifier.head.weight.device)))

    def measure(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, float]:
        """Every number that applies to this model and its data; must be called on all ranks."""
        if self._evaluator is None:
            return {}
        model, ema = cast(Generates, pl_module), self._ema(trainer)
        if self.weights == "raw" or ema is None:
            return self._evaluator.measure(model)
        if ema.average is None:
            raise InputError(f"evaluation.weights is {self.weights}, but the checkpoint has no average; set it to raw")
        found: dict[str, float] = {}
        if self.weights == "both":
            try:
                found = self._evaluator.measure(model)
            except InputError as error:  # the average may be good for long after
                rank_zero_warn(f"the raw weights are not measured: {error}")
        with ema.applied(pl_module):
            averaged = self._evaluator.measure(model)
        suffix = "_ema" if self.weights == "both" else ""
        return found | {f"{name}{suffix}": value for name, value in averaged.items()}

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        if self.every_n_steps and trainer.global_step % self.every_n_steps == 0:
            found = self._during_training(trainer, pl_module)
            numbers = {name: value for plain, value in found.items() for name in (plain, f"eval/{plain}")}
            pl_module.log_dict(numbers, logger=False)  # for checkpoints to monitor

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        folder = run_folder(trainer)
        if trainer.is_global_zero:
            records.begin(folder, trainer.ckpt_path, trainer.global_step)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Not when fitting has ended: by then the model is off its device, and the ranks cannot talk under NCCL."""
        if self._measured_at != trainer.global_step:
            self._during_training(trainer, pl_module)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._last and trainer.is_global_zero and self._evaluator is not None:
            title = f"step {self._measured_at}, {self._protocol()}"
            records.show(title, self._last, self._evaluator.floor, self._evaluator.floor_is)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == TrainerFn.VALIDATING:
            self._at_the_end(trainer, pl_module, "validate")

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._at_the_end(trainer, pl_module, "test")

    def _during_training(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, float]:
        """Samples that cannot be measured are no reason to stop a training: they may get better."""
        self._measured_at = trainer.global_step
        self._last = {}
        try:
            self._last = self._record(trainer, pl_module, "fit")
            return self._last
        except InputError as error:
            rank_zero_warn(f"step {trainer.global_step} is not measured: {error}")
            return {}

    def _at_the_end(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        found = self._record(trainer, pl_module, stage)
        if not found:
            rank_zero_info(
                f"there is nothing to measure on {getattr(data_of(trainer), 'name', 'this data')}; see evaluation.metrics"
            )
        pl_module.log_dict({f"{stage}/{name}": value for name, value in found.items()})

    def _record(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> dict[str, float]:
        start = time.monotonic()
        found = self.measure(trainer, pl_module)
        folder = run_folder(trainer)
        if not found or not trainer.is_global_zero:
            return found
        if stage == "fit":  # after the others Lightning logs, shows and returns them itself
            log_numbers(trainer, {f"eval/{name}": value for name, value in found.items()})
        records.write_record(folder, self._describe(trainer, pl_module, stage, time.monotonic() - start), found)
        return found

    def _describe(self, trainer: Trainer, pl_module: LightningModule, stage: str, seconds: float) -> dict[str, Any]:
        """All that the numbers depend on."""
        data, evaluator = data_of(trainer), self._evaluator
        assert evaluator is not None
        images = len(data.shape) > 1
        return {
            "stage": stage,
            "step": trainer.global_step if stage == "fit" else _step_of_weights(trainer),
            "model": type(pl_module).__name__,
            "dataset": data.name,
            **({"partial": data.partial} if getattr(data, "partial", "") else {}),
            "seed": global_seed(),
            **({"n_real": len(evaluator.real.rows), "split": self.real} if images else {"protocol": self.modes}),
            "num_samples": evaluator.num_samples,
            **(describe_network(evaluator.network) if evaluator.network is not None else {}),
            **(
                {
                    "classifier": evaluator.classifier.name,
                    "classifier_error": evaluator.classifier.test_error,
                    "classifier_sha256": evaluator.classifier.identity,
                }
                if evaluator.classifier is not None
                else {}
            ),
            **({"extraction_shift": evaluator.real.shift} if evaluator.real.shift is not None else {}),
            "weights": self.weights,
            "noise_seed": self.seed,
            "trainer_precision": trainer.precision,
            "device": str(pl_module.device),
            "devices": trainer.world_size,
            "seconds": round(seconds, 2),
            "versions": records.versions(),
        }

    def _protocol(self) -> str:
        assert self._evaluator is not None
        made = f"{self._evaluator.num_samples:,} samples"
        if len(self._evaluator.data.shape) == 1:
            return f"{made}, protocol {self.modes}"
        return f"{made}, {len(self._evaluator.real.rows):,} real of {self.real}"

    @staticmethod
    def _ema(trainer: Trainer) -> EMA | None:
        return next((callback for callback in trainer.callbacks if isinstance(callback, EMA)), None)  # type: ignore[attr-defined]


def _step_of_weights(trainer: Trainer) -> int:
    """Of the checkpoint that is tested: Lightning leaves its step aside."""
    if trainer.ckpt_path is None:
        return trainer.global_step
    return int(torch.load(trainer.ckpt_path, map_location="cpu", mmap=True, weights_only=True)["global_step"])
