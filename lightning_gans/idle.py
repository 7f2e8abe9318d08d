"""What would train nothing without a word: habits of Lightning in a game's step, and networks that nobody moves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from lightning.pytorch.utilities.rank_zero import rank_zero_warn

from lightning_gans.errors import InputError

if TYPE_CHECKING:
    from lightning_gans.game import Game


def check_players(game: Game) -> None:
    """Refuse a game that nobody plays; say which of its networks no player owns.

    Raises:
        InputError: there is no player, or what it owns are no networks.
    """
    players, name = game.players(), type(game).__name__
    if not players:
        raise InputError(f"{name}.players() names none, so nothing would be trained; give the networks of each player by name")
    owned = {id(parameter) for networks in players.values() for network in networks for parameter in network.parameters()}
    for child, network in game.named_children():
        parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        if parameters and not any(id(parameter) in owned for parameter in parameters):
            rank_zero_warn(
                f"no player of {name} owns {child}, which stays as it is; name it in players(), or freeze it with "
                f"self.{child}.requires_grad_(False)"
            )


def check_returned(game: Game, returned: Any) -> None:
    """Refuse a step that returns something: a loss that is returned moves nobody.

    Raises:
        InputError: says what to do instead.
    """
    if returned is not None:
        raise InputError(
            f"{type(game).__name__}.step returns {type(returned).__name__}, but a loss that is returned trains nothing; "
            "call self.minimize(player, loss, ...) for each player"
        )


def check_moved(game: Game, moved: Iterable[str]) -> None:
    """Refuse a step in which no player moves.

    Raises:
        InputError: says what to do.
    """
    if not set(moved):
        raise InputError(
            f"no player moves in {type(game).__name__}.step, so nothing would be trained; "
            "call self.minimize(player, loss, ...) for each player"
        )


def say_who_stands(standing: Iterable[str], batches: int) -> None:
    """Warn of players who have not taken a step in so many batches."""
    for player in standing:
        rank_zero_warn(f"the {player} has not taken a step in {batches} batches; call self.minimize({player!r}, ...) in step")
