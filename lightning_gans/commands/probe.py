"""Say what a trained model's features or densities are good for."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from lightning_gans import checks
from lightning_gans.commands._probed import GRID, Measure, Probed
from lightning_gans.errors import InputError
from lightning_gans.evaluation import records
from lightning_gans.evaluation.probes.assumed import assume_normal
from lightning_gans.evaluation.probes.classification import (
    balanced_draw,
    few_labels,
    knn_probe,
    linear_probe,
    share_of_each,
    svm_probe,
)
from lightning_gans.evaluation.probes.clustering import clustering_error, kmeans_error
from lightning_gans.evaluation.probes.densities import Parzen, density_kl_1d, parzen_log_likelihood
from lightning_gans.evaluation.probes.estimate import Estimate
from lightning_gans.evaluation.probes.likelihood import HasLikelihood, log_likelihood
from lightning_gans.evaluation.samples.drawing import evaluating
from lightning_gans.protocols import classifies, encodes
from lightning_gans.randomness import global_seed, keyed_generator
from lightning_gans.restore import Weights, restore, trained_on


def _svm(probed: Probed) -> list[Measure]:
    """Errors of L2-SVMs on small labelled draws (DCGAN, ALI)."""
    given, test_labels = probed.given, probed.labels("test")
    y, held = probed.drawn_from()
    if given.labels is not None:
        given.per_class = share_of_each(y, given.labels)
    balanced_draw(y, given.per_class, given.seed, "test", 0)  # refuses too few examples before anything takes time
    if given.recompute_statistics:
        probed.recompute_statistics()
    grid = None if given.protocol == "ali" else GRID
    splits = ["train", *({probed.validation[0]} - {"train"})]
    train = torch.cat([probed.features(split, grid) for split in splits]), np.concatenate([y, held])
    settings = {name: getattr(given, name) for name in ("protocol", "per_class", "draws", "seed", "jobs")}
    probe = svm_probe(*train, probed.features("test", grid), test_labels, held_out=len(held), **settings)
    spread = "1.96 std" if given.protocol == "dcgan" else "std"
    probed.protocol = f"{given.protocol}, {given.per_class} of each class a draw, {len(held)} held out"
    probed.protocol += "; batch norm by the training set" if given.recompute_statistics else ""
    error, validation = Measure.of("error", probe.error, spread), Measure.of("validation_error", probe.validation, spread)
    return [error, validation, Measure("C", probe.C)]


def _on_all_or_few(probed: Probed, probe: Callable[..., Estimate], **settings: Any) -> list[Measure]:
    given, y, test_y = probed.given, probed.labels("train"), probed.labels("test")
    if given.labels is None:
        return [Measure.of("error", probe(probed.features("train"), y, probed.features("test"), test_y, **settings))]
    probed.protocol += f" of {share_of_each(y, given.labels)} labelled examples of each class"
    sets = probed.features("train"), y, probed.features("test"), test_y
    return [Measure.of("error", few_labels(probe, *sets, given.labels, given.draws, given.seed, **settings), "std")]


def _knn(probed: Probed) -> list[Measure]:
    """The error of the nearest neighbours."""
    probed.protocol = f"majority of the {probed.given.k} nearest"
    return _on_all_or_few(probed, knn_probe, k=probed.given.k, jobs=probed.given.jobs)


def _linear(probed: Probed) -> list[Measure]:
    """The error of a logistic regression."""
    probed.protocol = "logistic regression on standardised features"
    return _on_all_or_few(probed, linear_probe)


def _clusters(probed: Probed) -> list[Measure]:
    """Clustering error (AAE) of the clusters that the model tells apart; error and NMI of k-means on its features."""
    labels = probed.labels("test")
    model, measures, said = probed.model, [], []
    validation, head_labels = probed.validation, probed.drawn_from()[1]
    if classifies(model) and not probed.given.layers:

        def surety(*of: Any) -> Tensor:
            return torch.cat([model.classify(images).float().log_softmax(1).cpu() for images in probed.images(*of)])

        error = clustering_error(surety(*validation), head_labels, surety("test"), labels)
        measures = [Measure.of("clustering_error", error)]
        said = [f"AAE's error by the surest of {len(head_labels)} held out"]
    if not measures or encodes(model):
        test, held = probed.features("test"), probed.features(validation[0], rows=validation[1])
        error, agreement = kmeans_error(test, labels, held, head_labels, probed.given.seed)
        said.append(f"k-means on the test split, its error by the {len(head_labels)} held out")
        measures += [Measure.of("kmeans_error", error), Measure("kmeans_nmi", agreement, n=len(labels))]
    probed.protocol = "; ".join(said)
    return measures


_PARZEN_SAMPLES = 10_000


def _parzen(probed: Probed) -> list[Measure]:
    """Log-likelihood of the test set in nats under Gaussian kernels around samples (GAN)."""
    parzen, probed.protocol = _kernels(probed, probed.given.num_samples)
    return [Measure.of("log_likelihood", parzen.log_likelihood), Measure("sigma", parzen.sigma)]


def _kernels(probed: Probed, count: int, rows: Tensor | None = None) -> tuple[Parzen, str]:
    """Of test samples, all or some by number, by kernels around ``count`` samples; and how it was done."""
    pixels = len(probed.data.shape) == 3

    def flat(blocks: Iterator[Tensor]) -> Tensor:
        samples = torch.cat([block.flatten(1).float().cpu() for block in blocks])
        return (samples + 1) / 2 if pixels else samples

    split, held = probed.validation
    validation, test = flat(probed.images(split, held[:1000])), flat(probed.images("test", rows))
    parzen = parzen_log_likelihood(flat(probed.samples("test", count)), test, validation)
    return parzen, f"{count:,} samples{' in [0, 1]' if pixels else ''}, sigma by {len(validation)} held out"


def _density(probed: Probed) -> list[Measure]:
    """KL in nats between the densities of the mean pixel (GAAN, Fig. 4)."""

    def means(blocks: Iterator[Tensor]) -> Tensor:
        return torch.cat([block.flatten(1).float().mean(1).cpu() for block in blocks])

    fake, real = means(probed.samples("train", probed.given.num_samples)), means(probed.images("train"))
    densities = density_kl_1d(real, fake)
    probed.protocol = f"mean of all dimensions, {len(fake):,} samples, {len(real):,} real of train, Scott's bandwidth"
    return [Measure("kl", densities.kl), Measure("bandwidth", densities.bandwidth)]


def _likelihood(probed: Probed) -> list[Measure]:
    """Log-likelihood of test samples in nats by importance sampling (Burda et al. 2016), and a VAE's bound on it.

    Of a model that encodes and generates, but knows no densities, by normal laws of p(x|z) and q(z|x), and beside it under
    Gaussian kernels around samples, as adversarial autoencoders were measured; pixels in [0, 1].
    """
    given, size, model = probed.given, probed.data.size("test"), probed.model
    rows = torch.randperm(size, generator=keyed_generator("test samples", size))[: given.num_samples]
    images = torch.cat([*probed.images("test", rows)])
    if isinstance(model, HasLikelihood) or not encodes(model) or getattr(model, "conditional", False):
        probed.protocol = f"{given.draws:,} draws each, data in {getattr(model, 'data_range', 'units of the model')}"
        kinds = {"log_likelihood": given.draws, "bound": 1}
        return [Measure.of(name, Estimate.of(log_likelihood(model, images, n, given.seed))) for name, n in kinds.items()]
    split, held = probed.validation
    assumed = assume_normal(model, torch.cat([*probed.images(split, held[:1000])]), given.draws, given.seed)
    found = log_likelihood(assumed, images, given.draws, given.seed)
    pixels = images[0].numel() if images.dim() == 4 else 0
    parzen, how = _kernels(probed, _PARZEN_SAMPLES, rows)
    laws = f"p(x|z) = N(G(z), {assumed.sigma:.3g}^2), z by N(E(x), {assumed.s:.3g}^2), both chosen on held-out samples"
    probed.protocol = f"{given.draws:,} draws each, {laws}; kernels: {how}"
    weighted = Measure.of("log_likelihood", Estimate.of(found + pixels * math.log(2)))  # of pixels half as far apart
    return [weighted, Measure.of("parzen_log_likelihood", parzen.log_likelihood), Measure("parzen_sigma", parzen.sigma)]


def _classify(probed: Probed) -> list[Measure]:
    """The error of the model's own classes on the test split (Salimans et al. 2016; ALI, Tables 1 and 2)."""
    model, labels = probed.model, probed.labels("test")
    if not classifies(model):
        raise InputError(f"{type(model).__name__} does not classify; probe its features, by linear, knn or svm")
    predicted = torch.cat([model.classify(images).argmax(1).cpu() for images in probed.images("test")])
    probed.protocol = "the model's own classes"
    return [Measure.of("classify_error", Estimate.of(predicted.numpy() != labels))]


KINDS: dict[str, Callable[[Probed], list[Measure]]] = {
    "svm": _svm,
    "knn": _knn,
    "linear": _linear,
    "classify": _classify,
    "clusters": _clusters,
    "parzen": _parzen,
    "density": _density,
    "likelihood": _likelihood,
}


_TESTED = ("svm", "knn", "linear", "classify", "clusters", "parzen")
"""Those that learn from one split, or choose by it, and say how good that is on another."""


def main(args: list[str]) -> None:
    """``lightning probe KIND --ckpt_path FILE``: further options, such as ``--data.root``, change the stored config.

    Prints a table, and adds a JSON line to probes.jsonl in the run's folder.
    """
    given, others = _parser().parse_known_args(args)
    counts = ("per_class", "labels", "draws", "k", "num_samples")
    checks.positive(**{f"--{name}": getattr(given, name) for name in counts if getattr(given, name, None) is not None})
    model, data, _, step = restore(given.ckpt_path, others, given.weights)
    if given.kind in _TESTED and data.opened.splits["test"] is data.opened.splits["train"]:
        raise InputError(
            f"{data.name} has no test split, and {given.kind} would be tested on what it learns from; "
            "set --data.held_out, in the training too"
        )
    probed = Probed(model, data, given, trained_on(given.ckpt_path))
    with evaluating(model):
        measures = KINDS[given.kind](probed)
    console = Console()
    learnt = probed.trained_on
    elsewhere = f", trained on {learnt}" if learnt not in (data.name, data.dataset) else ""
    console.print(_table(f"{given.kind} of {type(model).__name__}, step {step}, on {data.name}{elsewhere}", measures))
    console.print("; ".join(filter(None, [probed.seen, probed.protocol])), markup=False, highlight=False, soft_wrap=True)
    folder = given.ckpt_path.parent
    file = (folder.parent if folder.name == "checkpoints" else folder) / "probes.jsonl"
    try:
        with open(file, "a") as lines:
            lines.write(json.dumps(_describe(probed, step) | {k: v for m in measures for k, v in m.record().items()}) + "\n")
    except OSError as error:
        raise InputError(f"{file} cannot be written ({error.strerror}); move the checkpoint to a place of yours") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("lightning probe", description=main.__doc__, allow_abbrev=False)
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True)
    of = {}
    for name, kind in KINDS.items():
        one = of[name] = kinds.add_parser(name, help=kind.__doc__, description=kind.__doc__, allow_abbrev=False)
        one.add_argument("--ckpt_path", type=Path, required=True, metavar="FILE", help="of the trained model")
        one.add_argument(
            "--weights", choices=get_args(Weights), default="raw", help="of what EMA averages (default: %(default)s)"
        )
        if name not in ("classify", "parzen", "density", "likelihood"):
            one.add_argument("--layers", nargs="+", help="of the model's features; its encoder's latents where none")
        if name != "classify":
            one.add_argument("--seed", type=int, default=0, help="of draws, starts or noise (default: %(default)s)")
        if name in ("svm", "knn", "linear"):
            one.add_argument("--labels", type=int, help="examples in a draw, as many of each class")
        if name in ("svm", "knn"):
            one.add_argument("--jobs", type=int, default=1, help="processes (default: %(default)s)")
    of["svm"].add_argument("--protocol", choices=["dcgan", "ali"], default="dcgan", help="(default: %(default)s)")
    of["svm"].add_argument("--per_class", type=int, default=100, help="examples of a class in a draw (default: %(default)s)")
    of["svm"].add_argument("--draws", type=int, default=100, help="for testing (default: %(default)s)")
    of["svm"].add_argument(
        "--recompute_statistics",
        action="store_true",
        help="of batch norm: over the training set, as DCGAN's code for SVHN does",
    )
    for name in ("knn", "linear"):
        of[name].add_argument("--draws", type=int, default=10, help="of --labels examples (default: %(default)s)")
    of["knn"].add_argument("--k", type=int, default=1, help="neighbours (default: %(default)s)")
    of["parzen"].add_argument("--num_samples", type=int, default=_PARZEN_SAMPLES, help="(default: %(default)s)")
    of["density"].add_argument("--num_samples", type=int, default=55_000, help="(default: %(default)s)")
    of["likelihood"].add_argument("--num_samples", type=int, default=1000, help="of the test set (default: %(default)s)")
    of["likelihood"].add_argument("--draws", type=int, default=5000, help="of latents for each (default: %(default)s)")
    return parser


def _table(title: str, measures: list[Measure]) -> Table:
    table = Table(title=title)
    for column in ("measure", "value", "±", "± is", "n"):
        table.add_column(column, justify="right" if column in ("value", "±", "n") else "left")
    for one in measures:
        spread = "" if one.spread is None else f"{one.spread:.3g}"
        table.add_row(one.name, f"{one.value:.4g}", spread, one.spread_is, "" if one.n is None else f"{one.n:,}")
    return table


def _describe(probed: Probed, step: int) -> dict[str, Any]:
    """All that the numbers depend on."""
    given, data = probed.given, probed.data
    said_below = ("kind", "ckpt_path", "protocol", "layers", "seed", "jobs")
    settings = {name: value for name, value in vars(given).items() if name not in said_below}
    return {
        "probe": given.kind,
        "protocol": probed.protocol,
        **({"features": probed.seen} if probed.seen else {}),
        **settings,
        **({"probe_seed": given.seed} if hasattr(given, "seed") else {}),
        "checkpoint": given.ckpt_path.name,
        "step": step,
        "model": type(probed.model).__name__,
        "trained_on": probed.trained_on,
        "dataset": data.name,
        **({"partial": data.partial} if data.partial else {}),
        "data": {split: data.fingerprint(split) for split in data.opened.splits},
        "seed": global_seed(),
        "device": str(probed.model.device),
        "versions": records.versions(),
    }
