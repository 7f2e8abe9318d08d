"""Caltech-UCSD Birds 200-2011, and the captions that Reed et al. collected for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lightning_gans.data.captioned import FineGrained, Listed
from lightning_gans.data.container import Container
from lightning_gans.errors import InputError


class CUB200(FineGrained):
    """11,788 birds of 200 species (Wah et al., 2011), with ten captions each (Reed et al., 2016).

    Looked for in ``root/CUB_200_2011`` and ``root/cub200/CUB_200_2011`` with ``images.txt``, ``image_class_labels.txt``,
    ``classes.txt`` and ``images/``, and beside it ``cvpr2016_cub`` as ``FineGrained`` says. The whole image is used as GAN-CLS
    does, not what is within the bounding box.
    """

    name = "cub200"
    where = (
        "put CUB_200_2011/ (vision.caltech.edu/datasets/cub_200_2011) and beside it cvpr2016_cub/ with the captions "
        "(github.com/reedscot/icml2016) there"
    )
    size = "1.2 GB"
    licence = "non-commercial research"
    text = "cvpr2016_cub"
    count = 11_788

    places = ("CUB_200_2011", "cub200/CUB_200_2011")
    needed = ("images.txt", "image_class_labels.txt", "classes.txt", "images")

    def listed(self, folder: Path) -> Listed:
        images, labels, classes = (_rows(folder / name) for name in self.needed[:3])
        names = tuple(name.partition(".")[2].replace("_", " ") or name for name in classes.values())
        position = {number: row for row, number in enumerate(classes)}
        wrong = next((number for number in images if labels.get(number) not in position), None)
        if wrong is not None:
            raise InputError(
                f"{folder}/image_class_labels.txt gives image {wrong} ({images[wrong]}) no class of classes.txt; get it anew"
            )
        of_each = np.array([position[labels[number]] for number in images], np.int64)
        return Listed(Container(folder / "images"), [*images.values()], of_each, names)


def _rows(file: Path) -> dict[str, str]:
    """The second column of a list by the first."""
    rows = [line.split(maxsplit=1) for line in file.read_text(errors="replace").splitlines() if line.strip()]
    wrong = next((number for number, row in enumerate(rows, 1) if len(row) != 2), None)
    if wrong is not None or not rows:
        raise InputError(f"line {wrong or 1} of {file} is not a number and a name; get it anew")
    return {number: value.strip() for number, value in rows}


SOURCE = CUB200
