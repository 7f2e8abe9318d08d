"""A plain function that says how good samples are: any sampler against any images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from lightning_gans.data import Images
from lightning_gans.errors import InputError
from lightning_gans.evaluation.choices import MetricName, chosen
from lightning_gans.evaluation.counts.mixture import Protocol
from lightning_gans.evaluation.features.inception import Precision
from lightning_gans.evaluation.real.images import RealImages
from lightning_gans.evaluation.real.in_memory import InMemory
from lightning_gans.evaluation.samples.sampler import as_model
from lightning_gans.evaluation.settings import Settings
from lightning_gans.protocols import encodes


def evaluate(
    sampler: Any,
    real: RealImages | Tensor | np.ndarray | list[Any] | tuple[Any, Any],
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
            units; an array or a list as of ``real`` will do. The generator is on the processor; without one, noise from torch's
            own streams is as repeatable. What a function calls must be in evaluation mode.
        real: ``Images``; images ``(N, C, H, W)`` in [-1, 1] or uint8, as a tensor, as a NumPy array that may be
            ``(N, H, W, C)`` or ``(N, H, W)``, or as a list of single ones, Pillow's too; or a tuple of these and their labels
            ``(N,)``, which a conditional sampler is given, too.
        metrics: as of ``Evaluation``, like the settings below that are not described here.
        features: the network in whose features images are compared, by the metrics that do so.
        num_samples: generated samples; none for the papers' number where they have one, and else 10,000.
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
        ['entropy', 'fd_lenet_digits', 'kl', 'modes', 'squared_distance', 'tv']
    """
    settings = Settings(
        metrics=list(metrics),
        features=features,
        weights_path=weights_path,
        download=download,
        precision=precision,
        modes=modes,
        num_samples=num_samples,
        num_real=num_real,
        real=split,
        batch_size=batch_size,
        seed=seed,
        cache_dir=cache_dir,
    )
    model = as_model(sampler, device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if any(metric.needs_encoder for metric in chosen(metrics)) and not encodes(model):
        raise InputError(f"reconstructions need a model with prior, encode and decode; {type(sampler).__name__} is none")
    if isinstance(real, Images):
        real.prepare_data()
        real.setup("validate")
    data: Any = real
    if isinstance(real, Tensor | np.ndarray | list | tuple):
        images, labels = real if isinstance(real, tuple) else (real, None)
        data = InMemory(images, labels, dataset, root)
    evaluator = settings.evaluator(data)
    if isinstance(data, InMemory):
        evaluator.real.cache = evaluator.real.cache if cache_dir else None
        data.classes = () if evaluator.classifier is None else evaluator.classifier.classes
    return evaluator.measure(model)
