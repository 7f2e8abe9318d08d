"""Table 2 of GAAN (Tran et al., 2018): modes of the 25-Gaussian grid.

    python -m lightning_gans.tables.gaan_table2 --epochs 60 --seeds 0 1 2 --jobs 2    runs what is missing, then reports
    python -m lightning_gans.tables.gaan_table2 --report runs/table2                  reports what is there

Every row has GAAN's networks, prior, data scaling and optimiser; mean and standard deviation are over training seeds.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lightning_gans.data import Images
from lightning_gans.errors import InputError
from lightning_gans.evaluation.counts.mixture import perfect_mixture
from lightning_gans.runs import runner
from lightning_gans.runs.experiment import Experiment, config_hash
from lightning_gans.runs.ledger import read_lines
from lightning_gans.runs.summary import mean_std

_COLUMNS = {"modes": 2, "registered": 2, "tv_true": 2, "tv_differential": 2}
_SAMPLES = 2000
_FOOTNOTE = """
modes by GAAN's rule. * By the paper's text; several of its means are no multiples of 1/8. Its tv_true looks clipped at 1."""


@dataclass(frozen=True)
class Row:
    """One row: how to run it, how to know it again, and what was published (mean, standard deviation)."""

    name: str
    config: str
    model: str
    options: tuple[str, ...]
    published: dict[str, tuple[float, float]]

    def includes(self, config: dict[str, Any]) -> bool:
        """Whether a run with this resolved config belongs to the row."""
        model = config["model"]
        without_distance = model["init_args"].get("lambda_r") == 0
        return model["class_path"].rpartition(".")[2] == self.model and without_distance == bool(self.options)


def _published(*numbers: float) -> dict[str, tuple[float, float]]:
    return dict(zip(_COLUMNS, zip(numbers[::2], numbers[1::2], strict=True), strict=True))


ROWS = (
    Row("GAN", "gan_grid25", "GAN", (), _published(21.50, 2.00, 1875.63, 42.53, 1.00, 0.00, 0.94, 0.02)),
    Row("WGAN-GP", "wgan_gp_grid25", "WGANGP", (), _published(24.04, 1.16, 1766.25, 79.48, 0.54, 0.35, 0.43, 0.31)),
    Row(
        "GAAN_1",
        "gaan_grid25",
        "GAAN",
        ("--model.lambda_r=0",),
        _published(24.52, 1.00, 1652.89, 148.22, 0.47, 0.26, 0.31, 0.19),
    ),
    Row("GAAN_2", "gaan_grid25", "GAAN", (), _published(25.00, 0.00, 1827.38, 25.60, 0.20, 0.03, 0.12, 0.02)),
)


def perfect_sampler(draws: int = 200) -> dict[str, tuple[float, float]]:
    """What exact draws from the mixture score: mean and standard deviation over ``draws`` of 2,000 samples."""
    data = Images("grid25")
    data.setup("fit")
    assert data.centres is not None
    assert data.std is not None
    return _spread(perfect_mixture(data.centres, data.std, "gaan", _SAMPLES, draws))


def find_runs(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The last record in training of every run below ``folder``, by the row's name; a resumed run is one run."""
    runs: dict[str, dict[tuple[str, int], dict[str, Any]]] = {row.name: {} for row in ROWS}
    for file in sorted(folder.rglob("evaluation.jsonl")):
        config = yaml.safe_load((file.parent / "config.yaml").read_text())
        fitted = [record for record in read_lines(file) if record["stage"] == "fit" and record["dataset"] == "grid25"]
        for row in ROWS:
            if fitted and row.includes(config):
                run = config_hash(config), fitted[-1]["seed"]
                known = runs[row.name].get(run, fitted[-1])
                runs[row.name][run] = max(known, fitted[-1], key=lambda record: record["step"])
    return {name: list(of_row.values()) for name, of_row in runs.items()}


def report(folder: Path) -> str:
    """The table as text: ours beside the published row, and the ceiling."""
    lines = [f"{'':<16}{'seeds':>12}{'steps':>8}" + "".join(f"{name:>20}" for name in _COLUMNS)]
    there = find_runs(folder)
    for row in ROWS:
        if runs := there[row.name]:
            seeds_of_runs = ",".join(map(str, sorted({run["seed"] for run in runs})))
            steps = "/".join(sorted({str(run["step"]) for run in runs}))
            lines.append(f"{row.name:<16}{seeds_of_runs:>12}{steps:>8}" + _cells(_spread(runs)))
            lines.append(f"{'  published':<16}{'8 runs*':>12}{195_500:>8}" + _cells(row.published))
    lines.append(f"{'perfect sampler':<16}{'':>20}" + _cells(perfect_sampler()))
    lines.append(_FOOTNOTE)
    return "\n".join(lines)


def run_missing(folder: Path, epochs: int, wanted: Sequence[int], jobs: int) -> int:
    """Train every row with every seed that ``folder`` has no record of, ``jobs`` at a time; how many failed."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # faster than two for networks as small as these
    options = [[f"--config={row.config}", f"--trainer.max_epochs={epochs}", *row.options] for row in ROWS]
    return runner.run_missing(folder, [Experiment.resolve(given) for given in options], wanted, jobs)


def _spread(runs: list[dict[str, Any]]) -> dict[str, tuple[float, float]]:
    return {name: mean_std([run[name] for run in runs]) for name in _COLUMNS}


def _cells(numbers: dict[str, tuple[float, float]]) -> str:
    cells = zip(_COLUMNS.values(), numbers.values(), strict=True)
    return "".join(f"{_cell(mean, std, digits):>20}" for digits, (mean, std) in cells)


def _cell(mean: float, std: float, digits: int) -> str:
    """Mean and standard deviation; one run has none."""
    return f"{mean:.{digits}f}" if math.isnan(std) else f"{mean:.{digits}f} ± {std:.{digits}f}"


def main() -> None:
    """Run what is missing, unless ``--report`` names a folder, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", type=Path, metavar="FOLDER", help="only report the runs below this folder")
    parser.add_argument("--folder", type=Path, default=Path("runs/table2"), help="where runs are kept")
    parser.add_argument("--epochs", type=int, default=60, help="of 391 batches (the paper has 500)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    arguments = parser.parse_args()
    failed = 0
    if arguments.report is None:
        try:
            failed = run_missing(arguments.folder, arguments.epochs, arguments.seeds, arguments.jobs)
        except InputError as error:
            sys.exit(f"gaan_table2: error: {error}")
    print(report(arguments.report or arguments.folder))
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
