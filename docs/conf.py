"""Settings of Sphinx for the pages that ``_generate.py`` makes, and how it reads the docstrings of the house."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import lightning_gans

project = "lightning-gans"
author = "The lightning-gans authors"
version = lightning_gans.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
html_theme = "furo"
html_title = "lightning-gans"
html_show_sphinx = False
html_show_copyright = False
html_show_sourcelink = False
html_use_index = html_domain_indices = False
html_copy_source = False
html_static_path = [str(Path(__file__).parent / "_static")]
html_css_files = ["style.css"]
highlight_language = "none"  # of what is indented: formulas and commands
myst_heading_anchors = 3
python_use_unqualified_type_names = True
add_module_names = False
autodoc_class_signature = "mixed"
autodoc_inherit_docstrings = False
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
napoleon_use_rtype = False

_CODE = re.compile(r"(``.+?``)", re.DOTALL)
_NAME = re.compile(r"``(?:lightning_gans\.)?([A-Z]\w+)``")
_MARK = re.compile(r"[*|\\]|_(?!\w)|(?<!`)`(?!`)|(?<=: )(?=\w[.)](?:\s|$))")
_SECTION = re.compile(r"(Args|Raises|Returns|Yields|Attributes|Note|Example):$")


def as_rst(lines: list[str]) -> list[str]:
    """A docstring's lines, plain text with ``code``, as reStructuredText: what is indented after an empty line is literal.

    Sections such as ``Args`` are left to Napoleon, but for what their words would mean as markup.
    """
    text = "\n".join(lines)
    parts = enumerate(_CODE.split(text))
    plain = "".join(_NAME.sub(_reference, part) if number % 2 else _MARK.sub(r"\\\g<0>", part) for number, part in parts)
    made: list[str] = []
    literal = section = False
    for (before, raw), line in zip(pairwise(["x", *lines]), plain.split("\n"), strict=True):
        if raw.strip() and not raw.startswith(" "):
            literal, section = False, bool(_SECTION.match(raw))
        elif raw.startswith(" ") and not before.strip() and not literal and not section:
            literal = True
            made += ["::", ""]
        made.append(raw if literal else line)
    return made


def _reference(code: re.Match[str]) -> str:
    """Code that names what ``lightning_gans`` offers, as a link to it."""
    item = getattr(lightning_gans, code[1], None)
    return f":py:obj:`{code[1]} <{item.__module__}.{code[1]}>`" if item is not None else code[0]


def setup(app: Any) -> None:
    """Before Napoleon, which has the priority 500."""
    app.connect("autodoc-process-docstring", lambda *event: event[-1].__setitem__(slice(None), as_rst(event[-1])), priority=400)
