"""What frozen features are good for: simple classifiers trained on top of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from lightning_gans.errors import InputError
from lightning_gans.evaluation.probes.estimate import Array, Estimate, checked_pairs
from lightning_gans.protocols import Features
from lightning_gans.randomness import keyed_seed

Pairs = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class _Protocol:
    grid: tuple[float, ...]
    picking_draws: int


_VALIDATION_DRAWS = 10
_PROTOCOLS = {
    "dcgan": _Protocol((1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2), picking_draws=_VALIDATION_DRAWS),
    "ali": _Protocol(tuple(np.exp(np.linspace(-20, 20, 50))), picking_draws=1),
}


@dataclass(frozen=True)
class SVMProbe:
    """Error rates, as fractions, of support vector machines on small balanced draws of the training set.

    Attributes:
        error: on the test set, over the draws.
        validation: on what was held out, over 10 other draws.
        C: the penalty of slack that was picked.
    """

    error: Estimate
    validation: Estimate
    C: float


def svm_probe(
    train: Array,
    train_labels: Array,
    test: Array,
    test_labels: Array,
    protocol: Literal["dcgan", "ali"] = "dcgan",
    held_out: int = 10_000,
    per_class: int = 100,
    draws: int = 100,
    seed: int = 0,
    jobs: int = 1,
) -> SVMProbe:
    """L2-SVMs (squared hinge, one against the rest) on features as they are, by the protocol of two papers.

    - ``dcgan`` (Radford et al. 2016, section 5.2, and the authors' code): C out of {1, 2, 5} * 10^k from 1e-4 to 1e-2
      by the mean error of 10 draws on the held-out set;
    - ``ali`` (Dumoulin et al. 2017, section 4.3, and the authors' code): C out of the 50 values
      ``exp(linspace(-20, 20))`` by one draw.

    Both then train on 100 draws of 1,000 examples, 100 of every class, and test each. DCGAN prints ``error.spread``.

    Args:
        train: features ``(N, D)``.
        train_labels: ``(N,)``.
        test: features ``(M, D)``.
        test_labels: ``(M,)``.
        protocol: how C is picked.
        held_out: the last so many training examples pick C and are never trained on.
        per_class: examples of each class in a draw.
        draws: for testing.
        seed: of the draws.
        jobs: processes; the result does not depend on their number.

    Raises:
        InputError: there is no such protocol, arrays do not fit together, or a class has too few examples.
    """
    if protocol not in _PROTOCOLS:
        raise InputError(f"there is no SVM protocol {protocol!r}; name one of {', '.join(_PROTOCOLS)}")
    x, y = checked_pairs(train, train_labels, "training")
    if not 0 < held_out < len(x):
        raise InputError(f"held_out is {held_out}, but must lie between 1 and the {len(x) - 1} training examples less one")
    drawn_from, validation = (x[:-held_out], y[:-held_out]), (x[-held_out:], y[-held_out:])
    draw = partial(balanced_draw, drawn_from[1], per_class, seed)
    picking = [draw("validation", number) for number in range(_VALIDATION_DRAWS)]
    rule = _PROTOCOLS[protocol]

    def errors(target: Pairs, trials: Iterable[tuple[np.ndarray, float]], what: str) -> np.ndarray:
        return _errors(drawn_from, target, list(trials), jobs, what)

    tried = [(rows, C) for C in rule.grid for rows in picking[: rule.picking_draws]]
    picked = errors(validation, tried, "picking C").reshape(len(rule.grid), rule.picking_draws)
    best = rule.grid[int(picked.mean(axis=1).argmin())]
    validated = errors(validation, ((rows, best) for rows in picking), "validating")
    trials = ((draw("test", number), best) for number in range(draws))
    tested = errors(checked_pairs(test, test_labels, "test"), trials, "testing")
    return SVMProbe(Estimate.of(tested), Estimate.of(validated), float(best))


def balanced_draw(labels: np.ndarray, per_class: int, seed: int, purpose: str, number: int) -> np.ndarray:
    """Rows ``(classes * per_class,)`` without repetition, as a function of the labels and of all that follows them."""
    random = np.random.default_rng(keyed_seed("draw", seed, purpose, number))
    rows = []
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        if len(of_class) < per_class:
            raise InputError(f"class {label} has {len(of_class)} examples to draw {per_class} from; ask for fewer labels")
        rows.append(random.choice(of_class, per_class, replace=False))
    return np.concatenate(rows)


def _errors(drawn_from: Pairs, target: Pairs, trials: list[tuple[np.ndarray, float]], jobs: int, what: str) -> np.ndarray:
    from joblib import Parallel, delayed
    from sklearn.svm import LinearSVC

    def error(drawn_from: Pairs, target: Pairs, rows: np.ndarray, C: float) -> float:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*failed to converge.*")  # at the largest C of ALI's grid
            machine = LinearSVC(C=C, dual="auto", random_state=0).fit(drawn_from[0][rows], drawn_from[1][rows])
        blocks = np.array_split(target[0], -(-len(target[0]) // 1024))  # each is copied to double precision
        return float((np.concatenate([machine.predict(block) for block in blocks]) != target[1]).mean())

    # Processes, for threads would share the solver's random stream; with a function of here they need not import the package.
    shares = Parallel(jobs, return_as="generator")(delayed(error)(drawn_from, target, rows, C) for rows, C in trials)
    return np.array(list(tqdm(shares, f"SVM, {what}", len(trials), delay=5)))


def knn_probe(
    train: Array, train_labels: Array, test: Array, test_labels: Array, k: int = 1, jobs: int | None = None
) -> Estimate:
    """The error rate on the test set of the majority of the ``k`` nearest training examples (Euclidean distance).

    Shapes and errors as for ``svm_probe``; the estimate is over test examples.
    """
    from sklearn.neighbors import KNeighborsClassifier

    x, y = checked_pairs(train, train_labels, "training")
    if not 0 < k <= len(x):
        raise InputError(f"k is {k}, but must lie between 1 and the {len(x)} training examples")
    target = checked_pairs(test, test_labels, "test")
    if np.array_equal(x, target[0]):
        raise InputError("the test examples are the training examples, each its own neighbour; give others")
    predicted = KNeighborsClassifier(k, algorithm="brute", n_jobs=jobs).fit(x, y).predict(target[0])
    return Estimate.of(predicted != target[1])


def linear_probe(
    train: Array, train_labels: Array, test: Array, test_labels: Array, C: float = 1.0, max_iter: int = 1000
) -> Estimate:
    """The error rate on the test set of multinomial logistic regression on features standardised by the training set.

    Shapes and errors as for ``svm_probe``; the estimate is over test examples. ``C`` is the inverse weight of the L2 penalty.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = checked_pairs(train, train_labels, "training")
    target = checked_pairs(test, test_labels, "test")
    predicted = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=max_iter)).fit(x, y).predict(target[0])
    return Estimate.of(predicted != target[1])


def few_labels(
    probe: Callable[..., Estimate],
    train: Array,
    train_labels: Array,
    test: Array,
    test_labels: Array,
    labels: int = 100,
    draws: int = 10,
    seed: int = 0,
    **settings: Any,
) -> Estimate:
    """The error rates of ``knn_probe`` or ``linear_probe`` where few examples have labels, over draws of these.

    Args:
        probe: one of them.
        train: features ``(N, D)`` that are drawn from.
        train_labels: ``(N,)``.
        test: features ``(M, D)``; all of them are classified after every draw.
        test_labels: ``(M,)``.
        labels: examples in a draw, as many of each class.
        draws: how many.
        seed: of the draws; ``svm_probe`` draws the same ones from the same examples.
        settings: of the probe.

    Raises:
        InputError: ``labels`` cannot be had in equal parts, or the probe refuses.
    """
    x, y = checked_pairs(train, train_labels, "training")
    per_class = share_of_each(y, labels)
    errors = []
    for number in tqdm(range(draws), "draws of labels", delay=5):
        rows = balanced_draw(y, per_class, seed, "test", number)
        errors.append(probe(x[rows], y[rows], test, test_labels, **settings).mean)
    return Estimate.of(np.array(errors))


def share_of_each(y: np.ndarray, labels: int) -> int:
    """Examples of each class where there are so many ``labels`` of all.

    Raises:
        InputError: there are no equal parts.
    """
    classes = len(np.unique(y))
    if labels % classes:
        raise InputError(f"labels is {labels}, but must be a multiple of the {classes} classes")
    return labels // classes


@torch.no_grad()
def pooled_features(
    model: Features, images: Tensor, layers: Sequence[str], grid: int | None = 4, batch_size: int = 250
) -> Tensor:
    """The named activations side by side, float32 ``(N, D)`` in main memory.

    Args:
        model: in evaluation mode.
        images: ``(N, C, H, W)`` in [-1, 1], on the model's device.
        layers: names that ``model.features`` knows.
        grid: maps larger than ``grid`` x ``grid`` are max-pooled to that, as DCGAN does before its SVM; ``None`` keeps them
            whole, as ALI does.
        batch_size: images at a time.
    """

    def flat(maps: Tensor) -> Tensor:
        if grid is not None and maps.dim() == 4 and min(maps.shape[2:]) > grid:
            maps = F.adaptive_max_pool2d(maps, grid)
        return maps.flatten(1)

    blocks = (torch.cat([flat(maps) for maps in model.features(batch, layers)], 1) for batch in images.split(batch_size))
    return torch.cat([block.float().cpu() for block in blocks])
