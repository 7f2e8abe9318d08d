"""What is refused before anything trains, each with one sentence that names it and says what to do."""

from __future__ import annotations

import math
from contextlib import suppress
from types import FrameType, NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.core.mixins.hparams_mixin import _given_hyperparameters
from lightning.pytorch.strategies import DDPStrategy, Strategy
from lightning.pytorch.utilities.parsing import collect_init_args
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch import Tensor, nn

from lightning_gans.errors import InputError, NonFiniteError
from lightning_gans.networks import eval_mode
from lightning_gans.protocols import Encodes
from lightning_gans.strategy import GameStrategy

if TYPE_CHECKING:
    from lightning_gans.game import Game
    from lightning_gans.priors import Prior


def positive(**values: float) -> None:
    """Refuse what is not a finite number above 0."""
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} is {value}, but must be a number above 0")


def not_negative(**values: float) -> None:
    """Refuse what is negative, infinite or NaN."""
    for name, value in values.items():
        if not (math.isfinite(value) and value >= 0):
            raise InputError(f"{name} is {value}, but must be a number of at least 0")


def fractions(**values: float) -> None:
    """Refuse what is outside [0, 1]."""
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise InputError(f"{name} is {value}, but must lie between 0 and 1")


def smoothing(label_smoothing: float) -> None:
    """Refuse labels that do not tell real from generated."""
    if not 0 <= label_smoothing < 0.5:
        raise InputError(f"label_smoothing is {label_smoothing}, but must be at least 0 and below 0.5")


def one_move_each(simultaneous: bool, **steps: int) -> None:
    """Refuse several steps of one player where both move at once."""
    for name, count in steps.items():
        if simultaneous and count != 1:
            raise InputError(f"{name} is {count}, but both players move at once; set simultaneous to false")


def rows_are_independent(critic: nn.Module) -> None:
    """Warn of a penalised critic with batch norm: a sample's slope then depends on the others (GAAN's authors did so)."""
    if any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in critic.modules()):
        rank_zero_warn("the gradient penalty takes slopes a sample, but the discriminator has batch norm; prefer norm 'layer'")


def has_density_everywhere(prior: Prior) -> None:
    """Refuse a prior under which a normal posterior has an infinite divergence, or whose density is not known."""
    try:
        known = bool(prior.log_prob(torch.full((1, prior.dim), 1e3)).isfinite().all())
    except NotImplementedError:
        known = False
    if not known:
        raise InputError(
            f"a normal posterior needs a prior with a density everywhere, which {prior} is not; set prior to Normal"
        )


def has_layer(discriminator: nn.Module, layer: str) -> None:
    """Refuse the name of a layer that a network with named stages has not."""
    stages = getattr(discriminator, "stages", {layer: None})
    if layer != "last" and layer not in stages:
        raise InputError(f"feature_layer is {layer!r}, but the discriminator has {', '.join(stages)} and last")


def has_logits(
    generator: nn.Module, wanted_by: str = "reconstruction 'bce'", instead: str = "reconstruction to mse or features"
) -> None:
    """Refuse a generator that cannot say what it computes before its sigmoid."""
    if not callable(getattr(generator, "logits", None)) or getattr(generator, "output_range", (0, 1)) != (0, 1):
        raise InputError(
            f"{wanted_by} needs a generator with a sigmoid output and a method logits(z); "
            f"set its output to sigmoid, or {instead}"
        )


def length(trainer: Any) -> None:
    """Refuse a training of no steps."""
    for name in ("max_steps", "max_epochs"):
        if getattr(trainer, name) == 0:
            raise InputError(f"trainer.{name} is 0, so nothing would be trained; give it a positive number (-1: no limit)")


def strategy(chosen: Strategy) -> None:
    """Refuse stock DistributedDataParallel settings under which a game with several optimisers crashes at its first step."""
    stock = isinstance(chosen, DDPStrategy) and not isinstance(chosen, GameStrategy)
    if stock and not cast(DDPStrategy, chosen)._ddp_kwargs.get("find_unused_parameters", False):
        raise InputError(
            "the strategy 'ddp' cannot train several players; "
            "set trainer.strategy to gan_ddp or ddp_find_unused_parameters_true"
        )


@torch.no_grad()
def dry_run(game: Game, shape: tuple[int, ...] | None, extent: float | None) -> None:
    """Send two samples of the data's ``shape`` through every network, and compare shapes and ranges.

    Modes, buffers and random streams are left as they were.
    """
    if getattr(game.prior, "empirical", False) and not game.stores_latents:
        raise InputError(f"{type(game).__name__} never fills an empirical prior; set prior to Normal, Uniform or another law")
    z = game.to_model(torch.zeros(2, game.prior.dim))
    with eval_mode(game):
        made = _forward("generator", game.decode, z, f"latents of {game.prior.dim} numbers")
        if shape is not None:
            if tuple(made.shape[1:]) != tuple(shape):
                raise InputError(
                    f"the generator makes {_by(made.shape[1:])} samples, but the data is {_by(shape)}; "
                    "set the networks' sizes, or data.image_size and data.channels, so that they agree"
                )
            _dry_run_on_data(game, game.to_model(torch.zeros(2, *shape)))
        _ranges(game, extent)


def _dry_run_on_data(game: Game, x: Tensor) -> None:
    what = f"data of shape {_by(x.shape[1:])}"
    if isinstance(game, Encodes):
        latents = _forward("encoder", game.encode, x, what)
        if latents.shape != (2, game.prior.dim):
            raise InputError(
                f"the encoder gives latents of {_by(latents.shape[1:])} numbers, but the prior has {game.prior.dim}; "
                "set the encoder's outputs or the prior's dim"
            )
    for name in ("discriminator", "critic", "image_discriminator", "manifold_discriminator", "diffusion_discriminator"):
        if isinstance(network := getattr(game, name, None), nn.Module):
            _forward(name, network, game.normalize(x), what)
    if isinstance(network := getattr(game, "latent_discriminator", None), nn.Module):
        _forward("latent_discriminator", network, game.to_model(torch.zeros(2, game.prior.dim)), "latents of the prior's dim")


def _forward(name: str, network: Any, x: Tensor, what: str) -> Tensor:
    try:
        return network(x)
    except RuntimeError as error:
        first = str(error).splitlines()[0]
        raise InputError(f"the {name} does not take {what} ({first}); set its input size") from error


def _ranges(game: Game, extent: float | None) -> None:
    made = getattr(game.generator, "output_range", None)
    if made is None:
        return
    if made != game.data_range:
        raise InputError(
            f"the generator's output lies in {list(made)}, but data_range is {list(game.data_range)}; "
            "set the generator's output (sigmoid for [0, 1], tanh for [-1, 1]) or data_range"
        )
    if extent is not None and extent > 1.05 * game.data_scale:  # the tails of a mixture may stick out a little
        raise InputError(
            f"the data reaches {extent:g}, but data_scale {game.data_scale:g} maps only up to {game.data_scale:g} into the "
            f"generator's range; set data_scale to {extent:g} or more"
        )


def finite_parameters(module: LightningModule) -> None:
    """Refuse to save parameters that are NaN or infinite."""
    bad = torch.stack([~p.detach().isfinite().all() for p in module.parameters()])
    if bool(bad.any()):
        name = next(name for (name, _), is_bad in zip(module.named_parameters(), bad.tolist(), strict=True) if is_bad)
        raise NonFiniteError(
            f"the parameter {name} is not finite at step {module.global_step}; no checkpoint is written, the last one is intact"
        )


def checkpoint(game: Game, stored: dict[str, Any], seed: int) -> None:
    """Refuse the checkpoint of another paper or of other networks; say where settings differ from those it was trained with."""
    paper = stored.get("game", {}).get("paper")
    if paper != type(game).__name__:
        raise InputError(f"the checkpoint is of {paper or 'no game'}, not of {type(game).__name__}; give one of its own")
    mine, theirs = game.state_dict(), stored["state_dict"]
    for name in [*mine, *theirs]:
        if name not in mine or name not in theirs or mine[name].shape != theirs[name].shape:
            raise InputError(f"the checkpoint is of other networks: {name} differs; give the --config that it was trained with")
    if (trained := stored["game"]["seed"]) != seed:
        rank_zero_warn(f"the checkpoint was trained with seed {trained}, this run goes on with seed {seed}")
    old = {k: v for k, v in stored.get("hyper_parameters", {}).items() if v is None or isinstance(v, int | float | str)}
    for name, value in game.hparams.items():
        if name in old and not name.startswith("_") and old[name] != value:
            rank_zero_warn(f"{name} was {old[name]} in the checkpoint, this run goes on with {value}")


def save_hyperparameters(module: LightningModule, frame: FrameType) -> None:
    """Store the constructors' arguments, seen from ``frame``: under the command all, else those that are plain values."""
    if _given_hyperparameters.get() is not None:
        module.save_hyperparameters()
        return
    ignore = [name for given in collect_init_args(frame, []) for name, value in given.items() if not _is_plain(value)]
    module.save_hyperparameters(ignore=ignore, frame=frame)


def choices(cls: type, frame: FrameType) -> None:
    """Refuse an argument of the constructors above ``frame`` that is none of its choices (the command has looked already)."""
    given = {name: value for arguments in collect_init_args(frame, []) for name, value in arguments.items()}
    for constructor in (base.__init__ for base in cls.__mro__ if "__init__" in vars(base)):  # type: ignore[misc]
        with suppress(NameError):  # a type that is imported for type checkers only
            for name, hint in get_type_hints(constructor).items():
                allowed = _allowed(hint)
                if allowed and name in given and given[name] not in allowed:
                    raise InputError(f"{name} is {given[name]!r}, but must be one of {', '.join(map(repr, allowed))}")


def _allowed(hint: Any) -> tuple[Any, ...]:
    """The values of a Literal, also of one that may be None; nothing for all other types."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    if get_origin(hint) in (Union, UnionType) and all(part is NoneType or _allowed(part) for part in get_args(hint)):
        return tuple(value for part in get_args(hint) for value in (_allowed(part) or (None,)))
    return ()


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(k, str) and _is_plain(v) for k, v in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def _by(shape: Any) -> str:
    return "x".join(map(str, shape))


def one_of(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    """Refuse a value that is none of the choices."""
    if value not in choices:
        raise InputError(f"{name} is {value!r}, but must be one of {', '.join(map(repr, choices))}")
