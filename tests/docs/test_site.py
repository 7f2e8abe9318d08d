"""The site: built without a warning, whole, loads nothing from elsewhere, and every command on it is one."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import re
import shlex
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from lightning_gans import paper_modules
from lightning_gans.__main__ import main as lightning
from lightning_gans.commands.probe import KINDS as PROBES
from lightning_gans.figures.kinds import KINDS
from lightning_gans.packaged import config_names
from lightning_gans.tables.table import table_names
from tests.docs.pages import ROOT, generate, papers
from tests.test_configs import CONFIGS
from tests.test_readme import COMMANDS as RUN_BY_THE_README
from tests.test_readme import README

pytest.importorskip("sphinx", reason="pip install 'lightning-gans[docs]'")
bs4 = pytest.importorskip("bs4", reason="pip install 'lightning-gans[docs]'")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # 67 pages are built once: some eight seconds of a core

OF_THE_TRAINER = ("fit", "validate", "test", "predict")
# What stands for something of the reader's own; a file of its name need not be there to be parsed
STANDS_FOR = {"NAME": "sae_mnist", "configs/NAME.yaml": "gaan_mnist", "$W": "[32, 64, 128, 256]", "$V": "[256, 128, 64, 32]"}
LEFT_OUT = ("...", "OPTIONS")
# Within a sentence; of other commands a checkpoint
GOES_WITHOUT_SAYING = {
    "dashboard wandb": ["--project", "gans"],
    "dashboard sweep": ["--config", "gaan_digits", "--metric", "modes", "--parameter", "model.lambda_r=1"],
}
THERE = {file.stem.replace("_", "-") for file in ROOT.glob("lightning_gans/commands/[a-z]*.py")} | {*OF_THE_TRAINER}


class Parsed(Exception):
    """What a command has understood, in the place of what it would do."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    assert generate.build(folder) == 0  # without a warning
    return folder / "html"


@pytest.fixture(scope="module")
def read(site: Path) -> dict[Path, Any]:
    """Every page, read."""
    return {file: bs4.BeautifulSoup(file.read_text(), "html.parser") for file in sorted(site.rglob("*.html"))}


def commands(read: dict[Path, Any]) -> Iterator[tuple[str, bool]]:
    """Every command on the pages, and whether it is one within a sentence, which may leave out what goes without saying."""
    for page in read.values():
        for code in page.find_all(["pre", "code"]):
            if code.get_text().startswith("usage: "):  # what a command says of itself, lines broken anywhere
                continue
            if code.name == "pre":
                lines = code.get_text().replace("\\\n", " ").splitlines()
            else:
                lines = [] if code.find_parent("pre") else [" ".join(code.get_text().split())]
            for line in lines:
                if re.match(r"lightning( |$)", line.strip()):
                    yield line.strip(), code.name == "code"


def words(line: str) -> list[str]:
    """The arguments of a command: up to a comment, to where its output goes, or to what the usage says of it."""
    arguments = [STANDS_FOR.get(word, word) for word in shlex.split(re.split(r"\s#|\s>", line)[0])[1:] if word not in LEFT_OUT]
    return arguments[:3] if "--model.help" in arguments else arguments


def test_every_paper_and_config_is_on_one_page(read: dict[Path, Any]) -> None:
    places = Counter(tag["id"] for page in read.values() for tag in page.find_all(id=True))
    headings = Counter(heading.get_text().rstrip("¶#") for page in read.values() for heading in page.find_all("h3"))
    assert len(papers.models()) == len(paper_modules())
    for model in papers.models():
        assert [places[f"lightning_gans.{name}"] for name in model.classes] == [1] * len(model.classes), model.name
    assert [name for name in config_names() if headings[name] != 1] == []
    shown = {Path(image["src"]).name for page in read.values() for image in page.find_all("img")}
    assert {file.name for file in ROOT.glob("docs/*.png")} <= shown


def test_every_link_leads_to_something_that_is_there(site: Path, read: dict[Path, Any]) -> None:
    places = {file: {tag["id"] for tag in page.find_all(id=True)} for file, page in read.items()}
    checked = 0
    for file, page in read.items():
        for tag in page.find_all(["a", "img"]):
            link = tag.get("href") or tag.get("src") or "#"
            path, _, anchor = link.partition("#")
            if re.match(r"https?:|mailto:", link):
                continue
            target = (file.parent / path).resolve() if path else file
            assert target.is_file(), f"{file}: {link}"
            assert not anchor or anchor in places[target] or anchor.startswith("furo-"), f"{file}: {link}"
            checked += 1
    assert checked > 2000


def test_nothing_is_loaded_from_elsewhere(site: Path, read: dict[Path, Any]) -> None:
    for file, page in read.items():
        loaded = [tag.get("src") or tag.get("href") for tag in page.find_all(["script", "link", "img", "iframe"])]
        assert not [where for where in loaded if where and re.match(r"(https?:)?//", where)], file
    for file in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", file.read_text()), file


def understood(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the command's own parser read its arguments; those it hands on to training are read as training does.

    Raises:
        SystemExit: with a status above 0: it is refused.
    """
    command = arguments[0]
    if command in OF_THE_TRAINER and arguments[1:3] == ["--ckpt_path", "FILE"]:  # whose config would be read
        arguments = [command, "--model", "GAN", "--data.dataset", "grid25", *arguments[3:]]
    if command in OF_THE_TRAINER or "--print_config" in generate.help_of(command):
        arguments = [*arguments, "--print_config"]
    monkeypatch.setattr(sys, "argv", ["lightning", *arguments])
    if "--print_config" in arguments:
        try:
            lightning()
        except SystemExit as stopped:
            if stopped.code:
                raise
        return
    with reading() as parsed, contextlib.suppress(Parsed):
        importlib.import_module(f"lightning_gans.commands.{command.replace('-', '_')}").main(arguments[1:])
    ((given, others),) = parsed
    if name := getattr(given, "name" if command == "table" else "kind", None):
        assert name in (*table_names(), *KINDS, *PROBES, STANDS_FOR["NAME"])
    if others:
        understood(["fit", "--model", "GAN", *others, "--data.dataset", "grid25"], monkeypatch)  # whose files are there


@contextlib.contextmanager
def reading() -> Iterator[list[tuple[argparse.Namespace, list[str]]]]:
    """Within it a command ends where it has read its arguments; gives these, and those that it hands on."""
    parsed: list[tuple[argparse.Namespace, list[str]]] = []
    known, every = argparse.ArgumentParser.parse_known_args, argparse.ArgumentParser.parse_args

    def read_known(parser: argparse.ArgumentParser, args: Any = None, namespace: Any = None) -> Any:
        given, others = known(parser, args, namespace)
        if parser.prog.count(" ") == 1 or parser.prog == "lightning figure film":  # not that of another kind
            parsed.append((given, others))
            raise Parsed
        return given, others

    def read_every(parser: argparse.ArgumentParser, args: Any = None, namespace: Any = None) -> Any:
        try:
            return every(parser, args, namespace)
        except Parsed:
            if others := parsed[-1][1]:
                parser.error(f"unrecognized arguments: {' '.join(others)}")
            raise

    with mock.patch.multiple(argparse.ArgumentParser, parse_known_args=read_known, parse_args=read_every):
        yield parsed


def test_every_command_is_understood(read: dict[Path, Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for those that other tests parse or run: every config as it is, and those of the README."""
    (folder / "configs").symlink_to(ROOT / "configs")
    (folder / "my_paper.py").write_text(re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0])
    read_elsewhere = [["fit", "--config", file.stem] for file in CONFIGS] + RUN_BY_THE_README
    count, of_config = 0, defaultdict[str, list[str]](list)
    for line, within_a_sentence in dict.fromkeys(commands(read)):
        arguments = words(line)
        if not arguments or arguments in read_elsewhere or "--help" in arguments:
            continue
        count += 1
        assert arguments[0] in (*THERE, "--version"), line
        if arguments[0] == "--version" or (within_a_sentence and arguments[1:] in ([], ["--config"])):
            continue
        if arguments[:2] == ["fit", "--config"]:
            of_config[arguments[2]] += arguments[3:]
            continue
        try:
            understood(arguments, monkeypatch)
        except SystemExit:
            assert within_a_sentence, line
            understood([*arguments, *GOES_WITHOUT_SAYING.get(" ".join(arguments[:2]), ["--ckpt_path", "FILE"])], monkeypatch)
    for config, options in of_config.items():  # all at once, for each parse takes a third of a second
        understood(["fit", "--config", config, *options], monkeypatch)
    assert count >= 100


@pytest.mark.parametrize(
    "wrong", ["figure samples --ckpt_path FILE --data.rot x", "probe knm --ckpt_path FILE", "curves RUN", "data --crops 3"]
)
def test_a_wrong_command_would_be_found(wrong: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit) as stopped:
        understood(wrong.split(), monkeypatch)
    assert stopped.value.code


def test_every_command_there_is_runs_in_a_test() -> None:
    tests = "\n".join(file.read_text() for file in ROOT.glob("tests/**/test_*.py") if file.parent.name != "docs")
    for command in THERE - {command for command, *_ in RUN_BY_THE_README}:
        module = command.replace("-", "_")
        assert re.search(rf'commands(\.| import (\w+, )*){module}\b|"{command}"', tests), (
            f"lightning {command} is run by no test"
        )


def test_each_command_says_what_it_takes(site: Path) -> None:
    text = bs4.BeautifulSoup((site / "commands.html").read_text(), "html.parser").get_text()
    for file in ROOT.glob("lightning_gans/commands/[a-z]*.py"):
        assert f"usage: lightning {file.stem.replace('_', '-')}" in text


def test_search_finds_what_is_on_the_pages(site: Path) -> None:
    index = (site / "searchindex.js").read_text()
    assert all(word in index for word in ("wasserstein", "gaan_grid25", "swissrol"))
