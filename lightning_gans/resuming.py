"""What a run may go on from: a checkpoint of its own, or networks out of another's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch import Tensor, nn

from lightning_gans.checkpoints import finite, load_checkpoint
from lightning_gans.differences import differences
from lightning_gans.errors import InputError, NonFiniteError
from lightning_gans.logs import what_is_left
from lightning_gans.players import Players, trainable
from lightning_gans.randomness import global_seed

if TYPE_CHECKING:
    from lightning_gans.game import Game

# By the players, whose rates go on from where they were, and below
_SAID_OTHERWISE = ("optimizer", "optimizers", "scheduler", "start_from", "gradient_clip_val", "gradient_clip_algorithm")


@dataclass(frozen=True)
class StartFrom:
    """Networks that are taken over from a trained model, of the same or of another paper.

    Args:
        checkpoint: a file that ``lightning fit`` wrote.
        networks: names of the model's networks, such as ``generator``; the checkpoint must have them under the same names.
        frozen: keep them as they are, in evaluation mode; otherwise training goes on from there.
    """

    checkpoint: str
    networks: tuple[str, ...]
    frozen: bool = True

    def take_over(self, game: LightningModule) -> None:
        """Put the networks into ``game``.

        Raises:
            InputError: there is no such file, or a network is missing or another one.
        """
        checkpoint = load_checkpoint(Path(self.checkpoint))
        stored: dict[str, Tensor] = checkpoint.get("state_dict", {})
        units = {key: value for key, value in checkpoint.get("hyper_parameters", {}).items() if key.startswith("data_")}
        for said in differences(units, game.hparams):
            rank_zero_warn(said)
        for name in self.networks:
            network = getattr(game, name, None)
            theirs = {key.removeprefix(f"{name}."): tensor for key, tensor in stored.items() if key.startswith(f"{name}.")}
            if not isinstance(network, nn.Module) or not theirs:
                where = self.checkpoint if isinstance(network, nn.Module) else type(game).__name__
                raise InputError(f"start_from.networks names {name!r}, which {where} does not have; name networks of both")
            mine = network.state_dict()
            for key in [*mine, *theirs]:
                if key not in mine or key not in theirs or mine[key].shape != theirs[key].shape:
                    raise InputError(
                        f"the {name} of {self.checkpoint} is another network: {key} differs; give the one it was trained with"
                    )
            network.load_state_dict(theirs)
            if self.frozen:
                network.requires_grad_(False).eval()


def finite_parameters(module: LightningModule) -> None:
    """Refuse to save parameters that are NaN or infinite."""
    bad = torch.stack([~p.detach().isfinite().all() for p in module.parameters()])
    if bool(bad.any()):
        name = next(name for (name, _), is_bad in zip(module.named_parameters(), bad.tolist(), strict=True) if is_bad)
        raise NonFiniteError(
            f"the parameter {name} is not finite at step {module.global_step}; none of it is saved; "
            f"{what_is_left(module._trainer)}"
        )


def say_mid_step(checkpoint: dict[str, Any], within_step: bool) -> None:
    """Note in a checkpoint that it is saved in the middle of a step, where some players have moved and others have not."""
    if within_step:
        checkpoint["game"]["mid_step"] = True
        rank_zero_warn("a checkpoint is saved in the middle of a step: some players have moved, others have not")


def plain_rates(checkpoint: dict[str, Any]) -> None:
    """Store learning rates as numbers, where a captured run has them in tensors of 32 bits."""
    for optimizer in checkpoint.get("optimizer_states", []):
        for group in optimizer["param_groups"]:
            if isinstance(group["lr"], Tensor):
                group["lr"] = float(f"{float(group['lr']):.7g}")


def of_game(game: Game, players: Players) -> dict[str, Any]:
    """What a checkpoint says of a game beside its state."""
    seed, movers = global_seed(), players.kinds()
    return {"paper": type(game).__name__, "seed": seed, "movers": movers, "trainer": settings_of_training(game)}


def same_game(game: Game, stored: dict[str, Any]) -> None:
    """Refuse the checkpoint of another paper or of other networks; say where settings differ from those it was trained with."""
    known = stored.get("game", {})
    paper, trained = known.get("paper"), known.get("seed")
    if paper != type(game).__name__:
        raise InputError(f"the checkpoint is of {paper or 'no game'}, not of {type(game).__name__}; give one of its own")
    mine, theirs = game.state_dict(), stored["state_dict"]
    for name in [*mine, *theirs]:
        if name not in mine or name not in theirs or mine[name].shape != theirs[name].shape:
            raise InputError(f"the checkpoint is of other networks: {name} differs; give the --config that it was trained with")
    if not _is_fitting(game):
        finite(theirs, game.trainer.ckpt_path if game._trainer is not None else None)
    else:
        _same_players(game, stored)
        _other_movers(game._make_players(game.players()), stored)
    if known.get("mid_step"):
        rank_zero_warn("the checkpoint was saved in the middle of a step: it is no state that training passes through")
    if trained != (seed := global_seed()):
        rank_zero_warn(f"the checkpoint was trained with seed {trained}, this run goes on with seed {seed}")
    before, now = (_said_here(settings) for settings in (stored.get("hyper_parameters", {}), game.hparams))
    for said in (*differences(before, now), *_of_trainer(game, stored)):
        rank_zero_warn(said)


def settings_of_training(game: Game) -> dict[str, Any]:
    """What the trainer does to a game, beside how long; stored in its checkpoints."""
    trainer = game.trainer
    return {
        "trainer.precision": str(trainer.precision),
        "trainer.limit_train_batches": trainer.limit_train_batches,
        "trainer.overfit_batches": trainer.overfit_batches,  # type: ignore[attr-defined]
        "gradient_clip_val": game.gradient_clip_val,
        "gradient_clip_algorithm": game.gradient_clip_algorithm,
    }


def _said_here(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in _SAID_OTHERWISE}


def _of_trainer(game: Game, stored: dict[str, Any]) -> Iterator[str]:
    if _is_fitting(game):
        yield from differences(stored["game"].get("trainer", {}), settings_of_training(game))


def _is_fitting(game: Game) -> bool:
    return game._trainer is not None and game.trainer.state.fn == TrainerFn.FITTING


def _same_players(game: Game, stored: dict[str, Any]) -> None:
    """Refuse to train on where a player owns other parameters: there would be no moments of theirs."""
    trained = [sum(len(group["params"]) for group in each["param_groups"]) for each in stored.get("optimizer_states", [])]
    for (name, networks), count in zip_longest(game.players().items(), trained, fillvalue=(None, ())):
        if name is None or count != len(trainable(networks)):
            who = f"the {name}" if name else "somebody"
            raise InputError(
                f"in the checkpoint {who} trains other networks; give the --config that it was trained with, or start_from to "
                "take over networks alone"
            )


def _other_movers(fresh: Players, stored: dict[str, Any]) -> None:
    """Where a player has another kind of optimiser or schedule now, begin that anew, and say so.

    Args:
        fresh: the players as they are configured.
        stored: the checkpoint; the states of what begins anew are put in place of the old ones.
    """
    before, now = stored["game"].get("movers", {}), fresh.kinds()
    schedules = dict(zip(fresh.names, stored.get("lr_schedulers") or [None] * len(now), strict=False))
    for number, (name, optimizer) in enumerate(fresh.optimizers.items()):
        state, anew = stored["optimizer_states"][number], optimizer.state_dict()
        was = before.get(name, {"optimizer": None, "schedule": None if schedules[name] is None else now[name]["schedule"]})
        other_keys = {*state["param_groups"][0]} ^ {*anew["param_groups"][0]} > {"initial_lr"}
        if was["optimizer"] != now[name]["optimizer"] and (was["optimizer"] or other_keys):
            stored["optimizer_states"][number] = anew
            rank_zero_warn(
                f"the optimizer of the {name} was {was['optimizer'] or 'another one'} in the checkpoint, this run goes on with "
                f"{now[name]['optimizer']}, which remembers no step yet"
            )
        if was["schedule"] != now[name]["schedule"]:
            schedules[name] = fresh.schedulers[name].state_dict() if name in fresh.schedulers else None
            for group, own in zip(stored["optimizer_states"][number]["param_groups"], anew["param_groups"], strict=True):
                group.pop("initial_lr", None)
                group.update({key: own[key] for key in ("lr", "initial_lr") if key in own})
            rank_zero_warn(
                f"the schedule of the {name} was {was['schedule'] or 'none'} in the checkpoint, this run goes on with "
                f"{now[name]['schedule'] or 'none'}, from its start"
            )
    stored["lr_schedulers"] = [schedule for schedule in schedules.values() if schedule is not None]
