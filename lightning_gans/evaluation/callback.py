"""The callback that measures a model while it trains and at ``lightning validate`` and ``test``."""

from __future__ import annotations

import time
from typing import Any, Literal, cast

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.rank_zero import rank_zero_info, rank_zero_warn
from torch import Tensor

from lightning_gans import checks
from lightning_gans.ema import EMA
from lightning_gans.errors import InputError
from lightning_gans.evaluation import records, refusals
from lightning_gans.evaluation.choices import MetricName, chosen, descriptions
from lightning_gans.evaluation.counts.mixture import Protocol
from lightning_gans.evaluation.features.find import describe_network
from lightning_gans.evaluation.features.inception import Precision
from lightning_gans.evaluation.logged import Logged
from lightning_gans.evaluation.measure import Evaluator
from lightning_gans.evaluation.metrics.base import has_stacked_digits
from lightning_gans.evaluation.real.images import RealImages
from lightning_gans.evaluation.settings import Settings
from lightning_gans.logs import data_of, one_axis, run_folder, step_of_weights
from lightning_gans.protocols import Generates
from lightning_gans.randomness import global_seed

_OF_CLASSIFIER = {"classifier": "name", "classifier_error": "test_error", "classifier_sha256": "identity"}


class Evaluation(Callback):
    """Says how good samples are, in the words of the papers.

    Results go to every logger as ``eval/NAME``, can be monitored by checkpoints as ``NAME``, and are kept in the run's folder:
    a JSON line each in ``evaluation.jsonl``, the best and the last in ``evaluation.json``. Training is bit-equal with it and
    without: noise, modes and statistics are its own. The value does not depend on the number of devices.

    Args:
        metrics: what to measure; none counts the modes of points and measures nothing of images. There are: METRICS
        features: ``inception`` (``inception768``, ``inception192``, ``inception64``), ``classifier`` for that of the dataset,
            of the package or trained first, a classifier's file, or ``module.Class``.
        weights_path: of Inception; else from $LIGHTNING_GANS_INCEPTION_WEIGHTS or torch hub's cache.
        download: fetch Inception's weights if they are missing.
        precision: of Inception's convolutions; ``fp32`` is without TF32.
        modes: the counting protocol for points, see ``lightning_gans.evaluation.ModeCount``; none to count nothing.
        num_samples: generated samples; none for the papers' number, see ``modes``, where they have one, and else 10,000.
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
        self.settings = Settings(
            metrics=metrics,
            features=features,
            weights_path=weights_path,
            download=download,
            precision=precision,
            modes=modes,
            num_samples=num_samples,
            num_real=num_real,
            real=real,
            batch_size=batch_size,
            seed=seed,
            cache_dir=cache_dir,
        )
        if every_n_steps is not None:
            checks.positive(every_n_steps=every_n_steps)
        self.every_n_steps, self.weights = every_n_steps, weights
        self._evaluator: Evaluator | None = None
        self._measured_at = -1
        self._last: dict[str, float] = {}
        self._logged = Logged()

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
        if measurable and not self.settings.trains_first(data):
            self._evaluator = self.evaluator(data)
        if measurable and stage == "fit" and self.every_n_steps is None:
            refusals.check_monitors(trainer)
        refusals.say_what_is_left_out(chosen(self.settings.metrics or ()), pl_module, data, measurable)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Train a classifier that is not there only now, when nothing is refused any more."""
        one_axis(trainer)
        data = data_of(trainer)
        if self._evaluator is None and isinstance(pl_module, Generates) and hasattr(data, "fingerprint"):
            self._evaluator = self.evaluator(data)

    on_validation_start = on_test_start = on_fit_start

    def evaluator(self, data: RealImages) -> Evaluator:
        """What measures any model against ``data`` by these settings, without a trainer.

        Raises:
            InputError: a network that the metrics need is missing.
        """
        return self.settings.evaluator(data)

    @property
    def has_classifier(self) -> bool:
        """Whether classes of single images are told apart, after ``setup``."""
        evaluator = self._evaluator
        return evaluator is not None and evaluator.classifier is not None and not has_stacked_digits(evaluator.data)

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
        raw: dict[str, float] = {}
        if self.weights == "both":
            try:
                raw = self._evaluator.measure(model)
            except InputError as error:  # the average may be good for long after
                rank_zero_warn(f"the raw weights are not measured: {error}")
        with ema.applied(pl_module):
            averaged = self._evaluator.measure(model)
        suffix = "_ema" if self.weights == "both" else ""
        return raw | {f"{name}{suffix}": value for name, value in averaged.items()}

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        if self.every_n_steps and trainer.global_step % self.every_n_steps == 0:
            scores = self._during_training(trainer, pl_module)
            numbers = {name: value for plain, value in scores.items() for name in (plain, f"eval/{plain}")}
            if not trainer.barebones:
                pl_module.log_dict(numbers, logger=False)  # for callbacks to monitor

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        folder = run_folder(trainer)
        if trainer.is_global_zero:
            same = self._how(trainer, pl_module) if self._evaluator is not None else {}
            records.begin(folder, trainer.ckpt_path, trainer.global_step, same)
            self._logged.begin(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Not when fitting has ended: by then the model is off its device, and the ranks cannot talk under NCCL."""
        if self._measured_at != trainer.global_step:
            self._during_training(trainer, pl_module)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._last and trainer.is_global_zero and self._evaluator is not None:
            title = f"step {self._measured_at}, {self._protocol()}"
            records.show(title, self._last, self._evaluator.floor, self._evaluator.floor_is)
            self._logged.at_the_end(trainer, self._evaluator, self._last)

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
            for callback in trainer.callbacks if self._last else ():  # type: ignore[attr-defined]
                if hasattr(callback, "on_measured"):
                    callback.on_measured(self._last)
            return self._last
        except InputError as error:
            rank_zero_warn(f"step {trainer.global_step} is not measured: {error}")
            return {}

    def _at_the_end(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        scores = self._record(trainer, pl_module, stage)
        if not scores:
            rank_zero_info(
                f"there is nothing to measure on {getattr(data_of(trainer), 'name', 'this data')}; see evaluation.metrics"
            )
        pl_module.log_dict({f"{stage}/{name}": value for name, value in scores.items()})

    def _record(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> dict[str, float]:
        start = time.monotonic()
        scores = self.measure(trainer, pl_module)
        folder = run_folder(trainer)
        if not scores or not trainer.is_global_zero:
            return scores
        described = self._describe(trainer, pl_module, stage, time.monotonic() - start)
        results = records.write_record(folder, described, scores)
        if stage == "fit":  # after the others Lightning logs, shows and returns them itself
            assert self._evaluator is not None
            self._logged.measured(trainer, self._evaluator.floor, scores, results)
            pl_module.print(records.line(trainer.global_step, scores))
        return scores

    def _describe(self, trainer: Trainer, pl_module: LightningModule, stage: str, seconds: float) -> dict[str, Any]:
        """All that the numbers depend on."""
        return {
            "stage": stage,
            "step": step_of_weights(trainer),
            **self._how(trainer, pl_module),
            "trainer_precision": trainer.precision,
            "device": str(pl_module.device),
            "devices": trainer.world_size,
            "seconds": round(seconds, 2),
            "versions": records.versions(),
            **self._floor(),
        }

    def _floor(self) -> dict[str, Any]:
        """What can be hoped for, and whose scores these are, where that is known."""
        assert self._evaluator is not None
        floor = self._evaluator.floor
        return {"floor": floor, "floor_is": self._evaluator.floor_is} if floor else {}

    def _how(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """What is measured against what, beside when and where."""
        data, evaluator, settings = data_of(trainer), self._evaluator, self.settings
        assert evaluator is not None
        images, classifier = len(data.shape) > 1, evaluator.classifier
        return {
            "model": type(pl_module).__name__,
            "dataset": data.name,
            **({"partial": data.partial} if getattr(data, "partial", "") else {}),
            "seed": global_seed(),
            **({"n_real": len(evaluator.real.rows), "split": settings.real} if images else {"protocol": settings.modes}),
            "num_samples": evaluator.num_samples,
            **(describe_network(evaluator.network) if evaluator.network is not None else {}),
            **({} if classifier is None else {name: getattr(classifier, of) for name, of in _OF_CLASSIFIER.items()}),
            **({"extraction_shift": evaluator.real.shift} if evaluator.real.shift is not None else {}),
            "weights": self.weights,
            "noise_seed": settings.seed,
        }

    def _protocol(self) -> str:
        assert self._evaluator is not None
        samples = f"{self._evaluator.num_samples:,} samples"
        if len(self._evaluator.data.shape) == 1:
            return f"{samples}, protocol {self.settings.modes}"
        return f"{samples}, {len(self._evaluator.real.rows):,} real of {self.settings.real}"

    @staticmethod
    def _ema(trainer: Trainer) -> EMA | None:
        return next((callback for callback in trainer.callbacks if isinstance(callback, EMA)), None)  # type: ignore[attr-defined]


Evaluation.__doc__ = (Evaluation.__doc__ or "").replace("METRICS", descriptions())  # each metric says itself what it is
