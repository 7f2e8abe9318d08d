"""A plain function that says how good samples are: any sampler against any images."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Sequence
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from lightning_gans.data import Images
from lightning_gans.errors import InputError
from lightning_gans.evaluation.callback import Evaluation
from lightning_gans.evaluation.inception import Precision, quantise
from lightning_gans.evaluation.measure import MetricName
from lightning_gans.evaluation.modes import Protocol
from lightning_gans.evaluation.real import RealImages
from lightning_gans.protocols import Generates, encodes

_NOISE = ("condition", "generator")


def evaluate(
    sampler: Any,
    real: RealImages | Tensor | tuple[Tensor, Tensor | None],
    metrics: Sequence[MetricName] = ("fd",),
    features: str = "inception",
    num_samples: int | None = None,
    num_real: int | None = None,
    split: Literal["test", "train", "valid"] = "test",
    dataset: str = "images",
    root: str = "data",
    weights_path: str | None = None,
    download: bool = False,
    precision: Precision = "fp32",
    modes: Protocol = "gaan",
    batch_size: int = 100,
    seed: int = 0,
    cache_dir: str | None = None,
    device: torch.device | str | None = None,
) -> dict[str, float]:
    """Every number that ``lightning test`` gives, for any sampler and any images.

    For a model and a data module these are the numbers of the ``Evaluation`` callback. No random stream, mode of a layer or
    weight is other afterwards.

    Args:
        sampler: a model; else anything with ``sample(n, condition, generator)``, of which the last two may be missing; else a
            function of ``n`` or of ``(n, generator)``. It gives ``(n, C, H, W)`` in [-1, 1] or uint8, or points in the data's
            units. The generator is on the processor; without one, noise from torch's own streams is as repeatable. What a
            function calls must be in evaluation mode.
        real: ``Images``; images ``(N, C, H, W)`` in [-1, 1] or uint8; or these and their labels ``(N,)``, which a conditional
            sampler is given, too.
        metrics: as of ``Evaluation``, like the settings below that are not described here.
        features: what ``fd``, ``kid``, ``is``, ``mode_score``, ``prdc`` and ``diversity`` of images compare.
        num_samples: generated samples; none for 2,000 points, 25,600 of MNIST-1K, 10,000 other images.
        num_real: real samples; none for as many as generated ones, or all there are.
        split: of ``Images`` that is compared with.
        dataset: the name of what the images of a tensor are, where ``modes`` or ``features="classifier"`` need a classifier.
        root: folder of that dataset's files and classifier.
        weights_path: of Inception.
        download: fetch Inception's weights if they are missing.
        precision: of Inception's convolutions.
        modes: the counting protocol for points.
        batch_size: images that a feature network is given at a time.
        seed: of the noise.
        cache_dir: folder for statistics of real images; none for that of ``Images``, and to keep none of a tensor.
        device: to compare on if the sampler is no module with weights; none for a GPU where there is one.

    Returns:
        The measures by name, such as ``fid``, ``kid_inception768``, ``modes``.

    Raises:
        InputError: a setting does not fit, weights or files are missing, or what is compared are no such images.

    Examples:
        Points on the modes of the 25 Gaussians, which GAAN's protocol finds:

        >>> import torch
        >>> from lightning_gans import Images, evaluate
        >>> found = evaluate(lambda n: 2.0 * torch.randint(-2, 3, (n, 2)), Images("grid25"), ["modes"])
        >>> found["modes"], found["registered"]
        (25.0, 2000.0)

        Blurred digits against digits, in the features of a classifier:

        >>> data = Images("digits")
        >>> data.prepare_data(); data.setup("fit")
        >>> blurred = torch.nn.functional.avg_pool2d(data.real("train"), 3, stride=1, padding=1)
        >>> drawn = lambda n, generator: blurred[torch.randint(len(blurred), (n,), generator=generator)]
        >>> found = evaluate(drawn, data.real("test"), ["fd", "modes"], "classifier", 1000, dataset="digits")
        >>> sorted(found)
        ['entropy', 'fd_lenet_digits', 'kl', 'modes', 'tv']
    """
    settings = Evaluation(
        list(metrics),
        features,
        weights_path,
        download,
        precision,
        modes,
        num_samples,
        num_real,
        split,
        batch_size=batch_size,
        seed=seed,
        cache_dir=cache_dir,
    )
    model = _as_model(sampler, device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if "reconstruction" in metrics and not encodes(model):
        raise InputError(f"reconstructions need a model with prior, encode and decode; {type(sampler).__name__} is none")
    if isinstance(real, Images):
        real.prepare_data()
        real.setup("validate")
    if isinstance(real, Tensor):
        real = (real, None)
    data = _InMemory(*real, dataset, root) if isinstance(real, tuple) else real
    evaluator = settings.evaluator(data)
    if isinstance(data, _InMemory):
        evaluator.real.cache = evaluator.real.cache if cache_dir else None
        data.classes = () if evaluator.classifier is None else evaluator.classifier.classes
    return evaluator.measure(model)


def _as_model(sampler: Any, device: torch.device | str) -> Generates:
    module = isinstance(sampler, nn.Module)
    weight = next(sampler.parameters(), None) if module else None
    if weight is not None and isinstance(sampler, Generates):
        return sampler
    if module and not hasattr(sampler, "sample"):
        raise InputError(
            f"{type(sampler).__name__} is a network without a method sample; "
            "give a function such as lambda n, generator: network(torch.randn(n, 64, generator=generator))"
        )
    if not callable(getattr(sampler, "sample", sampler)):
        raise InputError(f"the sampler is {type(sampler).__name__}, but must have a method sample or be a function of n")
    return cast(Generates, _Sampler(sampler, device if weight is None else weight.device))


class _Sampler(nn.Module):
    """What can do no more than draw samples, in the form of a model."""

    def __init__(self, sampler: Any, device: torch.device | str) -> None:
        super().__init__()
        self.prior = getattr(sampler, "prior", None)
        self.anchor = nn.Parameter(torch.zeros((), device=device), requires_grad=False)  # says where to compare
        self.sampler = sampler
        self.draw: Callable[..., Any] = getattr(sampler, "sample", sampler)
        try:
            taken = inspect.signature(self.draw).parameters
        except ValueError:  # of some functions written in C
            taken = {}  # type: ignore[assignment]
        self.keywords = [name for name in _NOISE if name in taken]
        needed = [name for name, one in taken.items() if one.default is one.empty and one.kind == one.POSITIONAL_OR_KEYWORD]
        self.second = len(needed) == 2 and needed[1] not in _NOISE  # a generator by another name

    def sample(self, n: int, condition: Tensor | None, generator: torch.Generator) -> Tensor:
        torch.manual_seed(generator.initial_seed())  # for samplers that take no generator; put back after the measurement
        noise: dict[str, Any] = {"condition": condition, "generator": generator}
        images = self.draw(n, *([generator] if self.second else []), **{name: noise[name] for name in self.keywords})
        if not isinstance(images, Tensor) or not images.dim() or len(images) != n:
            what = f"a tensor {tuple(images.shape)}" if isinstance(images, Tensor) else f"a {type(images).__name__}"
            raise InputError(f"the sampler gives {what} when asked for {n} samples; it must give a tensor of so many")
        images = images.to(self.anchor.device)
        return images.float() / 127.5 - 1 if images.dtype == torch.uint8 else images


class _InMemory:
    """A tensor of images as evaluation takes real data; every split is all of it."""

    centres: Tensor | None = None
    std: float | None = None
    classes: tuple[str, ...] = ()

    def __init__(self, images: Tensor, labels: Tensor | None, name: str, root: str) -> None:
        if images.dim() != 4 or images.shape[1] not in (1, 3) or not images.numel():
            raise InputError(f"the real images are {tuple(images.shape)}, but must be (N, 1 or 3, H, W)")
        if images.is_floating_point():
            low, high = (float(bound) for bound in images.aminmax())
            if not (-1.001 <= low < 0 and high <= 1.001):
                raise InputError(
                    f"the real images lie in [{low:.3g}, {high:.3g}] where [-1, 1] is due; scale them, or give uint8"
                )
            images = quantise(images)
        elif images.dtype != torch.uint8:
            raise InputError(f"the real images are {images.dtype}, but must be uint8 or floating in [-1, 1]")
        if labels is not None and (labels.shape != images.shape[:1] or labels.is_floating_point() or int(labels.min()) < 0):
            raise InputError(f"labels must be {len(images)} integers from 0; they are {labels.dtype} {tuple(labels.shape)}")
        self.images, self.shape = images.cpu(), tuple(images.shape[1:])
        self._labels = None if labels is None else labels.cpu().long()
        self.name, self.root = name, root

    def size(self, split: str) -> int:
        return len(self.images)

    def real(self, split: str, rows: Tensor | None = None) -> Tensor:
        chosen = self.images if rows is None else self.images[rows]
        return chosen.float() / 127.5 - 1

    def labels(self, split: str) -> Tensor | None:
        return self._labels

    def conditions(self, split: str, rows: Tensor) -> Tensor | None:
        return None if self._labels is None else self._labels[rows]

    def fingerprint(self, split: str) -> str:
        return hashlib.sha256(repr(self.images.shape).encode() + self.images.numpy().tobytes()).hexdigest()
