"""A real browser without a window, for tests of pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

# It draws pages and nothing else: no graphics card, no calls home, and no sandbox, which root may not have.
_SILENT = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Playwright's ``Browser``, one a process: ``from tests.browser import browser`` in as many files as need it.

    Its event loop is the running one of the thread until the tests end: ``asyncio.run`` is refused after it.
    """
    yield _started()[1]
    if _started.cache_info().currsize:  # the fixture of another file may have ended it
        playwright, started = _started()
        _started.cache_clear()
        started.close()
        playwright.stop()


@cache
def _started() -> tuple[Any, Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright, which is in the extra dev")
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("there is no Chromium; install Debian's chromium or put another on the PATH")
    playwright = sync_api.sync_playwright().start()
    return playwright, playwright.chromium.launch(executable_path=executable, args=_SILENT)
