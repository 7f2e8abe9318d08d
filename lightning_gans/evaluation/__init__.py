"""How good samples are: the callback, and the same for any sampler and any images."""

from lightning_gans.evaluation.callback import Evaluation
from lightning_gans.evaluation.counts.mixture import ModeCount
from lightning_gans.evaluation.evaluate import evaluate

__all__ = ["Evaluation", "ModeCount", "evaluate"]
