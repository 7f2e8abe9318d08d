"""What the command and the restoring of checkpoints share: the sections of a config, and what their parser refuses."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, cast

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.cli import ArgsType, LightningArgumentParser
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from lightning_gans import messages, paper_modules, trust, way_out
from lightning_gans.config_files import check_numbers
from lightning_gans.data import Images
from lightning_gans.errors import InputError
from lightning_gans.evaluation import Evaluation
from lightning_gans.figures import Pictures
from lightning_gans.lightning_internals import PlainCLI, take_lists_whole
from lightning_gans.text.loading import named_below

take_lists_whole()


class ParseError(InputError):
    """What the parser says of a setting that does not fit, at its full length."""


class Parser(LightningArgumentParser):
    """Raises what is wrong, where its base would print a page of usage."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        raise ParseError(messages.with_near_option(message, self._options())) from ex

    def _options(self) -> list[str]:
        """What it takes, and what its subcommands take, without dashes."""
        options = [action.dest for action in self._actions]
        for action in self._actions:
            for parser in action.choices.values() if isinstance(action.choices, dict) else ():
                options += parser._options()
        return options


class ConfigCLI(PlainCLI):
    """Model, data, evaluation, pictures and trainer, as a config and a command line describe them.

    Raises:
        InputError: a setting does not fit.
    """

    def __init__(self, args: ArgsType = None, **settings: Any) -> None:
        super().__init__(
            None,
            Images,
            parser_class=Parser,
            seed_everything_default=0,
            auto_configure_optimizers=False,
            args=args,
            **settings,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_lightning_class_args(Evaluation, "evaluation")
        parser.add_lightning_class_args(Pictures, "pictures")

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        with one_sentence(), way_out.while_doing("reading the settings"):
            self.config = parser.parse_args(cast("list[str] | None", args))
        check_numbers(self._settings)
        seed = self._settings.get("seed_everything")
        if isinstance(seed, int) and not 0 <= seed < 1 << 32:
            raise InputError(f"seed_everything is {seed}, but must be from 0 to {(1 << 32) - 1}")

    @property
    def _settings(self) -> Any:
        """The settings by section, those of the subcommand where there is one."""
        return self.config.get(self.config.get("subcommand") or "", self.config)

    def instantiate_classes(self) -> None:
        with _made_of_settings(), named_below(self._settings.data.root):
            super().instantiate_classes()

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        with refused_in_one_sentence():
            return super().instantiate_trainer(**kwargs)


def make_model(settings: Any) -> LightningModule:
    """The model that a config describes, on the processor, as it is before any training.

    Raises:
        InputError: a setting does not fit.
    """
    parser = Parser()
    parser.add_lightning_class_args(LightningModule, "model", subclass_mode=True)
    with one_sentence():
        parsed = parser.parse_object({"model": settings})
    with _made_of_settings():
        model: LightningModule = parser.instantiate_classes(parsed).model
    return model


@contextmanager
def one_sentence() -> Iterator[None]:
    """What the parser refuses becomes an ``InputError`` of one sentence."""
    try:
        yield
    except ParseError as error:
        raise InputError(messages.of_parser(error)) from error


@contextmanager
def _made_of_settings() -> Iterator[None]:
    """What a class of ours or a library's says of the settings that it is made of becomes an ``InputError``.

    The parser wraps it, for it tries several ways to read a setting; a class of the user's own may be wrong itself.
    """
    try:
        yield
    except Exception as error:
        cause: BaseException = error
        while cause.__cause__ is not None and not isinstance(cause, InputError):
            cause = cause.__cause__
        refusing = isinstance(cause, ValueError | RuntimeError | TypeError | ArithmeticError | LookupError)
        if not isinstance(error, InputError) and refusing and (maker := way_out.maker_of(cause)):
            said = messages.first_sentence(cause)
            raise InputError(f"{maker} cannot be made of these settings ({said}); see lightning fit --print_config") from cause
        if isinstance(error, ValueError) and "jsonargparse" in _file_of(cause):
            raise InputError(f"a setting cannot be used: {messages.of_members(error)}") from error
        if isinstance(cause, Exception) and cause is not error:
            raise cause from None
        raise


def _file_of(error: BaseException) -> str:
    """Where an error was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    return frames[-1].filename if frames else ""


@contextmanager
def refused_in_one_sentence() -> Iterator[None]:
    """What Lightning says of the trainer's settings becomes an ``InputError``."""
    try:
        yield
    except (ValueError, TypeError, MisconfigurationException) as error:
        raise InputError(f"trainer: {messages.first_sentence(error)} (see lightning fit --help)") from error


def make_ready() -> None:
    """Let models be found by their names, and leave out warnings that do not apply."""
    trust.lift()
    for module in paper_modules():  # so that `--model GAAN` is found
        importlib.import_module(module)
    messages.quiet()
