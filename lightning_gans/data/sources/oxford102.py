"""Oxford's 102 flowers, and the captions that Reed et al. collected for them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from lightning_gans.data.captioned import FineGrained, Listed
from lightning_gans.data.container import Container
from lightning_gans.errors import InputError


class Oxford102(FineGrained):
    """8,189 flowers of 102 kinds (Nilsback and Zisserman, 2008), with ten captions each (Reed et al., 2016).

    Looked for in ``root/flowers-102`` (where torchvision puts them), ``root/oxford-102-flowers`` and ``root/oxford102`` with
    ``jpg/`` and ``imagelabels.mat``, and beside it ``cvpr2016_flowers`` as ``FineGrained`` says. The split of ``setid.mat``,
    which is for classification and has all classes in all parts, is not used.
    """

    name = "oxford102"
    where = (
        "put jpg/ and imagelabels.mat (robots.ox.ac.uk/~vgg/data/flowers/102) into flowers-102/, and beside it cvpr2016_flowers"
        " with the captions (github.com/reedscot/icml2016)"
    )
    size = "350 MB"
    licence = "ask their source"
    text = "cvpr2016_flowers"
    count = 8189
    places = ("flowers-102", "oxford-102-flowers", "oxford102")
    needed = ("jpg", "imagelabels.mat")

    def download(self, splits: Iterable[str]) -> None:
        """Fetch the images; the captions have to be got by hand."""
        self.by_torchvision("Flowers102")

    def listed(self, folder: Path) -> Listed:
        from torchvision.datasets import Flowers102

        classes = tuple(Flowers102.classes)
        labels = _labels(folder / "imagelabels.mat", len(classes))
        container = Container(folder / "jpg")
        images = container.images()
        if len(images) > len(labels):
            raise InputError(f"{folder} holds {len(images)} images but {len(labels)} labels; get imagelabels.mat anew")
        return Listed(container, [f"image_{number:05d}.jpg" for number in range(1, len(labels) + 1)], labels, classes)


def _labels(file: Path, classes: int) -> np.ndarray:
    from scipy.io import loadmat

    try:
        labels = np.asarray(loadmat(file)["labels"]).ravel()
    except Exception as error:  # a damaged file may raise anything
        raise InputError(f"{file} is damaged, or does not hold labels ({error}); get it anew") from error
    if not len(labels) or labels.dtype.kind not in "iu" or not 1 <= labels.min() <= labels.max() <= classes:
        raise InputError(f"{file} does not hold labels from 1 to {classes}; get it anew")
    return labels.astype(np.int64) - 1


SOURCE = Oxford102
