"""Configs that are none, and numbers that are none."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from lightning_gans import InputError
from lightning_gans.config_files import check_numbers, nested, parse_config, read_config

DOUBLING = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\x00\xff\xfe binary", "binary"),
        (b"[" * 3000, "nested too deeply"),
        (b"a: " + b"[" * 200 + b"]" * 200, "nested too deeply"),
        (b"- 1\n- 2", "no settings by name"),
        (b"1: 2", "no settings by name"),
        (b"a: [", "not a YAML file"),
        (b"a: 2001-99-99", "not a YAML file"),
        (DOUBLING.encode(), "repeats itself"),
        (b"a: &a [*a]", "nested too deeply"),
        (b"x" * (1 << 20) + b"x", "too long"),
    ],
)
def test_a_file_that_is_no_config_is_refused(content: bytes, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_bytes(content)
    with pytest.raises(InputError, match=sentence) as refused:
        read_config(file)
    assert "c.yaml" in str(refused.value)


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(InputError, match="is no file"):
            read_config(place)


def test_a_config_is_read(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("a: &a {b: 1}\nc: *a")
    assert read_config(tmp_path / "c.yaml") == {"a": {"b": 1}, "c": {"b": 1}}
    with pytest.raises(InputError, match="is not a YAML text, but int"):
        parse_config(7, "it")


def test_text_in_text_is_found() -> None:
    assert {"evil.A", "deep.B"} <= {*nested({"model": "{class_path: evil.A, init_args: '{x: deep.B}'}"})}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e19, 10**20, -(10**19)])
def test_numbers_that_nobody_computes_with_are_named(value: Any) -> None:
    check_numbers(Namespace(a=[1.0, True, None], b={"c": 1e17, "d": "nan"}))
    with pytest.raises(InputError, match=r"model\.prior\.std\[1\] is"):
        check_numbers(Namespace(model=Namespace(init_args=Namespace(prior={"init_args": {"std": [1.0, value]}}))))
