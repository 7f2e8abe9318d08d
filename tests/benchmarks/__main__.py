"""``python tests/benchmarks``: every ``bench_*.py`` here, as one table. Nothing here passes or fails.

Not ``python -m tests.benchmarks``: torch-fidelity installs a package ``tests`` of its own.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import re
import sys
from pathlib import Path
from statistics import median
from typing import Any

import torch

_HERE = Path(__file__).parent


def main() -> None:
    """Run what is asked for and print it."""
    parser = argparse.ArgumentParser(prog="python tests/benchmarks", description="every benchmark, as one table")
    parser.add_argument(
        "--only", metavar="NAME", default="", help="benchmarks whose name has this in it, such as gaan or start"
    )
    parser.add_argument("--repeats", type=int, default=7, help="pairs of runs, one of each side (default: %(default)s)")
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    print(f"{_processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; one thread; torch {torch.__version__}")
    print(f"median of {arguments.repeats} alternating pairs; ms a step or a start; CPU is the ratio in processor time\n")
    print(_row("", "raw ms", "ours ms", "ratio", "[min   max]", "CPU", "goal"))
    sys.path.insert(0, str(_HERE))
    for file in sorted(_HERE.glob("bench_*.py")):
        bench = importlib.import_module(file.stem)
        for case in bench.CASES:
            if arguments.only.lower() in case.name.lower():
                print(_summary(case, bench.measure(case, arguments.repeats)), flush=True)


def _summary(case: Any, pairs: list[Any]) -> str:
    """One row of the table, from (raw, ours) of each repeat: milliseconds of the wall, and perhaps of the processor."""
    ratios = [[ours / raw for raw, ours in zip(*pair, strict=True)] for pair in pairs]
    wall, cpu = [r[0] for r in ratios], [r[1] for r in ratios if len(r) > 1]
    return _row(
        case.name,
        f"{median(raw[0] for raw, _ in pairs):.2f}",
        f"{median(ours[0] for _, ours in pairs):.2f}",
        f"{median(wall):.3f}",
        f"[{min(wall):.3f} {max(wall):.3f}]",
        f"{median(cpu):.3f}" if cpu else "-",
        f"{case.goal:.2f}" if case.goal else "-",
    )


def _row(name: str, *cells: str) -> str:
    return name.ljust(46) + "".join(cell.rjust(width) for cell, width in zip(cells, (9, 9, 7, 15, 7, 6), strict=True))


def _processor() -> str:
    """The processor's name."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", info.read_text()) if info.exists() else None
    return found[1] if found else platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
