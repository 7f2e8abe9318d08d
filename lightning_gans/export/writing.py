"""Out of a checkpoint into the folder of an export."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import torch
import yaml

from lightning_gans.data import Images
from lightning_gans.data.source import Points
from lightning_gans.errors import InputError
from lightning_gans.evaluation.samples.drawing import private_streams
from lightning_gans.export import folder as at
from lightning_gans.export.about import About, run_of, source_of
from lightning_gans.export.card import card
from lightning_gans.export.conditions import classes_of, first_conditions
from lightning_gans.export.example import example
from lightning_gans.export.onnx import write_onnx
from lightning_gans.export.weights import text_encoder_of, to_bytes
from lightning_gans.figures import plots
from lightning_gans.protocols import Generates
from lightning_gans.restore import averaged, restore_alone

_IMAGES, _POINTS = 64, 2000


def write(ckpt_path: Path, to: Path, options: list[str], onnx: bool = False) -> None:
    """Write an export.

    Args:
        ckpt_path: of a file that ``lightning fit`` wrote.
        to: a folder that is new, empty, or of an earlier export.
        options: of the command line, which win over the stored config.
        onnx: whether the generator is written as ONNX, too.

    Raises:
        InputError: the checkpoint cannot be used, its model makes no samples or cannot be exported, or there is no room.
    """
    at.refuse_folder(to)
    model, data, _, stored = restore_alone(ckpt_path, options)
    model.cpu().eval()
    if not isinstance(model, Generates):
        raise InputError(f"{type(model).__name__} makes no samples, which an export has to show; give another checkpoint")
    encoder, average, step = text_encoder_of(model), averaged(model, stored), stored["global_step"]
    with torch.no_grad(), private_streams():
        config = yaml.safe_load(stored["config"])
        run, records = run_of(ckpt_path, step)
        source = source_of(config)
        count = _POINTS if isinstance(source, Points) else _IMAGES
        condition = first_conditions(model, data, count)
        samples = model.sample(count, condition, torch.Generator().manual_seed(0))  # as the example has it
        known = About(model, config, step, samples, condition, run, records, source, average is not None, onnx)
        about = {"model": type(model).__name__, "step": step, **({"text_encoder": encoder} if encoder else {})}
        with at.written(to, about) as place:
            (place / at.CONFIG).write_text(yaml.safe_dump(_for_others(config), sort_keys=False))
            (place / at.WEIGHTS).write_bytes(to_bytes(stored["state_dict"]))
            if average is not None:
                (place / at.AVERAGED).write_bytes(to_bytes(average))
            if condition is not None and classes_of(model) is None:
                conditions = condition if isinstance(condition, dict) else {"condition": condition}
                (place / at.CONDITIONS).write_bytes(to_bytes(conditions))
            if onnx:
                write_onnx(model, condition, place / at.ONNX)
            (place / at.EXAMPLE).write_text(example(known))
            (place / at.CARD).write_text(card(known))
            (place / at.LICENCE).write_text(_licence())
            _draw(known, data, place / at.SAMPLES)


def _for_others(config: dict[str, Any]) -> dict[str, Any]:
    """A config without the folders of the one who trained by it."""
    of_ones_own = {"trainer": "default_root_dir", "data": "root"}
    return {
        part: {name: value for name, value in settings.items() if name != of_ones_own.get(part)}
        if isinstance(settings, dict)
        else settings
        for part, settings in config.items()
    }


def _draw(about: About, data: Images, file: Path) -> None:
    """The samples: images in rows of eight, points over the true centres."""
    if not about.points:
        plots.save_grid(about.samples, file, columns=8)
        return
    data.setup("validate")
    figure = plots.scatter([(f"samples of {about.name}, step {about.step}", about.samples)], data.centres, data.extent)
    plots.save(figure, file)


def _licence() -> str:
    """That of the package, which a checkout has beside it."""
    beside = Path(__file__).parents[2] / at.LICENCE
    if beside.is_file() and (beside.parent / "pyproject.toml").is_file():
        return beside.read_text()
    try:
        text = distribution("lightning-gans").read_text(f"licenses/{at.LICENCE}")
    except PackageNotFoundError:
        text = None
    return text or "MIT\n"
