"""The script beside an export that loads it and draws samples."""

from __future__ import annotations

from lightning_gans.export.about import About
from lightning_gans.export.conditions import classes_of
from lightning_gans.export.folder import CONDITIONS, ONNX, SAMPLES
from lightning_gans.export.onnx import onnx_inputs

_PLANE = f"""\
figure = Figure(figsize=(4, 4))
figure.add_subplot(aspect="equal").scatter(*samples.T, s=2)
figure.savefig("{SAMPLES}")
"""
_GRID = f"""\
save_image((samples.clamp(-1, 1) + 1) / 2, "{SAMPLES}", nrow=8)
"""


def example(about: About) -> str:
    """A Python script that writes ``samples.png`` where it is run, and runs the generator in onnxruntime if that is there."""
    condition = _condition(about)
    given = "condition" if condition else "None"
    others = {
        "safetensors.torch import load_file": "load_file" in condition,
        "torchvision.utils import save_image": not about.points,
        "matplotlib.figure import Figure": about.points,
    }
    imports = [f"from {name}" for name, wanted in sorted(others.items()) if wanted]
    averaged = '  # weights="ema" for the averaged ones' if about.averaged else ""
    parts = [
        f'"""Draws {len(about.samples)} samples of {about.name} into {SAMPLES}; needs lightning-gans."""\n',
        "\n".join([*(["from importlib.util import find_spec"] if about.onnx else []), "from pathlib import Path\n"]),
        "\n".join(["import torch", *imports, "", "from lightning_gans import load_exported\n"]),
        f"folder = Path(__file__).parent\nmodel = load_exported(folder){averaged}\n{condition}"
        "with torch.no_grad():\n"
        f"    samples = model.sample({len(about.samples)}, {given}, torch.Generator().manual_seed(0))"
        f"{'' if about.points else '  # in [-1, 1]'}\n"
        + (_PLANE if about.points else _GRID)
        + f'print("{len(about.samples)} samples are in {SAMPLES}")\n',
        *([_onnx(about)] if about.onnx else []),
    ]
    return "\n".join(parts)


def _condition(about: About) -> str:
    """The lines that make the condition, and say what else it could be."""
    if about.condition is None:
        return ""
    if (classes := classes_of(about.model)) is not None:
        return f"condition = torch.arange({len(about.samples)}) % {classes}  # one class after the other\n"
    one = "" if isinstance(about.condition, dict) else '["condition"]'
    lines = [f'condition = load_file(folder / "{CONDITIONS}"){one}  # {about.given} of test samples']
    if hasattr(getattr(about.model, "text_encoder", None), "codes"):
        lines.append(f'# condition = model.text_encoder.codes(["a text of yours"] * {len(about.samples)})')
    return "\n".join([*lines, ""])


def _onnx(about: About) -> str:
    """The lines that run the generator without torch."""
    names = list(onnx_inputs(about.model, about.samples[:1], about.condition))
    given = {name: "model.texts(condition)" if name == "text" else f'condition["{name}"]' for name in names[1:]}
    given = {name: "condition" if name == "condition" else how for name, how in given.items()}
    inputs = "".join(f', "{name}": {how}.numpy()' for name, how in given.items())
    return f"""\
if find_spec("onnxruntime"):  # the generator alone: latents from the model's prior, or from anywhere
    import onnxruntime

    latents = model.prior.sample({len(about.samples)}, torch.Generator().manual_seed(0))
    session = onnxruntime.InferenceSession(str(folder / "{ONNX}"), providers=["CPUExecutionProvider"])
    (again,) = session.run(None, {{"{names[0]}": latents.numpy(){inputs}}})
    print("onnxruntime differs by at most", float((torch.from_numpy(again) - samples).abs().max()))
"""
