"""What is refused of a game made in Python, where no parser has looked."""

import pytest

from lightning_gans import GAAN, GAN, WGANGP, InputError


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
