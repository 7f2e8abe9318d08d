"""The page in a real browser: it loads, is clicked, and changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightning_gans import InputError
from lightning_gans.explore import Explorer
from tests.browser import browser  # noqa: F401
from tests.explore.test_session import Explore, ToldCaptions, ToldFaces, ToldPlane, bomb, infogan, png
from tests.figures.test_captions import Reader
from tests.figures.test_kinds import Copyist, Placer

pytest.importorskip("lightning_gans.explore.page", reason="needs the extra explore", exc_type=InputError)

from tests.explore.test_page import served

BIG, GRID, NOTICE = ".one .made", ".samples .grid button", "#notice span"


class Page:
    """A page in a browser, and what went wrong in it."""

    def __init__(self, of: Any, address: str) -> None:
        self.of, self.wrong, self.elsewhere = of, [], []
        of.on("console", lambda message: self.wrong.append(message.text) if message.type == "error" else None)
        of.on("pageerror", lambda error: self.wrong.append(str(error)))
        local = (address, "data:", "blob:")
        of.on("request", lambda request: None if request.url.startswith(local) else self.elsewhere.append(request.url))
        of.goto(address)
        self.settle()

    def settle(self) -> None:
        """Wait until all questions are answered."""
        self.of.wait_for_timeout(50)
        self.of.wait_for_selector('body[data-busy="0"]')

    def do(self, action: str, *arguments: Any) -> None:
        getattr(self.of, action)(*arguments)
        self.settle()

    def src(self, which: str = BIG, number: int = 0) -> str:
        return self.of.locator(which).nth(number).get_attribute("src")

    def style(self, which: str = GRID) -> str:
        return self.of.locator(which).first.get_attribute("style")

    def move(self, which: str, value: float) -> None:
        """A slider."""
        self.of.locator(which).first.fill(str(value))
        self.settle()


@pytest.fixture
def opened(browser: Any) -> Iterator[Any]:  # noqa: F811
    """Opens pages; none may have an error, or ask for anything from elsewhere."""
    pages: list[Page] = []

    def to(address: str) -> Page:
        context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
        pages.append(Page(context.new_page(), address))
        return pages[-1]

    yield to
    for each in pages:
        assert not each.elsewhere
        assert not [line for line in each.wrong if "400 (Bad Request)" not in line]
        each.of.context.close()


def test_samples_are_drawn_and_looked_at(opened: Any) -> None:
    with served([infogan()]) as address:
        page = opened(address)
        assert page.of.locator(GRID).count() == 36
        grid, first = page.style(), page.src()
        page.do("click", f"{GRID} >> nth=5")
        assert page.src() != first
        assert "sample 5 of seed 0" in page.of.inner_text(".said")
        page.do("click", "#draw")
        assert page.style() != grid
        assert page.of.input_value("#seed") == "1"
        page.do("fill", "#seed", "0")
        page.do("press", "#seed", "Enter")
        assert page.style() == grid
        assert page.of.is_hidden("#own")
        assert page.of.is_hidden("#conditions")
        page.do("fill", "#seed", "-3")
        page.do("press", "#seed", "Enter")
        assert "the seed is -3" in page.of.inner_text(NOTICE)


def test_codes_change_a_sample_and_it_can_be_as_it_was(opened: Any) -> None:
    with served([infogan()]) as address:
        page = opened(address)
        first, text = page.src(), page.of.input_value("details textarea")
        chosen = page.of.locator(".choices button[aria-pressed=true]").inner_text()
        other = (int(chosen) + 1) % 4
        page.do("click", f".choices button >> nth={other}")
        changed = page.src()
        assert changed != first
        latent = json.loads(page.of.input_value("details textarea"))["latents"][0]
        assert latent[12 + other] == 1
        page.move("#codes input[type=range]", 2)
        assert page.src() != changed
        assert json.loads(page.of.input_value("details textarea"))["latents"][0][16] == 2
        page.do("click", "#reset")
        assert (page.src(), page.of.input_value("details textarea")) == (first, text)


def test_a_walk_goes_from_a_to_b(opened: Any) -> None:
    with served([infogan()]) as address:
        page = opened(address)
        way, first = page.style(".way .grid button"), page.src()
        page.do("click", f"{GRID} >> nth=9")
        last = page.src()
        page.do("click", "[data-end=b]")
        assert page.style(".way .grid button") != way
        page.move("#place", 100)
        assert page.src() == last
        page.do("click", ".way .grid button >> nth=0")
        assert page.src() == first
        assert "0 % of the way from A to B" in page.of.inner_text(".said")
        page.of.click("#play")
        page.of.wait_for_timeout(400)
        page.do("click", "#play")
        assert page.src() != first


def test_an_image_is_dropped_and_made_again_and_bad_ones_get_a_sentence(opened: Any, explorer: Explore, tmp_path: Path) -> None:
    files = {"me.png": png(np.eye(30) * 255), "text.png": b"text", "huge.png": bomb()}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with served([explorer("VAE"), explorer("ConditionalGAN")]) as address:
        page = opened(address)
        first = page.src()
        for name, sentence in (("text.png", "text.png cannot be read as an image"), ("huge.png", "at most 89 megapixels")):
            page.do("set_input_files", "#drop input", str(tmp_path / name))
            assert sentence in page.of.inner_text(NOTICE)
            assert page.src() == first
        other = page.src(number=1)
        transfer = page.of.evaluate_handle(
            """bytes => {
                const transfer = new DataTransfer();
                transfer.items.add(new File([new Uint8Array(bytes)], "me.png", {type: "image/png"}));
                return transfer;
            }""",
            [*files["me.png"]],
        )
        page.do("dispatch_event", "#drop", "drop", {"dataTransfer": transfer})
        assert page.of.is_hidden("#notice")
        assert page.src() != first
        assert page.of.is_visible(".own >> nth=0")
        assert "code of me.png" in page.of.inner_text(".said >> nth=0")
        assert page.src(number=1) == other, "the other model has no encoder"
        page.do("click", f"{GRID} >> nth=3")
        assert page.of.is_hidden(".own >> nth=0")


def test_models_are_side_by_side_and_labels_are_of_those_that_have_them(opened: Any, explorer: Explore) -> None:
    with served([explorer("VAE"), explorer("ConditionalGAN")]) as address:
        page = opened(address)
        before = page.src(), page.src(number=1)
        page.do("select_option", "#labels select", "7")
        assert page.src() == before[0]
        assert page.src(number=1) != before[1]
        page.do("click", f"{GRID} >> nth=3")
        assert "sample 3 of seed 0" in page.of.inner_text(".said >> nth=0")
        assert "sample 3 of seed 0 — label 7" in page.of.inner_text(".said >> nth=1")


def test_latents_are_copied_saved_and_read_again(opened: Any, explorer: Explore, tmp_path: Path) -> None:
    with served([explorer("ConditionalGAN")], ("lightning predict --data.latents latent.json",)) as address:
        page = opened(address)
        page.of.click("details summary >> nth=-1")
        assert page.of.inner_text("code") == "lightning predict --data.latents latent.json"
        first, text = page.src(), page.of.input_value("details textarea")
        page.do("click", "[data-do=copy]")
        assert page.of.evaluate("navigator.clipboard.readText()") == text
        for kind in ("json", "npz"):
            with page.of.expect_download() as saved:
                page.of.click(f"[data-do={kind}]")
            saved.value.save_as(tmp_path / f"latent.{kind}")
        assert (tmp_path / "latent.json").read_text() == text
        assert np.load(tmp_path / "latent.npz")["latents"].tolist() == np.array(json.loads(text)["latents"], "f").tolist()
        page.do("click", f"{GRID} >> nth=3")
        assert page.src() != first
        page.do("fill", ".one textarea", text)
        page.do("click", "[data-do=read]")
        assert page.src() == first
        for wrong, sentence in (("{", "the latent is no JSON"), ('{"latents": [[1]]}', "latents of 1 numbers")):
            page.do("fill", ".one textarea", wrong)
            page.do("click", "[data-do=read]")
            assert sentence in page.of.inner_text(NOTICE)


def test_directions_of_attributes_are_learnt_and_move_a_sample(opened: Any) -> None:
    with served([Explorer(Copyist(), ToldFaces())]) as address:
        page = opened(address)
        first = page.src()
        assert page.of.locator("#vectors input").count() == 0
        page.do("click", "#learn")
        assert page.of.locator("#vectors .slider").all_inner_texts() == ["even\n0.00", "lit\n0.00"]
        page.move("#vectors input >> nth=1", -2)
        assert page.src() != first
        assert page.of.is_hidden("#learn")
        page.do("click", "#reset")
        assert page.src() == first


def test_captions_are_written_and_an_empty_one_gets_a_sentence(opened: Any) -> None:
    with served([Explorer(Reader(), ToldCaptions())]) as address:
        page = opened(address)
        page.do("fill", "#captions textarea", "blue hair")
        page.do("press", "#captions textarea", "Enter")
        assert "“blue hair”" in page.of.inner_text(".said")
        page.do("fill", "#captions textarea", " ")
        page.do("click", "#caption")
        assert "is empty; write a caption" in page.of.inner_text(NOTICE)
        page.do("click", "#theirs")
        assert page.of.is_hidden("#notice")


def test_points_are_scattered_and_clicked_on(opened: Any) -> None:
    with served([Explorer(Placer(), ToldPlane())]) as address:
        page = opened(address)
        shown = "document.querySelector('canvas').toDataURL()"
        first = page.of.evaluate(shown)
        page.do("click", "canvas")
        assert page.of.evaluate(shown) != first
        page.of.locator("#point input").first.fill("1")
        page.do("click", "#point button")
        assert "code of the point 1, 0" in page.of.inner_text(".said")
        assert page.of.is_hidden("#drop")
        assert page.of.is_hidden(".way")
