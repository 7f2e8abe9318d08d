"""Say what a trained model's features or densities are good for."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from tqdm import tqdm

from lightning_gans import checks
from lightning_gans.commands.figure import restore
from lightning_gans.data import Images
from lightning_gans.errors import InputError
from lightning_gans.evaluation import records
from lightning_gans.evaluation.clustering import clustering_error, kmeans_nmi
from lightning_gans.evaluation.densities import density_kl_1d, parzen_log_likelihood
from lightning_gans.evaluation.estimate import Estimate
from lightning_gans.evaluation.probes import balanced_draw, knn_probe, linear_probe, pooled_features, svm_probe
from lightning_gans.evaluation.sampling import BLOCK, evaluating, samples
from lightning_gans.protocols import Classifies, Encodes, Features, Generates
from lightning_gans.randomness import global_seed

_HELD_OUT = 10_000
_GRID = 4


@dataclass(frozen=True)
class Measure:
    """A number, what stands after its plus-minus, and of how many values it is the mean."""

    name: str
    value: float
    spread: float | None = None
    spread_is: str = ""
    n: int | None = None

    @classmethod
    def of(cls, name: str, found: Estimate, spread_is: str = "standard error") -> Measure:
        """A mean with its ``standard error``, ``std`` or ``1.96 std``."""
        spread = {"standard error": found.standard_error, "std": found.std, "1.96 std": found.spread}[spread_is]
        return cls(name, found.mean, spread, spread_is, found.n)

    def record(self) -> dict[str, float | int]:
        """By name, for a line of JSON."""
        aside = {} if self.spread is None else {f"{self.name}_{self.spread_is.replace(' ', '_')}": self.spread}
        return {self.name: self.value, **aside, **({} if self.n is None else {f"{self.name}_n": self.n})}


@dataclass
class Probed:
    """A model, its data, and what the command line says of the probe."""

    model: Any
    data: Images
    given: argparse.Namespace
    protocol: str = ""
    seen: str = ""

    def labels(self, split: str) -> np.ndarray:
        """``(N,)``."""
        labels = self.data.labels(split)
        found = 0 if labels is None else len(labels.unique())
        if labels is None or found < 2:
            raise InputError(f"{self.given.kind} needs labels of several classes, but {self.data.name} ({split}) has {found}")
        return labels.cpu().numpy()

    def features(self, split: str, grid: int | None = _GRID) -> Tensor:
        """``(N, D)``: the latents, or the named layers with maps pooled to ``grid`` x ``grid``."""
        model, layers = self.model, self.given.layers
        if not isinstance(model, Features if layers else Encodes):
            lacks = "method features to show layers with" if layers else "encoder"
            other = isinstance(model, Encodes if layers else Features)
            instead = f"; {'leave --layers out' if layers else 'name layers with --layers'}" if other else ""
            raise InputError(f"{type(model).__name__} has no {lacks}, which {self.given.kind} needs{instead}")
        pooled = "whole" if grid is None else f"pooled to {grid}x{grid}"
        self.seen = f"{', '.join(layers)}, {pooled}" if layers else "latents"

        def seen(images: Tensor) -> Tensor:
            if layers:
                return pooled_features(self.model, images, layers, grid)
            return self.model.encode(images).flatten(1).float().cpu()

        return torch.cat([seen(images) for images in self.images(split)])

    def images(self, split: str, rows: Tensor | None = None) -> Iterator[Tensor]:
        """Samples of a split, all or some by number, a block at a time, on the model's device."""
        blocks = (torch.arange(self.data.size(split)) if rows is None else rows).split(BLOCK)
        for some in tqdm(blocks, f"{split} samples", delay=5, leave=False):
            yield self.data.real(split, some).to(self.model.device, self.model.dtype)

    def samples(self, split: str) -> Iterator[Tensor]:
        """Generated samples, a block at a time; a conditional model is given what travels with the split."""
        if not isinstance(self.model, Generates):
            raise InputError(f"{type(self.model).__name__} generates nothing; {self.given.kind} needs a generator")

        def condition(numbers: Tensor) -> Tensor | None:
            found = self.data.conditions(split, numbers % self.data.size(split))
            return None if found is None else found.to(self.model.device)

        count = self.given.num_samples
        made = samples(self.model, count, self.given.seed, condition=condition)
        return iter(tqdm(made, "generated samples", -(-count // BLOCK), delay=5, leave=False))

    @property
    def validation(self) -> tuple[str, Tensor]:
        """The split and the numbers of the samples for validation: those held out, else the last of the training set."""
        if "valid" in self.data.opened.splits:
            return "valid", torch.arange(self.data.size("valid"))
        size = self.data.size("train")
        return "train", torch.arange(size - max(1, min(_HELD_OUT, size // 5)), size)

    def drawn_from(self) -> tuple[np.ndarray, np.ndarray]:
        """Labels of the training samples that are not for validation, and of those that are; both have every class."""
        split, rows = self.validation
        train, held = self.labels("train"), self.labels(split)[rows.numpy()]
        train = train[: -len(rows)] if split == "train" else train
        if missing := {*train.tolist()} ^ {*held.tolist()}:
            what = f"class {min(missing)} is missing in the {len(held)} training samples for validation, or in the others"
            raise InputError(f"{what}; give another --data.held_out, a number of samples that are drawn at random")
        return train, held


def _svm(probed: Probed) -> list[Measure]:
    """Errors of L2-SVMs on small labelled draws (DCGAN, ALI)."""
    given, test_labels = probed.given, probed.labels("test")
    y, held = probed.drawn_from()
    balanced_draw(y, given.per_class, given.seed, "test", 0)  # refuses too few examples before anything takes time
    grid = None if given.protocol == "ali" else _GRID
    splits = ["train", *({probed.validation[0]} - {"train"})]
    train = torch.cat([probed.features(split, grid) for split in splits]), np.concatenate([y, held])
    settings = {name: getattr(given, name) for name in ("protocol", "per_class", "draws", "seed", "jobs")}
    found = svm_probe(*train, probed.features("test", grid), test_labels, held_out=len(held), **settings)
    spread = "1.96 std" if given.protocol == "dcgan" else "std"
    probed.protocol = f"{given.protocol}, {given.per_class} of each class a draw, {len(held)} held out"
    error, validation = Measure.of("error", found.error, spread), Measure.of("validation_error", found.validation, spread)
    return [error, validation, Measure("C", found.C)]


def _on_all(probed: Probed, probe: Callable[..., Estimate], **settings: Any) -> list[Measure]:
    y, test_y = probed.labels("train"), probed.labels("test")
    return [Measure.of("error", probe(probed.features("train"), y, probed.features("test"), test_y, **settings))]


def _knn(probed: Probed) -> list[Measure]:
    """The error of the nearest neighbours."""
    probed.protocol = f"majority of the {probed.given.k} nearest"
    return _on_all(probed, knn_probe, k=probed.given.k, jobs=probed.given.jobs)


def _linear(probed: Probed) -> list[Measure]:
    """The error of a logistic regression."""
    probed.protocol = "logistic regression on standardised features"
    return _on_all(probed, linear_probe)


def _clusters(probed: Probed) -> list[Measure]:
    """Clustering error (AAE) where the model tells clusters apart, NMI of k-means on its features."""
    labels = probed.labels("test")
    model, measures, said = probed.model, [], []
    if isinstance(model, Classifies) and not probed.given.layers:

        def surety(*of: Any) -> Tensor:
            return torch.cat([model.classify(images).float().log_softmax(1).cpu() for images in probed.images(*of)])

        head_labels = probed.drawn_from()[1]
        found = clustering_error(surety(*probed.validation), head_labels, surety("test"), labels)
        measures = [Measure.of("clustering_error", found)]
        said = [f"AAE's error by the surest of {len(head_labels)} held out"]
    if not measures or isinstance(model, Encodes):
        said.append("k-means on the test split")
        measures.append(Measure("kmeans_nmi", kmeans_nmi(probed.features("test"), labels, probed.given.seed), n=len(labels)))
    probed.protocol = "; ".join(said)
    return measures


def _parzen(probed: Probed) -> list[Measure]:
    """Log-likelihood of the test set in nats under Gaussian kernels around samples (GAN)."""
    pixels = len(probed.data.shape) == 3

    def flat(blocks: Iterator[Tensor]) -> Tensor:
        found = torch.cat([some.flatten(1).float().cpu() for some in blocks])
        return (found + 1) / 2 if pixels else found

    made = flat(probed.samples("test"))
    split, rows = probed.validation
    validation, test = flat(probed.images(split, rows[:1000])), flat(probed.images("test"))
    found = parzen_log_likelihood(made, test, validation)
    probed.protocol = f"{len(made):,} samples{' in [0, 1]' if pixels else ''}, sigma by {len(validation)} held out"
    return [Measure.of("log_likelihood", found.log_likelihood), Measure("sigma", found.sigma)]


def _density(probed: Probed) -> list[Measure]:
    """KL in nats between the densities of the mean pixel (GAAN, Fig. 4)."""

    def means(blocks: Iterator[Tensor]) -> Tensor:
        return torch.cat([some.flatten(1).float().mean(1).cpu() for some in blocks])

    fake, real = means(probed.samples("train")), means(probed.images("train"))
    found = density_kl_1d(real, fake)
    probed.protocol = f"mean of all dimensions, {len(fake):,} samples, {len(real):,} real of train, Scott's bandwidth"
    return [Measure("kl", found.kl), Measure("bandwidth", found.bandwidth)]


KINDS: dict[str, Callable[[Probed], list[Measure]]] = {
    "svm": _svm,
    "knn": _knn,
    "linear": _linear,
    "clusters": _clusters,
    "parzen": _parzen,
    "density": _density,
}


def main(args: list[str]) -> None:
    """``lightning probe KIND --ckpt_path FILE``: further options, such as ``--data.root``, change the stored config.

    Prints a table, and adds a JSON line to probes.jsonl in the run's folder.
    """
    given, others = _parser().parse_known_args(args)
    counts = ("per_class", "draws", "k", "num_samples")
    checks.positive(**{f"--{name}": getattr(given, name) for name in counts if hasattr(given, name)})
    model, data, _, step = restore(given.ckpt_path, others)
    probed = Probed(model, data, given)
    with evaluating(model):
        measures = KINDS[given.kind](probed)
    console = Console()
    console.print(_table(f"{given.kind} of {type(model).__name__}, step {step}, on {data.name}", measures))
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
        if name not in ("parzen", "density"):
            one.add_argument("--layers", nargs="+", help="of the model's features; its encoder's latents where none")
        if name not in ("knn", "linear"):
            one.add_argument("--seed", type=int, default=0, help="of draws, starts or noise (default: %(default)s)")
        if name in ("svm", "knn"):
            one.add_argument("--jobs", type=int, default=1, help="processes (default: %(default)s)")
    of["svm"].add_argument("--protocol", choices=["dcgan", "ali"], default="dcgan", help="(default: %(default)s)")
    of["svm"].add_argument("--per_class", type=int, default=100, help="examples of a class in a draw (default: %(default)s)")
    of["svm"].add_argument("--draws", type=int, default=100, help="for testing (default: %(default)s)")
    of["knn"].add_argument("--k", type=int, default=1, help="neighbours (default: %(default)s)")
    of["parzen"].add_argument("--num_samples", type=int, default=10_000, help="(default: %(default)s)")
    of["density"].add_argument("--num_samples", type=int, default=55_000, help="(default: %(default)s)")
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
        "weights": "raw",
        "dataset": data.name,
        **({"partial": data.partial} if data.partial else {}),
        "data": {split: data.fingerprint(split) for split in data.opened.splits},
        "seed": global_seed(),
        "device": str(probed.model.device),
        "versions": records.versions(),
    }
