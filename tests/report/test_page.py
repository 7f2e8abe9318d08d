"""The file: it loads nothing, runs nothing of what runs say, fits into a mail; and what the command refuses."""

from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lightning_gans import InputError
from lightning_gans.commands.report import main
from lightning_gans.report import page
from tests.browser import browser  # noqa: F401
from tests.report.fake import leave_pictures, leave_run

EVIL = "<script>document.title = 'taken'</script>"


class Seen(HTMLParser):
    """Tags with their attributes, and text outside of styles and scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.said = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.said += data


def report(*arguments: Path | str) -> None:
    main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of two seeds of one model, and of another whose files try to be more than text."""
    folder = tmp_path_factory.mktemp("report")
    leave_run(folder / "runs" / "gan" / "version_0", "GAN", 0)
    leave_run(folder / "runs" / "gan" / "version_1", "GAN", 1, {100: 25.0, 200: 15.0, 300: 12.0})
    evil = leave_run(folder / "runs" / "evil" / "version_0", EVIL, 0, state={"device": EVIL}, name=EVIL, dataset=f'toys"{EVIL}')
    (evil / "metrics.csv").write_text(f"step,loss/{EVIL}\n300,1\n")
    report(folder / "runs", "--out", folder / "report.html")
    return folder / "report.html"


def test_everything_is_there_in_its_order(made: Path) -> None:
    seen = Seen(made.read_text())
    sections = [attributes["id"] for tag, attributes in seen.tags if tag == "section"]
    assert sections == ["runs", "results", "curves", "pictures", "films", "settings", "origin"]
    links = {attributes["href"] for tag, attributes in seen.tags if tag == "a"}
    places = {f"#{attributes['id']}" for _, attributes in seen.tags if "id" in attributes}
    assert links <= places
    assert {"#run-1", "#run-2", "#run-3"} <= links
    assert "left out" not in seen.said
    for words in ("16 ± 5.7", "2 seeds", "one seed", "c0ffee", "loss/generator", "fid", "lower is better"):
        assert words in made.read_text()
    assert all(
        attributes["alt"] for tag, attributes in seen.tags if tag == "img" and attributes["src"].startswith("data:image/w")
    )
    assert ("html", {"lang": "en"}) in seen.tags


def test_nothing_is_loaded_from_elsewhere(made: Path) -> None:
    text = made.read_text()
    assert not re.findall(r"(?:src|href|srcset|action|data|poster)\s*=\s*[\"']?\s*(?:https?:)?//", text)
    assert not re.search(r"url\(|@import|https?://", text)
    assert "default-src 'none'" in text


def test_what_runs_say_stays_text(made: Path) -> None:
    text = made.read_text()
    assert EVIL not in text
    assert [tag for tag, _ in Seen(text).tags].count("script") == 1
    assert "<script>document.title" in Seen(text).said  # as text


def test_a_film_has_every_time_and_a_still(made: Path) -> None:
    seen = Seen(made.read_text())
    (first, *_) = [attributes["src"] for tag, attributes in seen.tags if tag == "img" and "Film" in attributes["alt"]]
    film: Any = Image.open(io.BytesIO(base64.b64decode(first.partition(",")[2])))
    assert (film.n_frames, film.width) == (3, 400)
    assert sum(tag == "source" for tag, _ in seen.tags) == 3


def test_a_damaged_picture_is_left_out_and_said_and_of_a_film_what_is_damaged(tmp_path: Path) -> None:
    run = leave_run(tmp_path / "run")
    (run / "pictures" / "samples_0000300.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    (run / "pictures" / "progress" / "samples_film_0000200.npz").write_bytes(b"PK no more")
    report(run, "--out", tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert "samples_0000300.png is left out, for it is damaged" in text
    assert "Interpolations of GAN on toys" in text
    assert "Film of the samples" in text


def test_twenty_runs_fit_into_a_mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(20):
        leave_run(tmp_path / "runs" / f"version_{seed}", "GAN", seed, pictures=False)
        leave_pictures(tmp_path / "runs" / f"version_{seed}", [200, 300], zoom=10)
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "runs" / "version_0" / "pictures" / "clusters.png")  # which hardly shrinks
    report(tmp_path / "runs", "--out", tmp_path / "whole.html")
    whole = (tmp_path / "whole.html").read_bytes()
    assert len(whole) < page.MOST_BYTES
    assert b"below 10 MB" not in whole
    monkeypatch.setattr(page, "MOST_BYTES", len(whole) - 9_000)
    report(tmp_path / "runs", "--out", tmp_path / "small.html")
    assert len((tmp_path / "small.html").read_bytes()) <= page.MOST_BYTES
    assert b"so that this file stays below" in (tmp_path / "small.html").read_bytes()


def test_it_is_as_small_as_it_can_be_where_that_is_not_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_run(tmp_path / "run")
    monkeypatch.setattr(page, "MOST_BYTES", 1_000)
    report(tmp_path / "run", "--out", tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert "films and pictures drawn at the end only are left out" in text
    assert "Film of the samples" not in text


@pytest.mark.parametrize(
    "gone", [["run.json", "config.yaml"], ["evaluation.jsonl", "metrics.csv"], ["run.json", "metrics.csv"]]
)
def test_what_is_missing_is_not_shown(tmp_path: Path, gone: list[str]) -> None:
    run = leave_run(tmp_path / "run")
    for file in gone:
        (run / file).unlink()
    report(run, "--out", tmp_path / "report.html")
    links = re.findall(r'<a href="#(\w+)">', (tmp_path / "report.html").read_text())
    assert ("results" in links, "curves" in links) == ("evaluation.jsonl" not in gone,) * 2
    assert "pictures" in links


def test_numbers_and_settings_of_other_kinds_than_ours_are_text_like_all_else(tmp_path: Path) -> None:
    run = leave_run(tmp_path / "run")
    strange = {"status": 3, "step": "x", "seconds": "y", "versions": 4, "code": [1], "devices": "a", "went_on_from": 7}
    (run / "run.json").write_text(json.dumps(strange))
    record = {
        "stage": "fit",
        "step": 5,
        "fid": float("nan"),
        "modes": 1,
        "floor": {"modes": "x"},
        "floor_is": 5,
        "num_samples": 5,
    }
    (run / "evaluation.jsonl").write_text(json.dumps(record))
    (run / "metrics.csv").write_text("step,loss/a\n10,1e400\n20,-1e308\n30,1e308\n")
    report(run, "--out", tmp_path / "report.html")
    assert "NaN" not in re.sub(r"base64,[^\"]*", "", (tmp_path / "report.html").read_text())


# The command


def test_it_is_written_over_a_report_and_over_nothing_else(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = leave_run(tmp_path / "run", pictures=False), tmp_path / "new" / "report.html"
    report(run, "--out", out)
    report(run, "--out", out)
    assert f"report of one run in {out}, 0.0 MB" in capsys.readouterr().out
    (tmp_path / "mine.html").write_text("<html>")
    with pytest.raises(InputError, match=r"mine.html is there and is no report; set --out to another file, or remove it"):
        report(run, "--out", tmp_path / "mine.html")
    assert (tmp_path / "mine.html").read_text() == "<html>"
    assert not [*tmp_path.rglob("*.tmp")]


def test_a_place_that_cannot_be_written_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"is a folder; set --out to a file, as .*report.html"):
        report(tmp_path / "nowhere", "--out", tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot be written, for .*file is not to be written in; set --out to a file"):
        report(tmp_path / "nowhere", "--out", tmp_path / "file" / "report.html")
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(InputError, match="is not to be written in"):
        report(tmp_path / "nowhere", "--out", tmp_path / "report.html")


def test_runs_that_are_left_out_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    leave_run(tmp_path / "runs" / "good", pictures=False)
    (tmp_path / "runs" / "idle").mkdir()
    (tmp_path / "runs" / "idle" / "run.json").write_text("{}")
    report(tmp_path / "runs", "--out", tmp_path / "report.html")
    assert "idle is left out: it has not trained a step" in capsys.readouterr().out
    assert "idle is left out: it has not trained a step." in (tmp_path / "report.html").read_text()


# In a browser


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_browser_shows_it(made: Path, browser: Any, width: int, scheme: str) -> None:  # noqa: F811
    opened = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    said: list[str] = []
    asked: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("request", lambda request: asked.append(request.url.partition(":")[0]))
    opened.on("requestfailed", lambda request: said.append(request.url[:80]))
    opened.goto(made.as_uri())
    opened.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    opened.wait_for_function("[...document.images].every(image => image.complete)")
    assert not opened.evaluate("[...document.images].filter(image => !image.naturalWidth).length")
    assert len(opened.query_selector_all("button.picture img")) == 12
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    assert opened.title() != "taken"
    pixels = np.asarray(Image.open(io.BytesIO(opened.screenshot(full_page=True))).convert("L"))
    assert pixels.std() > 10
    assert (pixels.mean() < 128) == (scheme == "dark")
    opened.focus("button.picture")
    opened.keyboard.press("Enter")
    assert opened.is_visible("dialog img")
    assert opened.evaluate("document.querySelector('dialog img').naturalWidth") > 100
    opened.keyboard.press("Escape")
    assert not opened.is_visible("dialog")
    assert not said
    assert {*asked} <= {"file", "data"}
    opened.close()
