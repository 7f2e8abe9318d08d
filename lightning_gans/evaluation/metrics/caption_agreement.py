"""Whether samples have the colour that their caption names."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.distributed as dist

from lightning_gans.errors import InputError
from lightning_gans.evaluation.features.colours import colours_asked
from lightning_gans.evaluation.metrics.base import Block, Metric, captions_in
from lightning_gans.strategy import world_size


class CaptionAgreement(Metric):
    """Of a model of captions the share of samples with the colour that their caption names, by a classifier of colours.

    The classifier is the one that ``evaluation.features`` names, such as that of ``classifier_anime_hair``; captions that name
    no colour of its noun, several or others are left out. Captions are those of the real samples, of a test split ones that
    training has not seen. ``caption_agreement_hair_by_chance`` is what captions of hair get that are dealt out anew to the same
    samples, on average over all ways to do so. A perfect sampler gets as much as real images do.
    """

    name = "caption_agreement"
    higher = ("caption_agreement",)
    needs_classifier = True
    needs_captions = True

    def applies(self, model: Any) -> bool:
        return super().applies(model) and getattr(self.comparison.classifier, "colour_of", None) is not None

    def reset(self, device: torch.device) -> None:
        classes = len(self._colours)
        self._counts = torch.zeros(classes, classes, dtype=torch.int64, device=device)  # how often each was asked for and found

    def update(self, block: Block) -> None:
        captions = captions_in(block.asked_for)
        assert captions is not None
        number = {colour: position for position, colour in enumerate(self._colours)}
        named = [number.get(colour or "", -1) for colour in colours_asked(captions, self._noun)]
        asked, found = torch.tensor(named, device=self._counts.device), block.logits.argmax(-1).to(self._counts.device)
        cells = asked * len(number) + found
        self._counts += torch.bincount(cells[asked >= 0], minlength=len(number) ** 2).view_as(self._counts)

    def compute(self) -> dict[str, float]:
        if world_size() > 1:
            dist.all_reduce(self._counts)
        counts = self._counts.double()
        if not bool(counts.any()):
            raise InputError(
                f"no caption that samples were drawn under names one colour of {self._noun} that the classifier knows; "
                "leave caption_agreement out"
            )
        shares = counts / counts.sum()
        agree, by_chance = shares.diagonal().sum(), (shares.sum(0) * shares.sum(1)).sum()
        return {f"caption_agreement_{self._noun}": float(agree), f"caption_agreement_{self._noun}_by_chance": float(by_chance)}

    def floor(self) -> dict[str, float]:
        error = getattr(self.comparison.classifier, "test_error", math.nan)
        known = getattr(self.comparison.classifier, "colour_of", None) is not None and not math.isnan(error)
        return {f"caption_agreement_{self._noun}": 1 - error} if known else {}

    @property
    def _noun(self) -> str:
        noun = getattr(self.comparison.classifier, "colour_of", None)
        assert noun is not None
        return str(noun)

    @property
    def _colours(self) -> tuple[str, ...]:
        classifier = self.comparison.classifier
        assert classifier is not None
        return classifier.classes
