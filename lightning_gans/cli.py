"""The ``lightning`` command: LightningCLI over the papers, the data module, the evaluation and the pictures."""

from __future__ import annotations

import importlib
import itertools
import logging
import os
import pickle
import re
import sys
import warnings
from pathlib import Path
from typing import Any, NoReturn, cast

import torch
import yaml
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.trainer.connectors.accelerator_connector import _AcceleratorConnector
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from lightning_utilities.core.imports import RequirementCache

from lightning_gans import paper_modules
from lightning_gans.data import Images
from lightning_gans.errors import InputError, NonFiniteError
from lightning_gans.evaluation import Evaluation
from lightning_gans.figures import Pictures
from lightning_gans.game import Game
from lightning_gans.logs import run_folder


class ParseError(InputError):
    """What the parser says of a setting that does not fit, at its full length."""


class Parser(LightningArgumentParser):
    """Leaves it to ``main`` to say what is wrong, in one sentence instead of a page of usage."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        raise ParseError(message) from ex


class KeepConfig(SaveConfigCallback):
    """Writes the resolved config to the run's folder, into every checkpoint and to every logger."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "overwrite": True, "save_to_log_dir": False})

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._folder = run_folder(trainer)  # asks the first rank, so not in save_config, which only that rank runs
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"the log directory {self._folder} cannot be made ({error.strerror}); set trainer.default_root_dir elsewhere"
            ) from error

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save only now that models and data have been set up, so that a refused run leaves nothing."""
        super().setup(trainer, pl_module, cast(TrainerFn, trainer.state.fn).value)

    on_validation_start = on_test_start = on_predict_start = on_fit_start

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        text = self._text()
        (self._folder / ("config.yaml" if stage == "fit" else f"config_{stage}.yaml")).write_text(text)
        for logger in trainer.loggers:
            logger.log_hyperparams({"config": yaml.safe_load(text)})

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint["config"] = self._text()

    def _text(self) -> str:
        return self.parser.dump(self.config, skip_none=False)


class GamesCLI(LightningCLI):
    """``fit``, ``validate``, ``test`` and ``predict``."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_lightning_class_args(Evaluation, "evaluation")
        parser.add_lightning_class_args(Pictures, "pictures")

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        try:
            self._complete(self._get(self.config_init, "trainer"))
            return super().instantiate_trainer(**kwargs)
        except (ValueError, TypeError, MisconfigurationException) as error:
            raise InputError(f"trainer: {_first_sentence(error)} (see lightning fit --help)") from error

    def _complete(self, settings: Any) -> None:
        """Fill in what the user left open: strategy, loggers, progress bar and checkpoints."""
        self._translate_clipping(settings)
        if settings.strategy == "auto" and _several_devices(settings):
            settings.strategy = "gan_ddp"
        if settings.logger in (None, True):
            settings.logger = _default_loggers(settings.default_root_dir, self._run_name())
        settings.callbacks = _as_list(settings.callbacks)
        if settings.enable_progress_bar is not False and not any(isinstance(c, TQDMProgressBar) for c in settings.callbacks):
            settings.callbacks.append(TQDMProgressBar(refresh_rate=20))
        if settings.enable_checkpointing is not False and not any(isinstance(c, ModelCheckpoint) for c in settings.callbacks):
            settings.callbacks.append(ModelCheckpoint(save_last=True, filename="{step}", every_n_epochs=1))

    def _translate_clipping(self, settings: Any) -> None:
        """Hand the trainer's gradient clipping to the game: the trainer refuses it for manual optimisation."""
        if settings.gradient_clip_val is None or not isinstance(self.model, Game):
            return
        self.model.gradient_clip_val = settings.gradient_clip_val
        self.model.gradient_clip_algorithm = settings.gradient_clip_algorithm or "norm"
        settings.gradient_clip_val = settings.gradient_clip_algorithm = None

    def _run_name(self) -> str:
        dataset = getattr(self.datamodule, "dataset", "data")
        return f"{type(self.model).__name__.lower()}_{Path(dataset).stem}"

    def _parse_ckpt_path(self) -> None:
        """Leave the command line as it is, where Lightning lets the checkpoint's hyper-parameters silently win.

        Without ``--config`` and ``--model`` the checkpoint's own config is the starting point, see ``_with_stored_config``.
        """


def main(args: list[str] | None = None) -> None:
    """Run the command. Exits with 2 and one sentence for what the user can mend, with 1 for what went wrong in training."""
    sys.path.insert(0, os.getcwd())  # a class in a file of the user's own
    for module in paper_modules():  # so that `--model GAAN` is found
        importlib.import_module(module)
    _quiet()
    try:
        sys.argv[1:] = _with_stored_config(sys.argv[1:] if args is None else args)  # other ranks are started with it, too
        GamesCLI(
            None,
            Images,
            parser_class=Parser,
            save_config_callback=KeepConfig,
            seed_everything_default=0,
            trainer_defaults={"num_sanity_val_steps": 0},
            auto_configure_optimizers=False,
        )
    except ParseError as error:
        _fail(_shorten(str(error)), 2)
    except InputError as error:
        _fail(str(error), 2)
    except MisconfigurationException as error:
        _fail(_first_sentence(error), 2)
    except ValueError as error:  # the parser has tried the reasons of a union's members, one of which may be ours
        cause = _input_error_behind(error)
        if cause is None:
            raise
        _fail(str(cause), 2)
    except OSError as error:
        _fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}", 2)
    except NonFiniteError as error:
        _fail(str(error), 1)


def _with_stored_config(args: list[str]) -> list[str]:
    """Look at the files that the command line names; where it is only a checkpoint, start from the config stored in it.

    What the command line says wins over what is stored.
    """
    configs, checkpoints = _values(args, "--config", "-c"), _values(args, "--ckpt_path")
    for path in filter(os.path.isfile, configs):
        try:
            settings = yaml.safe_load(Path(path).read_text())
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise InputError(f"{path} is not a YAML file ({' '.join(str(error).split())})") from error
        if not isinstance(settings, dict):
            raise InputError(f"{path} holds no settings by name; write them as in the files of configs/")
    if not checkpoints or args[0] not in GamesCLI.subcommands():
        return args
    stored = _load_checkpoint(Path(checkpoints[-1]))
    if configs or _values(args, "--model"):
        return args
    if "config" not in stored:
        raise InputError(f"{checkpoints[-1]} was not written by this command; give the --config that it was trained with")
    config = {key: value for key, value in yaml.safe_load(stored["config"]).items() if key not in ("ckpt_path", "weights_only")}
    return [args[0], "--config", yaml.safe_dump(config), *args[1:]]


def _values(args: list[str], *options: str) -> list[str]:
    """What follows each of the options, after a space or an equals sign."""
    after_space = [value for option, value in itertools.pairwise(args) if option in options]
    return after_space + [arg.partition("=")[2] for arg in args if arg.partition("=")[0] in options and "=" in arg]


def _load_checkpoint(path: Path) -> dict[str, Any]:
    if str(path) in ("best", "last", "hpc", "registry"):  # names that the trainer resolves
        return {}
    if not path.is_file():
        raise InputError(f"there is no checkpoint {path}; give the path of a .ckpt file")
    try:
        stored = torch.load(path, weights_only=True, map_location="cpu", mmap=True)
    except (OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
        raise InputError(f"{path} is not a checkpoint, or a damaged one; give another") from error
    return stored if isinstance(stored, dict) else {}


def _several_devices(settings: Any) -> bool:
    """Whether Lightning would train on more than one device."""
    connector = _AcceleratorConnector(
        accelerator=settings.accelerator, devices=settings.devices, num_nodes=settings.num_nodes, strategy="auto"
    )
    return isinstance(connector.strategy, DDPStrategy)


def _default_loggers(root: str | None, name: str) -> list[Logger]:
    """CSV files, and TensorBoard where it is installed, both in ``runs/NAME/version_N``."""
    csv = CSVLogger(root or "runs", name=name)
    if not RequirementCache("tensorboard"):
        return [csv]
    return [csv, TensorBoardLogger(root or "runs", name=name, version=csv.version, default_hp_metric=False)]


def _as_list(callbacks: list[Callback] | Callback | None) -> list[Callback]:
    if callbacks is None:
        return []
    return list(callbacks) if isinstance(callbacks, list) else [callbacks]


def _first_sentence(error: Exception) -> str:
    return re.split(r"(?<=[a-z)`'])\. (?=[A-Z])", " ".join(str(error).split()))[0].rstrip(".")


def _input_error_behind(error: BaseException | None) -> InputError | None:
    while error is not None and not isinstance(error, InputError):
        error = error.__cause__ or error.__context__
    return error


def _shorten(message: str) -> str:
    """A parser's message as one sentence: the path of the setting, what is wrong with it, where to look."""
    noise = re.compile(r"-? ?Expected a <class 'NoneType'>|Does not validate against any|Subtypes:|Errors:|Given value|tip:")
    lines = [line.strip().removeprefix("- ") for line in message.splitlines()]
    text = " ".join(line for line in lines if line and not noise.match(line))
    keys = re.findall(r'Parser key "([^"]+)":? ?', text)
    text = re.sub(r"""Parser key "[^"]+":? ?|Problem with given class_path '[^']+': ?""", "", text)
    text = re.sub(r"(?:a )?<class '(?:\w+\.)*(\w+)'>", r"\1", text)
    text = re.sub(r"(?:a )?typing\.Literal\[([^\]]*)\]", r"one of \1", text)
    text = text.replace(". Got value: ", ", not ")
    if "Expected" in text and ", not " not in text and (given := re.search(r"Given value: (.*)", message)):
        text = f"{text.rstrip('.')}, not {given[1]}"
    if unknown := re.search(r"Expected a dot import path string: (\S+)", text):
        text = f"there is no class {unknown[1]}; name a paper or give module.Class"
    return f"{'.'.join(dict.fromkeys(keys))}: {text}".removeprefix(": ").rstrip(".") + " (see lightning fit --help)"


def _quiet() -> None:
    """Leave out what does not apply: data in memory needs no workers, validation is the callback's, nobody asked for ads."""
    for pattern in (
        ".*does not have many workers.*",
        ".*tensorboardX.*",
        ".*LeafSpec.*",
        "Total length of `list` across ranks is zero.*",
        "You have overridden `on_after_batch_transfer`.*",
        "Using ModelCheckpoint with manual optimization.*",  # what is saved is the state after the step, as it should be
        "The dirpath has changed.*",
        ".*torch.distributed.nn.functional.* is deprecated.*",
    ):
        warnings.filterwarnings("ignore", pattern)
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(lambda record: "litlogger" not in record.getMessage())


def _fail(sentence: str, status: int) -> NoReturn:
    if os.environ.get("LOCAL_RANK", "0") == "0":
        print(f"lightning: error: {sentence}", file=sys.stderr)
    sys.exit(status)
