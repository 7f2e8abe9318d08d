"""What the page of ``lightning explore`` asks of a trained model; it knows of no page."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lightning_gans import checks
from lightning_gans.data.latents import as_conditions, as_latents, as_lists, shortest, with_own
from lightning_gans.data.own import own_image
from lightning_gans.errors import InputError
from lightning_gans.figures.kinds import attributes, traversals
from lightning_gans.figures.plots import to_bytes
from lightning_gans.figures.subject import Subject
from lightning_gans.product import Product
from lightning_gans.protocols import Condition, Generates, encodes, to_device

STEPS = 101
"""Places on the way from one latent to another."""
_BETWEEN = 10  # of them from one that is shown to the next
_POINTS = 1000
_LARGEST_SEED = 2**53 - 1  # that a page can tell from its neighbours
_BYTES = 1024  # that a sample takes at least until it is drawn


@dataclass(frozen=True)
class Shown:
    """A sample.

    Args:
        latent: the numbers that it is made of.
        condition: what it is made under, by name: a label, a list of attributes or a caption.
        picture: uint8 ``(H, W, C)``, or a point ``(2,)``.
        codes: the value of each code of the latent, by name: of a category its number.
    """

    latent: list[float]
    condition: dict[str, Any]
    picture: np.ndarray
    codes: dict[str, float]


class Explorer:
    """A trained model that answers with pictures; what it is asked for at the same time it does one after the other.

    Args:
        model: a module that ``Generates``; it is put in evaluation mode.
        data: as ``lightning_gans.Images`` after ``setup``.
        name: of the model, for people; none for its class, data and step.
        step: training batches that it has seen.
        num_images: samples that a seed has; of points 1000.
        weights: the generator's ``raw`` ones, or their average (``ema``), for the name.

    Raises:
        InputError: the model makes no samples, or points that are not in the plane, or its latents are no rows of numbers.
    """

    def __init__(
        self,
        model: Any,
        data: Any,
        name: str | None = None,
        step: int | None = None,
        num_images: int = 36,
        weights: str = "raw",
    ) -> None:
        if not isinstance(model, Generates):
            raise InputError(f"{type(model).__name__} makes no samples; explore a model that does")
        checks.positive(**{"--num_images": num_images})
        checks.fits_memory(f"--num_images {num_images:,}", num_images * _BYTES)
        self.model, self.data = model.eval(), data  # type: ignore[attr-defined]
        self.subject = Subject(model, data, step, num_images=num_images, num_points=_POINTS, weights=weights)
        if self.points and data.shape != (2,):
            raise InputError(f"points of {data.shape[0]} numbers are not drawn in the plane; explore other data")
        if (shape := tuple(model.prior.sample(1).shape[1:])) != (model.prior.dim,):
            raise InputError(f"latents of {type(model).__name__} are {shape} and no row of numbers; explore another model")
        self.name = name or self.subject.name
        self.codes = {code.name: code for code in _codes(model)}
        self._attributes: dict[str, Tensor] | None = None
        self._alone = threading.Lock()

    @property
    def points(self) -> bool:
        """Whether samples are points and not images."""
        return self.subject.points

    @property
    def count(self) -> int:
        """Samples that a seed has."""
        return self.subject.num_points if self.points else self.subject.num_images

    @property
    def kinds(self) -> list[str]:
        """The names of the conditions that samples can be asked for under."""
        there = [*self.data.condition_kinds] if getattr(self.model, "conditional", False) else []
        reads = callable(getattr(self.model, "texts", None)) and "captions" in there
        return ["captions"] if reads else there

    def draw(self, seed: int, asked: Mapping[str, Any] | None = None) -> np.ndarray:
        """The samples of a seed, those of the picture ``samples``: uint8 ``(N, H, W, C)``, or points ``(N, 2)``.

        Args:
            seed: of the noise.
            asked: a label, attributes or a caption by name; what is not asked for is that of test samples, of each another.
        """
        with self._at_work():
            return self._pictures(self._latents(seed), self._condition(asked, self.count))

    def choose(self, seed: int, number: int, asked: Mapping[str, Any] | None = None) -> Shown:
        """One of the samples of a seed."""
        if not (isinstance(number, int) and 0 <= number < self.count):
            raise InputError(f"there is no sample {number}; a seed has 0 to {self.count - 1}")
        with self._at_work():
            rows = self.subject.rows(self.count)[[number]]
            return self._shown(self._latents(seed)[[number]], self._condition(asked, 1, rows))

    def show(
        self,
        latent: Sequence[float],
        asked: Mapping[str, Any] | None = None,
        codes: Mapping[str, float] | None = None,
        amounts: Mapping[str, float] | None = None,
    ) -> Shown:
        """The sample of a latent.

        Args:
            latent: as many numbers as those of the prior have.
            asked: see ``draw``.
            codes: values that codes are given, by name; of a category its number. Those that the model lacks are left out.
            amounts: how often the vector of an attribute is added, by name; see the picture ``attributes``.
        """
        with self._at_work():
            z = self._latent(latent)
            for name, amount in (amounts or {}).items():
                if name in (vectors := self._attributes or {}):
                    z = z + _number(name, amount) * vectors[name].to(z)
            for name, value in (codes or {}).items():
                if name in self.codes:
                    z[:, self.codes[name].place] = self._values(name, _number(name, value))
            return self._shown(z, self._condition(asked, 1))

    def way(self, a: Sequence[float], b: Sequence[float], asked: Mapping[str, Any] | None = None) -> np.ndarray:
        """Samples on the way from one latent to another, as the prior leads, ends included: ``(11, H, W, C)`` or points."""
        with self._at_work():
            z = self._way(a, b)[::_BETWEEN]
            condition = self._condition(asked, len(z), self.subject.rows(1).expand(len(z)))
            return self._pictures(z, condition)

    def walk(self, a: Sequence[float], b: Sequence[float], place: int, asked: Mapping[str, Any] | None = None) -> Shown:
        """The sample at one of the places on the way, from 0 at ``a`` to 100 at ``b``."""
        if not (isinstance(place, int) and 0 <= place < STEPS):
            raise InputError(f"a way has the places 0 to {STEPS - 1}, not {place}")
        with self._at_work():
            return self._shown(self._way(a, b)[[place]], self._condition(asked, 1))

    def own(self, raw: bytes, name: str = "the file", asked: Mapping[str, Any] | None = None) -> tuple[np.ndarray, Shown]:
        """An image of one's own as those of the data are, uint8 ``(H, W, C)``, and what its code is decoded to."""
        self._refuse_without_encoder()
        if self.points:
            raise InputError(f"samples of {self.name} are points; give two numbers instead of an image")
        return self._again(own_image(self.data, raw, name), asked)

    def own_point(self, x: float, y: float, asked: Mapping[str, Any] | None = None) -> tuple[np.ndarray, Shown]:
        """A point of one's own, and what its code is decoded to."""
        self._refuse_without_encoder()
        return self._again(torch.tensor([_number("x", x), _number("y", y)]), asked)

    def learn_attributes(self) -> list[str]:
        """The names of the attributes that latents can be moved along, after their vectors are taken of training images."""
        with self._at_work():
            if self._attributes is None:
                self._attributes = dict(zip(*attributes.chosen_vectors(self.subject), strict=True))
            return [*self._attributes]

    def read(self, text: str) -> Shown:
        """The sample of the first latent in a text as ``written`` makes it.

        Raises:
            InputError: it is no such text.
        """
        try:
            content = json.loads(text)
        except ValueError as error:
            raise InputError(f'the latent is no JSON ({error}); it is written as {{"latents": [[0.1, -0.2, ...]]}}') from error
        given = as_latents(content, self.data)
        own = {name: values[:1] for name, values in given.conditions.items()}
        with self._at_work():
            z = given.of(torch.tensor([0]), self.model.prior.dim)
            usual = self.data.conditions("test", self.subject.rows(1))
            return self._shown(z, self._at_model(with_own(usual, own, self.data)))

    @staticmethod
    def written(latent: Sequence[float], condition: Mapping[str, Any], said: str = "") -> dict[str, Any]:
        """What ``lightning predict --data.latents`` makes that sample of, in plain values; ``said`` is for people."""
        return {"latents": [list(latent)], **{name: [value] for name, value in condition.items()}, "said": said}

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        with self._alone, torch.no_grad():
            yield

    def _refuse_without_encoder(self) -> None:
        if not encodes(self.model):
            raise InputError(f"{self.name} has no encoder")

    def _latents(self, seed: int) -> Tensor:
        if not isinstance(seed, int) or not 0 <= seed <= _LARGEST_SEED:
            raise InputError(f"the seed is {seed}, but must be a whole number from 0 to {_LARGEST_SEED}")
        self.subject.seed = seed
        return self.model.prior.sample(self.count, self.subject.generator)

    def _latent(self, numbers: Sequence[float]) -> Tensor:
        return as_latents({"latents": [numbers]}, self.data).of(torch.tensor([0]), self.model.prior.dim)

    def _way(self, a: Sequence[float], b: Sequence[float]) -> Tensor:
        return self.model.prior.interpolate(self._latent(a), self._latent(b), STEPS)[:, 0]

    def _values(self, name: str, value: float) -> Tensor:
        """What stands for the value of a code."""
        values = self.codes[name].values
        if not self.codes[name].is_category:
            return torch.tensor([value])
        if value not in range(len(values)):
            raise InputError(f"{name} has the values 0 to {len(values) - 1}, not {value:g}")
        return values[int(value)]

    def _value(self, name: str, z: Tensor) -> float:
        """The inverse of ``_values``, of a latent ``(dim,)``."""
        place = self.codes[name].place
        return float(z[place].argmax() if self.codes[name].is_category else z[place])

    def _condition(self, asked: Mapping[str, Any] | None, count: int, rows: Tensor | None = None) -> Condition | None:
        """That of test samples by number, but for what is asked for."""
        if not self.kinds:
            return None
        said = {name: [value] * count for name, value in (asked or {}).items() if name in self.kinds}
        own = as_conditions(said, count, self.data, "the condition")
        usual = self.data.conditions("test", self.subject.rows(count) if rows is None else rows)
        check = getattr(getattr(self.model, "text_encoder", None), "check_caption", None)
        if "captions" in said and check is not None:
            check(said["captions"][0])
        return self._at_model(with_own(usual, own, self.data))

    def _at_model(self, condition: Condition | None) -> Condition | None:
        return to_device(condition, self.model.device) if self.kinds else None

    def _again(self, sample: Tensor, asked: Mapping[str, Any] | None) -> tuple[np.ndarray, Shown]:
        with self._at_work():
            condition = self._condition(asked, 1)
            z = self.model.encode(self.subject.to_model(sample[None]), condition).float().cpu()
            return self._plain(sample[None])[0], self._shown(z, condition)

    def _shown(self, z: Tensor, condition: Condition | None) -> Shown:
        """The sample of one latent, made alone: in a batch its last bits would depend on the others."""
        picture = self._pictures(z, condition)[0]
        codes = {name: self._value(name, z[0]) for name in self.codes}
        named = {name: rows[0] for name, rows in as_lists(condition, self.data).items() if name in self.kinds}
        return Shown(shortest(z)[0], named, picture, codes)

    def _pictures(self, z: Tensor, condition: Condition | None) -> np.ndarray:
        return self._plain(self.model.decode(self.subject.to_model(z), condition))

    def _plain(self, made: Tensor) -> np.ndarray:
        if self.points:
            return made.float().cpu().numpy()
        return to_bytes(made).cpu().permute(0, 2, 3, 1).numpy()


def _codes(model: Any) -> list[traversals.Code]:
    """The codes of a ``Product``; of another prior all numbers where they are few."""
    prior = model.prior
    if isinstance(prior, Product):
        return traversals.codes_of(model)
    return traversals.numbers_of(prior, "z") if prior.dim <= traversals.LONGEST else []


def _number(name: str, value: Any) -> float:
    if not isinstance(value, int | float) or not abs(value) < 1e6:
        raise InputError(f"{name} is {value}, but must be a number below a million")
    return float(value)
