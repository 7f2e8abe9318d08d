"""The callback, what it measures, and the same for any sampler and any images."""

from lightning_gans.evaluation.callback import Evaluation
from lightning_gans.evaluation.evaluate import evaluate
from lightning_gans.evaluation.modes import ModeCount

__all__ = ["Evaluation", "ModeCount", "evaluate"]
