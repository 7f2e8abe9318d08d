"""Pictures: the callback that draws them during a run, and the plots themselves."""

from lightning_gans.figures.callback import Pictures

__all__ = ["Pictures"]
