"""The page of ``lightning explore``: a small server for this machine alone, which passes on what is asked of the models."""

from __future__ import annotations

import base64
import io
import json
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lightning_gans import way_out
from lightning_gans.errors import InputError
from lightning_gans.explore.about import about
from lightning_gans.explore.session import Explorer, Shown

try:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Mount, Route
    from starlette.staticfiles import StaticFiles
except ImportError as error:
    raise InputError("lightning explore needs starlette and uvicorn; pip install 'lightning-gans[explore]'") from error

HOST = "127.0.0.1"
_TRIED = 100  # ports
_MOST_BYTES = {"own": 64 * 2**20}  # of what is sent
_MOST_OTHERS = 4 * 2**20
_STATIC = Path(__file__).parent / "static"
# Nothing comes from elsewhere, and no other page may show this one or ask it for anything
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_OBJECTS = ("condition", "codes", "attributes")
Asked = Mapping[str, Any]


def make_app(explorers: Sequence[Explorer], commands: Sequence[str | None] = ()) -> Starlette:
    """The page of some models, side by side.

    Args:
        explorers: of the models.
        commands: of each model, what makes samples of a file of latents; none where nothing does.
    """
    said = [*commands, *[None] * (len(explorers) - len(commands))]
    models = [{**about(explorer), "command": command} for explorer, command in zip(explorers, said, strict=True)]

    async def models_of(request: Request) -> Response:
        return JSONResponse(models)

    async def ask(request: Request) -> Response:
        number, what = request.path_params["number"], request.path_params["what"]
        if number >= len(explorers) or what not in _ANSWERS:
            return _sentence(404, f"there is nothing called {request.url.path}")
        if request.headers.get("origin", own_origin := f"http://{request.headers['host']}") != own_origin:
            return _sentence(403, "another page asks")
        try:
            body = await _body(request, _MOST_BYTES.get(what, _MOST_OTHERS))
            if what == "own":
                condition = _read(request.query_params.get("condition", "{}").encode(), "condition")
                asked = {"raw": body, "name": request.query_params.get("name", "the file"), "condition": condition}
            else:
                asked = _read(body)
            return await run_in_threadpool(_answer, what, explorers[number], asked)
        except InputError as error:
            return _sentence(400, str(error))
        except Exception as error:  # a defect, or no memory: the page says so and goes on
            return _sentence(500, way_out.describe(error)[1])

    routes = [
        Route("/models", models_of),
        Route("/models/{number:int}/{what}", ask, methods=["POST"]),
        Mount("/", StaticFiles(directory=_STATIC, html=True)),
    ]
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])  # else any name could be made to mean it
    return Starlette(routes=routes, middleware=[Middleware(_WithHeaders), hosts])


def listen(port: int) -> socket.socket:
    """A socket of this machine alone that listens on a port, or on the next one that is free.

    Raises:
        InputError: there is no such port, or none of the next hundred is free.
    """
    if not 0 <= port < 2**16:
        raise InputError(f"--port is {port}, but must be a number from 0 (any) to {2**16 - 1}")
    for tried in range(port, min(port + _TRIED, 2**16)):
        # Named as TCP: of others asyncio lets small packets wait for each other, 40 ms an answer
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((HOST, tried))
            listening.listen()
        except OSError:
            listening.close()
        else:
            return listening
    raise InputError(f"--port {port} and those after it are taken; give another, or 0 for any")


def make_server(app: Any) -> uvicorn.Server:
    """What serves an application; it says nothing."""
    return uvicorn.Server(
        uvicorn.Config(
            app, log_level="error", access_log=False, lifespan="off", server_header=False, timeout_graceful_shutdown=1
        )
    )


def serve(app: Any, listening: socket.socket) -> None:
    """Serve until Ctrl-C."""
    with suppress(KeyboardInterrupt):
        make_server(app).run(sockets=[listening])


class _WithHeaders:
    """Puts ``_HEADERS`` on every answer."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                own = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
                message["headers"] = [*message["headers"], *own]
            await send(message)

        await self.app(scope, receive, sending)


async def _body(request: Request, most: int) -> bytes:
    """What was sent, no more of it than a little beyond ``most``."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise InputError(f"the file has more than {most // 2**20} MiB; take a smaller one")
        parts.append(part)
    return b"".join(parts)


def _read(body: bytes, name: str = "the question") -> dict[str, Any]:
    """A JSON object, and those in it."""
    try:
        asked = json.loads(body)
    except ValueError as error:
        raise InputError(f"the question is no JSON ({error})") from error
    inner = asked if isinstance(asked, dict) else {}
    for each, value in {name: asked, **{key: inner[key] for key in _OBJECTS if inner.get(key) is not None}}.items():
        if not isinstance(value, dict):
            raise InputError(f"{each} is {value}, but must be an object")
    return asked


def _answer(what: str, explorer: Explorer, asked: Asked) -> Response:
    try:
        found = _ANSWERS[what](explorer, asked)
    except KeyError as error:
        raise InputError(f"the question has no {error.args[0]}") from error
    return found if isinstance(found, Response) else JSONResponse(found)


def _sentence(status: int, sentence: str) -> Response:
    return JSONResponse({"sentence": sentence}, status)


def _draw(explorer: Explorer, asked: Asked) -> dict[str, Any]:
    return _grid(explorer.draw(asked["seed"], asked.get("condition")), round(explorer.count**0.5))


def _way(explorer: Explorer, asked: Asked) -> dict[str, Any]:
    made = explorer.way(asked["a"], asked["b"], asked.get("condition"))
    return _grid(made, len(made))


def _own(explorer: Explorer, asked: Asked) -> dict[str, Any]:
    picture, shown = explorer.own(asked["raw"], asked["name"], asked["condition"])
    return {**_one(explorer, shown, f"code of {asked['name']}"), "own": _picture(picture)}


def _own_point(explorer: Explorer, asked: Asked) -> dict[str, Any]:
    picture, shown = explorer.own_point(asked["x"], asked["y"], asked.get("condition"))
    return {**_one(explorer, shown, f"code of the point {asked['x']:g}, {asked['y']:g}"), "own": _picture(picture)}


def _show(explorer: Explorer, asked: Asked) -> dict[str, Any]:
    given = [asked.get(name) for name in ("condition", "codes", "attributes")]
    return _one(explorer, explorer.show(asked["latent"], *given), asked.get("said", ""))


def _choose(explorer: Explorer, asked: Asked) -> dict[str, Any]:
    shown = explorer.choose(asked["seed"], asked["number"], asked.get("condition"))
    return _one(explorer, shown, f"sample {asked['number']} of seed {asked['seed']}")


def _walk(explorer: Explorer, asked: Asked) -> dict[str, Any]:
    shown = explorer.walk(asked["a"], asked["b"], asked["place"], asked.get("condition"))
    return _one(explorer, shown, f"{asked['place']} % of the way from A to B")


def _read_text(explorer: Explorer, asked: Asked) -> dict[str, Any]:
    return _one(explorer, explorer.read(str(asked["text"])), "a latent of one's own")


def _npz(explorer: Explorer, asked: Asked) -> Response:
    """The text of a latent as a file for numpy."""
    shown = explorer.read(str(asked["text"]))
    content = explorer.written(shown.latent, shown.condition)
    types = {"latents": np.float32}
    arrays: dict[str, Any] = {name: np.array(value, types.get(name)) for name, value in content.items()}
    np.savez(file := io.BytesIO(), **arrays)
    return Response(file.getvalue(), media_type="application/octet-stream")


_ANSWERS: dict[str, Callable[[Explorer, Asked], Any]] = {
    "draw": _draw,
    "choose": _choose,
    "show": _show,
    "walk": _walk,
    "way": _way,
    "own": _own,
    "own_point": _own_point,
    "attributes": lambda explorer, asked: explorer.learn_attributes(),
    "read": _read_text,
    "npz": _npz,
}


def _one(explorer: Explorer, shown: Shown, said: str) -> dict[str, Any]:
    """A sample for the page, and the text of its latent."""
    text = json.dumps(explorer.written(shown.latent, shown.condition, f"{said}, {explorer.name}"))
    plain = {"latent": shown.latent, "condition": shown.condition, "codes": shown.codes}
    return {**plain, **_picture(shown.picture), "said": said, "text": text}


def _grid(pictures: np.ndarray, across: int) -> dict[str, Any]:
    """Pictures in rows as one, the last row filled up with white; or points."""
    if pictures.ndim == 2:
        return {"points": pictures.round(4).tolist()}
    count, height, width, channels = pictures.shape
    rows = -(-count // across)
    full = np.full((rows * across, height, width, channels), 255, np.uint8)
    full[:count] = pictures
    sheet = full.reshape(rows, across, height, width, channels).transpose(0, 2, 1, 3, 4)
    return {**_picture(sheet.reshape(rows * height, across * width, channels)), "across": across, "rows": rows, "count": count}


def _picture(picture: np.ndarray) -> dict[str, Any]:
    """As the page shows it: an image by its address, or a point."""
    if picture.ndim == 1:
        return {"point": picture.tolist()}
    file = io.BytesIO()
    Image.fromarray(picture.squeeze(2) if picture.shape[2] == 1 else picture).save(file, "PNG", compress_level=1)
    return {"image": f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"}
