"""The HTML of a report, made small enough to be sent."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lightning_gans import __version__
from lightning_gans.figures.kinds import OVER_TRAINING
from lightning_gans.report import charts, results, settings
from lightning_gans.report.pictures import SIZES, Album, Size, is_of_each_time, kinds_of
from lightning_gans.report.published import published_of
from lightning_gans.report.reading import LOSS, Run
from lightning_gans.report.results import Group
from lightning_gans.runs.measured import curves_of, label_of

MOST_BYTES = 10_000_000
"""What most mail takes."""
MARK = '<meta name="generator" content="lightning report'
"""By which a report is known."""
_FOLDER = Path(__file__).parent
_MANY = 25  # settings that differ in a section, which is closed then


def make_page(runs: Sequence[Run], left_out: Sequence[str]) -> str:
    """The page of some runs, as large as ``MOST_BYTES`` allows.

    Args:
        runs: at least one.
        left_out: a sentence for each of the others.
    """
    groups = results.groups_of(runs)
    albums = [Album(run) for group in groups for run in group.runs]
    content = _content(groups, albums, left_out)
    text = ""
    for size in SIZES:
        text = _render(size, groups, albums, content)
        if len(text.encode()) <= MOST_BYTES:
            break
    return text


def _content(groups: Sequence[Group], albums: Sequence[Album], left_out: Sequence[str]) -> dict[str, Any]:
    """All but pictures."""
    problems = [(album.run.shown, said) for album in albums for one in album.run.way for said in one.problems]
    problems += [(album.run.shown, said) for album in albums for said in album.look()]
    return {
        "title": _title(groups),
        "made": f"{datetime.now(UTC):%-d %B %Y, %H:%M} UTC",
        "version": __version__,
        "tables": results.tables(groups, published_of),
        "curves": [_curves(dataset, groups) for dataset in dict.fromkeys(group.runs[0].dataset for group in groups)],
        "differing": settings.differing(groups) if len(groups) > 1 else [],
        "left_out": left_out,
        "problems": problems,
        "thinned": any(len(values) > charts.MOST_POINTS for g in groups for run in g.runs for values in run.measured.values()),
        "bands": any(len(group.runs) > 1 for group in groups),
    }


def _curves(dataset: str, groups: Sequence[Group]) -> dict[str, Any]:
    """Charts of the groups on a dataset: what another one is measured by means something else."""
    names, ours = [group.name for group in groups], [group for group in groups if group.runs[0].dataset == dataset]
    metrics = dict.fromkeys(name for group in ours for run in group.runs for name in run.measured)
    drawn = {}
    for name in metrics:
        found = curves_of(name, [group.name for group in ours], [group.runs for group in ours])
        drawn[name] = charts.chart(label_of(name), found, names)
    shown = {"Measures": [], "Losses": []}  # type: dict[str, list[charts.Chart]]
    for name, chart in drawn.items():
        if chart is not None:
            shown["Losses" if name.startswith(LOSS) else "Measures"].append(chart)
    return {"dataset": dataset, "groups": ours, "charts": [(name, each) for name, each in shown.items() if each]}


def _render(size: Size, groups: Sequence[Group], albums: Sequence[Album], content: dict[str, Any]) -> str:
    shown = [album.shown(size) for album in albums]
    films = [album.film(size) for album in albums]
    by_kind = {kind: [(number, each[kind]) for number, each in enumerate(shown) if kind in each] for kind in kinds_of(shown)}
    kinds = [(kind, _called(kind), each) for kind, each in by_kind.items()]
    script = (_FOLDER / "page.js").read_text()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment = Environment(
        loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html.jinja").render(
        **content,
        groups=groups,
        runs=[(group, run) for group in groups for run in group.runs],
        kinds=[kind for kind in kinds if is_of_each_time(kind[0])],
        more=[kind for kind in kinds if not is_of_each_time(kind[0])],
        films=[(number, film) for number, film in enumerate(films) if film],
        smaller=_smaller(size),
        script=script,
        digest=digest,
        style=(_FOLDER / "page.css").read_text(),
        chart_size=(charts.WIDTH, charts.HEIGHT),
        dashes=charts.LINE_STYLES,
        most_points=charts.MOST_POINTS,
        ended=settings.ended,
        took=settings.took,
        device=settings.device,
        missing=settings.MISSING,
        origin=settings.origin,
        many=_MANY,
    )


def _title(groups: Sequence[Group]) -> str:
    models = list(dict.fromkeys(group.runs[0].model for group in groups))
    datasets = list(dict.fromkeys(group.runs[0].dataset for group in groups))
    return f"{_and(models)} on {_and(datasets)}"


def _and(words: Sequence[str], most: int = 5) -> str:
    shown = [*words[:most], f"{len(words) - most} more"] if len(words) > most else list(words)
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _called(kind: str) -> str:
    name = kind.removesuffix(OVER_TRAINING).replace("_", " ")
    return f"{name[:1].upper()}{name[1:]}{' over training' if kind.endswith(OVER_TRAINING) else ''}"


def _smaller(size: Size) -> str:
    """What was made smaller or left out so that the file can be sent; empty for nothing."""
    if size == SIZES[0]:
        return ""
    gone = [*(["films"] if not size.film_width else []), *([] if size.others else ["pictures drawn at the end only"])]
    left = f"; {' and '.join(gone)} are left out" if gone else ""
    wide = f"Pictures are {size.width} pixels wide at most, those that are much wider than high {2 * size.width}"
    return f"{wide}, so that this file stays below {MOST_BYTES // 1_000_000} MB{left}."
