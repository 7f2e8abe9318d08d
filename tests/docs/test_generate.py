"""How the pages of the site are made of the files that there are."""

from __future__ import annotations

import importlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightning_gans.tables.table import table_names
from tests.docs.pages import ROOT, generate, papers

CACHED = ("models", "papers", "configs", "tables")


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A repository with what pages are made of, to be changed."""
    for part in ("configs", "docs/results", "lightning_gans/papers", "lightning_gans/tables"):
        shutil.copytree(ROOT / part, tmp_path / part)
    for file in ("README.md", "docs/gallery.md", "docs/tables.md"):
        shutil.copy(ROOT / file, tmp_path / file)
    for module in (papers, generate):
        monkeypatch.setattr(module, "ROOT", tmp_path)
        monkeypatch.setattr(module, "PACKAGE", tmp_path / "lightning_gans")
    for name in CACHED:
        getattr(papers, name).cache_clear()
    yield tmp_path
    for name in CACHED:
        getattr(papers, name).cache_clear()


def test_modules_of_one_paper_are_on_one_page_the_main_one_first() -> None:
    names = {key: [model.name for model in of] for key, of in papers.papers().items()}
    assert names["Tran 2018"] == ["gaan", "dist_gan", "gaan_printed"]
    assert names["Dumoulin 2017"][0] == "ali"
    assert names["Che 2017"][0] == "mdgan"
    assert papers.page("Barta 2017") == "papers/sae.md"


def test_a_new_paper_and_its_config_get_a_page(copy: Path) -> None:
    (copy / "lightning_gans" / "papers" / "new_gan.py").write_text(
        '"""A New GAN (Somebody and Else, 2031)."""\n\n\nclass NewGAN(Game):\n    """New."""\n\n'
        "    def __init__(self):\n        self.a = 1\n\n    @property\n    def step(self):  # Eqn. 1\n        return 2\n"
    )
    (copy / "configs" / "new_gan_grid25.yaml").write_text(
        "# A new GAN on the grid.\n# Published: 3 <modes>.\nmodel:\n  class_path: lightning_gans.NewGAN\n"
    )
    assert papers.configs()["new_gan_grid25"] == "papers/new_gan.md"
    page = papers.paper("Somebody 2031")
    assert page.startswith("# A New GAN\n\nSomebody and Else, 2031\n")
    assert ".. autoclass:: lightning_gans.NewGAN" in page
    assert "```python\n@property\ndef step(self):  # Eqn. 1\n    return 2\n```" in page
    assert (
        "    lightning fit --config new_gan_grid25\n\n<p>A new GAN on the grid.</p>\n\n<p>Published: 3 &lt;modes&gt;.</p>"
        in page
    )
    assert "[A New GAN](new_gan.md) | Somebody and Else, 2031 | `NewGAN` | 1 |" in generate.overview()


def test_a_paper_that_does_not_say_whose_it_is_is_refused(copy: Path) -> None:
    (copy / "lightning_gans" / "papers" / "new_gan.py").write_text('"""A GAN."""\n')
    with pytest.raises(ValueError, match=r"new_gan\.py begins with no line"):
        papers.models()


def test_a_new_section_of_the_readme_is_a_page_of_its_own(copy: Path) -> None:
    with open(copy / "README.md", "a") as readme:
        readme.write("\n## What's new?\n\nSee [the gallery](docs/gallery.md).\n")
    assert generate.guide()["what_s_new.md"] == "# What's new?\n\nSee [the gallery](gallery.md).\n"
    assert "## Train" in generate.guide()["index.md"]


@pytest.mark.parametrize(
    ("text", "source", "to", "said"),
    [
        ("[a](docs/tables.md)", "README.md", "index.md", "[a](tables.md)"),
        ("[a](docs/results/aae.txt)", "README.md", "index.md", "[a](results/aae.md)"),
        ("[a](results)", "docs/tables.md", "tables.md", "[a](results/index.md)"),
        ("![](vae_mnist.png)", "docs/gallery.md", "papers/vae.md", "![](../pictures/vae_mnist.png)"),
        ("[a](https://example.org/a.md)", "README.md", "index.md", "[a](https://example.org/a.md)"),
        ("by `vae_mnist`", "README.md", "index.md", "by [`vae_mnist`](papers/vae.md#vae_mnist)"),
        ("by `VAE`, `Nothing`", "README.md", "index.md", "by {py:obj}`VAE <lightning_gans.VAE>`, `Nothing`"),
        ("# `VAE`\n\n    `VAE`\n", "README.md", "index.md", "# `VAE`\n\n    `VAE`\n"),
    ],
)
def test_links_lead_to_where_it_is_on_the_site(text: str, source: str, to: str, said: str) -> None:
    assert papers.moved(text, source, to) == said


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("first: lightning fit --config gan_toy_grid25, or another", ["lightning fit --config gan_toy_grid25"]),
        (
            "lightning probe knn --layers hidden2 --ckpt_path FILE and lightning probe knn --ckpt_path FILE",
            ["lightning probe knn --layers hidden2 --ckpt_path FILE", "lightning probe knn --ckpt_path FILE"],
        ),
        ("lightning probe svm --layers a1 a2 out --data.root x --ckpt_path FILE.", None),
        ('lightning figure captions --text "pink hair" --text "red" --along --ckpt_path FILE.', None),
        ("lightning figure blurring of both.", ["lightning figure blurring"]),
        ("as lightning strikes", ["lightning strikes"]),
    ],
)
def test_commands_are_found_within_sentences(text: str, found: list[str] | None) -> None:
    assert [command[0] for command in papers.COMMAND.finditer(text)] == (found or [text.removesuffix(".")])


def test_a_config_that_is_no_experiment_shows_its_own_command() -> None:
    page = papers.about_config("classifier_mnist")
    assert "    lightning classifier --config classifier_mnist\n" in page
    assert "lightning fit" not in page
    assert "    lightning" not in papers.about_config("data/lsun_bedroom")


def test_each_table_is_of_a_paper_that_is_there() -> None:
    assert {*papers.tables()} == {*table_names()}
    assert papers.table_of("gaan_2") == "Tran 2018"
    assert papers.table_of("sae_stability") == "Barta 2017"
    assert "lightning table gaan_2\n\n<!-- lightning table gaan_2 --budget short -->" in papers.paper("Tran 2018")
    assert "lightning table sae_stability\n\nNo finished run" in papers.paper("Barta 2017")
    assert all(papers.table_of(name) for name in papers.tables())


def test_each_part_of_the_gallery_is_on_the_page_of_its_paper() -> None:
    parts = papers.sections((ROOT / "docs" / "gallery.md").read_text())
    assert {papers.picture_of(text) for title, text in parts.items() if title.startswith("ALI")} == {"papers/ali.md"}
    assert all(papers.picture_of(text) for title, text in parts.items() if title)
    assert "## Pictures" in papers.paper("Radford 2016")  # in a part of another's


def test_docstrings_of_the_house_are_read_as_they_are_meant() -> None:
    as_rst = importlib.import_module("conf").as_rst
    said = as_rst(
        [
            "G, by ``VAE`` and E*:",
            "",
            "    min |x|_2",
            "",
            "``x_``, z_",
            "",
            "Args:",
            "    k: K.",
            "",
            "    **game: a*b",
            "",
            "    p: see",
        ]
    )
    assert said[0] == r"G, by :py:obj:`VAE <lightning_gans.papers.vae.VAE>` and E\*:"
    assert said[1:5] == ["", "::", "", "    min |x|_2"]
    assert said[6] == r"``x_``, z\_"
    assert said[9] == r"    k: \K."
    assert said[11:] == [r"    \*\*game: a\*b", "", "    p: see"]


def test_what_has_not_changed_is_not_written_again(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "pages", lambda: {"a.md": "a", "b/c.md": "c"})
    generate.write(tmp_path / "made")
    (tmp_path / "made" / "old.md").write_text("")
    before = (tmp_path / "made" / "a.md").stat().st_mtime_ns
    generate.write(tmp_path / "made")
    assert (tmp_path / "made" / "a.md").stat().st_mtime_ns == before
    assert not (tmp_path / "made" / "old.md").exists()


def test_the_makefile_says_where_the_site_is() -> None:
    assert re.search(r"^docs: .*## .*$\n.*docs/_generate\.py", (ROOT / "Makefile").read_text(), re.MULTILINE)
