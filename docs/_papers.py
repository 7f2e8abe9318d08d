"""A page of the site for each paper: its models' docstrings and code, its pictures, the comments of its configs, its tables."""

from __future__ import annotations

import ast
import html
import itertools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lightning_gans"
PICTURES = (".png", ".gif", ".jpg", ".svg", ".webp")
COMMAND = re.compile(  # within a sentence
    r"""lightning\ [a-z]+(?:-[a-z]+)?\b(?:\ (?!and\b|or\b|of\b)[a-z]\w*)?
        (?:\ --[\w.+-]+(?:\ (?:"[^"]*"|'[^']*'|[\w./\[\]]*\w))?(?:(?:\ (?!and\b|or\b)\w+)+(?=\ --))?)*""",
    re.VERBOSE,
)
_SETTING = r"""--[a-z][\w.]+(?:\ (?:'[^']*'|"[^"]*"|(?!and\b|or\b|is\b)[\w./-]*\w))?"""
_CODE = re.compile(rf"`[^`]+`|{COMMAND.pattern}|{_SETTING}|(?<![/\w.])[a-z0-9]+(?:_[a-z0-9]+)+\b(?!\.\w|[/:])", re.VERBOSE)
_PARAGRAPH = re.compile(r"(?:^|\n)(?=(?:Published|Measured)\b)|(?<=FILE)\n(?=[A-Z])")
_PAPER = re.compile(r"(?P<title>.+?) \((?P<authors>[^()]+), (?P<year>\d{4})(?P<part>, sections? [^)]+)?\)")
_LINK = re.compile(r"(!?\[[^\]]*\])\((?!https?:|#|mailto:)([^)\s#]+)(#[^)]*)?\)")
_NOT_PROSE = re.compile(r"(^```.*?^```$|^ {4}.*?$|^#.*?$|<!--.*?-->)", re.MULTILINE | re.DOTALL)
_TABLE = re.compile(r"<!-- lightning table (\S+) --budget \S+ -->\n.*?<!-- end of table -->\n", re.DOTALL)


@dataclass(frozen=True)
class Model:
    """A module of ``lightning_gans.papers``.

    Args:
        name: of the module.
        about: what the first line of its docstring says.
        classes: the public ones, by name.
        code: of each class by name, and of the module's functions by an empty name: how it trains, without how it is set up.
    """

    name: str
    about: re.Match[str]
    classes: list[str]
    code: dict[str, str]

    @property
    def key(self) -> str:
        """First author and year, which tell papers apart."""
        return f"{re.split(r',| and | et ', self.about['authors'])[0]} {self.about['year']}"


@cache
def models() -> list[Model]:
    """All of them, by module."""
    return [_model(file) for file in sorted((PACKAGE / "papers").glob("[a-z]*.py"))]


def _model(file: Path) -> Model:
    text = file.read_text()
    tree = ast.parse(text)
    about = _PAPER.match(ast.get_docstring(tree) or "")
    if about is None:
        raise ValueError(f'{file} begins with no line such as """Title (Author, 2018).""", by which its page is found')
    classes = [part for part in tree.body if isinstance(part, ast.ClassDef) and not part.name.startswith("_")]
    code = {part.name: _functions(text, part.body) for part in classes}
    return Model(file.stem, about, list(code), {**code, "": _functions(text, tree.body)})


def _functions(text: str, body: list[ast.stmt]) -> str:
    """The code of functions, but for the start of objects."""
    lines, parts = text.splitlines(), []
    for part in body:
        if isinstance(part, ast.FunctionDef) and part.name != "__init__":
            first = min([part.lineno, *(decorator.lineno for decorator in part.decorator_list)])
            parts.append("\n".join(line[part.col_offset :] for line in lines[first - 1 : part.end_lineno]))
    return "\n\n".join(parts)


@cache
def papers() -> dict[str, list[Model]]:
    """The modules of each paper by its key, the main one first; papers by the name of that."""
    found: dict[str, list[Model]] = {}
    for model in models():
        found.setdefault(model.key, []).append(model)
    ordered = {
        key: sorted(of, key=lambda model: (model.about["part"] is not None, len(model.name))) for key, of in found.items()
    }
    return dict(sorted(ordered.items(), key=lambda paper: paper[1][0].name))


@cache
def configs() -> dict[str, str]:
    """The page of each config by its name: that of its model, or of what is no experiment."""
    of = {name: page(key) for key, paper in papers().items() for model in paper for name in model.classes}
    settings = {file: yaml.safe_load(file.read_text()) for file in sorted((ROOT / "configs").rglob("*.yaml"))}
    names = {file: file.relative_to(ROOT / "configs").with_suffix("").as_posix() for file in settings}
    classes = {
        names[file]: of_file.get("model", {}).get("class_path", "").rpartition(".")[2] for file, of_file in settings.items()
    }
    return {name: of.get(model, "other_configs.md") for name, model in classes.items()}


def page(key: str) -> str:
    """Of a paper."""
    return f"papers/{papers()[key][0].name}.md"


def sections(text: str) -> dict[str, str]:
    """The parts of a document by their headings of the second level; what comes before them by an empty one."""
    begin, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    return {"": begin} | {part.partition("\n")[0]: part.partition("\n")[2] for part in parts}


def moved(text: str, source: str, to: str) -> str:
    """A document's text with its links as they are on the site, and with links from names of models and configs to their pages.

    Args:
        text: in Markdown.
        source: the document, from the root of the repository.
        to: its page.
    """
    places = {"README.md": "index.md", "data/README.md": "data.md", "docs/results": "results/index.md"}

    def place(link: re.Match[str]) -> str:
        target = os.path.normpath(Path(source).parent / link[2])
        target = places.get(target, target.removeprefix("docs/"))
        if target.endswith((".md", ".txt")):
            target = str(Path(target.lower()).with_suffix(".md"))
        elif Path(target).suffix in PICTURES:
            target = f"pictures/{target}"
        return f"{link[1]}({os.path.relpath(target, Path(to).parent)}{link[3] or ''})"

    def name(code: re.Match[str]) -> str:
        known = code[1].removeprefix("lightning_gans.")
        if known in configs():
            return f"[{code[0]}]({os.path.relpath(configs()[known], Path(to).parent)}#{known.replace('/', '')})"
        return f"{{py:obj}}`{known} <lightning_gans.{known}>`" if known in names else code[0]

    names = {name for model in models() for name in model.classes}
    parts = _NOT_PROSE.split(_LINK.sub(place, text))
    return "".join(part if number % 2 else re.sub(r"(?<!\[)`([\w./]+)`", name, part) for number, part in enumerate(parts))


def about_config(name: str) -> str:
    """A config as a part of a page: its command, what its first comment says, and all of it to be unfolded."""
    text = (ROOT / "configs" / f"{name}.yaml").read_text()
    lines = [line[2:] for line in itertools.takewhile(lambda line: line.startswith("# "), text.splitlines())]
    command = f"lightning fit --config {name}"
    if lines[0].startswith("lightning "):
        command, *lines = lines
    elif "/" in name:
        command = ""
    said = _PARAGRAPH.sub("\n\n", "\n".join(lines)).strip().split("\n\n")
    whole = f"<details><summary>configs/{name}.yaml</summary>\n\n```yaml\n{text}```\n\n</details>"
    paragraphs = [_sentences(each, configs()[name]) for each in said]
    return "\n\n".join(filter(None, [f"### {name}", command and f"    {command}", *paragraphs, whole]))


def _sentences(text: str, to: str) -> str:
    """Plain text as a paragraph of a page, with commands, settings, names and what stands in backticks as code."""

    def code(found: re.Match[str]) -> str:
        said = found[0].strip("`")
        if said not in configs():
            return f'<code class="literal">{said}</code>'
        place = os.path.relpath(Path(configs()[said]).with_suffix(".html"), Path(to).parent)
        return f'<a href="{place}#{said.replace("_", "-")}"><code class="literal">{said}</code></a>'

    return f"<p>{_CODE.sub(code, html.escape(' '.join(text.split()), quote=False))}</p>"


@cache
def tables() -> dict[str, dict[str, Any]]:
    """The files of the papers' tables, by name."""
    return {file.stem: yaml.safe_load(file.read_text()) for file in sorted((PACKAGE / "tables").glob("*.yaml"))}


def table_of(name: str) -> str | None:
    """The paper that a table is from, none where that is not here."""
    source = re.search(r"([A-Z][\w-]+)[^;()]*\((\d{4})\)", tables()[name]["source"])
    key = f"{source[1]} {source[2]}" if source else ""
    return key if key in papers() else None


def picture_of(section: str) -> str | None:
    """The page of a part of the gallery: that of the first config, or of the table's paper, in its commands."""
    for kind, name in re.findall(r"(--config|lightning table) (\w+)", section):
        if kind == "--config" and name in configs():
            return configs()[name]
        if kind != "--config" and name in tables() and (key := table_of(name)):
            return page(key)
    return None


def documented(what: str, *options: str) -> str:
    """A directive of autodoc in Markdown."""
    return "\n".join(["```{eval-rst}", f".. {what}", *(f"   :{option}:" for option in options), "```"])


def paper(key: str) -> str:
    """The page of a paper."""
    to, of = page(key), papers()[key]
    about = of[0].about
    parts = [f"# {about['title']}", f"{about['authors']}, {about['year']}"]
    for model in of:
        for name in model.classes:
            parts += [f"## {name}", documented(f"autoclass:: lightning_gans.{name}")]
            code = [model.code[name], model.code[""] if name == model.classes[-1] else ""]
            if any(code):
                parts += [f"How it trains, in `lightning_gans/papers/{model.name}.py`:"]
                parts += ["```python\n" + "\n\n\n".join(filter(None, code)) + "\n```"]
    gallery = sections((ROOT / "docs" / "gallery.md").read_text())
    drawn = {title: text for title, text in gallery.items() if title and picture_of(text) == to}
    beside = [f"![](../pictures/{file.name})" for file in (ROOT / "docs").glob(f"{of[0].name}_*.png")]
    if drawn or beside:
        parts.append("## Pictures")
        parts += [f"### {title}\n{moved(text, 'docs/gallery.md', to)}" for title, text in drawn.items()]
        parts += ["What they show, and of what, is in the [gallery](../gallery.md).", *sorted(beside)] if not drawn else []
    parts += ["## Experiments", *(about_config(name) for name, where in configs().items() if where == to)]
    return "\n\n".join([*parts, *_tables(key)])


def _tables(key: str) -> Iterator[str]:
    """A paper's own tables, and which others it has a row in."""
    to, shown = page(key), {}
    for block in _TABLE.finditer((ROOT / "docs" / "tables.md").read_text()):
        shown[block[1]] = f"{shown.get(block[1], '')}\n{block[0]}"
    own = [name for name in tables() if table_of(name) == key]
    rows = {
        name: [row for row, of in table["rows"].items() if configs().get(of.get("config")) == to]
        for name, table in tables().items()
    }
    others = {name: of for name, of in rows.items() if of and name not in own}
    none = "\nNo finished run of it comes with the package: the command trains them, and says first how long that will take."
    if own or others:
        yield "## Tables"
    for name in own:
        source = tables()[name]["source"]
        yield f"### {tables()[name]['title']}\n\n{source}\n\n    lightning table {name}\n{shown.get(name, none)}"
    for name, of in others.items():
        home = table_of(name)
        title = (
            f"[{tables()[name]['title']}]({os.path.relpath(page(home), 'papers')}#tables)" if home else tables()[name]["title"]
        )
        yield f"In {title}, `lightning table {name}`: {', '.join(of)}."
