"""The paper's own step and its doors on two samples, or packs, before anything trains: what fails is said in a sentence."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from torch import Tensor

from lightning_gans import idle
from lightning_gans.batch import Batch
from lightning_gans.doors import Doors
from lightning_gans.errors import InputError
from lightning_gans.history import LossHistory
from lightning_gans.labelled_priors import Labelled
from lightning_gans.messages import first_line
from lightning_gans.networks import eval_mode
from lightning_gans.players import Players
from lightning_gans.protocols import Condition, classifies, encodes
from lightning_gans.updates import Losses, Updates, name_of

if TYPE_CHECKING:
    from lightning_gans.game import Game

_ALONE = (
    "a device is given one sample, in the last batch of an epoch or in each; "
    "set data.drop_last to true, or another data.batch_size"
)
_TAILS = 1.05  # those of a mixture may stick out of the data's scale so far


def dry_run(game: Game, data: Any, steps: bool) -> None:
    """Decode, encode and, before a training, take a step; nothing is other afterwards, no weight or random stream.

    Args:
        game: of any paper.
        data: its data module, ``None`` where it was given loaders: then only the generator is tried.
        steps: whether it is about to train.

    Raises:
        InputError: something fails, or shapes and ranges do not fit; says what.
    """
    _check_parts(game)
    if getattr(game.prior, "empirical", False) and not game.stores_latents:
        raise InputError(f"{type(game).__name__} never fills an empirical prior; set prior to Normal, Uniform or another law")
    pack = math.lcm(*(getattr(network, "pack", 1) for network in game.modules()))
    batch = example(data, 2 * pack)
    if game.conditional and batch is not None and batch.conditions is None:
        has_labels = hasattr(data, "labels") and data.labels("train") is not None
        advice = "set data.condition to labels" if has_labels else "take other data"
        raise InputError(
            f"{type(game).__name__} is conditional, but {data.name} comes with no labels or other conditions; {advice}"
        )
    if game.conditional and not game.averages_captions and (several := getattr(data, "captions_per_image", 1)) > 1:
        raise InputError(
            f"data.captions_per_image is {several}, but {type(game).__name__} is given one caption of each image; leave it out"
        )
    with unchanged(game), torch.no_grad(), eval_mode(game):
        _try_doors(game, data, batch)
    if steps and batch is not None:
        if game.learns_labels and batch.labelled is None and batch.conditions is not None:
            rank_zero_info(f"all training samples of {data.name} keep their labels; for fewer set data.labelled")
        with unchanged(game):
            _try_step(game, data, batch, "set the networks' sizes so that they fit")
        smallest = getattr(data, "smallest_share", 2 * pack)
        if smallest % pack:
            raise InputError(
                f"a device is given {smallest} samples in some batch, which do not fall into packs of {pack}; set "
                f"data.drop_last to true, and data.batch_size to a multiple of {pack} for each device"
            )
        if smallest == 1:
            with unchanged(game):
                _try_step(game, data, data.example(1), _ALONE)


def example(data: Any, n: int = 2) -> Batch | None:
    """``n`` training samples with all that belongs to them, where the data module can tell them."""
    if hasattr(data, "example"):
        return data.example(n)
    shape = getattr(data, "shape", None)
    if shape is None:
        return None
    batch = Batch(torch.zeros(n, *shape))
    batch.draw_again = lambda: batch
    return batch


@contextmanager
def unchanged(game: Game) -> Iterator[None]:
    """Afterwards all that a step changes is as it was."""
    kept = [(tensor, tensor.detach().clone()) for tensor in (*game.parameters(), *game.buffers())]
    held = [(of, dict(of)) for module in game.modules() for of in (vars(module), module._buffers)]  # also what is assigned
    devices = [game.device] if game.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        for now, before in held:
            now.clear()
            now.update(before)
        with torch.no_grad():
            for tensor, value in kept:
                tensor.copy_(value)


def _check_parts(game: Game) -> None:
    """Refuse a module of somebody's own that lacks what all else is asked of."""
    lacking = [] if hasattr(getattr(game, "prior", None), "sample") else ["prior"]
    if type(game).decode is Doors.decode and not callable(getattr(game, "generator", None)):
        lacking.append("generator")
    if lacking:
        parts = " and ".join(f"self.{name}" for name in lacking)
        raise InputError(f"{type(game).__name__} has no {' and no '.join(lacking)}; set {parts} in its constructor")


def _try_doors(game: Game, data: Any, batch: Batch | None) -> None:
    condition = None if batch is None else batch.conditions
    n = 2 if batch is None else len(batch)
    z = game.to_model(game.prior.sample(n, torch.Generator().manual_seed(0)))
    images = _call("generator", f"latents of {game.prior.dim} numbers", game.decode, z, condition)
    if batch is not None:
        shape = batch.images.shape
        if images.shape[1:] != shape[1:]:
            raise InputError(
                f"the generator makes {_by(images.shape[1:])} samples, but the data is {_by(shape[1:])}; "
                "set the networks' sizes, or data.image_size and data.channels, so that they agree"
            )
        if encodes(game):
            what = f"data of shape {_by(shape[1:])}"
            latents = _call("encoder", what, game.encode, game.to_model(batch.images), condition)
            if latents.shape != (n, game.prior.dim):
                raise InputError(
                    f"the encoder gives latents of {_by(latents.shape[1:])} numbers, but the prior has {game.prior.dim}; "
                    "set the encoder's outputs or the prior's dim"
                )
        if game.learns_labels and (batch.labelled is not None or batch.conditions is not None):
            _check_classes(game, data, batch)
    _check_range(game, getattr(data, "extent", None))


def _check_classes(game: Game, data: Any, batch: Batch) -> None:
    """Refuse a model that tells other classes apart than those of the labelled samples, or has fewer components than these."""
    labels = data.labels("train")
    classes = len(data.classes) or int(labels.max()) + 1
    if isinstance(game.prior, Labelled) and game.prior.components < classes:
        raise InputError(
            f"{game.prior} has {game.prior.components} components, but {data.name} has {classes} classes; set prior.components"
        )
    if not classifies(game):
        return
    try:
        outputs = game.classify(game.to_model(batch.images)).shape[1]
    except (RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            f"{type(game).__name__} cannot classify the data ({first_line(error)}); set its networks' sizes"
        ) from error
    if outputs != classes:
        raise InputError(
            f"{type(game).__name__} tells {outputs} classes apart, but {data.name} has {classes}; "
            "set the outputs of its networks, and the classes of a prior that has any"
        )


def _call(network: str, what: str, door: Callable[..., Tensor], x: Tensor, condition: Condition | None) -> Tensor:
    try:
        return door(x, condition)
    except (RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"the {network} does not take {what} ({first_line(error)}); set its input size") from error


def _check_range(game: Game, extent: float | None) -> None:
    reached = getattr(game.generator, "output_range", None)
    if reached is None:
        return
    if sorted(reached) != sorted(game.data_range):
        raise InputError(
            f"the generator's output lies in {list(reached)}, but data_range is {list(game.data_range)}; "
            "set the generator's output (sigmoid for [0, 1], tanh for [-1, 1]) or data_range"
        )
    if extent is not None and extent > _TAILS * game.data_scale:
        raise InputError(
            f"the data reaches {extent:g}, but data_scale {game.data_scale:g} maps only up to {game.data_scale:g} into the "
            f"generator's range; set data_scale to {extent:g} or more"
        )


def _try_step(game: Game, data: Any, batch: Batch, advice: str) -> None:
    idle.check_players(game)
    players = game._players = game._make_players(game.players())
    trial = game._updates = _Trial(game, players)
    game._history, game._draws = LossHistory(), None
    game._pretended_step = 1  # what a paper leaves out at its very first step is tried, too
    game.train()
    try:
        given = batch.map_images(lambda images: game.normalize(game.to_model(images)))
        idle.check_returned(game, cast(Any, game).step(given))
        idle.check_moved(game, trial.moved)
    except InputError:
        raise
    except Exception as error:  # whatever a paper raises
        paper, shape = type(game).__name__, _by(batch.images.shape[1:])
        raise InputError(
            f"{paper} cannot take a step on {getattr(data, 'name', 'the data')} ({shape}): {trial.doing} fails with "
            f"{type(error).__name__}: {first_line(error)}; {advice}"
        ) from error


class _Trial(Updates):
    """Evaluates updates and their gradients, and steps with none."""

    def __init__(self, game: Game, players: Players) -> None:
        self.game, self.players, self.scaler, self.compiler = game, players, None, None
        self.doing = "step"
        self.moved: set[str] = set()

    def take(self, player: str | None, loss: Callable[..., Any], inputs: Sequence[Any]) -> Losses:
        self.doing = name_of(loss) if player is None else f"for the {player} {name_of(loss)}"
        losses, gradients = self.gradients(player, loss, inputs)
        for name, of_player in gradients.items():
            if all(gradient is None for gradient in of_player):
                raise InputError(f"{name_of(loss)} does not depend on any parameter of the {name}, which it is to train")
        self.doing = "step"
        self.moved.update(gradients)
        return losses


def _by(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))
