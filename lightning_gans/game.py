"""The LightningModule that every paper derives from: turns, simultaneous moves, counters, noise and the data range."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal, cast

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch import Tensor, nn

from lightning_gans import checks
from lightning_gans.batch import Batch
from lightning_gans.doors import Doors
from lightning_gans.errors import NonFiniteError
from lightning_gans.history import LossHistory
from lightning_gans.logs import data_of
from lightning_gans.optimizers import make_defaults_picklable
from lightning_gans.players import ClipAlgorithm, Players, ScheduleCounts, clip_gradients, laid_out_like
from lightning_gans.randomness import global_seed, keyed_seed, reseed_layers
from lightning_gans.strategy import average_over_ranks, check_ranks_agree, world_size

Minimize = Callable[..., None]

# Two numbers a parameter and a wait for the device: dear in every step, nothing in every thousandth.
_STEPS_BETWEEN_RANK_CHECKS = 1000


class Game(Doors):
    """Several players, each minimising its own loss over its own networks.

    A paper derives from it, sets ``generator`` and ``prior`` (and ``encoder``, ``discriminator`` where it has them), names its
    players and writes ``training_step`` with ``turn`` or ``simultaneously``. It never calls ``backward``, ``step`` or
    ``zero_grad`` itself.

    Args:
        optimizer: makes the optimiser of every player from its parameters.
        optimizers: makes that of single players instead, by the player's name.
        scheduler: makes the learning-rate schedule of every optimiser; none keeps the rates constant.
        schedule_counts: what advances a schedule: ``own`` steps of its player, the ``shared`` count of all players' steps,
            or training ``batches``.
        data_range: the interval in which the networks work, such as (0, 1) for a sigmoid output.
        data_scale: what the data is divided by before it is mapped from [-1, 1] to ``data_range``; images are in [-1, 1]
            already, points are in data units.
        gradient_clip_val: bound on the gradient of each step, none for no bound.
        gradient_clip_algorithm: bounds the ``norm`` over a player's parameters, of each ``tensor``, or each ``value``.
        nonfinite: ``stop`` at a NaN or infinite loss with the last good checkpoint intact, or ``continue`` with a warning.
    """

    def __init__(
        self,
        *,
        optimizer: OptimizerCallable,
        optimizers: dict[str, OptimizerCallable] | None = None,
        scheduler: LRSchedulerCallable | None = None,
        schedule_counts: ScheduleCounts = "own",
        data_range: tuple[float, float] = (-1.0, 1.0),
        data_scale: float = 1.0,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: ClipAlgorithm = "norm",
        nonfinite: Literal["stop", "continue"] = "stop",
    ) -> None:
        super().__init__(data_range, data_scale)
        if gradient_clip_val is not None:
            checks.positive(gradient_clip_val=gradient_clip_val)
        self.automatic_optimization = False
        self.gradient_clip_val = gradient_clip_val
        self.gradient_clip_algorithm = gradient_clip_algorithm
        self._nonfinite = nonfinite
        self._make_players = partial(
            Players,
            optimizer=optimizer,
            optimizers=optimizers or {},
            scheduler=scheduler,
            schedule_counts=schedule_counts,
        )
        self._players: Players | None = None
        self._history = LossHistory()
        self._draws = 0
        self._random: torch.Generator | None = None  # made where it is needed: it cannot be sent to a spawned process
        checks.choices(type(self), sys._getframe())
        checks.save_hyperparameters(self, sys._getframe())

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        make_defaults_picklable(cls)

    # What a paper says

    def players(self) -> Mapping[str, Sequence[nn.Module]]:
        """The networks of each player, by name, in the order of their turns."""
        raise TypeError(f"{type(self).__name__} must define players(): the networks of each player, by name")

    # What a paper calls in its training step

    @contextmanager
    def turn(self, player: str) -> Iterator[Minimize]:
        """One player's turn: every other network is frozen, and ``minimize(loss)`` takes one step.

        ``minimize(loss, name=term, ...)`` also logs further scalars. Frozen networks let gradients through to their inputs,
        but get none and cost none.
        """
        with self._seated().freeze_others(player):
            yield partial(self._minimize, player)

    @contextmanager
    def simultaneously(self) -> Iterator[Callable[..., None]]:
        """Moves at the same parameters: ``move(player, loss)`` collects gradients, and all step when the block ends.

        Gradients are averaged over ranks here, whatever the strategy, and the loss scale is updated once.
        """
        players, scaler = self._seated(), self._scaler()
        moves: dict[str, Sequence[Tensor | None]] = {}

        def move(player: str, loss: Tensor, **terms: Tensor) -> None:
            scaled = loss if scaler is None else scaler.scale(loss)
            moves[player] = torch.autograd.grad(scaled, players.parameters[player], retain_graph=True, allow_unused=True)
            self._remember(player, loss, terms)

        yield move
        for player, gradients in moves.items():
            average_over_ranks(gradients)
            self._step_with(player, gradients, scaler)
        if scaler is not None and moves:
            scaler.update()

    def noise(self, n: int) -> Tensor:
        """``(n, dim)`` draws of the prior for this rank's ``n`` samples; every call gives others."""
        return self._draw(self.prior.sample, n)

    def noise_like(self, batch: Batch) -> Tensor:
        """One draw of the prior for each sample of ``batch``."""
        return self.noise(len(batch))

    def uniform(self, n: int, *shape: int) -> Tensor:
        """``(n, *shape)`` uniform numbers in [0, 1) for this rank's ``n`` samples."""
        return self._draw(lambda rows, g: torch.rand(rows, *shape, generator=g, device=g.device), n)

    def normal(self, n: int, *shape: int) -> Tensor:
        """``(n, *shape)`` standard normal numbers for this rank's ``n`` samples."""
        return self._draw(lambda rows, g: torch.randn(rows, *shape, generator=g, device=g.device), n)

    def batch_mean(self, x: Tensor) -> Tensor:
        """The mean over the first dimension and over all ranks, differentiable.

        For statistics inside a loss, such as the square of a mean: the average of the ranks' own would be another function.
        """
        return self.gather(x.mean(dim=0, keepdim=True)).mean(dim=0)

    def gather(self, x: Tensor) -> Tensor:
        """``x`` of all ranks, one after the other along the first dimension, differentiable."""
        return x if world_size() == 1 else cast(Tensor, self.all_gather(x, sync_grads=True)).flatten(0, 1)

    # What Lightning calls

    def setup(self, stage: str) -> None:
        if stage == "fit":
            checks.length(self.trainer)
            checks.strategy(self.trainer.strategy)
        # Lightning does so only after it has restored a checkpoint, which rounds parameters of 64 bits to 32
        self.trainer.precision_plugin.convert_module(self)
        data = data_of(self.trainer)
        checks.dry_run(self, getattr(data, "shape", None), getattr(data, "extent", None))

    def configure_optimizers(self) -> Any:
        players = self._players = self._make_players(self.players())
        if not players.schedulers:
            return list(players.optimizers.values())
        return list(players.optimizers.values()), list(players.schedulers.values())

    def on_fit_start(self) -> None:
        self._random = torch.Generator(self.device)
        self._count_batches()

    def on_train_start(self) -> None:
        self._seated().keep_configured_settings()

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        if not self.trainer.training:
            return batch
        return Batch.of(batch).map_images(lambda images: self.normalize(self.to_model(images)))

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        self._draws = 0
        reseed_layers(self.device, keyed_seed("layers", global_seed(), self.global_step, self.global_rank))

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.global_step % (cast(Any, self.trainer).log_every_n_steps or 50) == 0:
            self._log_losses()
        if self.global_step % _STEPS_BETWEEN_RANK_CHECKS == 0:
            check_ranks_agree(self.parameters())

    def on_train_end(self) -> None:
        self._check_losses()
        check_ranks_agree(self.parameters())

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        if self.gradient_clip_val is None:
            return
        scaler = self._scaler()
        if scaler is not None and getattr(optimizer, "_step_supports_amp_scaling", False):
            scaler.unscale_(optimizer)  # a fused optimiser would only unscale inside its step, after the clipping
        clip_gradients(optimizer, self.gradient_clip_val, self.gradient_clip_algorithm)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._check_losses()
        if self._nonfinite == "stop":
            checks.finite_parameters(self)
        checkpoint["game"] = {"paper": type(self).__name__, "seed": global_seed()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checks.checkpoint(self, checkpoint, global_seed())

    # How it is done

    def _seated(self) -> Players:
        if self._players is None:
            raise RuntimeError("turns are taken inside Trainer.fit, which gives every player its optimizer first")
        return self._players

    def _scaler(self) -> torch.amp.GradScaler | None:
        return getattr(self.trainer.precision_plugin, "scaler", None)

    def _minimize(self, player: str, loss: Tensor, **terms: Tensor) -> None:
        players = self._seated()
        optimizer = self.trainer.strategy._lightning_optimizers[players.names.index(player)]
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        self._remember(player, loss, terms)

    def _step_with(self, player: str, gradients: Sequence[Tensor | None], scaler: torch.amp.GradScaler | None) -> None:
        players = self._seated()
        optimizer = players.optimizers[player]
        for parameter, gradient in zip(players.parameters[player], gradients, strict=True):
            parameter.grad = laid_out_like(parameter, gradient)
        if scaler is not None:
            scaler.unscale_(optimizer)
        clip_gradients(optimizer, self.gradient_clip_val, self.gradient_clip_algorithm)
        optimizer.step() if scaler is None else scaler.step(optimizer)

    def _remember(self, player: str, loss: Tensor, terms: dict[str, Tensor]) -> None:
        self._seated().count_step(player)
        self._history.add(self.global_step, player, loss)
        for name, value in terms.items():
            self._history.add(self.global_step, f"{player}/{name}", value)

    def _draw(self, sampler: Callable[[int, torch.Generator], Tensor], n: int) -> Tensor:
        """Draw for the global batch, keyed by what the draw is for, and keep this rank's rows."""
        self._draws += 1
        self._random = self._random or torch.Generator(self.device)
        self._random.manual_seed(keyed_seed("noise", global_seed(), self.global_step, self._draws))
        if (world := world_size()) == 1:
            return sampler(n, self._random).to(self.dtype)
        return sampler(n * world, self._random)[self.global_rank * n :][:n].to(self.dtype)

    def _count_batches(self) -> None:
        """Make ``global_step`` count training batches, where Lightning would count the steps of all optimisers.

        So max_steps, checkpoints, EMA and logs agree, for any number of players. Schedules advance at the same moment, before
        any callback can save.
        """
        trainer: Any = self.trainer
        loop = trainer.fit_loop.epoch_loop.manual_optimization
        profiler, progress = trainer.profiler, loop.optim_step_progress
        loop._on_before_step = lambda: profiler.start("optimizer_step")
        loop._on_after_step = lambda: profiler.stop("optimizer_step")

        def on_run_end() -> Any:
            self._seated().finish_batch()
            progress.increment_ready()
            progress.increment_completed()
            return type(loop).on_run_end(loop)

        loop.on_run_end = on_run_end

    def _check_losses(self) -> None:
        """Stops the run if one of the losses was not finite."""
        if (bad := self._history.first_bad()) is not None:
            step, name = bad
            message = f"the loss of the {name} is not finite at step {step}"
            if self._nonfinite == "stop":
                raise NonFiniteError(
                    f"{message}; the last checkpoint is intact: lower the learning rate or clip gradients, "
                    "or go on regardless with --model.nonfinite continue"
                )
            rank_zero_warn(message)

    def _log_losses(self) -> None:
        self._check_losses()
        means = self._history.means()
        losses = {f"loss/{name}": value for name, value in means.items() if "/" not in name}
        self.log_dict(losses, prog_bar=True)
        self.log_dict({name: value for name, value in means.items() if "/" in name})
        if (players := self._seated()).schedulers:
            self.log_dict({f"lr/{name}": rate for name, rate in players.learning_rates().items()})
