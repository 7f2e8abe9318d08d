"""``python -m lightning_gans``, and the entry point of the console script: answers what it can before the heavy imports."""

from __future__ import annotations

import sys

from lightning_gans import __version__

_USAGE = f"""lightning-gans {__version__}: GANs with an autoencoder, and the models they grew from

usage: lightning {{fit,validate,test,predict}} [--config FILE] [--model CLASS] [--data.dataset NAME] [options]

  fit       train a model
  validate  measure a model as during training
  test      measure a trained model
  predict   write samples of a trained model as images

examples:
  lightning fit --config configs/gaan_grid25.yaml
  lightning fit --config configs/gaan_mnist.yaml --data.root data --trainer.max_steps 10000
  lightning fit --model GAAN --data.dataset grid25 --trainer.max_epochs 5
  lightning test --ckpt_path runs/gaan_grid25/version_0/checkpoints/last.ckpt

  lightning fit --help            every option of trainer, data, evaluation and pictures
  lightning fit --model.help GAAN every option of a model
  lightning --version
"""


def main() -> None:
    """The ``lightning`` command."""
    arguments = sys.argv[1:]
    if arguments in ([], ["-h"], ["--help"]):
        print(_USAGE, end="")
    elif arguments == ["--version"]:
        print(f"lightning-gans {__version__}")
    else:
        from lightning_gans.cli import main as run

        run()


if __name__ == "__main__":
    main()
