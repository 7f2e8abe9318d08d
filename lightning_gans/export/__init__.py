"""A trained model as a folder that others can use: weights and config, a card, an example, and the generator as ONNX."""

from lightning_gans.export.weights import load_exported

__all__ = ["load_exported"]
