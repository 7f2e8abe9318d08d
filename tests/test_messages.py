"""What other libraries say is made short. Their words are pinned here, so that a new version fails a test and not a user.

Run as a script it lets Lightning and torch say all that is left out, and prints it as JSON.
"""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.cli import OptimizerCallable

from lightning_gans import messages
from lightning_gans.command_line import ParseError, Parser, refused_in_one_sentence
from lightning_gans.errors import InputError
from lightning_gans.priors import Prior

OF_NO_CLASS = (
    "not accepted where no class_path names a class that takes it; write {class_path: module.Class, init_args: {lr: ...}}"
)
HELP = " (see lightning fit --help)"


def parser() -> Parser:
    it = Parser(exit_on_error=False)
    it.add_argument("--size", type=int)
    it.add_argument("--sizes", type=list[int])
    it.add_argument("--crop", type=int | Literal["resize", "none"] | None)
    it.add_argument("--modes", type=Literal["gaan", "ali"])
    it.add_subclass_arguments(Prior, "prior")
    it.add_argument("--callback", type=list[Callback] | Callback | None)
    it.add_argument("--optimizer", type=OptimizerCallable | None)
    it.add_argument("--optimizers", type=dict[str, OptimizerCallable] | None)
    return it


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--size=many"], "size: Expected int, not many"),
        (["--sizes=[1, many]"], "sizes: Expected int, not many"),
        (["--modes=pacgan"], "modes: Expected one of 'gaan', 'ali', not pacgan"),
        (["--crop=[]"], "crop: Expected int or one of 'resize', 'none', not []"),
        (["--prior=Nowhere"], "prior: there is no class Nowhere; name a paper or give module.Class"),
        (["--prior=lightning_gans.Nowhere"], "prior: module 'lightning_gans' has no attribute 'Nowhere'"),
        (["--prior=torch.nn.Linear"], "prior: Import path torch.nn.Linear does not correspond to a subclass of Prior"),
        (["--prior=lightning_gans.Uniform", "--prior.dim=x"], "prior.dim: Expected int, not x"),
        (["--prior=Unifrom"], "prior: there is no class Unifrom (did you mean Uniform?); name a paper or give module.Class"),
        (["--callback=Timr"], "callback: there is no class Timr (did you mean Timer?); name a paper or give module.Class"),
        (
            ["--prior=lightning_gans.Unifrom"],
            "prior: module 'lightning_gans' has no attribute 'Unifrom' (did you mean Uniform?)",
        ),
        (["--prior=lightning_gans.Uniform", "--prior.tim=1"], "prior: Option 'tim' is not accepted (did you mean dim?)"),
        (["--nonsense=1"], "unrecognized arguments: --nonsense=1"),
        (["--mdoes=ali"], "unrecognized arguments: --mdoes=ali (did you mean --modes?)"),
        (["--optimizer={lr: 0.1}"], f"optimizer: Option 'lr' is {OF_NO_CLASS}"),
        (["--optimizer.lr=0.1"], f"optimizer: Option 'lr' is {OF_NO_CLASS}"),
        (["--optimizers={generator: {lr: 0.1}}"], f"optimizers: Option 'lr' is {OF_NO_CLASS}"),
        (["--optimizer=0.1"], "optimizer: there is no class 0.1; name a paper or give module.Class"),
        (["--optimizer=torch.optim.SGD", "--optimizer.lr=x"], "optimizer.lr: Expected float, not x"),
        (["--size"], "argument --size: expected one argument"),
    ],
)
def test_a_refusal_of_the_parser_is_one_sentence(arguments: list[str], sentence: str) -> None:
    with pytest.raises(ParseError) as refused:
        parser().parse_args(arguments)
    assert messages.of_parser(refused.value) == sentence + HELP


def test_a_reason_of_ours_is_the_reason_given() -> None:
    def even(text: str) -> int:
        if int(text) % 2:
            raise ValueError("odd") from InputError("give an even number")
        return int(text)

    it = Parser()
    it.add_argument("--n", type=even)
    with pytest.raises(ParseError) as refused:
        it.parse_args(["--n=3"])
    assert messages.of_parser(refused.value) == f"give an even number{HELP}"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"accelerator": "gpus"}, "You selected an invalid accelerator name: `accelerator='gpus'`"),
        (
            {"limit_train_batches": 7.5},
            "You have passed invalid value 7.5 for limit_train_batches, it has to be in [0.0, 1.0] or an int",
        ),
        ({"strategy": "fsdp"}, "The strategy `fsdp` requires a GPU accelerator, but received `accelerator='cpu'`"),
    ],
)
def test_of_a_paragraph_of_lightnings_the_first_sentence_is_kept(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as refused, refused_in_one_sentence():
        Trainer(**{"accelerator": "cpu", "logger": False, **settings})
    assert str(refused.value) == f"trainer: {sentence}{HELP}"
    assert len(str(refused.value.__cause__)) > len(sentence)


@pytest.fixture(scope="module")
def said() -> list[str]:
    """What Lightning and torch say of runs as the command makes them, if they are let."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("pattern", [*messages.WARNINGS, ".*litlogger"])
def test_what_is_left_out_is_still_said_in_these_words(pattern: str, said: list[str]) -> None:
    assert [text for text in said if re.match(pattern, text, re.DOTALL)], said


def test_quiet_leaves_out_these_warnings_and_no_others() -> None:
    logger = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    before = [*logger.filters]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            messages.quiet()
        warnings.warn("Total length of `list` across ranks is zero. Please make sure ...", stacklevel=1)
        warnings.warn("a warning of another kind", stacklevel=1)
    try:
        assert [str(warning.message) for warning in caught] == ["a warning of another kind"]
        assert len(logger.filters) <= len(before) + 1, "a filter is added once"
        shown = [bool(logger.filter(logging.makeLogRecord({"msg": text}))) for text in ("try litlogger", "a tip")]
        assert shown == [False, True]
    finally:
        logger.filters[:] = before


def speak() -> None:
    """Train, save, go on elsewhere and gather, and print all that is said."""
    from lightning_gans import Images
    from tests.games.gan import make_gan
    from tests.helpers import fit, saving

    texts: list[str] = []
    handler: Any = logging.Handler()
    handler.emit = lambda record: texts.append(record.getMessage())
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addHandler(handler)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        first, second = Path(folder, "first"), Path(folder, "second")
        fit(make_gan(), 2, Images("grid25", batch_size=32), **saving(first))
        fit(make_gan(), 3, Images("grid25", batch_size=32), ckpt_path=first / "step=2.ckpt", **saving(second))
        torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=0, world_size=1)
        torch.distributed.nn.functional.all_gather(torch.ones(1, requires_grad=True))
        torch.distributed.destroy_process_group()
        texts += [str(warning.message) for warning in caught]
    print(json.dumps(texts))


if __name__ == "__main__":
    speak()
