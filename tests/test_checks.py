"""What is refused of a game made in Python, where no parser has looked."""

import pytest

from lightning_gans import GAAN, GAN, WGANGP, InputError, checks


@pytest.mark.parametrize(
    ("game", "name"),
    [
        (GAAN, "generator_loss"),
        (GAAN, "match"),
        (GAAN, "penalty"),
        (GAN, "loss"),
        (WGANGP, "penalty"),
        (GAN, "gradient_clip_algorithm"),
        (GAAN, "nonfinite"),
    ],
)
def test_a_misspelt_choice_is_named_with_the_choices(game: type, name: str) -> None:
    with pytest.raises(InputError, match=f"{name} is 'typo', but must be one of '"):
        game(**{name: "typo"})


@pytest.mark.parametrize("value", ["a", None])
def test_a_choice_that_there_is_passes(value: str | None) -> None:
    checks.one_of("data.flip", value, (None, "a", "b"))


@pytest.mark.parametrize("value", ["A", "", 0, ["a"]])
def test_a_value_that_is_no_choice_is_named_with_the_choices(value: object) -> None:
    with pytest.raises(InputError, match=r"^data\.flip is .*, but must be one of None, 'a', 'b'$"):
        checks.one_of("data.flip", value, (None, "a", "b"))
