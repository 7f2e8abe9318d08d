"""Captions as numbers: encoders that are trained with images, those that others have trained, and embeddings of one's own."""

from lightning_gans.text.char_cnn_rnn import CharCNNRNN
from lightning_gans.text.encoder import TextEncoder
from lightning_gans.text.loading import load_text_encoder, text_encoder_for
from lightning_gans.text.pretrained import PretrainedTextEncoder, ProjectedTextEncoder
from lightning_gans.text.stored_embeddings import StoredEmbeddings

__all__ = [
    "CharCNNRNN",
    "PretrainedTextEncoder",
    "ProjectedTextEncoder",
    "StoredEmbeddings",
    "TextEncoder",
    "load_text_encoder",
    "text_encoder_for",
]
