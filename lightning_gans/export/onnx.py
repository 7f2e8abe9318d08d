"""The generator as ONNX: latents, and what they are given, to images in [-1, 1]."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gans.doors import Doors
from lightning_gans.errors import InputError
from lightning_gans.messages import causes, first_sentence
from lightning_gans.protocols import Condition
from lightning_gans.texts import TextGame

LATENT, IMAGES = "latent", "images"
_NEEDED = ("onnx", "onnxscript", "onnxruntime")
_LARGEST_DIFFERENCE = 1e-4
_ROWS = (3, 5)  # of the export, and of the comparison: any number must do


class Decoder(nn.Module):
    """What a model's ``decode`` does, apart from the model.

    Args:
        model: with a generator.
        names: of several conditions; none for one or none.
    """

    def __init__(self, model: Doors, names: Sequence[str] = ()) -> None:
        super().__init__()
        self.generator, self.names = model.generator, tuple(names)
        self.slope, self.offset = model._units()

    def forward(self, latent: Tensor, *conditions: Tensor) -> Tensor:
        given = (dict(zip(self.names, conditions, strict=True)),) if self.names else conditions
        data = self.generator(latent, *given)
        return data if (self.slope, self.offset) == (1, 0) else (data - self.offset) / self.slope


def require_onnx() -> None:
    """Refuse where what writes or runs ONNX is not installed.

    Raises:
        InputError: says how to install it.
    """
    if missing := [name for name in _NEEDED if importlib.util.find_spec(name) is None]:
        raise InputError(f"--onnx needs {' and '.join(missing)}; pip install 'lightning-gans[onnx]', or leave it out")


def onnx_inputs(model: Any, z: Tensor, condition: Condition | None) -> dict[str, Tensor]:
    """What the exported generator takes, by name: texts as the numbers that the model's encoder makes of them."""
    if condition is None or not getattr(model, "conditional", False):
        return {LATENT: z}
    if isinstance(model, TextGame):
        return {LATENT: z, "text": model.texts(condition)}
    return {LATENT: z, **(condition if isinstance(condition, dict) else {"condition": condition})}


def write_onnx(model: Any, condition: Condition | None, file: Path) -> None:
    """Write the generator, for any number of latents, after a comparison with torch.

    Args:
        model: in evaluation mode on the processor.
        condition: as many rows as there are, or more than five, of what it is given; ``None`` for nothing.
        file: to be written.

    Raises:
        InputError: it cannot be exported, or gives other images.
    """
    name = type(model).__name__
    if not isinstance(model, Doors) or type(model).decode is not Doors.decode:
        raise InputError(f"{name} makes its samples in a way of its own, not by a generator alone; leave --onnx out")
    few, more = ({key: value[:rows] for key, value in _inputs(model, condition).items()} for rows in _ROWS)
    decoder = Decoder(model, [key for key in few if key != LATENT] if isinstance(condition, dict) and "text" not in few else ())
    rows = torch.export.Dim("rows")
    given = tuple({0: rows} for _ in range(len(few) - 1))
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                decoder.eval(),
                tuple(few.values()),
                dynamo=True,
                input_names=list(few),
                output_names=[IMAGES],
                dynamic_shapes=({0: rows}, given) if given else ({0: rows},),
                verbose=False,
            )
            assert program is not None
            program.save(str(file), external_data=False)
            expected = decoder(*more.values())
    except OSError:
        raise
    except Exception as error:  # whatever tracing meets in a network
        *_, first = causes(error)
        raise InputError(f"the generator of {name} cannot be exported ({first_sentence(first)}); leave --onnx out") from error
    worst = float((_run(file, more) - expected).abs().max())
    if not worst <= _LARGEST_DIFFERENCE * max(1.0, float(expected.abs().max())):
        raise InputError(f"the exported generator of {name} is off by {worst:.2g}; leave --onnx out")


def _inputs(model: Any, condition: Condition | None) -> dict[str, Tensor]:
    z = model.prior.sample(max(_ROWS), torch.Generator().manual_seed(0))
    return onnx_inputs(model, model.to_model(z), condition)


def _run(file: Path, inputs: dict[str, Tensor]) -> Tensor:
    import onnxruntime

    session = onnxruntime.InferenceSession(file.read_bytes(), providers=["CPUExecutionProvider"])
    (images,) = session.run(None, {key: value.numpy() for key, value in inputs.items()})
    return torch.from_numpy(images)
