"""The loss by which images and captions are embedded in common, and the score that says how well."""

from __future__ import annotations

import torch
from torch import Tensor


def joint_embedding_loss(images: Tensor, texts: Tensor, classes: Tensor) -> Tensor:
    """The structured joint embedding loss of Reed et al. (2016), of images and texts alike.

    Wherever the product of what belongs together is not 1 above that of an image and a text of another class, the lack is
    counted. The sum of both directions over all pairs is divided by their number (reedscot/cvpr2016@437e242,
    ``train_sje_hybrid.lua``); its batches have one sample a class, here others of the same class are passed over.

    Args:
        images: embedded, ``(N, width)``.
        texts: embedded, ``(N, width)``, of the same samples.
        classes: of each sample, int64 ``(N,)``.
    """
    scores = images @ texts.T
    own = scores.diagonal()
    others = classes[:, None] != classes
    lack = (1 + scores - own[:, None]).clamp(min=0) + (1 + scores - own).clamp(min=0)
    return (lack * others).sum() / len(scores) ** 2


def class_means(texts: Tensor, numbers: Tensor, count: int) -> Tensor:
    """The mean of embedded texts ``(N, width)`` of each of ``count`` classes, whose ``numbers`` are given, int64 ``(N,)``."""
    sums = texts.new_zeros(count, texts.shape[1]).index_add_(0, numbers, texts)
    return sums / numbers.bincount(minlength=count)[:, None]


def retrieved_first(images: Tensor, texts: Tensor, numbers: Tensor) -> Tensor:
    """Whether the class of each image is the one whose mean text it has the largest product with, bool ``(N,)``.

    This is how the authors classify without examples (reedscot/cvpr2016@2a72810, ``classify_sje_tcnn.lua``).

    Args:
        images: embedded, ``(N, width)``.
        texts: of each class, ``(K, width)``.
        numbers: of each image's class, int64 ``(N,)``.
    """
    return torch.cat([(part @ texts.T).argmax(1) for part in images.split(1000)]) == numbers
