"""What the user left open of a model, filled in from the shape of the data: networks, prior and scale.

One rule serves the papers and a stranger's module alike. It goes by the types of the constructor's required arguments, and
where these say nothing by their names: ``prior``; ``generator`` and ``decoder`` make samples of latents; names that end in
``encoder`` make latents of samples; ``latent_discriminator`` judges latents; what else ends in ``discriminator`` or ``critic``
judges samples, pairs where its type is ``PairNetwork`` or its name begins with ``joint``, sets where it is
``SetDiscriminator``, and where it is ``Heads`` parts of the prior too. Where the model is conditional, or the type is
``Conditioned``, the condition of the data joins, as numbers where there is a ``text_encoder``; none is suggested for captions.
"""

from __future__ import annotations

import inspect
import itertools
import json
import os
import pkgutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, get_type_hints

import yaml

import lightning_gans
from lightning_gans.command_line import Parser, one_sentence
from lightning_gans.data import Images
from lightning_gans.game import Game
from lightning_gans.labelled_priors import Categorical, Labelled
from lightning_gans.networks import Conditioned, Heads, PairNetwork, SetDiscriminator, suggest
from lightning_gans.networks.layers import Norm
from lightning_gans.priors import Empirical, Normal, Prior
from lightning_gans.product import Product

Spec = dict[str, Any]

# Numbers of a latent: the 25 Gaussians' of GAAN (Tran et al. 2018), and DCGAN's (Radford et al. 2016)
_LATENT_DIM = {"points": 2, "images": 100}
_SPHERE_DIM = {"points": 3, "images": 100}  # a circle does not cover the plane
# Of AAE's digits (Makhzani et al. 2015); and where nobody has told classes apart
_STYLE_DIM, _CLASSES = {"points": 2, "images": 10}, 10


def completion(model: type, given: Mapping[str, Any], prior: Prior | None, data: Images) -> dict[str, Any]:
    """Settings for the required arguments of ``model`` that are not among the ``given`` ones, by name.

    Args:
        model: its class.
        given: what the user has set; of ``data_scale`` only whether it is there counts.
        prior: as the user has set it, ``None`` for one that is to be completed too.
        data: whose shape counts; nothing of it is packed or read.

    Raises:
        InputError: there is no such data.
    """
    hints: dict[str, Any] = {}
    with suppress(NameError, TypeError):  # a type that is not there when the program runs
        hints = get_type_hints(model.__init__)  # type: ignore[misc]
    required = [
        name
        for name, parameter in inspect.signature(model).parameters.items()
        if parameter.default is parameter.empty and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]
    missing = [name for name in required if name not in given]
    if not missing:
        return {}
    preview = data.peek()
    points = "points" if len(preview.shape) == 1 else "images"
    settings: dict[str, Any] = {}
    for name in missing:
        if _is(hints.get(name), Prior) or name == "prior":
            settings[name] = _prior_spec(_prior_hint(model, hints.get(name)), model, points, _classes(preview.condition_kinds))
            prior = _given_prior([{"prior": settings[name]}], [])
    roles = _Roles(model, preview.shape, prior or Normal(_LATENT_DIM[points]), preview.condition_kinds)
    for name in missing:
        if name not in settings and (spec := roles.spec(name, hints.get(name))) is not None:
            settings[name] = spec
    if issubclass(model, Game) and "data_scale" not in given and preview.extent != 1:
        settings["data_scale"] = preview.extent
    return settings


def _prior_hint(model: type, hint: Any) -> Any:
    """The type of a prior: as the constructor has it, or narrower as the class declares it."""
    if inspect.isclass(hint) and hint is not Prior:
        return hint
    with suppress(NameError, TypeError):
        return get_type_hints(model).get("prior", hint)
    return hint


def _prior_spec(hint: Any, model: type, points: str, classes: int | None) -> Spec:
    if _is(hint, Product):
        parts = {"category": suggest.spec("Categorical", classes=classes or _CLASSES)}
        if noise := getattr(model, "noise_part", None):  # beside codes, which InfoGAN has uniform
            parts = {noise: suggest.spec("Normal", dim=_LATENT_DIM[points]), **parts}
            return suggest.spec("Product", parts={**parts, "style": suggest.spec("Uniform", dim=2)})
        return suggest.spec("Product", parts={**parts, "style": suggest.spec("Normal", dim=_STYLE_DIM[points])})
    if _is(hint, Labelled):
        return suggest.spec("MixtureOfGaussians", components=classes or _CLASSES)
    if _is(hint, Empirical) or getattr(model, "stores_latents", False):
        return suggest.spec("Empirical", dim=_SPHERE_DIM[points])
    name = hint.__name__ if inspect.isclass(hint) and hint is not Prior else "Normal"
    return suggest.spec(name, dim=_LATENT_DIM[points])


def _classes(kinds: Mapping[str, suggest.ConditionKind]) -> int | None:
    return kinds["labels"].width if "labels" in kinds else None


def _condition(kinds: Mapping[str, suggest.ConditionKind]) -> suggest.ConditionKind | None:
    """The condition that networks can be given as it is: captions need an encoder of text first."""
    return next((kind for kind in kinds.values() if kind.kind != "captions"), None)


class _Roles:
    """Gives the settings of a network for a role.

    Args:
        model: the class that takes it; its attributes say what is special.
        shape: of a sample.
        prior: of the latents.
        kinds: the conditions of the data by name.
    """

    def __init__(self, model: type, shape: tuple[int, ...], prior: Prior, kinds: Mapping[str, suggest.ConditionKind]) -> None:
        self.model, self.shape, self.prior, self.latent_dim = model, shape, prior, prior.dim
        self.condition = _condition(kinds)
        self.classes = _classes(kinds) if getattr(model, "learns_labels", False) else None
        self.judgements = self.classes or 1

    def spec(self, name: str, hint: Any) -> Spec | None:
        """By the type and the name of an argument, ``None`` where neither says what it is for."""
        conditional = getattr(self.model, "conditional", False) or _is(hint, Conditioned)
        condition = self.condition if conditional else None
        if "text_encoder" in inspect.signature(self.model).parameters:
            if condition is None:
                return None
            if name == "text_encoder":
                return suggest.suggested_condition(condition)
            condition = suggest.ConditionKind("attributes", condition.width)
        norm: Norm | None = getattr(self.model, "discriminator_norm", "batch")
        if name == "latent_discriminator":
            if isinstance(self.prior, Product):
                return suggest.suggested_judges_apart([part.dim for part in self.prior.parts.values()])
            return suggest.suggested_latent_discriminator(self.latent_dim, self.classes)
        if _is(hint, SetDiscriminator):
            return suggest.suggested_set_discriminator(self.shape, norm, getattr(self.model, "compares_sets", True))
        if _is(hint, Heads) and isinstance(self.prior, Product):
            codes = {part: law for part, law in self.prior.parts.items() if part != getattr(self.model, "noise_part", None)}
            heads = {part: law.dim if isinstance(law, Categorical) else 2 * law.dim for part, law in codes.items()}
            return suggest.suggested_heads(self.shape, {"real": 1, **heads}, norm)
        if getattr(self.model, "discriminator_reconstructs", False) and name == "discriminator":
            return suggest.suggested_autoencoder(self.shape, self.latent_dim)
        if _is(hint, PairNetwork) or name.startswith("joint"):
            return suggest.suggested_pair_discriminator(self.shape, self.latent_dim, condition, norm, self.judgements)
        if name.endswith(("generator", "decoder")):
            return suggest.suggested_generator(self.latent_dim, self.shape, condition)
        if name.endswith("encoder"):
            numbers = self.latent_dim * (2 if getattr(self.model, "stochastic_encoder", False) else 1)
            told = getattr(self.model, "encoder_is_told", True)
            return suggest.suggested_encoder(self.shape, numbers, condition if told else None)
        if name.endswith(("discriminator", "critic")):
            return suggest.suggested_discriminator(self.shape, condition, norm, self.judgements)
        return None


def _is(hint: Any, kind: type) -> bool:
    return inspect.isclass(hint) and issubclass(hint, kind)


def complete(args: list[str]) -> list[str]:
    """A command line with settings for what is missing of the model.

    Raises:
        InputError: there is no such data, or settings of the data or of the prior do not fit.
    """
    if not args or args[0] not in ("fit", "validate", "test", "predict"):
        return args
    options = list(_options(args[1:]))
    configs = [config for name, value in options if name in ("config", "c") and (config := _read(value)) is not None]
    model = _model_class(configs, options)
    if model is None:
        return args
    mine = [(name.removeprefix("model.").removeprefix("init_args."), value) for name, value in options if name[:6] == "model."]
    configured = [config["model"].get("init_args") or {} for config in configs if isinstance(config.get("model"), dict)]
    given = {name.partition(".")[0] for name, _ in mine}.union(*configured)
    prior = _given_prior(configured, mine) if "prior" in given else None
    data = _data(configs, options)
    settings = completion(model, dict.fromkeys(given), prior, data)
    return [*args, *(f"--model.{name}={json.dumps(value)}" for name, value in settings.items())]


def _options(args: list[str]) -> Iterator[tuple[str, str]]:
    """Names, without dashes, and values."""
    for option, following in itertools.pairwise([*args, ""]):
        if option.startswith("-"):
            name, equals, value = option.lstrip("-").partition("=")
            yield name, value if equals else following


def _read(config: str) -> dict[str, Any] | None:
    """A config as a file or as text."""
    with suppress(OSError, yaml.YAMLError, UnicodeDecodeError):
        read = yaml.safe_load(Path(config).read_text() if os.path.isfile(config) else config)
        return read if isinstance(read, dict) else None
    return None


def _model_class(configs: list[dict[str, Any]], options: list[tuple[str, str]]) -> type | None:
    names = [config["model"].get("class_path") for config in configs if isinstance(config.get("model"), dict)]
    names += [value for name, value in options if name in ("model", "model.class_path")]
    names = [name for name in names if isinstance(name, str)]  # a config that goes over another names no class again
    with suppress(ImportError, AttributeError, ValueError):
        for name in names[-1:]:
            found = pkgutil.resolve_name(name) if "." in name else getattr(lightning_gans, name)
            return found if inspect.isclass(found) else None
    return None


def _given_prior(configured: list[dict[str, Any]], options: list[tuple[str, str]]) -> Prior:
    parser = Parser()
    parser.add_argument("--prior", type=Prior)
    given = [settings["prior"] for settings in configured if "prior" in settings]
    args = [f"--prior={prior if isinstance(prior, str) else json.dumps(prior)}" for prior in given]
    args += [f"--{name}={value}" for name, value in options if name.partition(".")[0] == "prior"]
    with one_sentence():
        prior: Prior = parser.instantiate_classes(parser.parse_args(args)).prior
    return prior


def _data(configs: list[dict[str, Any]], options: list[tuple[str, str]]) -> Images:
    parser = Parser()
    parser.add_argument("--config", action="config")
    parser.add_lightning_class_args(Images, "data")
    args = [part for config in configs if "data" in config for part in ("--config", yaml.safe_dump({"data": config["data"]}))]
    args += [f"--{name}={value}" for name, value in options if name.startswith("data.")]
    with one_sentence():
        data: Images = parser.instantiate_classes(parser.parse_args(args)).data
    return data
