"""Which test images a model puts together."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lightning_gans.figures import plots
from lightning_gans.figures.subject import BATCH, COLUMNS, Subject, category_of, no_category, no_data
from lightning_gans.protocols import classifies

_MOST_ROWS, _MOST_IMAGES = 30, 10_000


def draw(subject: Subject) -> Figure:
    """A cluster a row: its head, and the test images that are most surely in it (Makhzani et al. 2015, Fig. 9).

    The head is what the cluster's one-hot vector is decoded to with 0 for all other numbers, or what of the prior is nearest.
    An image is in its most probable cluster. Rows are named by the cluster's number and its share of up to 10,000 test images;
    a cluster of few has fewer than 10, and white in place of the others.
    """
    rows = subject.rows(min(_MOST_IMAGES, subject.data.size("test")))
    surety = torch.cat([subject.model.classify(subject.real(part)).float().log_softmax(1).cpu() for part in rows.split(BATCH)])
    clusters, shown = surety.shape[1], min(surety.shape[1], _MOST_ROWS)
    heads = _heads(subject, shown)
    made = torch.ones(shown, 1 + COLUMNS, *heads.shape[1:])
    made[:, 0] = heads
    for number, of in enumerate(surest(surety, COLUMNS)[:shown]):
        if len(of):
            made[number, 1 : 1 + len(of)] = subject.real(rows[of]).float().cpu()
    shares = surety.argmax(dim=1).bincount(minlength=clusters) / len(rows)
    names = [f"{number}: {share:.1%}" for number, share in enumerate(shares.tolist()[:shown])]
    left_out = f" (the first {shown} of {clusters})" if shown < clusters else ""
    title = (
        f"clusters of {len(rows):,} test images by {subject.name}, one a row{left_out}, with its share of them: "
        "what its head is decoded to, and those that are most surely in it"
    )
    return plots.table(made, ["head", "surest", *[""] * (COLUMNS - 1)], title, names)


def why_not(subject: Subject) -> str | None:
    """What the model or its data lack."""
    if not classifies(subject.model):
        return f"{type(subject.model).__name__} puts images in no clusters"
    return no_category(subject) or no_data(subject)


def surest(surety: Tensor, most: int) -> list[Tensor]:
    """For each cluster the numbers of the images in it, the surest first.

    Args:
        surety: log-probabilities of the clusters ``(N, clusters)``; an image is in its most probable one.
        most: as many of a cluster.
    """
    value, which = surety.max(dim=1)
    order = value.argsort(descending=True, stable=True)
    return [order[which[order] == number][:most] for number in range(surety.shape[1])]


def _heads(subject: Subject, count: int) -> Tensor:
    """``(count, C, H, W)``; conditions, where there are any, are those of the first test image."""
    prior = subject.model.prior
    part = category_of(prior)
    assert part is not None
    z = torch.zeros(count, prior.dim)
    z[:, prior.slices[part]] = torch.eye(prior.parts[part].dim)[:count]
    return subject.decode(prior.project(z), torch.zeros(count, dtype=torch.long))
