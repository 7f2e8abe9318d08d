"""The generator as ONNX computes what torch does, for any number of latents."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor, nn

from lightning_gans import InputError
from lightning_gans.command_line import make_model
from lightning_gans.commands.export import main
from lightning_gans.doors import Doors
from lightning_gans.export.onnx import onnx_inputs, write_onnx
from tests.export.models import write_checkpoint
from tests.games.gan import make_gan

pytestmark = pytest.mark.filterwarnings("ignore")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


class Looking(nn.Linear):
    """Looks at a value, which no trace can follow."""

    def forward(self, z: Tensor) -> Tensor:
        return super().forward(z) if float(z.sum()) > 0 else -super().forward(z)


class OwnWay(Doors):
    """Decodes in a way of its own."""

    def decode(self, z: Tensor, condition: Any = None) -> Tensor:
        return z


def restored(kind: str, folder: Path) -> Any:
    stored = torch.load(write_checkpoint(kind, folder), weights_only=True)
    model = make_model(yaml.safe_load(stored["config"])["model"])
    model.load_state_dict(stored["state_dict"])
    return model.eval()


def under(kind: str, n: int) -> Tensor | None:
    return torch.tensor([[*b"red hair"], [*b"blue bag"]]).repeat(n, 1)[:n] if kind == "gan_cls" else None


@pytest.mark.parametrize(("kind", "names"), [("infogan", ["latent"]), ("gan_cls", ["latent", "text"])])
@torch.no_grad()
def test_onnxruntime_computes_what_torch_does(kind: str, names: list[str], tmp_path: Path) -> None:
    model = restored(kind, tmp_path)
    write_onnx(model, under(kind, 8), tmp_path / "generator.onnx")
    assert [file.name for file in tmp_path.glob("*.onnx*")] == ["generator.onnx"], "weights are within"
    session = onnxruntime.InferenceSession(str(tmp_path / "generator.onnx"), providers=["CPUExecutionProvider"])
    assert [given.name for given in session.get_inputs()] == names
    for rows in (1, 9):
        z, condition = model.prior.sample(rows, torch.Generator().manual_seed(2)), under(kind, rows)
        inputs = {name: value.numpy() for name, value in onnx_inputs(model, z, condition).items()}
        (images,) = session.run(None, inputs)
        torch.testing.assert_close(torch.from_numpy(images), model.decode(z, condition), atol=1e-4, rtol=0)


@torch.no_grad()
def test_points_are_in_data_units_and_what_cannot_be_traced_is_refused(tmp_path: Path) -> None:
    model = make_gan(data_scale=4.0, data_range=(0.0, 1.0)).eval()
    write_onnx(model, None, file := tmp_path / "generator.onnx")
    z = model.prior.sample(4)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    torch.testing.assert_close(torch.from_numpy(session.run(None, {"latent": z.numpy()})[0]), model.decode(z))
    model.generator = Looking(2, 2)
    with pytest.raises(InputError, match=r"the generator of GAN cannot be exported \(.*\); leave --onnx out"):
        write_onnx(model, None, file)
    with pytest.raises(InputError, match="OwnWay makes its samples in a way of its own, not by a generator alone"):
        write_onnx(OwnWay(None, 1.0), None, file)


def test_an_export_has_it_with_what_runs_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = write_checkpoint("conditional_gan", folder / "it")
    main([f"--ckpt_path={checkpoint}", "--to=export", "--onnx"])
    assert "`generator.onnx` is the generator alone: latents and labels to points" in Path("export/README.md").read_text()
    ran = runpy.run_path("export/example.py")
    torch.testing.assert_close(torch.from_numpy(ran["again"]), ran["samples"], atol=1e-4, rtol=0)
    assert "onnxruntime differs by at most" in capsys.readouterr().out


def test_where_onnx_is_not_installed_that_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightning_gans.export.onnx.importlib.util.find_spec", lambda name: None if name == "onnx" else sys)
    with pytest.raises(InputError, match=r"--onnx needs onnx; pip install 'lightning-gans\[onnx\]', or leave it out"):
        main([f"--ckpt_path={tmp_path / 'none.ckpt'}", f"--to={tmp_path / 'export'}", "--onnx"])
