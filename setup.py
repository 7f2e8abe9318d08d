"""What pyproject.toml cannot say: configs and results are installed within the package, links work outside the repository."""

import re
import tomllib
from pathlib import Path

from setuptools import find_packages, setup

CONFIGS = {"lightning_gans.configs": "configs", "lightning_gans.configs.data": "configs/data"}
RESULTS = {"lightning_gans.results": "docs/results"}
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:)([^)#]+)\)")


def description() -> str:
    """The README with absolute links; without links to files where pyproject.toml does not say where the repository is."""
    urls = tomllib.loads(Path("pyproject.toml").read_text())["project"].get("urls", {})
    if "Repository" in urls:
        whole = rf"\1[\2]({urls['Repository']}/raw/main/\3)"
        return LINK.sub(whole, Path("README.md").read_text())
    return LINK.sub(lambda link: "" if link[1] else link[2], Path("README.md").read_text())


setup(
    long_description=description(),
    long_description_content_type="text/markdown",
    packages=[*find_packages(include=["lightning_gans", "lightning_gans.*"]), *CONFIGS, *RESULTS],
    package_dir=CONFIGS | RESULTS,
    package_data={
        "lightning_gans": ["py.typed"],
        "lightning_gans.evaluation.features": ["trained/*.safetensors"],
        "lightning_gans.explore": ["static/*"],
        "lightning_gans.report": ["page.*"],
        "lightning_gans.tables": ["*.yaml"],
        **{package: ["*.yaml"] for package in CONFIGS},
        **{package: ["*.jsonl"] for package in RESULTS},
    },
)
