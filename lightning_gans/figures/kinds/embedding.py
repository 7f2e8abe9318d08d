"""Where cluster heads and styles put test samples in the plane."""

from __future__ import annotations

import textwrap

from matplotlib.figure import Figure

from lightning_gans.figures import plots
from lightning_gans.figures.conditions import class_names
from lightning_gans.figures.subject import Subject, no_data, no_encoder
from lightning_gans.networks import ClusterHeads


def draw(subject: Subject) -> Figure:
    """The codes W y + z of test samples by class, and where the cluster heads W are (Makhzani et al. 2015, Fig. 10).

    A head is a white box with the number of its cluster; classes are named in black ones.
    """
    generator, data = subject.model.generator, subject.data
    rows = subject.rows(min(subject.num_points, data.size("test")))
    labels = subject.labels(rows)
    codes, heads = generator.codes(subject.encode(rows, **subject.noise)).float().cpu(), generator.heads.float().cpu()
    limit = 1.08 * plots.reach(codes, heads)
    figure = plots.latent_square(1, (-limit, limit))
    (axes,) = figure.axes
    axes.set(xlabel="first number of W y + z", ylabel="second")
    plots.draw_classes(axes, codes, labels, class_names(data))
    for number, (x, y) in enumerate(heads.tolist()):
        plots.mark(axes, x, y, str(number), dark=False)
    by_class = "" if labels is None else " by class (black)"
    title = f"codes of {len(rows)} test samples{by_class} and the {len(heads)} cluster heads (white), {subject.name}"
    axes.set_title(textwrap.fill(title, 70), fontsize=10)
    return figure


def why_not(subject: Subject) -> str | None:
    """What the model or its data lack."""
    generator = getattr(subject.model, "generator", None)
    name = type(subject.model).__name__
    if not isinstance(generator, ClusterHeads):
        return f"the generator of {name} has no cluster heads"
    if (dim := generator.heads.shape[1]) != 2:
        return f"codes at the cluster heads of {name} have {dim} numbers, and a plane needs 2"
    return no_encoder(subject) or no_data(subject)
