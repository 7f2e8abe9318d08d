"""scikit-learn's 8x8 handwritten digits: the embedded image set, no files needed."""

from __future__ import annotations

from typing import Any

import numpy as np

from lightning_gans.data.description import Description
from lightning_gans.data.source import Samples, Source


class Digits(Source):
    """1,797 digits of 8x8 grey pixels (UCI optical recognition, test part); every fifth is for testing."""

    name = "digits"
    description = Description(classes=tuple("0123456789"), note="every fifth is for testing")
    native = (8, 8)
    where = "comes with scikit-learn"
    licence = "CC BY 4.0 (UCI)"

    def fingerprint(self, split: str) -> dict[str, Any]:
        return {"scikit-learn": "load_digits"}

    def samples(self, split: str) -> Samples:
        from sklearn.datasets import load_digits

        digits = load_digits()
        is_fifth = np.arange(len(digits.images)) % 5 == 4
        chosen = is_fifth if split == "test" else ~is_fifth
        pixels = np.rint(digits.images[chosen] * (255 / 16)).astype(np.uint8)
        return self.of_arrays(pixels, labels=digits.target[chosen].astype(np.int64))


SOURCE = Digits
