"""What is refused of a game made in Python, where no parser has looked."""

from collections.abc import Callable

import pytest

from lightning_gans import Game, InputError, checks
from tests.games.gaan import make_gaan
from tests.games.gan import make_gan
from tests.games.wgan_gp import make_wgan_gp


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (make_gan, "loss"),
        (make_gan, "gradient_clip_algorithm"),
        (make_gaan, "nonfinite"),
        (make_wgan_gp, "schedule_counts"),
    ],
)
def test_a_misspelt_choice_is_named_with_the_choices(make: Callable[..., Game], name: str) -> None:
    with pytest.raises(InputError, match=f"{name} is 'typo', but must be one of '"):
        make(**{name: "typo"})


@pytest.mark.parametrize("value", ["a", None])
def test_a_choice_that_there_is_passes(value: str | None) -> None:
    checks.one_of("data.flip", value, (None, "a", "b"))


@pytest.mark.parametrize("value", ["A", "", 0, ["a"]])
def test_a_value_that_is_no_choice_is_named_with_the_choices(value: object) -> None:
    with pytest.raises(InputError, match=r"^data\.flip is .*, but must be one of None, 'a', 'b'$"):
        checks.one_of("data.flip", value, (None, "a", "b"))
