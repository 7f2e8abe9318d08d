"""Files that are there whole, or as they were before."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_whole(file: Path, content: bytes) -> None:
    """Write a file, folders and all; where that fails an older one stays, and nothing lies beside it.

    Raises:
        OSError: it cannot be written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".") as scratch:
        Path(scratch, file.name).write_bytes(content)
        os.replace(Path(scratch, file.name), file)
