"""Where commands put the pictures that they draw."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from lightning_gans.errors import InputError
from lightning_gans.figures import plots


def save_and_say(figure: Figure, file: Path) -> None:
    """Write a PNG, folders and all, and print where it is.

    Raises:
        InputError: it cannot be written there.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        plots.save(figure, file)
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be written ({error}); set --out to a .png elsewhere") from error
    print(f"drawn in {file}")
