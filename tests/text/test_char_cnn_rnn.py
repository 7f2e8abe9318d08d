"""The char-CNN-RNN: its layers, what it reads of a caption, and that it is a function of that alone."""

from __future__ import annotations

import warnings

import pytest
import torch

import lightning_gans
from lightning_gans import AttributeCondition, InputError
from lightning_gans.operations import Operations
from lightning_gans.text import CharCNNRNN

HAIR = ["blonde long hair and purple eyes", "red hair"]


def small(length: int = 64) -> CharCNNRNN:
    torch.manual_seed(0)
    return CharCNNRNN(8, (4, 6, 5), length)


def test_the_authors_layers_make_1024_numbers_of_201_characters_in_18_steps() -> None:
    encoder = CharCNNRNN()
    sizes = {name: tuple(value.shape) for name, value in encoder.named_parameters() if name.endswith(("weight", "_l0"))}
    assert sizes["convolutions.0.weight"] == (384, 70, 4)
    assert sizes["convolutions.3.weight"] == (512, 384, 4)
    assert sizes["convolutions.6.weight"] == (512, 512, 4)
    assert sizes["recurrent.weight_ih_l0"] == (3 * 512, 512)
    assert sizes["linear.weight"] == (1024, 512)
    with torch.no_grad():
        assert encoder.convolutions(torch.zeros(1, 70, 201)).shape == (1, 512, 18)
        assert encoder(encoder.codes(HAIR)).shape == (2, encoder.width) == (2, 1024)


def test_it_is_the_mean_of_all_steps_through_a_linear_layer() -> None:
    encoder = small()
    letters = torch.zeros(1, 70, 64)
    for place, letter in enumerate("red hair"):
        letters[0, "abcdefghijklmnopqrstuvwxyz".index(letter) if letter != " " else 69, place] = 1
    steps, _ = encoder.recurrent(encoder.convolutions(letters).transpose(1, 2))
    torch.testing.assert_close(encoder(encoder.codes(["red hair"])), encoder.linear(steps.mean(1)))


def test_padding_and_capitals_change_nothing_and_the_mode_neither() -> None:
    encoder = small()
    one = encoder(encoder.codes(["Red hair"]))
    assert torch.equal(one, encoder.eval()(torch.nn.functional.pad(encoder.codes(["red hair"]), (0, 30))))
    assert torch.equal(one, encoder.train()(encoder.codes(["RED HAIR"])))
    assert torch.equal(encoder(encoder.codes(["red \u2603 hair"])), encoder(encoder.codes(["red \u4e2d hair"])))
    assert not torch.equal(one, encoder(encoder.codes(["red hat"])))


def test_it_waits_for_no_value_and_draws_nothing_so_that_a_step_can_be_captured() -> None:
    encoder = small()
    codes = encoder.codes(HAIR)
    with Operations() as trace:
        encoder(codes).sum().backward()
    assert trace.seen
    assert trace.waits == trace.random == []


def test_numbers_are_float32_under_autocast() -> None:
    encoder = small()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(encoder(encoder.codes(HAIR)), small()(encoder.codes(HAIR)))


def test_captions_that_are_too_long_are_cut_with_one_warning() -> None:
    encoder = small(48)
    long = encoder.codes(["a" * 48])
    with pytest.warns(UserWarning, match="captions of 60 bytes; char_cnn_rnn reads the first 48"):
        cut = encoder(torch.nn.functional.pad(long, (0, 12), value=98))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(cut, encoder(long))
        encoder.codes(["b" * 70])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "text", ["", "  ", "\u200b", "\u9aea" * 10_000, "\u4e2d\u6587", "\u00e9 \u00e8", "\u2603 " * 30 + "face"]
)
def test_a_caption_of_which_nothing_is_read_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"caption is empty; write a caption|Latin letters"):
        small().check_caption(text)
    small().check_caption(f"hair {text[:20]}")


def test_captions_of_another_kind_or_empty_are_refused() -> None:
    encoder = small()
    for wrong in (torch.zeros(3, 4), torch.zeros(3, dtype=torch.int64), {"captions": encoder.codes(HAIR)}):
        with pytest.raises(InputError, match="byte codes, int64"):
            encoder.check(wrong)
    codes = encoder.codes(HAIR)
    encoder.check(codes)
    encoder.check(encoder.example(3))
    with pytest.raises(InputError, match="caption 1 is empty"):
        encoder.check(codes * torch.tensor([[1], [0]]))
    unread = torch.tensor([[*"\u9aea \u9aea".encode()]])
    with pytest.raises(InputError, match="nothing in the caption '\u9aea \u9aea' is in the alphabet"):
        encoder.check(torch.cat([torch.nn.functional.pad(codes, (0, 1))[:, :7], unread]))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"width": 0}, "width"),
        ({"channels": (1, 2)}, "three numbers"),
        ({"channels": (1, 0, 2)}, "at least 1"),
        ({"length": 47}, "48"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        CharCNNRNN(**settings)  # type: ignore[arg-type]


def test_gradients_reach_every_weight() -> None:
    encoder = small()
    encoder(encoder.codes(HAIR)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.parameters())


def test_fingerprints_tell_weights_apart_and_names_are_found_in_the_package() -> None:
    encoder, other = small(), small()
    assert encoder.fingerprint == other.fingerprint
    with torch.no_grad():
        other.linear.bias[0] += 1e-6
    assert encoder.fingerprint != other.fingerprint
    assert encoder.describe()["text_encoder_sha256"] == encoder.fingerprint
    assert lightning_gans.CharCNNRNN is CharCNNRNN


def test_what_it_gives_is_what_a_condition_of_attributes_takes() -> None:
    encoder = small()
    condition = AttributeCondition(columns=encoder.width, linear=3, activation="lrelu")
    embedded = encoder(encoder.codes(HAIR))
    condition.check(embedded)
    assert condition(embedded).shape == (2, 3)
