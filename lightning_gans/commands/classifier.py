"""Train a classifier of a dataset's images, which evaluation counts classes and takes features with."""

from lightning_gans.evaluation.classifier_training import main as main
