"""GAN-CLS, GAN-INT and GAN-INT-CLS against their formulas, and which pairs of image and text they are about."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lightning_gans import GANCLS, MLP, AttributeCondition, Batch, Conditioned, InputError, LabelCondition
from lightning_gans.text import CharCNNRNN, StoredEmbeddings
from tests.games.gan_cls import CLASSES, WIDTH, make_gan_cls
from tests.helpers import COMMON, Noise, arguments, fit, furthest, matters, record_arguments, record_turns, sgd_step, state

sgd = {"optimizer": partial(torch.optim.SGD, lr=0.1), "scheduler": None}


class Bytes(nn.Module):
    """Counts each byte of a caption, and tells when it runs in training mode."""

    width = 256

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, captions: Tensor) -> Tensor:
        assert not self.training
        return self.scale * nn.functional.one_hot(captions, 256).sum(1).float()


def coded(*texts: str) -> Tensor:
    length = max(map(len, texts))
    return torch.tensor([[*text.encode().ljust(length, b"\0")] for text in texts])


@pytest.mark.parametrize("w", [0.5, 0.2, 0.0])
@pytest.mark.parametrize(("interpolated", "beta", "weight"), [(False, 0.5, 1.0), (True, 0.5, 1.0), (True, 0.3, 0.4)])
def test_a_step_is_that_of_the_formulas(w: float, interpolated: bool, beta: float, weight: float) -> None:
    settings: dict[str, Any] = {"interpolated": interpolated, "beta": beta, "interpolation_weight": weight}
    game = make_gan_cls(mismatched_weight=w, **settings, **sgd)
    batches = record_arguments(game, "training_step")
    drawn = record_arguments(game, "discriminator_loss")
    fit(game, 1)
    reference, noise = make_gan_cls(), Noise(game.prior)
    x, y = batches[0][0].images, batches[0][0].conditions
    t = reference.text_encoder(y)

    def G(z: Tensor, text: Tensor) -> Tensor:
        return reference.generator.network(torch.cat([z, text], 1))

    def D(images: Tensor, text: Tensor) -> Tensor:
        return reference.discriminator.network(torch.cat([images, text], 1)).sigmoid()

    loss = -D(x, t).log().mean() - (1 - w) * (1 - D(G(noise.z(), t).detach(), t)).log().mean()
    if w:
        images, weights = drawn[0][1]
        wrong = weights > 0
        assert 0 < wrong.sum() < len(x)
        loss -= w * (1 - D(images[wrong], t[wrong])).log().mean()
    else:
        assert drawn[0][1] is None
    sgd_step([reference.discriminator.network], loss)
    if interpolated:
        noise.n = 16
        between = (1 - beta) * t[:16] + beta * t[16:]
        z_between = noise.z()
        noise.n = 32
        losses = torch.cat([-D(G(noise.z(), t), t).log(), -weight * D(G(z_between, between), between).log()])
        assert len(losses) == 48
        sgd_step([reference.generator.network], losses.mean())
    else:
        sgd_step([reference.generator.network], -D(G(noise.z(), t), t).log().mean())
    assert furthest(state(game), state(reference)) < 1e-5


def test_the_discriminator_moves_first_and_the_texts_encoder_never() -> None:
    turns = record_turns(game := make_gan_cls())
    assert not any(parameter.requires_grad for parameter in game.text_encoder.parameters())
    before = state(game.text_encoder)
    fit(game, 2)
    assert turns == [("discriminator", ["discriminator"]), ("generator", ["generator"])] * 2
    assert furthest(state(game.text_encoder), before) == 0


def wrong(conditions: Any, others: Any) -> tuple[Tensor, Tensor]:
    first, *_ = conditions.values() if isinstance(conditions, dict) else [conditions]
    other = Batch(torch.rand(len(first), 2), others)
    images, weights = make_gan_cls().wrong_images(Batch(torch.zeros(len(first), 2), conditions, lambda: other))
    assert torch.equal(images, other.images)
    return images, weights


def test_pairs_of_the_same_class_are_left_out_of_the_mean() -> None:
    assert wrong(torch.tensor([3, 4, 5, 6]), torch.tensor([3, 5, 5, 0]))[1].tolist() == [0, 2, 0, 2]
    captions, others = coded("red", "blue", "red", "red"), coded("blue", "blue", "red", "reds")
    assert wrong(captions, others)[1].tolist() == [2, 0, 0, 2]
    assert wrong({"captions": captions}, {"captions": others})[1].tolist() == [2, 0, 0, 2]
    labels = {"labels": torch.tensor([0, 1, 2, 3])}, {"labels": torch.tensor([0, 1, 2, 0])}
    by_label = wrong({"captions": captions, **labels[0]}, {"captions": others, **labels[1]})[1]
    assert by_label.tolist() == [0, 0, 0, 4], "a class that the data gives counts, and not what its captions say"


def test_images_that_have_one_of_several_captions_in_common_are_no_wrong_pairs() -> None:
    captions = torch.stack([coded("a", "b"), coded("c", "d"), coded("e", "f"), coded("g", "h")])
    others = torch.stack([coded("b", "i"), coded("i", "j"), coded("f", "e"), coded("c", "d")])
    assert wrong(captions, others)[1].tolist() == [0, 2, 0, 2]
    labels = {"labels": torch.tensor([0, 1, 2, 3])}, {"labels": torch.tensor([1, 1, 1, 1])}
    by_label = wrong({"captions": captions, **labels[0]}, {"captions": others, **labels[1]})[1]
    torch.testing.assert_close(by_label, torch.tensor([4 / 3, 0, 4 / 3, 4 / 3]))


def test_where_all_are_of_one_class_nothing_is_wrong() -> None:
    game = make_gan_cls()
    images, weights = wrong(torch.zeros(4).long(), torch.zeros(4).long())
    x, z, t = torch.rand(4, 2), torch.rand(4, 2), torch.rand(4, WIDTH)
    without = make_gan_cls(mismatched_weight=0.5).discriminator_loss(x, None, z, t)
    torch.testing.assert_close(game.discriminator_loss(x, (images, weights), z, t), without)


@pytest.mark.parametrize("n", [1, 2, 5, 6])
def test_texts_of_the_first_half_are_paired_with_those_of_the_second(n: int) -> None:
    t = torch.arange(n, dtype=torch.float32)[:, None].expand(n, WIDTH)
    between = make_gan_cls(beta=0.25).between(t)
    pairs = {1: [], 2: [(0, 1)], 5: [(0, 3), (1, 4)], 6: [(0, 3), (1, 4), (2, 5)]}[n]
    assert between[:, 0].tolist() == [0.75 * a + 0.25 * b for a, b in pairs]


class Named:
    """Data with two captions an image."""

    name, splits = "birds", ("train", "test")

    def __init__(self, *texts: str, kind: str = "captions") -> None:
        self.condition_kinds = {kind: None}
        self.codes = coded(*texts).to(torch.uint8)

    def caption_codes(self, split: str) -> Tensor | None:
        return self.codes[None] if split == "test" else self.codes[:1, None]


def checked(text_encoder: nn.Module, data: Any) -> None:
    told(text_encoder=text_encoder)._check_captions(data)


def test_captions_that_the_encoder_cannot_read_are_refused_before_training(tmp_path: Path) -> None:
    np.savez(tmp_path / "e.npz", captions=["red hair", "blue hair"], embeddings=np.eye(2, 256))
    stored, letters = StoredEmbeddings(tmp_path / "e.npz"), CharCNNRNN(256, (4, 4, 4), 48)
    for encoder in (stored, letters, Bytes()):
        checked(encoder, Named("red hair", "blue hair"))
    with pytest.raises(InputError, match=r"no embedding of the caption 'green' .*add it to the file|no embedding.*green"):
        checked(stored, Named("red hair", "green"))
    checked(letters, Named("red hair", "green"))
    for texts in (["\u9aea", "red"], ["red", "\u9aea"]):
        with pytest.raises(InputError, match="nothing in the caption '\u9aea' is in the alphabet"):
            checked(letters, Named(*texts))
    checked(letters, Named("\u9aea", kind="labels"))
    checked(letters, None)


def test_an_encoder_of_other_data_is_said(recwarn: pytest.WarningsRecorder) -> None:
    encoder = CharCNNRNN(256, (4, 4, 4), 48)
    for of in ("", "birds"):
        encoder.dataset = of
        checked(encoder, Named("red"))
    assert not recwarn.list
    encoder.dataset = "anime"
    with pytest.warns(UserWarning, match="the text encoder was trained on anime, and may not tell the captions of birds apart"):
        checked(encoder, Named("red"))


@pytest.mark.filterwarnings("ignore")
def test_labels_for_an_encoder_of_captions_are_refused_before_training() -> None:
    with pytest.raises(InputError, match=r"captions must be byte codes, .*; set data\.condition to captions"):
        fit(told(text_encoder=CharCNNRNN(256, (4, 4, 4), 48)), 1)


def told(**settings: Any) -> GANCLS:
    """Told captions."""
    networks = {
        "generator": Conditioned(MLP(2 + 256, 2, (16,), output="sigmoid"), AttributeCondition(256)),
        "discriminator": Conditioned(MLP(2 + 256, 1, (16,)), AttributeCondition(256)),
    }
    return make_gan_cls(**{**networks, "text_encoder": Bytes(), **settings})


def test_captions_are_encoded_at_the_doors_and_numbers_are_texts_already() -> None:
    game, captions = told(), coded("red hair", "green")
    game.train()
    z, t = game.prior.sample(2), Bytes().eval()(captions).detach()
    expected = game.denormalize(game.generator(z, t))
    for condition in (captions, t, {"captions": captions, "labels": torch.tensor([0, 1])}):
        torch.testing.assert_close(game.decode(z, condition), expected)
    first, second = (game.sample(2, captions, torch.Generator().manual_seed(seed)) for seed in (1, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, game.sample(2, captions.flip(0), torch.Generator().manual_seed(1)))
    assert game.text_encoder.training, "the mode it was in"
    (layer,) = game.features(game.decode(z, captions), ["hidden1"], captions)
    assert layer.shape == (2, 16)


def test_several_captions_of_an_image_are_averaged() -> None:
    captions = torch.stack([coded("red hair", "green eye"), coded("blue hair", "long hair")])
    means = told().texts(captions)
    torch.testing.assert_close(means[0], (told().texts(captions[0])).mean(0))
    assert means.shape == (2, 256)


def test_data_without_captions_are_refused() -> None:
    with pytest.raises(InputError, match=r"there are labels, attributes, but no captions; let data\.condition have them, too"):
        make_gan_cls().texts({"labels": torch.zeros(2).long(), "attributes": torch.zeros(2, 3)})


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"mismatched_weight": 1.5}, "mismatched_weight is 1.5, but must lie between 0 and 1"),
        ({"beta": -0.5}, "beta is -0.5, but must lie between 0 and 1"),
        ({"interpolation_weight": -1.0}, "interpolation_weight is -1.0, but must be a number of at least 0"),
    ],
)
def test_weights_that_are_none_are_refused(settings: dict[str, float], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        make_gan_cls(**settings)


def told_of(network: MLP) -> Conditioned:
    return Conditioned(network, AttributeCondition(WIDTH))


between: dict[str, Any] = {"interpolated": True}
CHANGES = COMMON | {
    "generator": ({}, {"generator": told_of(MLP(2 + WIDTH, 2, (8,), output="sigmoid"))}),
    "discriminator": ({}, {"discriminator": told_of(MLP(2 + WIDTH, 1, (8,)))}),
    "text_encoder": ({}, {"text_encoder": LabelCondition(CLASSES, WIDTH)}),
    "mismatched_weight": ({}, {"mismatched_weight": 0.0}),
    "interpolated": ({}, between),
    "beta": (between, {"beta": 0.2}),
    "interpolation_weight": (between, {"interpolation_weight": 0.5}),
    "data_range": ({"generator": told_of(MLP(2 + WIDTH, 2, (16,)))}, {"data_range": (0.0, 1.0)}),
}


def test_every_argument_is_in_the_table_of_changes() -> None:
    assert arguments(GANCLS) == set(CHANGES)


@pytest.mark.parametrize("name", CHANGES)
def test_every_argument_matters(name: str) -> None:
    assert matters(make_gan_cls, *CHANGES[name])
