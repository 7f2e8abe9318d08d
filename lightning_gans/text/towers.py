"""What reads the text encoders of other packages, each out of a folder: nothing is fetched, and no code of theirs is run."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from lightning_gans.errors import InputError
from lightning_gans.messages import first_line
from lightning_gans.stored import identity_of

_SETTINGS = (".json", ".txt", ".model")
_LEFT_OUT = "pooler."  # a layer for another task, which some files lack and which is not used


class Tower(Protocol):
    """A network of texts with its tokeniser.

    Attributes:
        network: with weights in float32.
        longest: tokens that are read of a text.
    """

    network: nn.Module
    longest: int

    def tokens(self, text: str) -> list[int]:
        """All tokens of a text, however many, with those at its ends."""

    def is_known(self, token: int) -> bool:
        """Whether a token stands for something that was written and that the tokeniser knows."""

    def embed(self, text: str) -> Tensor:
        """Its numbers, ``(width,)``, where the network is."""


def read_tower(folder: Path) -> Tower:
    """The text encoder in a folder, on the CPU.

    Raises:
        InputError: the package that reads it is not installed, or there is none in it that can be used.
    """
    kind = next((kind for kind in (_OpenCLIP, _Transformers) if (folder / kind.config).is_file()), None)
    if kind is None:
        raise InputError(
            f"the folder {folder} has neither {_Transformers.config} nor {_OpenCLIP.config}; give that of a text encoder of "
            "transformers or open_clip"
        )
    try:
        importlib.import_module(kind.package)
    except ImportError as error:
        raise InputError(
            f"the text encoder {folder} is read by {kind.package}, which is not installed; pip install 'lightning-gans[text]'"
        ) from error
    if not any(folder.glob("*.safetensors")):
        raise InputError(f"the text encoder {folder} has no weights in .safetensors; save it so, for others could run any code")
    try:
        with torch.random.fork_rng(devices=[]):
            tower = kind(folder)
            tower.network.eval().requires_grad_(False)
            with torch.no_grad():
                finite = bool(tower.embed("a").isfinite().all())
    except InputError:
        raise
    except Exception as error:  # whatever other packages make of files that are something else
        raise InputError(
            f"the folder {folder} cannot be read as a text encoder ({first_line(error)}); give one with {kind.config}, a "
            "tokeniser and weights in .safetensors"
        ) from error
    if not finite:
        raise InputError(f"the text encoder {folder} gives numbers that are NaN or infinite; give another")
    return tower


def digest_of(folder: Path, network: nn.Module) -> bytes:
    """sha256 of all that the numbers of a text depend on: weights, settings and tokeniser."""
    digest = hashlib.sha256(identity_of(network).encode())
    for file in sorted(_settings_of(folder), key=str):
        digest.update(f"{file.relative_to(folder).as_posix()} {hashlib.sha256(file.read_bytes()).hexdigest()}".encode())
    return digest.digest()


def _settings_of(folder: Path) -> Iterator[Path]:
    for place in (folder, *(Path(folder, part) for part in _modules(folder))):
        yield from (file for file in place.glob("*") if file.suffix in _SETTINGS and file.is_file())


class _Transformers:
    """A model of transformers: CLIP's text, or the mean over tokens of what any other gives.

    A folder of sentence-transformers says itself whether that is the first token instead, and whether numbers are divided by
    their norm.
    """

    package, config = "transformers", "config.json"
    network: nn.Module

    def __init__(self, folder: Path) -> None:
        import transformers

        transformers.utils.logging.disable_progress_bar()
        transformers.utils.logging.set_verbosity_error()  # it reports of CLIP that the images' half is not used
        where: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        config = transformers.AutoConfig.from_pretrained(str(folder), **where)
        kind, config = _text_of(transformers, config)
        model, report = kind.from_pretrained(
            str(folder), config=config, **where, use_safetensors=True, dtype=torch.float32, output_loading_info=True
        )
        missing = [name for name in report["missing_keys"] if _LEFT_OUT not in name]
        if missing:
            raise InputError(f"the weights in {folder} lack {missing[0]}; save the encoder anew")
        self.network = model
        self.tokeniser = transformers.AutoTokenizer.from_pretrained(str(folder), **where)
        modules = _modules(folder)
        sizes = [self.tokeniser.model_max_length, getattr(config, "max_position_embeddings", None)]
        sizes.append(_json(folder / "sentence_bert_config.json").get("max_seq_length"))
        self.longest = min(size for size in sizes if size)
        folders = [folder / part for part, what in modules.items() if what == "Pooling"]
        pooling = _json(folders[0] / "config.json") if folders else {}
        self._first, self._normed = bool(pooling.get("pooling_mode_cls_token")), "Normalize" in modules.values()
        self._special = set(self.tokeniser.all_special_ids)
        if self._special.issuperset(self.tokeniser.get_vocab().values()):  # it makes one of nothing
            raise InputError(f"the text encoder {folder} has no tokeniser that knows a word; save it with its tokeniser")

    def tokens(self, text: str) -> list[int]:
        return cast("list[int]", self.tokeniser(text, verbose=False)["input_ids"])

    def is_known(self, token: int) -> bool:
        return token not in self._special

    def embed(self, text: str) -> Tensor:
        ids = self.tokeniser(text, truncation=True, max_length=self.longest, return_tensors="pt")["input_ids"]
        ids = ids.to(next(self.network.parameters()).device)
        given = self.network(input_ids=ids, attention_mask=torch.ones_like(ids))
        projected = getattr(given, "text_embeds", None)
        if projected is not None:
            return projected[0]
        numbers = given.last_hidden_state[0]
        numbers = numbers[0] if self._first else numbers.mean(0)
        return nn.functional.normalize(numbers, dim=0) if self._normed else numbers


def _text_of(transformers: Any, config: Any) -> tuple[Any, Any]:
    """The class that reads the text of a model of such a config, and its config of that alone."""
    if config.model_type == "clip":
        config.text_config.projection_dim = config.projection_dim
        config = config.text_config
    if config.model_type == "clip_text_model":
        return transformers.CLIPTextModelWithProjection, config
    encodes = type(config) in transformers.MODEL_FOR_TEXT_ENCODING_MAPPING
    return (transformers.AutoModelForTextEncoding if encodes else transformers.AutoModel), config


def _modules(folder: Path) -> dict[str, str]:
    """The parts of a folder of sentence-transformers, each a folder inside, and what they are; none in another."""
    listed = _json(folder / "modules.json", [])
    return {each["path"].strip("/"): each["type"].rpartition(".")[2] for each in listed if ".." not in each["path"]}


def _json(file: Path, otherwise: Any = None) -> Any:
    return json.loads(file.read_text()) if file.is_file() else ({} if otherwise is None else otherwise)


class _OpenCLIP:
    """A model of open_clip; its network of images is left out."""

    package, config = "open_clip", "open_clip_config.json"

    def __init__(self, folder: Path) -> None:
        import open_clip

        text = _json(folder / self.config)["model_cfg"]["text_cfg"]
        if (name := text.get("hf_model_name")) is not None:
            raise InputError(f"the text encoder {folder} is built on {name}, which would be fetched; give a folder of that")
        where = f"local-dir:{folder.resolve()}"
        self.network = open_clip.create_model(where, precision="fp32", device="cpu")
        del self.network.visual
        self.tokeniser = open_clip.get_tokenizer(where)
        self.longest = self.tokeniser.context_length

    def tokens(self, text: str) -> list[int]:
        read = self.tokeniser([text], context_length=8 * self.longest)[0]
        return [token for token in read.tolist() if token != 0]

    def is_known(self, token: int) -> bool:
        return token not in getattr(self.tokeniser, "all_special_ids", ())

    def embed(self, text: str) -> Tensor:
        ids = self.tokeniser([text]).to(next(self.network.parameters()).device)
        return self.network.encode_text(ids)[0]
