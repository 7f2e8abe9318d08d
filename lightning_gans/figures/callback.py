"""The callback that leaves pictures in a run's folder and its loggers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.rank_zero import rank_zero_info, rank_zero_warn
from matplotlib.figure import Figure
from torch import Tensor

from lightning_gans import checks
from lightning_gans.errors import InputError
from lightning_gans.evaluation import Evaluation
from lightning_gans.evaluation.features.find import classifier_at_hand
from lightning_gans.evaluation.samples.drawing import evaluating
from lightning_gans.figures import plots
from lightning_gans.figures.kinds import KINDS, OVER_TRAINING, keeps, why_not
from lightning_gans.figures.progress import OF_FILM, Progress, frame_after
from lightning_gans.figures.subject import Subject, Way
from lightning_gans.logs import data_of, log_numbers, log_picture, run_folder, step_of_weights
from lightning_gans.running.place import new_folder

_TIMES = 8
_LEAST_BYTES = 1024  # that a panel or a point takes until it is drawn


class Pictures(Callback):
    """Samples with fixed noise and reconstructions as training goes on; at its end whatever else applies to the model.

    Those of the end are ``interpolations``, ``latent_map`` of two latent numbers, ``density`` on the line and more; see
    ``lightning_gans.figures.kinds``. Where there was more than one time, also in the run that this one goes on with,
    ``samples_over_training`` and the like show up to eight of them. Files are in ``pictures/`` of the run's folder.

    What ``lightning figure film`` shows is kept of the first batch and then at steps that lie ever further apart, sixty in a
    million, whatever ``every_n_steps`` is: a few KB each, and training is the same to the last bit.

    How much the same samples and reconstructions have changed since the time before, as a mean square per 100 steps, is
    logged as ``change/samples`` and so on.

    Args:
        every_n_steps: training batches between pictures; none draws at the end of training only.
        num_images: images in a grid.
        num_points: points in a scatter plot, samples behind a density.
        seed: of the noise.
        kinds: the only ones to draw; none for all that apply.
        path: of all interpolations, ``linear`` or ``prior`` for the way that the prior leads; none for the prior's between its
            draws and straight ones between test images.
        film: keep samples and reconstructions for a film, of those ``kinds`` that are drawn.
        draw: encode what is reconstructed and interpolated by a draw of a stochastic encoder, as ALI's paper does; else by its
            mean.

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
        path: Way | None = None,
        draw: bool = False,
        film: bool = True,
    ) -> None:
        checks.one_of("pictures.path", path, (None, "linear", "prior"))
        checks.positive(num_images=num_images, num_points=num_points)
        checks.fits_memory(f"pictures.num_images {num_images:,}", num_images * _LEAST_BYTES)
        checks.fits_memory(f"pictures.num_points {num_points:,}", num_points * _LEAST_BYTES)
        if every_n_steps is not None:
            checks.positive(every_n_steps=every_n_steps)
        there = [*KINDS, *(f"{name}{OVER_TRAINING}" for name, kind in KINDS.items() if hasattr(kind, "keep"))]
        for kind in kinds or ():
            if kind not in there:
                raise InputError(
                    f"there is no such kind of picture as {kind}; set pictures.kinds to some of {', '.join(there)}"
                )
        self.every_n_steps, self.num_images, self.num_points, self.seed = every_n_steps, num_images, num_points, seed
        self.kinds, self.path, self.draw, self.film = kinds, path, draw, film
        self._drawn_at = -1
        self._folder = Path()
        self._next_frame = 0

    def subject(self, model: Any, data: Any, step: int | None = None, weights: str = "raw") -> Subject:
        """What is drawn of a model and its data, with the settings of this callback."""
        known = data if hasattr(data, "real") else None  # a data module of the user's own need not say what its samples are
        numbers = self.seed, self.num_images, self.num_points
        return Subject(model, known, step, *numbers, self.classifier, weights, path=self.path, draw=self.draw)

    def take_classifier_at_hand(self, data: Any) -> None:
        """Tell classes apart by the classifier of the dataset, where there is one."""
        if (classifier := classifier_at_hand(data)) is not None:
            self.classifier = lambda images: classifier.logits(classifier(images.cpu()))

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
        data = data_of(trainer)
        if self._wants("latent_map") and why_not("latent_map", self.subject(pl_module, data)) is None:
            self.take_classifier_at_hand(data)

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        wanted = run_folder(trainer) / "samples" / f"step={step_of_weights(trainer)}"
        self._folder = trainer.strategy.broadcast(new_folder(wanted) if trainer.is_global_zero else wanted)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._next_frame = frame_after(trainer.global_step)
        if trainer.is_global_zero:
            Progress(self._folder).begin(trainer.ckpt_path, trainer.global_step)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        if self.every_n_steps and trainer.global_step % self.every_n_steps == 0:
            self._draw(trainer, pl_module, at_end=False)
        if self.film and trainer.global_step >= self._next_frame:
            self._keep_frames(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._draw(trainer, pl_module, at_end=True)
        if self.film:
            self._keep_frames(trainer, pl_module)
        rank_zero_info(f"pictures are in {self._folder}")

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Tensor, batch: Tensor, *args: Any
    ) -> None:
        for number, sample in zip(batch.tolist(), outputs, strict=True):
            if sample.dim() == 3:
                plots.save_grid(sample[None], self._folder / f"{number:06d}.png")
        if outputs.dim() == 2:
            data = data_of(trainer)
            title = f"samples of {self.subject(pl_module, data).model_and_data}"
            figure = plots.scatter([(title, outputs)], data.centres, data.extent)
            plots.save(figure, self._folder / f"points_{int(batch[0]):06d}.png")

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        rank_zero_info(f"samples are in {self._folder}")

    def _draw(self, trainer: Trainer, pl_module: LightningModule, at_end: bool) -> None:
        is_new, self._drawn_at = self._drawn_at != trainer.global_step, trainer.global_step
        measuring = (callback for callback in trainer.callbacks if isinstance(callback, Evaluation))  # type: ignore[attr-defined]
        self.classifier = next((callback.labels_of for callback in measuring if callback.has_classifier), self.classifier)
        with evaluating(pl_module):
            if not trainer.is_global_zero:
                return
            subject = self.subject(pl_module, data_of(trainer), trainer.global_step)
            there = {name: kind for name, kind in KINDS.items() if why_not(name, subject) is None}
            for name, kind in there.items():
                each_time = getattr(kind, "EACH_TIME", False)
                if self._wants(name) and (is_new if each_time else at_end):
                    with _left_out(name):
                        file = f"{name}_{subject.step:07d}" if each_time else name
                        self._save(trainer, name, kind.draw(subject), file)
                if is_new and keeps(name, subject) and self._wants(name + OVER_TRAINING):
                    with _left_out(name + OVER_TRAINING):
                        self._keep(trainer, name, subject)
            if at_end:
                for name in there:
                    if keeps(name, subject) and self._wants(name + OVER_TRAINING):
                        self._draw_over_training(trainer, name, subject)

    def _wants(self, kind: str) -> bool:
        return self.kinds is None or kind in self.kinds

    def _keep(self, trainer: Trainer, name: str, subject: Subject) -> None:
        changed = Progress(self._folder).add(name, trainer.global_step, KINDS[name].keep(subject))
        if changed is not None and getattr(KINDS[name], "CHANGES", False):
            log_numbers(trainer, {f"change/{name}": changed})

    def _keep_frames(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep what a film shows of this step."""
        self._next_frame = frame_after(trainer.global_step)
        with evaluating(pl_module):
            if not trainer.is_global_zero:
                return
            subject = self.subject(pl_module, data_of(trainer), trainer.global_step)
            for name, kind in KINDS.items():
                filmed = hasattr(kind, "frame") and self._wants(name) and why_not(name, subject) is None
                if filmed and keeps(name, subject):
                    with _left_out(name + OF_FILM):
                        Progress(self._folder).add(name + OF_FILM, trainer.global_step, kind.frame(subject))

    def _draw_over_training(self, trainer: Trainer, name: str, subject: Subject) -> None:
        times = Progress(self._folder).spread(name, _TIMES, getattr(KINDS[name], "CHANGES", False))
        if len(times) > 1:
            with _left_out(name + OVER_TRAINING):
                figure = KINDS[name].over_training(subject, times)
                self._save(trainer, name + OVER_TRAINING, figure, name + OVER_TRAINING)

    def _save(self, trainer: Trainer, kind: str, figure: Figure, stem: str) -> None:
        file = self._folder / f"{stem}.png"
        plots.save(figure, file)
        log_picture(trainer, kind, file)


@contextmanager
def _left_out(kind: str) -> Iterator[None]:
    """Warn of what cannot be drawn: a generator that has diverged is no reason to end a run."""
    try:
        yield
    except InputError as error:
        rank_zero_warn(f"the picture {kind} is left out: {error}")
