"""Tiny encoders as other packages keep them, each in a folder, with weights at random."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] red green blue white black hair and eyes a"
TOWER = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}


def transformers() -> Any:
    return pytest.importorskip("transformers", reason="transformers is not installed")


def make_bert(folder: Path, seed: int = 0, **modules: Any) -> Path:
    """It reads 16 tokens; with ``modules`` it is one of sentence-transformers, whose parts are these, by name."""
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(WORDS.split()))
    torch.manual_seed(seed)
    config = transformers().BertConfig(vocab_size=len(WORDS.split()), max_position_embeddings=16, **TOWER)
    transformers().BertModel(config).save_pretrained(folder)
    transformers().BertTokenizer(str(folder / "vocab.txt"), model_max_length=16).save_pretrained(folder)
    if modules:
        parts = [{"path": f"{n}_{name}", "type": f"models.{name}"} for n, name in enumerate(modules)]
        (folder / "modules.json").write_text(json.dumps(parts))
        for part, settings in zip(parts, modules.values(), strict=True):
            (folder / part["path"]).mkdir()
            (folder / part["path"] / "config.json").write_text(json.dumps(settings))
    return folder


def make_clip(folder: Path) -> Path:
    """It reads 24 tokens, each a letter, and projects to 6 numbers."""
    folder.mkdir(parents=True)
    letters = [chr(code) for code in range(33, 127)]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    ends = {"bos_token_id": len(tokens) - 2, "eos_token_id": len(tokens) - 1}
    text = {**TOWER, "vocab_size": len(tokens), "max_position_embeddings": 24, **ends}
    vision = {**TOWER, "image_size": 8, "patch_size": 4}
    torch.manual_seed(0)
    config = transformers().CLIPConfig(text_config=text, vision_config=vision, projection_dim=6)
    transformers().CLIPModel(config).save_pretrained(folder)
    files = (str(folder / "vocab.json"), str(folder / "merges.txt"))
    transformers().CLIPTokenizer(*files, model_max_length=24).save_pretrained(folder)
    return folder


def make_open_clip(folder: Path, **text: Any) -> Path:
    """It reads 16 tokens, and projects to 6 numbers."""
    open_clip = pytest.importorskip("open_clip", reason="open_clip is not installed")
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    of_images = {"image_size": 8, "layers": 1, "width": 16, "patch_size": 4, "head_width": 8}
    of_texts = {"context_length": 16, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 1}
    config = {"embed_dim": 6, "vision_cfg": of_images, "text_cfg": of_texts}
    torch.manual_seed(0)
    weights = open_clip.CLIP(**config).state_dict()
    save_file({name: value.contiguous() for name, value in weights.items()}, folder / "open_clip_model.safetensors")
    of_texts.update(text)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    return folder
