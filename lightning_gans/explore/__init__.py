"""A page to look at trained models with: a session of each model, and the page that asks it."""

from lightning_gans.explore.session import Explorer, Shown

__all__ = ["Explorer", "Shown"]
