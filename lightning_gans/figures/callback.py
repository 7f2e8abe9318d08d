"""The callback that leaves pictures in a run's folder and its loggers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.rank_zero import rank_zero_info, rank_zero_warn
from torch import Tensor

from lightning_gans import checks
from lightning_gans.errors import InputError
from lightning_gans.evaluation import Evaluation
from lightning_gans.evaluation.sampling import evaluating
from lightning_gans.figures import plots
from lightning_gans.figures.kinds import KINDS, Subject, samples_over_training, why_not
from lightning_gans.runs import data_of, log_picture, run_folder

_EACH_TIME = ("samples", "reconstructions")
_STAGES = "samples_over_training"


class Pictures(Callback):
    """Samples with fixed noise and reconstructions as training goes on; at its end whatever else applies to the model.

    Those of the end are ``interpolations``, ``latent_map`` of two latent numbers, ``density`` on the line, and where there
    was more than one time ``samples_over_training``; see ``lightning_gans.figures.kinds``. Files are in ``pictures/`` of the
    run's folder.

    Args:
        every_n_steps: training batches between pictures; none draws at the end of training only.
        num_images: images in a grid.
        num_points: points in a scatter plot, samples behind a density.
        seed: of the noise.
        kinds: the only ones to draw; none for all that apply.

    Attributes:
        classifier: gives logits of uint8 images, for the latent map by label.
    """

    classifier: Callable[[Tensor], Tensor] | None = None

    def __init__(
        self,
        every_n_steps: int | None = None,
        num_images: int = 64,
        num_points: int = 2000,
        seed: int = 0,
        kinds: list[str] | None = None,
    ) -> None:
        checks.positive(num_images=num_images, num_points=num_points)
        if every_n_steps is not None:
            checks.positive(every_n_steps=every_n_steps)
        there = [*KINDS, _STAGES]
        for kind in kinds or ():
            if kind not in there:
                raise InputError(
                    f"there is no such kind of picture as {kind}; set pictures.kinds to some of {', '.join(there)}"
                )
        self.every_n_steps, self.num_images, self.num_points, self.seed = every_n_steps, num_images, num_points, seed
        self.kinds = kinds
        self._stages: list[tuple[str, Tensor]] = []
        self._drawn_at = -1
        self._folder = Path()

    def subject(self, model: Any, data: Any, step: int | None = None) -> Subject:
        """What is drawn of a model and its data, with the settings of this callback."""
        known = data if hasattr(data, "real") else None  # a data module of the user's own need not say what its samples are
        return Subject(model, known, step, self.seed, self.num_images, self.num_points, self.classifier)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        subject = self.subject(pl_module, data_of(trainer))
        for kind in self.kinds or ():
            if (problem := why_not(kind, subject)) is not None:
                raise InputError(f"pictures.kinds has {kind}, but {problem}; leave it out")

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._folder = run_folder(trainer) / "pictures"
        self._folder.mkdir(parents=True, exist_ok=True)

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._folder = run_folder(trainer) / "samples"
        self._folder.mkdir(parents=True, exist_ok=True)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        if self.every_n_steps and trainer.global_step % self.every_n_steps == 0:
            self._draw(trainer, pl_module, _EACH_TIME)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        each_time = () if self._drawn_at == trainer.global_step else _EACH_TIME
        self._draw(trainer, pl_module, [*each_time, *(kind for kind in KINDS if kind not in _EACH_TIME), _STAGES])
        rank_zero_info(f"pictures are in {self._folder}")

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Tensor, batch: Tensor, *args: Any
    ) -> None:
        for number, sample in zip(batch.tolist(), outputs, strict=True):
            if sample.dim() == 3:
                plots.save_grid(sample[None], self._folder / f"{number:06d}.png")
        if outputs.dim() == 2:
            data = data_of(trainer)
            figure = plots.scatter([("samples", outputs)], data.centres, data.extent)
            plots.save(figure, self._folder / f"points_{int(batch[0]):06d}.png")

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        rank_zero_info(f"samples are in {self._folder}")

    def _draw(self, trainer: Trainer, pl_module: LightningModule, kinds: Iterable[str]) -> None:
        self._drawn_at = trainer.global_step
        measuring = (callback for callback in trainer.callbacks if isinstance(callback, Evaluation))  # type: ignore[attr-defined]
        self.classifier = next((callback.labels_of for callback in measuring if callback.has_classifier), self.classifier)
        with evaluating(pl_module):
            if not trainer.is_global_zero:
                return
            subject = self.subject(pl_module, data_of(trainer), trainer.global_step)
            for kind in kinds:
                if why_not(kind, subject) is not None:
                    continue
                if kind == "samples":
                    self._stages.append((f"step {subject.step}", subject.samples))
                if self.kinds is not None and kind not in self.kinds:
                    continue
                try:
                    self._save(trainer, kind, subject)
                except InputError as error:  # a generator that has diverged is no reason to end a run
                    rank_zero_warn(f"the picture {kind} is left out: {error}")

    def _save(self, trainer: Trainer, kind: str, subject: Subject) -> None:
        if kind != _STAGES:
            figure = KINDS[kind](subject)
        elif len(self._stages) > 1:
            figure = samples_over_training(subject, _spread(self._stages, 8))
        else:
            return
        file = self._folder / (f"{kind}_{subject.step:07d}.png" if kind in _EACH_TIME else f"{kind}.png")
        plots.save(figure, file)
        log_picture(trainer, kind, file)


def _spread(stages: list[tuple[str, Tensor]], count: int) -> list[tuple[str, Tensor]]:
    """The first, the last and some evenly between."""
    if len(stages) <= count:
        return stages
    return [stages[round(i * (len(stages) - 1) / (count - 1))] for i in range(count)]
