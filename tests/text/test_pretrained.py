"""Encoders that others have trained: their numbers are those of their packages, each caption is read once, none is fetched."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import lightning_gans
from lightning_gans import GANCLS, MLP, AttributeCondition, Conditioned, Images, InputError, Normal
from lightning_gans.commands.text_encoder import main
from lightning_gans.text import PretrainedTextEncoder, ProjectedTextEncoder, load_text_encoder
from lightning_gans.text.loading import named_below
from lightning_gans.text.training import train_text_encoder
from tests.helpers import fit, saving
from tests.text.folders import make_bert, make_clip, make_open_clip, transformers
from tests.text.test_training import QUICK, SHORT, lay_out

TEXTS = ["red hair and blue eyes", "a white hair", "black eyes"]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bert(tmp_path_factory.mktemp("bert") / "tiny")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lay_out(root := tmp_path_factory.mktemp("data"))
    return root


@pytest.fixture(scope="module")
def file(bert: Path, root: Path) -> Path:
    """A layer over it that was trained with faces."""
    return train_text_encoder(replace(QUICK, texts=str(bert)), root, root / "quick.pt", "cpu")


def of_bert(folder: Path) -> Tensor:
    """The mean over tokens, all texts at once."""
    tokens = transformers().AutoTokenizer.from_pretrained(folder)(TEXTS, padding=True, return_tensors="pt")
    states = transformers().BertModel.from_pretrained(folder)(**tokens).last_hidden_state
    mask = tokens["attention_mask"][..., None]
    return (states * mask).sum(1) / mask.sum(1)


def of_clip(folder: Path) -> Tensor:
    tokens = transformers().AutoTokenizer.from_pretrained(folder)(TEXTS, padding=True, return_tensors="pt")
    given = transformers().CLIPModel.from_pretrained(folder).get_text_features(**tokens)
    return given if isinstance(given, Tensor) else given.pooler_output


def of_open_clip(folder: Path) -> Tensor:
    import open_clip

    where = f"local-dir:{folder}"
    return open_clip.create_model(where).eval().encode_text(open_clip.get_tokenizer(where)(TEXTS))


@pytest.mark.parametrize(
    ("make", "reference"),
    [(make_bert, of_bert), (make_clip, of_clip), (make_open_clip, of_open_clip)],
    ids=lambda f: f.__name__,
)
def test_numbers_are_those_of_the_package(
    make: Callable[[Path], Path], reference: Callable[[Path], Tensor], tmp_path: Path
) -> None:
    folder = make(tmp_path / "tiny")
    before = torch.get_rng_state()
    encoder = load_text_encoder(folder)
    assert torch.equal(torch.get_rng_state(), before)
    assert encoder.name == "tiny"
    numbers = encoder(encoder.codes(TEXTS))
    with torch.no_grad():
        torch.testing.assert_close(numbers, reference(folder))
    encoder.check(encoder.codes(TEXTS))
    with pytest.warns(UserWarning, match=r"captions of \d+ tokens; tiny reads the first (16|24) of each"):
        long = encoder(encoder.codes(["red " * 60, "red " * 70]))
    torch.testing.assert_close(long[0], long[1])


def test_a_folder_of_sentence_transformers_says_how_tokens_become_a_text(tmp_path: Path) -> None:
    of_first = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    folder = make_bert(tmp_path / "tiny", Transformer={}, Pooling=of_first, Normalize={})
    encoder = load_text_encoder(folder)
    tokens = transformers().AutoTokenizer.from_pretrained(folder)(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        first = transformers().BertModel.from_pretrained(folder)(**tokens).last_hidden_state[:, 0]
    torch.testing.assert_close(encoder(encoder.codes(TEXTS)), torch.nn.functional.normalize(first))
    assert encoder.fingerprint != load_text_encoder(make_bert(tmp_path / "plain")).fingerprint


def test_each_caption_is_read_once_and_by_itself(bert: Path) -> None:
    encoder, alone = PretrainedTextEncoder(bert), PretrainedTextEncoder(bert)
    read: list[str] = []
    embed = encoder._tower.embed
    encoder._tower.embed = lambda text: read.append(text) or embed(text)  # type: ignore[method-assign,func-returns-value]
    codes = encoder.codes([*TEXTS, TEXTS[0]])
    with torch.inference_mode():
        first = encoder(codes).clone()
    again = encoder(torch.nn.functional.pad(codes, (0, 20)))
    assert torch.equal(first, again)
    assert read == TEXTS
    assert torch.equal(again[2:3], alone(alone.codes(TEXTS[2:])))
    weight = torch.ones((), requires_grad=True)
    (weight * again).sum().backward()  # also what was read where no gradients were wanted
    assert weight.grad is not None


def test_it_stays_in_float32_and_leaves_its_weights_where_they_are(bert: Path) -> None:
    encoder = PretrainedTextEncoder(bert)
    expected = PretrainedTextEncoder(bert)(encoder.codes(TEXTS))
    encoder.half()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(encoder(encoder.codes(TEXTS)), expected)
    assert not [*encoder.parameters()]
    assert [*encoder.state_dict()] == ["digest"]


def test_another_encoder_in_its_place_is_refused(bert: Path, tmp_path: Path) -> None:
    state = PretrainedTextEncoder(bert).state_dict()
    PretrainedTextEncoder(bert).load_state_dict(state)
    with pytest.raises(InputError, match=r"other is not the one that this was trained with \(sha256 \w{12}, not \w{12}\)"):
        PretrainedTextEncoder(make_bert(tmp_path / "other", seed=1)).load_state_dict(state)
    shutil.copytree(bert, tmp_path / "upper")
    tokenizer = json.loads((tmp_path / "upper" / "tokenizer_config.json").read_text())
    (tmp_path / "upper" / "tokenizer_config.json").write_text(json.dumps({**tokenizer, "do_lower_case": False}))
    with pytest.raises(InputError, match="upper is not the one"):
        PretrainedTextEncoder(tmp_path / "upper").load_state_dict(state)


@pytest.mark.parametrize(
    "text", ["\u8d64\u3044\u9aea", "\U0001f389", "\u0634\u0639\u0631 \u0623\u062d\u0645\u0631", "x" * 10_000]
)
def test_a_caption_of_which_it_knows_nothing_is_refused(text: str, bert: Path) -> None:
    encoder = PretrainedTextEncoder(bert)
    for check in (encoder.check_caption, lambda text: encoder.check(PretrainedTextEncoder.codes(_Blind(bert), [text]))):
        with pytest.raises(InputError, match=r"tiny knows nothing in the caption '.*'; write it in a language") as raised:
            check(text)
        assert len(str(raised.value)) < 250
    encoder.check_caption(f"red {text[:4]}")
    with pytest.raises(InputError, match="the caption is empty"):
        encoder.check_caption(" \u200b")


class _Blind(PretrainedTextEncoder):
    def check_caption(self, text: str) -> None:
        pass


def without_weights(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def with_fewer_weights(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    save_file({n: v for n, v in weights.items() if "word_embeddings" not in n}, folder / "model.safetensors", {"format": "pt"})


def with_code(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "mine", "auto_map": {"AutoConfig": "mine.Config"}}))
    (folder / "mine.py").write_text("raise SystemExit('run')")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (without_weights, r"has no weights in \.safetensors; save it so"),
        (with_fewer_weights, r"lack embeddings\.word_embeddings\.weight; save the encoder anew"),
        (with_code, r"cannot be read as a text encoder .*; give one with config\.json"),
        (lambda folder: (folder / "config.json").write_text("{"), "cannot be read as a text encoder"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"weights"), "cannot be read as a text encoder"),
        (lambda folder: [file.unlink() for file in folder.glob("*[tv]o[ck]*")], "has no tokeniser that knows a word"),
        (lambda folder: (folder / "config.json").unlink(), r"has neither config\.json nor open_clip_config\.json"),
    ],
)
def test_folders_of_something_else_are_refused_in_one_sentence(
    damage: Callable[[Path], Any], words: str, bert: Path, tmp_path: Path
) -> None:
    shutil.copytree(bert, tmp_path / "tiny")
    damage(tmp_path / "tiny")
    with pytest.raises(InputError, match=words) as raised:
        load_text_encoder(tmp_path / "tiny")
    assert "\n" not in str(raised.value)


def test_what_open_clip_would_fetch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="built on roberta-base, which would be fetched"):
        load_text_encoder(make_open_clip(tmp_path / "tiny", hf_model_name="roberta-base"))


@pytest.mark.parametrize("package", ["transformers", "open_clip"])
def test_without_the_package_it_says_what_to_install(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ("config.json" if package == "transformers" else "open_clip_config.json")).write_text("{}")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"read by {package}, which is not installed; pip install 'lightning-gans\[text\]'"):
        load_text_encoder(tmp_path)


def test_it_is_found_by_name_below_the_root_and_has_no_score(bert: Path, tmp_path: Path) -> None:
    shutil.copytree(bert, tmp_path / "text_encoders" / "mine")
    with named_below(str(tmp_path)):
        assert load_text_encoder("mine").name == "mine"
        with pytest.raises(InputError, match="mine has no score; leave min_score out, or train a layer over it"):
            load_text_encoder("mine", min_score=0.1)
    assert lightning_gans.PretrainedTextEncoder is PretrainedTextEncoder


def test_a_layer_over_it_tells_pairs_apart_that_it_never_saw(file: Path, bert: Path) -> None:
    encoder, stored = load_text_encoder(file), torch.load(file, weights_only=True)
    assert isinstance(encoder, ProjectedTextEncoder)
    assert encoder.score == stored["score"] >= 0.8
    assert (encoder.chance, encoder.dataset, encoder.name) == (0.5, "anime", "linear_tiny")
    assert stored["sha256"] == encoder.fingerprint == encoder.describe()["text_encoder_sha256"]
    assert {name.partition(".")[0] for name in stored["weights"]} == {"scaled", "linear", "pretrained"}
    assert file.stat().st_size < 20_000
    assert not any(p.requires_grad for p in encoder.parameters())
    codes = encoder.codes(TEXTS)
    given = PretrainedTextEncoder(bert)(codes)
    torch.testing.assert_close(encoder(codes), encoder.linear(encoder.scaled(given)))
    with torch.autocast("cpu", torch.bfloat16):
        assert encoder(codes).dtype == torch.float32
    encoder.check(codes)
    for text, words in (("\u9aea", "knows nothing"), ("", "is empty")):
        with pytest.raises(InputError, match=words):
            encoder.check_caption(text)


def test_the_layer_needs_the_encoder_that_it_was_trained_over(file: Path, tmp_path: Path) -> None:
    stored = torch.load(file, weights_only=True)
    torch.save({**stored, "texts": str(tmp_path / "gone")}, tmp_path / "c.pt")
    with pytest.raises(InputError, match=r"c\.pt cannot be used: it is a layer over .*gone, which is not there"):
        load_text_encoder(tmp_path / "c.pt")
    shutil.copytree(stored["texts"], tmp_path / "away")
    torch.save({**stored, "texts": "/nowhere/away"}, tmp_path / "c.pt")
    assert load_text_encoder(tmp_path / "c.pt").fingerprint == stored["sha256"], "beside the file"
    shutil.rmtree(tmp_path / "away")
    make_bert(tmp_path / "away", seed=1)
    with pytest.raises(InputError, match=r"c\.pt cannot be used: the text encoder .*away is not the one"):
        load_text_encoder(tmp_path / "c.pt")


def test_the_command_trains_a_layer_and_names_its_file_after_the_encoder(bert: Path, root: Path) -> None:
    small = ["--width=4", "--image_size=8", "--epochs=1", "--min_score=0", "--device=cpu"]
    main([f"--root={root}", *small, f"--texts={bert}"])
    assert load_text_encoder(root / "text_encoders" / "tiny_anime.pt").width == 4
    with pytest.raises(InputError, match="texts is 'nowhere', but must be char_cnn_rnn or the folder of a pretrained encoder"):
        main([f"--root={root}", *small, "--texts=nowhere"])
    path = train_text_encoder(replace(SHORT, texts=str(bert)), root, root / "rounded.safetensors", "cpu")
    assert isinstance(load_text_encoder(path), ProjectedTextEncoder)


def told(folder: Path) -> GANCLS:
    torch.manual_seed(0)
    encoder = load_text_encoder(folder)
    networks = {
        "generator": Conditioned(MLP(2 + encoder.width, (3, 8, 8), (8,), output="tanh"), AttributeCondition(encoder.width)),
        "discriminator": Conditioned(MLP((3 + encoder.width, 8, 8), 1, (8,)), AttributeCondition(encoder.width)),
    }
    return GANCLS(**networks, prior=Normal(2), text_encoder=encoder)


def test_checkpoints_have_its_fingerprint_alone_and_are_refused_with_another(bert: Path, root: Path, tmp_path: Path) -> None:
    data = {"root": str(root), "image_size": 8, "batch_size": 16, "condition": "captions"}
    fit(game := told(bert), 2, Images("anime", **data), **saving(tmp_path))
    names = [name for name in torch.load(tmp_path / "step=2.ckpt", weights_only=True)["state_dict"] if "text" in name]
    assert names == ["text_encoder.digest"]
    assert len(game.text_encoder._numbers) > 10
    fit(told(bert), 3, Images("anime", **data), tmp_path / "step=2.ckpt")
    shutil.copytree(bert, tmp_path / "tiny")
    (tmp_path / "tiny" / "vocab.txt").write_text("other")
    with pytest.raises(InputError, match="tiny is not the one that this was trained with"):
        fit(told(tmp_path / "tiny"), 3, Images("anime", **data), tmp_path / "step=2.ckpt")
