"""scikit-learn's 8x8 handwritten digits: the embedded image set, no files needed."""

from __future__ import annotations

from typing import Any

import numpy as np

from lightning_gans.data.source import Samples, Source


class Digits(Source):
    """1,797 digits of 8x8 grey pixels (UCI optical recognition, test part); every fifth is for testing."""

    name = "digits"
    classes = tuple("0123456789")
    note = "every fifth is for testing"
    where = "comes with scikit-learn"

    def fingerprint(self, split: str) -> dict[str, Any]:
        return {"scikit-learn": "load_digits"}

    def samples(self, split: str) -> Samples:
        from sklearn.datasets import load_digits

        digits = load_digits()
        held_out = np.arange(len(digits.images)) % 5 == 4
        chosen = held_out if split == "test" else ~held_out
        pixels = np.rint(digits.images[chosen] * (255 / 16)).astype(np.uint8)
        return self.of_arrays(pixels, labels=digits.target[chosen].astype(np.int64))


SOURCE = Digits
