"""A workspace and a report of Weights & Biases that compare the models on a dataset: the same sections in both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from lightning_gans.errors import InputError
from lightning_gans.evaluation import records
from lightning_gans.evaluation.logged import TABLE
from lightning_gans.figures.kinds import KINDS, OVER_TRAINING
from lightning_gans.logs import AXIS

_COLUMNS, _HEIGHT = 24, 8  # of a report's grid; how high a panel is
_AVERAGED = {"groupby": "Group", "groupby_aggfunc": "mean", "groupby_rangefunc": "stddev"}  # a group has the seeds of a config
_OF_EACH_TIME = [name for name, kind in KINDS.items() if getattr(kind, "EACH_TIME", False)]
_OVER_TRAINING = [f"{name}{OVER_TRAINING}" for name, kind in KINDS.items() if hasattr(kind, "keep")]

_BESIDE = {
    "mean squared change in 100 steps": "^change/",
    "steps per second": "^pace/steps_per_second$",
    "peak of memory in GiB": "^memory/",
}


@dataclass(frozen=True)
class Comparison:
    """What is compared, and where.

    Args:
        project: of the runs and the views.
        entity: user or team that owns it; empty where nothing is sent.
        dataset: whose runs are shown; ``None`` for all of the project.
        measures: by name.
    """

    project: str
    entity: str
    dataset: str | None
    measures: Sequence[str]

    @property
    def title(self) -> str:
        """Of the views."""
        return f"Models on {self.dataset}" if self.dataset else "Models"

    def sections(self) -> dict[str, list[Any]]:
        """Panels by the title of their section."""
        reports, _ = _library()
        best = [_bars(name) for name in self.measures]
        by_measure = {name: [_curve(name), _bars(name)] for name in self.measures}
        media = {"media_keys": _OF_EACH_TIME, "mode": "grid", "grid_x_axis": "step", "grid_y_axis": "run"}
        samples = [reports.MediaBrowser(title="as training goes on", **media)]
        samples += [reports.MediaBrowser(title="over training", media_keys=_OVER_TRAINING)]
        return {
            "Best": best,
            **by_measure,
            "Samples": samples,
            "Losses": [_lines("losses", "^loss/[^/]+$"), _lines("their terms", "^loss/[^/]+/")],
            "Change, pace and memory": [_lines(title, names) for title, names in _BESIDE.items()],
            "Last measurements": [reports.WeavePanelSummaryTable(table_name=TABLE)],
        }

    def workspace(self) -> Any:
        """A workspace, which is not saved yet."""
        _, workspaces = _library()
        return workspaces.Workspace(
            entity=self.entity,
            project=self.project,
            name=self.title,
            sections=[workspaces.Section(name=name, panels=each, is_open=True) for name, each in self.sections().items()],
            settings=workspaces.WorkspaceSettings(x_axis=AXIS),
            runset_settings=workspaces.RunsetSettings(
                filters=self._filter(), groupby=[workspaces.Metric("Group")], pinned_columns=self._run_columns()
            ),
        )

    def report(self) -> Any:
        """A report, which is not saved yet."""
        reports, _ = _library()
        blocks: list[Any] = [reports.P(_EXPLANATION), reports.TableOfContents()]
        for title, panels in self.sections().items():
            for number, panel in enumerate(panels):
                across = _COLUMNS // min(len(panels), 2)
                panel.layout = reports.Layout(x=number % 2 * across, y=number // 2 * _HEIGHT, w=across, h=_HEIGHT)
            grid = reports.PanelGrid(runsets=[self._runs()], panels=panels, hide_run_sets=True)
            blocks += [reports.H2(title), grid]
        blocks += [reports.H2("Runs"), reports.PanelGrid(runsets=[self._runs()], panels=[reports.RunComparer(diff_only=True)])]
        return reports.Report(project=self.project, entity=self.entity, title=self.title, blocks=blocks, width="fluid")

    def content(self) -> dict[str, Any]:
        """What is sent of both, as the library puts it."""
        workspace, report = self.workspace()._to_model(), self.report()._to_model()  # it has no public way to ask for it
        return {"workspace": _plain(workspace), "report": _plain(report)}

    def _runs(self) -> Any:
        reports, _ = _library()
        columns = {"pinned_columns": self._run_columns(), "column_order": self._run_columns()}
        return reports.Runset(name=self.title, filters=self._filter(), groupby=["Group"], **columns)  # of the report's project

    def _filter(self) -> Any:
        from wandb_workspaces import expr

        return expr.And(expr.Tags().isin([self.dataset])) if self.dataset else ""

    def _run_columns(self) -> list[str]:
        results = [f"summary:{when}/{name}" for name in self.measures for when in ("best", "last")]
        return ["run:displayName", "tags:__ALL__", *results]


_EXPLANATION = (
    "Lines are means over the seeds of a config in bands of one standard deviation, against the number of training batches; "
    "floor/NAME is what a perfect sampler would get in NAME with as many samples. Best is each run's own."
)


def _curve(measure: str) -> Any:
    """A measure over training, beside its floor, which is not there for every measure."""
    reports, _ = _library()
    y = [f"eval/{measure}", f"floor/{measure.removesuffix('_ema')}"]
    return reports.LinePlot(title=_said(measure), x=AXIS, y=y, title_x="training batches", title_y=measure, **_AVERAGED)


def _bars(measure: str) -> Any:
    reports, _ = _library()
    return reports.BarPlot(title=f"best {_said(measure)}", metrics=[f"best/{measure}"], **_AVERAGED)


def _lines(title: str, names: str) -> Any:
    """All numbers whose names fit an expression."""
    reports, _ = _library()
    return reports.LinePlot(title=title, x=AXIS, metric_regex=names, title_x="training batches", **_AVERAGED)


def _said(measure: str) -> str:
    return f"{measure} ({'higher' if records.is_higher_better(measure) else 'lower'} is better)"


def _library() -> tuple[ModuleType, ModuleType]:
    """Reports and workspaces.

    Raises:
        InputError: the package is missing.
    """
    try:
        import wandb_workspaces.reports.v2 as reports
        import wandb_workspaces.workspaces as workspaces
    except ImportError as error:
        raise InputError("views of W&B need the package wandb-workspaces; pip install 'lightning-gans[dashboards]'") from error
    return reports, workspaces


def _plain(model: Any) -> Mapping[str, Any]:
    content: dict[str, Any] = model.model_dump(by_alias=True, exclude_none=True, mode="json")
    return content
