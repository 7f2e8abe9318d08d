"""The site: its pages are made of the files that there are, and built by Sphinx.

Nothing is written twice, and nothing is listed: a new paper, config, command, metric or section of the README gets its place by
itself.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import io
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from _papers import PACKAGE, PICTURES, ROOT, about_config, configs, documented, moved, page, paper, papers, sections


def guide() -> dict[str, str]:
    """The README: its beginning with the first section, then a page a section; metrics have what each of them is."""
    begin, *others = sections((ROOT / "README.md").read_text()).items()
    first, *others = others
    found = {"index.md": f"{begin[1]}\n## {first[0]}\n{first[1]}"}
    for title, text in others:
        measured = "| metric |" in text
        name = "metrics" if measured else re.sub(r"\W+", "_", title.lower()).strip("_")
        found[f"{name}.md"] = f"# {title}\n{text}" + (f"\n## Each metric\n\n{_metrics()}" if measured else "")
    return {name: moved(text, "README.md", name) for name, text in found.items()}


def _metrics() -> str:
    parts = []
    for file in sorted((PACKAGE / "evaluation" / "metrics").glob("[a-z]*.py")):
        for part in ast.parse(file.read_text()).body:
            name = re.search(r"^    name = '(\w+)'$", ast.unparse(part), re.MULTILINE)
            if isinstance(part, ast.ClassDef) and name:
                parts += [
                    f"### {name[1]}",
                    documented(f"autoclass:: lightning_gans.evaluation.metrics.{file.stem}.{part.name}"),
                ]
    return "\n\n".join(parts)


def results() -> dict[str, str]:
    """The records of runs as they are, a page each."""
    files = sorted((ROOT / "docs" / "results").glob("*.txt"))
    found = {f"results/{file.stem}.md": f"# {_titled(file.stem)}\n\n```text\n{file.read_text()}```" for file in files}
    links = [
        f"- [{_titled(file.stem)}]({file.stem}.md): {file.read_text().partition('. ')[0].replace(chr(10), ' ')}."
        for file in files
    ]
    lines = "Runs of tables are lines of JSON beside them, in `docs/results/`, from which the [tables](../tables.md) are made."
    return {"results/index.md": "\n".join(["# Results", "", *links, "", lines])} | found


def _titled(name: str) -> str:
    return (name[:1].upper() + name[1:]).replace("_", " ")


def commands() -> str:
    """What ``lightning`` and each of its commands say of themselves."""
    files = sorted((PACKAGE / "commands").glob("[a-z]*.py"))
    names = [file.stem.replace("_", "-") for file in files]
    said = {name: help_of(name) for name in names}
    parts = [f"## {name}\n\n{_docstring(file)}\n\n```text\n{said[name]}```" for name, file in zip(names, files, strict=True)]
    return "\n\n".join(["# Commands", f"```text\n{help_of()}```", *parts])


def help_of(*command: str) -> str:
    """What ``lightning COMMAND --help`` prints."""
    main = importlib.import_module("lightning_gans.__main__").main
    with contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.suppress(SystemExit):
        with mock.patch.object(sys, "argv", ["lightning", *command, "--help"]), mock.patch.dict(os.environ, COLUMNS="110"):
            main()
    return re.sub(r"\x1b\[[\d;]*m|[\x00-\x09\x0b-\x1f]|``", "", printed.getvalue())


def _docstring(file: Path) -> str:
    """Its first paragraph as Markdown."""
    return (ast.get_docstring(ast.parse(file.read_text())) or "").split("\n\n")[0]


def reference() -> dict[str, str]:
    """The API: a page for each module that has what ``lightning_gans`` offers, or that papers import."""
    package = importlib.import_module("lightning_gans")
    imports = re.compile(r"^from lightning_gans\.(\w+)(?<!papers)[. ]", re.MULTILINE)
    used = {name for file in (PACKAGE / "papers").glob("*.py") for name in imports.findall(file.read_text())}
    found = {}
    for module in sorted({*package._LAZY.values(), *used}):
        parts = [f"# {_titled(module)}", documented(f"automodule:: lightning_gans.{module}", "members", "show-inheritance")]
        found[f"api/{module}.md"] = "\n\n".join([*parts, *_parts(PACKAGE / module)])
    rows = [f"| [{_titled(Path(name).stem)}]({Path(name).name}) | {_about(name)} |" for name in found]
    return {"api/index.md": "\n".join(["# API reference", "", "| module | is |", "|---|---|", *rows])} | found


def _about(name: str) -> str:
    module = PACKAGE / Path(name).stem
    file = module / "__init__.py" if module.is_dir() else module.with_suffix(".py")
    return " ".join(_docstring(file).split())


def _parts(package: Path) -> Iterator[str]:
    """The files in the folders of a package, where a new file is a new dataset, metric, probe or picture."""
    for folder in sorted(file.parent for file in package.glob("*/__init__.py")):
        rows = [f"| `{file.stem}` | {' '.join(_docstring(file).split())} |" for file in sorted(folder.glob("[a-z]*.py"))]
        yield "\n".join(
            [
                f"## {package.name}/{folder.name}",
                "",
                _docstring(folder / "__init__.py"),
                "",
                "| file | is |",
                "|---|---|",
                *rows,
            ]
        )


def overview() -> str:
    """The papers."""
    rows = []
    for key, of in papers().items():
        names = ", ".join(f"`{name}`" for model in of for name in model.classes)
        about, count = of[0].about, [*configs().values()].count(page(key))
        rows.append(f"| [{about['title']}]({Path(page(key)).name}) | {about['authors']}, {about['year']} | {names} | {count} |")
    return "\n".join(["# Papers", "", "| paper | by | models | configs |", "|---|---|---|---|", *rows])


def pages() -> dict[str, str]:
    """Every page's text by its name."""
    documents = {f"{file.stem}.md": f"docs/{file.name}" for file in sorted((ROOT / "docs").glob("*.md"))}
    documents |= {"data.md": "data/README.md", "contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}
    others = [about_config(name) for name, where in configs().items() if where == "other_configs.md"]
    about = "Classifiers that samples are measured by, encoders of captions, and cuts of datasets."
    found = {
        **guide(),
        **{name: moved((ROOT / source).read_text(), source, name) for name, source in documents.items()},
        "commands.md": commands(),
        "papers/index.md": overview(),
        **{page(key): paper(key) for key in papers()},
        "other_configs.md": "\n\n".join(["# Other configs", about, "## Configs", *others]),
        **results(),
        **reference(),
    }
    return _with_contents(found, [name for name in documents if name not in ("data.md", "contributing.md", "changelog.md")])


def _with_contents(found: dict[str, str], documents: list[str]) -> dict[str, str]:
    """With the lists of the pages in the margin: those in a folder below its index, all others below the first page."""
    short = {page(key): f"{of[0].classes[0]} <{of[0].name}>" for key, of in papers().items()}
    lists = {}
    for folder in ("papers", "results", "api"):
        below = [name for name in found if name.startswith(f"{folder}/") and not name.endswith("/index.md")]
        lists[f"{folder}/index.md"] = _contents([short.get(name, Path(name).name) for name in below])
    titles = {"index.md": "Getting started <self>", "metrics.md": "Metrics <metrics>"}
    lists["index.md"] = "".join(
        [
            _contents([*(titles.get(name, name) for name in guide()), "data.md", "commands.md"], "Guide"),
            _contents(["papers/index.md", "other_configs.md"], "Papers"),
            _contents([*documents, "results/index.md"], "What came out"),
            _contents(["api/index.md", "contributing.md", "changelog.md"], "Reference"),
        ]
    )
    return found | {name: found[name] + text for name, text in lists.items()}


def _contents(entries: list[str], caption: str = "") -> str:
    options = [":hidden:", *([f":caption: {caption}"] if caption else [])]
    return "\n".join(["", "", "```{toctree}", *options, "", *entries, "```", ""])


def write(folder: Path) -> None:
    """Write the pages and pictures, those that have changed: Sphinx reads only these again."""
    made = {folder / name: text.encode() for name, text in pages().items()}
    pictures = [file for file in (ROOT / "docs").iterdir() if file.suffix in PICTURES]
    made |= {folder / "pictures" / file.name: file.read_bytes() for file in pictures}
    for file, content in made.items():
        if not file.is_file() or file.read_bytes() != content:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    for file in folder.rglob("*.*"):
        if file not in made:
            file.unlink()


def build(folder: Path) -> int:
    """Make the site in a folder; gives the status of Sphinx, for which a warning is an error."""
    from sphinx.cmd.build import main

    write(folder / "pages")
    strict = ["--quiet", "--fail-on-warning", "--keep-going", "--write-all"]  # for each names the others in its margin
    places = ["--conf-dir", ROOT / "docs", "--doctree-dir", folder / "read", folder / "pages", folder / "html"]
    return main([*strict, *map(str, places)])


if __name__ == "__main__":
    to = ROOT / "docs" / "_build"
    status = build(to)
    sys.stdout.write(f"The site is {to / 'html' / 'index.html'}\n" if not status else "")
    sys.exit(status)
