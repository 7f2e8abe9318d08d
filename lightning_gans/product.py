"""A latent of several named parts, each with a distribution of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from lightning_gans.errors import InputError
from lightning_gans.labelled_priors import Labelled
from lightning_gans.priors import Prior


class Product(nn.Module, Prior):
    """Independent parts side by side, such as the noise and the codes of InfoGAN or the style and cluster of an AAE.

    InfoGAN's latent for MNIST (Chen et al. 2016, appendix C.1) is
    ``Product({"noise": Uniform(62), "digit": Categorical(10), "style": Uniform(2)})``.

    Args:
        parts: the distributions by name, in the order of their numbers.
        labelled: names of the parts that ``sample`` draws by ``labels`` where these are one tensor; none takes the only part
            that has classes.

    Attributes:
        slices: the place of each part in a latent, by name: ``z[:, prior.slices["digit"]]``.
        empirical: whether a part holds latents of images.

    Raises:
        InputError: there are no parts, or a part to be drawn by label is not there or has no classes.
    """

    def __init__(self, parts: dict[str, Prior], labelled: list[str] | None = None) -> None:
        super().__init__()
        if not parts:
            raise InputError("a product of priors needs at least one part; set its parts")
        Prior.__init__(self, sum(part.dim for part in parts.values()))
        with_classes = [name for name, part in parts.items() if isinstance(part, Labelled | Product)]
        if wrong := set(labelled or []) - set(with_classes):
            raise InputError(f"the part {sorted(wrong)[0]!r} cannot be drawn by label; those with classes are {with_classes}")
        self.parts = dict(parts)
        self.labelled = with_classes if labelled is None else list(labelled)
        # Those with buffers travel in checkpoints and to the device
        self.stored = nn.ModuleDict({name: part for name, part in parts.items() if isinstance(part, nn.Module)})
        self.slices: dict[str, slice] = {}
        start = 0
        for name, part in parts.items():
            self.slices[name] = slice(start, start + part.dim)
            start += part.dim

    @property
    def empirical(self) -> bool:
        return any(getattr(part, "empirical", False) for part in self.parts.values())

    def split(self, z: Tensor) -> dict[str, Tensor]:
        """The parts of latents ``z`` ``(N, dim)`` by name, views of it."""
        return {name: z[:, place] for name, place in self.slices.items()}

    def sample(
        self,
        n: int,
        generator: torch.Generator | None = None,
        labels: Tensor | Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """``(n, dim)`` latents, drawn on the generator's device, part by part.

        Args:
            n: number of draws.
            generator: the stream; none takes torch's own.
            labels: int64 ``(n,)``, the class of each row in the part that is ``labelled``, or such by the names of parts; -1
                leaves a row to the draw. The other parts' numbers do not depend on them.
        """
        by_name = self._by_name(labels)
        draws = []
        for name, part in self.parts.items():
            if name in by_name and isinstance(part, Labelled | Product):
                draws.append(part.sample(n, generator, by_name[name]))
            else:
                draws.append(part.sample(n, generator))
        return torch.cat(draws, dim=1)

    def log_prob(self, z: Tensor) -> Tensor:
        """The sum of the parts' log-densities (log-probabilities, where they are discrete) in nats, ``(N,)``."""
        terms = [part.log_prob(z[:, self.slices[name]]) for name, part in self.parts.items()]
        return torch.stack(terms).sum(dim=0)

    def interpolate(self, a: Tensor, b: Tensor, steps: int) -> Tensor:
        """``(steps, N, dim)``: each part on its own way from ``a`` to ``b``."""
        return self._each(lambda part, place: part.interpolate(a[:, place], b[:, place], steps))

    def project(self, z: Tensor) -> Tensor:
        """Each part of ``z`` put back where it can be."""
        return self._each(lambda part, place: part.project(z[:, place]))

    def _each(self, of: Callable[[Prior, slice], Tensor]) -> Tensor:
        return torch.cat([of(part, self.slices[name]) for name, part in self.parts.items()], dim=-1)

    def _by_name(self, labels: Tensor | Mapping[str, Tensor] | None) -> Mapping[str, Tensor]:
        if labels is None:
            return {}
        if isinstance(labels, Tensor):
            if len(self.labelled) != 1:
                raise InputError(f"one tensor of labels is for one part, not {self.labelled}; name one in labelled")
            return {self.labelled[0]: labels}
        if wrong := {name for name in labels if not isinstance(self.parts.get(name), Labelled | Product)}:
            raise InputError(f"there is no part {sorted(wrong)[0]!r} with classes to draw by label; there are {self.labelled}")
        return labels

    def __repr__(self) -> str:
        return f"Product({', '.join(f'{name}={part!r}' for name, part in self.parts.items())})"
