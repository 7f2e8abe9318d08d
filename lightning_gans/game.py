"""The LightningModule that every paper derives from: updates, counters, noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, cast

from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from lightning_gans import checks, idle, resuming, starting
from lightning_gans.batch import Batch
from lightning_gans.capture import CapturedStep
from lightning_gans.compiled import Compiler, require_compiler
from lightning_gans.draws import Draws, StepNoise
from lightning_gans.dry_run import dry_run
from lightning_gans.errors import InputError
from lightning_gans.functional import FunctionalPlayer
from lightning_gans.history import LossHistory
from lightning_gans.hyperparameters import save_hyperparameters
from lightning_gans.logs import data_of, one_axis, what_is_left
from lightning_gans.players import ClipAlgorithm, Players, ScheduleCounts
from lightning_gans.randomness import global_seed, keyed_seed, reseed_layers
from lightning_gans.resuming import StartFrom
from lightning_gans.strategy import check_ranks_agree, world_size
from lightning_gans.updates import Updates

# Two numbers a parameter and a wait for the device: dear in every step, nothing in every thousandth.
_STEPS_BETWEEN_RANK_CHECKS = 1000


class Game(StepNoise):
    """Several players, each minimising its own loss over its own networks.

    A paper derives from it, sets ``generator`` and ``prior`` (and ``encoder``, ``discriminator`` where it has them), names its
    players and writes ``step`` with ``minimize`` or ``minimize_together``. It never calls ``backward``, ``step`` or
    ``zero_grad`` of torch itself.

    A loss is a pure function of the networks' parameters and buffers and of its arguments: what is random is drawn before and
    passed in. So it can be run, compiled, differentiated through and captured alike.

    Args:
        optimizer: makes the optimiser of every player from its parameters; none takes ``Adam``, rate 2e-4 and beta1 0.5.
        optimizers: makes that of single players instead, by the player's name.
        scheduler: makes the learning-rate schedule of every optimiser; none keeps the rates constant.
        schedule_counts: what advances a schedule: ``own`` steps of its player, the ``shared`` count of all players' steps,
            or training ``batches``.
        data_range: the interval in which the networks work; none takes that of the generator's output, else [-1, 1]. In an
            interval from high to low, such as [1, -1], they see images inverted.
        data_scale: what the data is divided by before it is mapped from [-1, 1] to that interval; images are in [-1, 1]
            already, points are in data units.
        gradient_clip_val: bound on the gradient of each step, none for no bound.
        gradient_clip_algorithm: bounds the ``norm`` over a player's parameters, of each ``tensor``, or each ``value``.
        compile: trace each update once and run it compiled.
        start_from: a checkpoint to take some networks over from, such as a generator.
        start_at_mean_of: samples at whose mean the generator's last bias starts.
        nonfinite: ``stop`` at a NaN or infinite loss with the last good checkpoint intact, or ``continue`` with a warning.
    """

    taken_over: str | None = None
    """The network that must come out of a checkpoint and stay as it is, by ``start_from``."""

    steps_differ = False
    """Whether what a step does depends on its number, beyond the very first, so that one recorded step cannot be all."""

    def __init__(
        self,
        *,
        optimizer: OptimizerCallable | None = None,
        optimizers: dict[str, OptimizerCallable] | None = None,
        scheduler: LRSchedulerCallable | None = None,
        schedule_counts: ScheduleCounts = "own",
        data_range: tuple[float, float] | None = None,
        data_scale: float = 1.0,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: ClipAlgorithm = "norm",
        compile: bool = False,
        start_from: StartFrom | None = None,
        start_at_mean_of: int | None = None,
        nonfinite: Literal["stop", "continue"] = "stop",
    ) -> None:
        super().__init__(data_range, data_scale)
        if self.taken_over is not None:
            checks.takes_over(self.taken_over, start_from)
        checks.one_of("schedule_counts", schedule_counts, ScheduleCounts)
        checks.one_of("nonfinite", nonfinite, ("stop", "continue"))
        self.automatic_optimization = False
        self.clip_gradients_to(gradient_clip_val, gradient_clip_algorithm)
        if start_at_mean_of is not None:
            checks.positive(start_at_mean_of=start_at_mean_of)
        self._compile, self._start_from, self._nonfinite = compile, start_from, nonfinite
        self._start_at_mean_of = start_at_mean_of
        self._make_players = partial(
            Players,
            optimizer=optimizer,
            optimizers=optimizers or {},
            scheduler=scheduler,
            schedule_counts=schedule_counts,
        )
        self._players: Players | None = None
        self._updates: Any = None
        self._captured: CapturedStep | None = None
        self.after_step: list[Any] = []
        self._pretended_step: int | None = None
        self._history = LossHistory()
        self._within_step = False
        save_hyperparameters(self)

    def clip_gradients_to(self, gradient_clip_val: float | None, gradient_clip_algorithm: ClipAlgorithm) -> None:
        """Bound the gradient of each step from now on, as the constructor's arguments of these names say.

        Raises:
            InputError: that is no bound.
        """
        if gradient_clip_val is not None:
            checks.positive(gradient_clip_val=gradient_clip_val)
        checks.one_of("gradient_clip_algorithm", gradient_clip_algorithm, ClipAlgorithm)
        self.gradient_clip_val, self.gradient_clip_algorithm = gradient_clip_val, gradient_clip_algorithm

    # What a paper says

    def players(self) -> Mapping[str, Sequence[nn.Module]]:
        """The networks of each player, by name, in the order of their turns."""
        raise InputError(f"{type(self).__name__} must define players(): the networks of each player, by name")

    def step(self, batch: Batch) -> None:
        """What one batch is used for: the paper's algorithm, with ``minimize`` or ``minimize_together``."""
        raise InputError(f"{type(self).__name__} must define step(batch): one iteration of its algorithm")

    # What a paper calls in its step

    def minimize(self, player: str, loss: Callable[..., Any], *inputs: Any) -> Mapping[str, Tensor]:
        """One step of a player on ``loss(*inputs)``; every other network is frozen.

        Frozen networks let gradients through to their inputs, but get none and cost none.

        Args:
            player: who moves.
            loss: a method, pure: gives a scalar, or a scalar and a dictionary of further tensors, whose scalars are logged.
            inputs: tensors, or nests of them, and plain values.

        Returns:
            The further tensors.
        """
        return self._remember(self._moving().take(player, loss, inputs))[player]

    def minimize_together(self, losses: Callable[..., Mapping[str, Any]], *inputs: Any) -> Mapping[str, Mapping[str, Tensor]]:
        """One step of several players at the same parameters, from one forward.

        Args:
            losses: a method, pure: gives for each player that moves what ``minimize`` takes from a loss.
            inputs: tensors, or nests of them, and plain values.

        Returns:
            The further tensors, by player.
        """
        return self._remember(self._moving().take(None, losses, inputs))

    def functional(self, player: str) -> FunctionalPlayer:
        """A player's parameters and the state of its optimiser as values, for steps that are differentiated through."""
        return FunctionalPlayer.of(self, self._moving().players, player, self._traced_state)

    def batch_mean(self, x: Tensor) -> Tensor:
        """The mean over the first dimension and over all ranks, differentiable.

        For statistics inside a loss, such as the square of a mean: the average of the ranks' own would be another function.
        """
        return self.gather(x.mean(dim=0, keepdim=True)).mean(dim=0)

    def gather(self, x: Tensor) -> Tensor:
        """``x`` of all ranks, one after the other along the first dimension, differentiable."""
        if world_size() == 1:
            return x
        self._refuse_in_trace("needs numbers of all ranks")
        return cast(Tensor, self.all_gather(x, sync_grads=True)).flatten(0, 1)

    # What Lightning calls

    def setup(self, stage: str) -> None:
        if stage == "fit":
            checks.length(self.trainer)
            if self._compile:
                require_compiler(self.trainer.strategy.root_device)
            starting.by_data(self, data_of(self.trainer), self._start_at_mean_of)
            if self._start_from is not None:
                self._start_from.take_over(self)
        # Lightning does so only after it has restored a checkpoint, which rounds parameters of 64 bits to 32
        self.trainer.precision_plugin.convert_module(self)
        dry_run(self, data_of(self.trainer), steps=stage == "fit")

    def configure_optimizers(self) -> Any:
        players = self._players = self._make_players(self.players())
        return list(players.optimizers.values()), list(players.schedulers.values())

    def on_fit_start(self) -> None:
        self._draws = Draws(self.device)
        one_axis(self.trainer)

    def on_train_start(self) -> None:
        players = self._players
        assert players is not None
        players.keep_configured_settings()
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        self._captured, self._updates = None, Updates(self, players, scaler, self.trainer)
        if self._compile:
            if self.device.type == "cuda":
                self._captured = CapturedStep(self)
            else:
                self._updates.compiler = Compiler(self, players, scaler, steps_inside=not self._updates.before_step)

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        if not self.trainer.training:
            return batch.map_images(self.to_model) if isinstance(batch, Batch) else batch
        return Batch.of(batch).map_images(lambda images: self.normalize(self.to_model(images)))

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        if self._draws is not None:
            self._draws.count = 0
        reseed_layers(self.device, keyed_seed("layers", global_seed(), self.global_step, self.global_rank))

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """One batch of the paper's algorithm, counted as one step whatever number of optimisers took how many steps.

        So ``max_steps``, checkpoints, EMA and logs agree. Schedules advance before any callback can save.
        """
        updates, self._within_step = self._moving(), True
        if updates.compiler is not None:
            updates.compiler.start_batch()
        (self._captured or self.whole_step)(batch)
        updates.players.finish_batch()
        progress = cast(Any, self.trainer).fit_loop.epoch_loop.manual_optimization.optim_step_progress
        progress.increment_ready()
        progress.increment_completed()
        self._within_step = False

    def whole_step(self, batch: Batch) -> None:
        """The paper's algorithm, and what follows every batch, such as an average."""
        idle.check_returned(self, cast(Any, self).step(batch))
        for each in self.after_step:
            each.update()

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.global_step % (cast(Any, self.trainer).log_every_n_steps or 50) == 0:
            self._check_losses()
            self._history.log(self, self._moving().players.scheduled_rates())
        if self.global_step % _STEPS_BETWEEN_RANK_CHECKS == 0:
            check_ranks_agree(self.parameters())

    def on_train_end(self) -> None:
        self._moving().players.say_who_stands()
        self._check_losses()
        check_ranks_agree(self.parameters())

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._check_losses()
        if self._nonfinite == "stop":
            resuming.finite_parameters(self)
        resuming.plain_rates(checkpoint)
        checkpoint["game"] = resuming.of_game(self, self._moving().players)
        resuming.say_mid_step(checkpoint, self._within_step)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        resuming.same_game(self, checkpoint)

    @property
    def global_step(self) -> int:
        """Training batches so far."""
        self._refuse_in_trace("reads the number of the step")
        return super().global_step if self._pretended_step is None else self._pretended_step

    # How it is done

    def _check_losses(self) -> None:
        self._history.check(stop=self._nonfinite == "stop", left=what_is_left(self._trainer))

    def _moving(self) -> Updates:
        if self._updates is None:
            raise RuntimeError("players move inside Trainer.fit, which gives every player its optimizer first")
        return self._updates

    def _remember(self, losses: Mapping[str, tuple[Tensor, Mapping[str, Tensor]]]) -> Mapping[str, Mapping[str, Tensor]]:
        """Keep losses and scalars to be logged; gives all that is not a loss."""
        step = self.global_step
        for player, (loss, terms) in losses.items():
            self._moving().players.count_step(player)
            self._history.add(step, player, loss)
            for name, value in terms.items():
                if value.numel() == 1:
                    self._history.add(step, f"{player}/{name}", value.reshape(()))
        return {player: terms for player, (_, terms) in losses.items()}
