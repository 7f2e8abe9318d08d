"""Inception weights that several files here test with, written once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.evaluation.random_inception import write_random_weights


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_weights(tmp_path_factory.mktemp("weights") / "whole.pth")


@pytest.fixture(scope="session")
def stem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Only what layer 64 needs."""
    return write_random_weights(tmp_path_factory.mktemp("weights") / "stem.pth", layer=64)
