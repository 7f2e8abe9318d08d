"""The callback, and what it measures."""

from lightning_gans.evaluation.callback import Evaluation
from lightning_gans.evaluation.modes import ModeCount

__all__ = ["Evaluation", "ModeCount"]
