"""The server of the page: what it answers, refuses and keeps to this machine."""

from __future__ import annotations

import base64
import io
import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lightning_gans import InputError
from lightning_gans.explore import Explorer
from tests.explore.test_session import Explore, bomb, png

page = pytest.importorskip("lightning_gans.explore.page", reason="needs the extra explore", exc_type=InputError)


@contextmanager
def served(explorers: list[Explorer], commands: tuple[str, ...] = ()) -> Iterator[str]:
    """The address of a page while it is served by a thread."""
    listening = page.listen(0)
    server = page.make_server(page.make_app(explorers, commands))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def address(explorer: Explore) -> Iterator[str]:
    with served([explorer("VAE"), explorer("ConditionalGAN")], ("lightning predict",)) as found:
        yield found


def ask(address: str, what: str, body: Any = None, **headers: str) -> Any:
    """The answer, and a sentence where there is none."""
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{address}/{what}", data, headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            content = answer.read()
            return json.loads(content) if answer.headers["content-type"] == "application/json" else content
    except urllib.error.HTTPError as error:
        content = error.read()
        return error.code, json.loads(content)["sentence"] if content.startswith(b"{") else content.decode()


def pixels(answer: dict[str, Any]) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(answer["image"].partition(",")[2]))))


def test_pictures_are_the_sessions(address: str, explorer: Explore) -> None:
    it = explorer("VAE")
    sheet = ask(address, "models/0/draw", {"seed": 3})
    assert (sheet["across"], sheet["rows"], sheet["count"]) == (6, 6, 36)
    tiles = pixels(sheet).reshape(6, 8, 6, 8).transpose(0, 2, 1, 3).reshape(36, 8, 8)
    assert np.array_equal(tiles, it.draw(3)[..., 0])
    one = ask(address, "models/0/choose", {"seed": 3, "number": 8})
    assert np.array_equal(pixels(one), it.choose(3, 8).picture[..., 0])
    assert one["said"] == "sample 8 of seed 3"
    assert json.loads(one["text"])["latents"] == [one["latent"]]
    walked = ask(address, "models/0/walk", {"a": one["latent"], "b": [0.0] * len(one["latent"]), "place": 100})
    assert walked["latent"] == pytest.approx([0.0] * len(one["latent"]), abs=1e-6)
    own = ask(address, "models/0/own?name=me.png", png(np.full((16, 16), 255)))
    assert pixels({"image": own["own"]["image"]}).min() == 255
    assert own["said"] == "code of me.png"


def test_a_sheet_that_is_not_full_ends_in_white(explorer: Explore) -> None:
    it = explorer("VAE")
    sheet = page._grid(it.draw(0)[:5], 3)
    assert sheet["count"] == 5
    assert (pixels(sheet)[8:, 16:] == 255).all()
    assert page._grid(np.zeros((2, 2), np.float32), 1) == {"points": [[0, 0], [0, 0]]}


def test_a_latent_is_saved_for_numpy(address: str) -> None:
    text = ask(address, "models/1/choose", {"seed": 0, "number": 2, "condition": {"labels": 4}})["text"]
    stored = np.load(io.BytesIO(ask(address, "models/1/npz", {"text": text})))
    assert stored["latents"].dtype == np.float32
    assert stored["latents"].tolist() == np.array(json.loads(text)["latents"], np.float32).tolist()
    assert stored["labels"].tolist() == [4]


@pytest.mark.parametrize(
    ("what", "body", "status", "sentence"),
    [
        ("models/0/own?name=me.png", b"no image", 400, "me.png cannot be read as an image"),
        ("models/0/own?name=huge.png", bomb(), 400, "at most 89 megapixels"),
        ("models/1/own?name=me.png", b"", 400, "has no encoder"),
        ("models/0/draw", b"{", 400, "the question is no JSON"),
        ("models/0/draw", b"[]", 400, "the question is [], but must be an object"),
        ("models/0/draw", {}, 400, "the question has no seed"),
        ("models/0/show", {"latent": [1, 2]}, 400, "latents of 2 numbers"),
        ("models/0/read", {"text": "{"}, 400, "the latent is no JSON"),
        ("models/1/draw", {"seed": 0, "condition": {"labels": -1}}, 400, "other labels than"),
        ("models/1/draw", {"seed": 0, "condition": 5}, 400, "condition is 5, but must be an object"),
        ("models/1/own?condition=5", b"", 400, "condition is 5, but must be an object"),
        ("models/1/own?condition={", b"", 400, "the question is no JSON"),
        ("models/2/draw", {"seed": 0}, 404, "nothing called"),
        ("models/0/__init__", {}, 404, "nothing called"),
    ],
)
def test_what_is_wrong_is_a_sentence_and_the_page_goes_on(
    what: str, body: Any, status: int, sentence: str, address: str
) -> None:
    found, said = ask(address, what, body)
    assert found == status
    assert sentence in said
    assert ask(address, "models/0/draw", {"seed": 0})["count"] == 36


def test_a_defect_is_a_sentence_too(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(page._ANSWERS, "draw", lambda explorer, asked: [][0])
    status, said = ask(address, "models/0/draw", {"seed": 0})
    assert status == 500
    assert "IndexError" in said


def test_files_beyond_a_size_are_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(page._MOST_BYTES, "own", 2**20)
    assert ask(address, "models/0/own", bytes(2**20 + 2**16)) == (400, "the file has more than 1 MiB; take a smaller one")


def test_it_is_for_this_machine_and_this_page_alone(address: str) -> None:
    assert ask(address, "models/0/draw", {"seed": 0}, Origin=address)["count"] == 36
    assert ask(address, "models/0/draw", {"seed": 0}, Origin="http://elsewhere.example") == (403, "another page asks")
    status, _ = ask(address, "models", None, Host="elsewhere.example")
    assert status == 400
    with urllib.request.urlopen(address) as answer:
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert b"http" not in answer.read(), "nothing from elsewhere"
    assert page.listen(0).getsockname()[0] == "127.0.0.1"
    status, _ = ask(address, "../session.py")
    assert status == 404


def test_small_packets_do_not_wait_for_each_other() -> None:
    with page.listen(0) as listening:
        assert listening.proto == socket.IPPROTO_TCP, "asyncio sets TCP_NODELAY for no other"


def test_a_port_that_is_taken_gives_the_next_one() -> None:
    with page.listen(0) as taken:
        port = taken.getsockname()[1]
        with page.listen(port) as other:
            assert other.getsockname()[1] > port
    for port in (-1, 65536):
        with pytest.raises(InputError, match=f"--port is {port}, but"):
            page.listen(port)


def test_where_no_port_is_free_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "_TRIED", 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"--port {port} and those after it are taken"):
            page.listen(port)
