"""Images of one's own, as the data are and made again."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lightning_gans import InputError
from lightning_gans.explore.about import about
from lightning_gans.figures import plots
from tests.explore.test_session import Explore, bomb, png


def test_an_image_of_ones_own_is_cut_as_the_data_are_and_made_again(explorer: Explore) -> None:
    it = explorer("VAE")
    digit = plots.to_bytes(it.data.real("test", torch.tensor([0])))[0, 0].numpy()
    wide = np.zeros((80, 120), np.uint8)
    wide[:, 20:100] = digit.repeat(10, 0).repeat(10, 1)
    for raw in (png(digit), png(np.stack([digit] * 3, -1))):
        own, shown = it.own(raw)
        assert np.array_equal(own[..., 0], digit)
        with torch.no_grad():
            code = it.model.encode(it.data.real("test", torch.tensor([0])))
        np.testing.assert_allclose(shown.latent, code[0], atol=1e-6)
        assert np.array_equal(it.show(shown.latent).picture, shown.picture)
    own, _ = it.own(png(wide))
    assert np.abs(own[..., 0].astype(int) - digit).mean() < 10, "the square in the middle"


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"no image", "me.png cannot be read as an image .*; take a PNG, JPEG, .* of at most 89 megapixels"),
        (png(np.zeros((9, 9)))[:40], "me.png cannot be read as an image"),
        (b"", "me.png cannot be read as an image"),
    ],
)
def test_what_is_no_image_is_refused(raw: bytes, sentence: str, explorer: Explore) -> None:
    with pytest.raises(InputError, match=sentence):
        explorer("VAE").own(raw, "me.png")


def test_an_image_of_200_megapixels_is_refused_before_it_is_decoded(explorer: Explore) -> None:
    with pytest.raises(InputError, match=r"200000000 pixels.*at most 89 megapixels"):
        explorer("VAE").own(bomb(), "huge.png")


def test_without_an_encoder_nothing_is_encoded(explorer: Explore) -> None:
    assert not about(explorer("ConditionalGAN"))["encodes"]
    with pytest.raises(InputError, match="has no encoder"):
        explorer("ConditionalGAN").own(png(np.zeros((8, 8))))
