"""What makes the site, for its tests: it lies beside the pages and is no part of the package."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "docs"))
papers = importlib.import_module("_papers")
generate = importlib.import_module("_generate")
