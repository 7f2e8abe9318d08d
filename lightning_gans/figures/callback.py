"""The callback that leaves pictures in a run's folder and its loggers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from torch import Tensor

from lightning_gans import checks
from lightning_gans.evaluation.modes import nearest_mode
from lightning_gans.evaluation.sampling import evaluating
from lightning_gans.figures import plots
from lightning_gans.protocols import Encodes, Generates
from lightning_gans.randomness import keyed_generator
from lightning_gans.runs import data_of, log_picture, run_folder

_MAP_SIDE = 256


class Pictures(Callback):
    """Samples with fixed noise as training goes on, and where the model encodes, reconstructions of the same test images.

    Points are drawn over the true centres; at the end of training one picture shows all stages, and a plane of latents is
    coloured by the mode that each is mapped to. Files are in ``pictures/`` of the run's folder.

    Args:
        every_n_steps: training batches between pictures; none draws at the end of training only.
        num_images: images in a grid.
        num_points: points in a scatter plot.
        seed: of the noise.
    """

    def __init__(self, every_n_steps: int | None = None, num_images: int = 64, num_points: int = 2000, seed: int = 0) -> None:
        checks.positive(num_images=num_images, num_points=num_points)
        if every_n_steps is not None:
            checks.positive(every_n_steps=every_n_steps)
        self.every_n_steps, self.num_images, self.num_points, self.seed = every_n_steps, num_images, num_points, seed
        self._stages: list[tuple[str, Tensor]] = []
        self._drawn_at = -1
        self._folder = Path()

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._folder = run_folder(trainer) / "pictures"
        self._folder.mkdir(parents=True, exist_ok=True)

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._folder = run_folder(trainer) / "samples"
        self._folder.mkdir(parents=True, exist_ok=True)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        if self.every_n_steps and trainer.global_step % self.every_n_steps == 0:
            self._draw(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._drawn_at != trainer.global_step:
            self._draw(trainer, pl_module)
        if not trainer.is_global_zero:
            return
        data = data_of(trainer)
        if len(self._stages) > 1:
            chosen = _spread(self._stages, 8)
            self._save(trainer, plots.scatter(chosen, data.centres, data.extent), "samples_over_training")
        if getattr(data, "centres", None) is not None and isinstance(pl_module, Generates) and pl_module.prior.dim == 2:
            self._latent_map(trainer, pl_module)
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

    def _draw(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._drawn_at = trainer.global_step
        if not isinstance(pl_module, Generates):
            return
        data = data_of(trainer)
        points = data is not None and len(data.shape) == 1
        with evaluating(pl_module):
            generator = keyed_generator("pictures", self.seed)
            made = pl_module.sample(self.num_points if points else self.num_images, generator=generator).float().cpu()
            if not trainer.is_global_zero:
                return
            if points:
                self._stages.append((f"step {trainer.global_step}", made))
                self._save(trainer, plots.scatter(self._stages[-1:], data.centres, data.extent), "samples", trainer.global_step)
                return
            file = self._folder / f"samples_{trainer.global_step:07d}.png"
            plots.save_grid(made, file)
            log_picture(trainer, "samples", file)
            if isinstance(pl_module, Encodes) and data is not None:
                real = data.real("test", torch.arange(self.num_images // 2)).to(pl_module.device, pl_module.dtype)
                pairs = torch.stack([real, pl_module.decode(pl_module.encode(real))], dim=1).flatten(0, 1)
                file = self._folder / f"reconstructions_{trainer.global_step:07d}.png"
                plots.save_grid(pairs.cpu(), file, columns=8)
                log_picture(trainer, "reconstructions", file)

    def _latent_map(self, trainer: Trainer, pl_module: Any) -> None:
        data = data_of(trainer)
        with evaluating(pl_module):
            drawn = pl_module.prior.sample(10_000, keyed_generator("latent map", self.seed))
            bounds = float(drawn.min()), float(drawn.max())
            line = torch.linspace(*bounds, _MAP_SIDE)
            z = torch.cartesian_prod(line, line).flip(1).to(pl_module.device, pl_module.dtype)  # rows along the second number
            made = pl_module.decode(z).float().cpu()
        regions = nearest_mode(made, data.centres, 3 * data.std).view(_MAP_SIDE, _MAP_SIDE)
        lost = (regions < 0).float().mean()
        title = f"Mode that each latent is mapped to\n(white: {lost:.0%} more than 3 standard deviations from all)"
        self._save(trainer, plots.latent_map(regions, bounds, len(data.centres), title), "latent_map")

    def _save(self, trainer: Trainer, figure: Any, name: str, step: int | None = None) -> None:
        file = self._folder / (name if step is None else f"{name}_{step:07d}")
        plots.save(figure, file.with_suffix(".png"))
        log_picture(trainer, name, file.with_suffix(".png"))


def _spread(stages: list[tuple[str, Tensor]], count: int) -> list[tuple[str, Tensor]]:
    """The first, the last and some evenly between."""
    if len(stages) <= count:
        return stages
    return [stages[round(i * (len(stages) - 1) / (count - 1))] for i in range(count)]
