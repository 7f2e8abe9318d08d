"""What the loggers of a run are told of its measurements, beside the run's own files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Trainer

from lightning_gans.evaluation import records
from lightning_gans.evaluation.measure import Evaluator
from lightning_gans.logs import lay_out, log_numbers, log_summary, log_table, say_directions

COLUMNS = ("measure", "value", "best", "floor", "n", "features")
"""Of the table at the end of a run."""

TABLE = "evaluation"
"""What that table is called."""

_LOSSES = {"losses": [r"loss/[^/]+$"], "their terms": [r"loss/[^/]+/"]}


class Logged:
    """Numbers with their floors, the best and the last, which way is better, charts and a table; all on the first rank."""

    def __init__(self) -> None:
        self._known: dict[str, str | None] = {}
        self._best: Mapping[str, Any] = {}

    def begin(self, trainer: Trainer) -> None:
        """Say what belongs into one chart, also of a run that nothing is measured of."""
        self._known, self._best = {}, {}
        self._lay_out(trainer)

    def measured(
        self, trainer: Trainer, floor: Mapping[str, float], scores: Mapping[str, float], results: Mapping[str, Any]
    ) -> None:
        """Send a measurement.

        Args:
            trainer: of the run.
            floor: what a perfect sampler would get, where that is known; a line of its own beside each measure.
            scores: the numbers.
            results: the best and the last so far, ``{"best": {name: {"value", ...}}, "last": {...}}``.
        """
        new = {name: records.name_of_floor(name, floor) for name in scores if name not in self._known}
        if new:
            say_directions(trainer, {f"eval/{name}": records.is_higher_better(name) for name in new})
            self._known |= new
            self._lay_out(trainer)
        floors = {f"floor/{name}": floor[name] for name in map(self._known.get, scores) if name is not None}
        log_numbers(trainer, {f"eval/{name}": value for name, value in scores.items()} | floors)
        self._best = results["best"]
        log_summary(trainer, {f"{when}/{name}": one["value"] for when in results for name, one in results[when].items()})

    def at_the_end(self, trainer: Trainer, evaluator: Evaluator, scores: Mapping[str, float]) -> None:
        """Send the last measurement as a table, a row a measure."""
        features = None if evaluator.network is None else evaluator.network.name
        rows = []
        for name, value in scores.items():
            best = self._best[name]["value"] if name in self._best else None
            floor = records.floor_of(name, evaluator.floor)
            rows.append([name, value, best, floor, evaluator.num_samples, features])
        log_table(trainer, TABLE, COLUMNS, rows)

    def _lay_out(self, trainer: Trainer) -> None:
        measures = {
            name: [f"eval/{name}$", *([] if floor is None else [f"floor/{floor}$"])] for name, floor in self._known.items()
        }
        lay_out(trainer, {"losses": _LOSSES, **({"measures": measures} if measures else {})})
