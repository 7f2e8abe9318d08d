"""``python -m lightning_gans``, and the entry point of the console script: answers what it can before the heavy imports."""

from __future__ import annotations

import ast
import importlib
import os
import sys
from pathlib import Path

from lightning_gans import __version__
from lightning_gans.suggestions import near

_OF_THE_TRAINER = ("fit", "validate", "test", "predict")
_USAGE = """lightning-gans {version}: GANs with an autoencoder, and the models they grew from

usage: lightning {{fit,validate,test,predict}} [--config NAME] [--model CLASS] [--data.dataset NAME] [options]

  fit           train a model
  validate      measure a model as during training
  test          measure a trained model
  predict       write samples of a trained model as images
{commands}

examples:
  lightning fit --config gaan_grid25
  lightning fit --config gaan_mnist --data.root data --data.download true --trainer.max_steps 10000
  lightning fit --model GAAN --data.dataset grid25 --trainer.max_epochs 5
  lightning test --ckpt_path runs/gaan_grid25/version_0/checkpoints/last.ckpt

  lightning fit --help            every option of trainer, data, evaluation and pictures
  lightning fit --model.help GAAN every option of a model
  lightning --version
"""


def main() -> None:
    """The ``lightning`` command."""
    if sys.path[0] in ("", os.getcwd()):  # `python -m` puts the working folder first, where any script would shadow a package
        del sys.path[0]
    arguments = sys.argv[1:]
    commands = {file.stem.replace("_", "-"): file for file in sorted((Path(__file__).parent / "commands").glob("[a-z]*.py"))}
    if arguments in ([], ["-h"], ["--help"]):
        lines = [f"  {name:<13} {_summary(file)}" for name, file in commands.items()]
        print(_USAGE.format(version=__version__, commands="\n".join(lines)), end="")
    elif arguments == ["--version"]:
        print(f"lightning-gans {__version__}")
    elif arguments[0] in commands:
        from lightning_gans import way_out

        with way_out.one_way_out():
            command, *others = way_out.without_debug(arguments)
            importlib.import_module(f"lightning_gans.commands.{command.replace('-', '_')}").main(others)
    elif not arguments[0].startswith("-") and arguments[0] not in _OF_THE_TRAINER:
        known = [*_OF_THE_TRAINER, *commands]
        hint = near(arguments[0], known)
        print(f"lightning: error: there is no command {arguments[0]}{hint}; there are {', '.join(known)}", file=sys.stderr)
        sys.exit(2)
    else:
        from lightning_gans.cli import main as run

        run()


def _summary(file: Path) -> str:
    """The first line of a command's file, without importing it."""
    line = (ast.get_docstring(ast.parse(file.read_text())) or "").partition("\n")[0]
    return line[:1].lower() + line[1:].rstrip(".")


if __name__ == "__main__":
    main()
