"""Answers of ``lightning explore`` over HTTP, beside the networks alone on the same latents; these are DCGAN's for MNIST.

The data are scikit-learn's digits at 28 pixels, and weights are random, which changes no time.
"""

from __future__ import annotations

import http.client
import io
import json
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from lightning_gans import ConvGenerator, ConvNet, Images, Uniform
from lightning_gans.explore import Explorer
from lightning_gans.explore.page import listen, make_app, make_server

_SHAPE, _DIM = (1, 28, 28), 100
_CALLS = 20  # a repeat


@dataclass(frozen=True)
class Case:
    """What is asked, and how many latents the networks alone are given for it."""

    name: str
    what: str
    latents: int
    encodes: bool = False
    goal: float | None = None


CASES = [
    Case("explore: draw 36 of 28x28, generator alone", "draw", 36),
    Case("explore: one sample, generator alone", "choose", 1),
    Case("explore: a place on the way, generator alone", "walk", 1),
    Case("explore: an image of one's own, both networks", "own", 1, encodes=True),
]


class Model(nn.Module):
    """An encoder and a generator with what an explorer asks of a model."""

    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self) -> None:
        super().__init__()
        self.prior = Uniform(_DIM)
        self.generator = ConvGenerator(_DIM, _SHAPE, (128, 64), output="tanh")
        self.encoder = ConvNet(_SHAPE, _DIM, (64, 128))

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        return self.generator(z)

    def sample(self, n: int, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        return self.decode(self.prior.sample(n, generator))

    def encode(self, images: Tensor, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        return self.encoder(images)


@cache
def _served() -> tuple[Model, http.client.HTTPConnection]:
    """A model, and a connection to its page, until this process ends."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        data = Images("digits", root=folder, image_size=_SHAPE[1])
        data.prepare_data()
        data.setup("validate")
        explorer = Explorer(model := Model(), data)
    listening = listen(0)
    server = make_server(make_app([explorer]))
    threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True).start()
    return model, http.client.HTTPConnection(*listening.getsockname())


def measure(case: Case, repeats: int) -> list[tuple[tuple[float, ...], tuple[float, ...]]]:
    """(raw, ours) of each repeat: ms of a call on the wall and of the processor; of ours, server and client together."""
    model, connection = _served()
    z, image = torch.rand(case.latents, _DIM), torch.rand(1, *_SHAPE)
    body = _body(case.what)

    @torch.no_grad()
    def raw() -> None:
        model.decode(model.encode(image) if case.encodes else z)

    def ours() -> None:
        connection.request("POST", f"/models/0/{case.what}", body)
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content

    for run in (raw, ours):
        run()
    return [(_timed(raw), _timed(ours)) for _ in range(repeats)]


def _body(what: str) -> bytes:
    if what == "own":
        Image.fromarray(np.zeros((280, 280), np.uint8)).save(file := io.BytesIO(), "PNG")
        return file.getvalue()
    asked: dict[str, Any] = {
        "draw": {"seed": 1},
        "choose": {"seed": 1, "number": 3},
        "walk": {"a": [0.1] * _DIM, "b": [-0.2] * _DIM, "place": 40},
    }
    return json.dumps(asked[what]).encode()


def _timed(run: Callable[[], None]) -> tuple[float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(_CALLS):
        run()
    return 1000 * (time.perf_counter() - wall) / _CALLS, 1000 * (time.process_time() - processor) / _CALLS
