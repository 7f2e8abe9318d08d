"""The Inception network of the FID (Heusel et al. 2017), folded, and the way of bytes into it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch import Tensor, nn

from lightning_gans.errors import InputError
from lightning_gans.evaluation.features.inception_layers import network
from lightning_gans.evaluation.features.inception_weights import InceptionWeights, find_weights

Precision = Literal["fp32", "tf32", "fp16", "bf16"]
Layer = Literal[64, 192, 768, 2048]

_SIZE = 299
_DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@lru_cache(maxsize=16)
def _interpolation(size: int, device: torch.device) -> Tensor:
    """``(299, size)``: bilinear weights of TensorFlow 1, whose output pixel i lies at i * size / 299 exactly."""
    position = torch.arange(_SIZE, dtype=torch.float32) * torch.tensor(size / _SIZE, dtype=torch.float32)
    lower = position.long()
    upper = (lower + 1).clamp_max(size - 1)
    share = (position - lower).unsqueeze(1)
    matrix = torch.zeros(_SIZE, size)
    matrix.scatter_add_(1, lower.unsqueeze(1), 1 - share).scatter_add_(1, upper.unsqueeze(1), share)
    return matrix.to(device)


def resize_tf1(images: Tensor) -> Tensor:
    """Float32 ``(N, C, H, W)`` to ``(N, C, 299, 299)`` as the FID graph does: bilinear, no half-pixel shift, no antialias."""
    rows, columns = (_interpolation(size, images.device) for size in images.shape[-2:])
    return rows @ (images @ columns.T)


@contextmanager
def _float32_precision(tf32: bool = False) -> Iterator[None]:
    """Full float32 but for CUDA's convolutions with ``tf32``, whichever flags the trainer set; these are restored after."""
    backends: Any = torch.backends
    wanted = [
        (backends.cuda.matmul, "ieee"),
        (backends.mkldnn.matmul, "ieee"),
        (backends.mkldnn.conv, "ieee"),
        (backends.cudnn.conv, "tf32" if tf32 else "ieee"),
    ]
    before = [backend.fp32_precision for backend, _ in wanted]
    try:
        legacy = torch.get_float32_matmul_precision()
    except RuntimeError:  # set by fp32_precision alone, the older setting has no answer
        legacy = "highest"
    try:
        torch.set_float32_matmul_precision("highest")  # to read an older flag that disagrees with a newer is an error
        for backend, precision in wanted:
            backend.fp32_precision = precision
        yield
    finally:
        torch.set_float32_matmul_precision(legacy)
        for (backend, _), precision in zip(wanted, before, strict=True):
            backend.fp32_precision = precision


class Inception(nn.Module):
    """Features of images in the Inception network of 2015-12-05, the one that a FID is defined by.

    Numbers equal torch-fidelity's, whose network this is, to rounding: batch norm is folded into the convolutions, and the
    resize of TensorFlow 1 to 299 pixels is two matrix products. Nothing beyond the asked layer is computed or kept in memory.

    Attributes:
        key: what the Frechet distance in these features is logged as: ``fid`` for layer 2048 of the genuine weights, else
            ``fd_inception<layer>``, with ``_unverified`` behind it for weights that are not known to be genuine.
        identity: sha256 of the weights file.
        dim: D, the number of features.

    Args:
        weights_path: see ``find_weights``.
        layer: 2048 (``pool3``), 768, 192 or 64; each averaged over the image.
        precision: of the convolutions; ``fp32`` has TF32 off. Resize, normalisation and averages are float32 in any case.
        download: see ``find_weights``.

    Raises:
        InputError: no weights, damaged weights, or a part of them that ends before the layer.
    """

    name = "inception"
    fc: Tensor | None

    def __init__(
        self,
        weights_path: str | Path | None = None,
        layer: Layer = 2048,
        precision: Precision = "fp32",
        download: bool = False,
    ) -> None:
        super().__init__()
        for value, allowed in ((layer, get_args(Layer)), (precision, get_args(Precision))):
            if value not in allowed:
                raise InputError(f"Inception has no {value!r}; name one of {', '.join(map(str, allowed))}")
        weights = InceptionWeights.read(find_weights(weights_path, download))
        self.layer, self.precision, self.dim, self.identity = layer, precision, int(layer), weights.identity
        genuine = weights.genuine(layer)
        self.key = "fid" if genuine and layer == 2048 else f"fd_inception{layer}" + ("" if genuine else "_unverified")
        if not genuine:
            rank_zero_warn(f"{weights.path} is not known to be the FID network's file: its distances are logged as {self.key}")
        self.network = network(layer)
        self._load(weights)

    def _load(self, weights: InceptionWeights) -> None:
        expected = {name: tensor.shape for name, tensor in self.network.state_dict().items()}
        if self.layer == 2048:
            expected["fc.weight"] = torch.Size((1008, 2048))
        if absent := sorted({name.rpartition(".")[0] for name in expected.keys() - weights.tensors.keys()}):
            raise InputError(
                f"{weights.path} does not reach layer {self.layer}, it lacks {', '.join(absent)}; give the whole file, "
                "or choose a lower layer, whose distance is not a FID"
            )
        tensors = {name: weights.tensors[name] for name in expected}
        for name, tensor in tensors.items():
            if tensor.shape != expected[name]:
                raise InputError(
                    f"{weights.path} is of another network: {name} is {tuple(tensor.shape)}, not {tuple(expected[name])}; "
                    "give the FID network's file"
                )
        self.register_buffer("fc", tensors.pop("fc.weight", None), persistent=False)
        self.network.load_state_dict(tensors, assign=True)
        self.network.requires_grad_(False).to(_DTYPES[self.precision]).to(memory_format=torch.channels_last)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Features of ``images``.

        Args:
            images: uint8 ``(N, 1 or 3, H, W)``; grey is repeated. Moved to the device of the network.

        Returns:
            float32 ``(N, D)``.

        Raises:
            InputError: images of another type or shape.
        """
        if images.dtype != torch.uint8 or images.dim() != 4 or images.shape[1] not in (1, 3):
            raise InputError(f"Inception takes uint8 images (N, 1 or 3, H, W), not {images.dtype} {tuple(images.shape)}")
        first = next(self.network.parameters())
        if first.device.type == "cpu" and first.dtype == torch.float16:
            rank_zero_warn(
                "few processors are fast at fp16, most are slower than at fp32; on a CPU set precision to fp32 or bf16"
            )
        with torch.autocast(first.device.type, enabled=False), _float32_precision(tf32=self.precision == "tf32"):
            x = resize_tf1((images.to(first.device).float() - 128) / 128).to(first.dtype)
            x = x.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
            return self.network(x).mean(dim=(2, 3), dtype=torch.float32)

    @torch.no_grad()
    def logits(self, features: Tensor) -> Tensor:
        """Class scores without bias ``(N, 1008)`` from 2048 ``features`` ``(N, 2048)``, as the inception score takes them.

        Raises:
            InputError: the features are of another layer.
        """
        if self.fc is None:
            raise InputError(f"Inception's logits follow from layer 2048, not from {self.layer}; choose layer 2048")
        with torch.autocast(features.device.type, enabled=False), _float32_precision():
            return features.float() @ self.fc.T
