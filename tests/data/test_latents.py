"""Latents of one's own, in files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lightning_gans import Images, InputError
from lightning_gans.data.latents import as_conditions, as_lists, read_latents, shortest
from tests.figures.test_attributes import Faces
from tests.figures.test_captions import LONGEST, ByName, Captioned


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Images:
    data = Images("digits", root=str(tmp_path_factory.mktemp("digits")))
    data.prepare_data()
    data.setup("validate")
    return data


def written(folder: Path, content: Any) -> Path:
    file = folder / "z.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def test_json_and_npz_are_read_alike(digits: Images, tmp_path: Path) -> None:
    rows, labels = [[0.1, -2.0, 3.0], [1e-7, 5.0, 6.5]], [3, 9]
    np.savez(tmp_path / "z.npz", latents=np.array(rows, np.float32), labels=np.array(labels))
    for file in (written(tmp_path, {"latents": rows, "labels": labels, "said": "by me"}), tmp_path / "z.npz"):
        given = read_latents(file, digits)
        assert torch.equal(given.of(torch.tensor([1]), 3), torch.tensor(rows[1:]))
        condition = given.conditions_for(torch.tensor([1, 0]), digits)
        assert torch.equal(condition, torch.tensor([9, 3]))  # type: ignore[arg-type]


def test_what_the_file_does_not_say_is_that_of_test_samples(digits: Images, tmp_path: Path) -> None:
    numbers = torch.tensor([1, 0])
    given = read_latents(written(tmp_path, {"latents": [[1.0], [2]]}), digits)
    assert torch.equal(given.conditions_for(numbers, digits), digits.labels("test")[numbers])  # type: ignore[arg-type,index]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", r"z\.json cannot be read \(.*\); write \{\"latents\""),
        ([[1, 2]], "no rows of finite numbers in latents"),
        ({"latents": [1, 2]}, "no rows of finite numbers"),
        ({"latents": [[1], [2, 3]]}, "no rows of finite numbers"),
        ({"latents": [[]]}, "no rows of finite numbers"),
        ({"latents": [["a"]]}, "no rows of finite numbers"),
        ({"latents": [[True]]}, "no rows of finite numbers"),
        ('{"latents": [[NaN]]}', "no rows of finite numbers"),
        ({"latents": [[1e50]]}, "no rows of finite numbers"),
        ({"latents": [[1]], "labels": 3}, "needs a list of 1 labels, one a latent"),
        ({"latents": [[1]], "labels": [3, 4]}, "needs a list of 1 labels"),
        ({"latents": [[1]], "labels": [10]}, "other labels than whole numbers from 0 to 9"),
        ({"latents": [[1]], "labels": [1.5]}, "other labels than"),
        ({"latents": [[1]], "captions": ["a"]}, "says captions, but digits comes with labels; leave them out"),
    ],
)
def test_other_files_are_refused(content: Any, sentence: str, digits: Images, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=sentence):
        read_latents(written(tmp_path, content), digits)


def test_files_that_are_not_there_or_no_npz_are_refused(digits: Images, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no file .*data\.latents names a \.json or \.npz"):
        read_latents(tmp_path / "other.json", digits)
    (tmp_path / "z.npz").write_bytes(b"PK no archive")
    with pytest.raises(InputError, match=r"z\.npz cannot be read"):
        read_latents(tmp_path / "z.npz", digits)
    np.savez(tmp_path / "z.npz", latents=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match=r"z\.npz cannot be read"):  # pickled, which could run any code
        read_latents(tmp_path / "z.npz", digits)


def test_a_model_of_other_latents_refuses_them(digits: Images, tmp_path: Path) -> None:
    given = read_latents(written(tmp_path, {"latents": [[1.0, 2.0]]}), digits)
    with pytest.raises(InputError, match=r"z\.json has latents of 2 numbers, but those of the model have 3"):
        given.of(torch.tensor([0]), 3)


def test_captions_and_attributes_go_there_and_back() -> None:
    kinds = {"captions": ["blue hair", "ähnlich"]}
    codes = as_conditions(kinds, 2, Captioned())["captions"]
    assert codes.shape == (2, LONGEST)
    plain = type("Data", (), {"condition_name": "captions"})
    assert as_lists(codes, plain) == kinds
    assert as_lists({"captions": codes, "labels": torch.tensor([1, 2])}, ByName()) == {**kinds, "labels": [1, 2]}
    assert as_lists(None, plain) == {}
    has = as_conditions({"attributes": [[0, 1, 1]]}, 1, Faces())["attributes"]
    assert has.tolist() == [[0, 1, 1]]
    assert has.is_floating_point()
    assert as_lists(has, Faces()) == {"attributes": [[0, 1, 1]]}
    for wrong in ([[0, 1]], [[0, 1, 2]], [["a", "b", "c"]]):
        with pytest.raises(InputError, match="other attributes than rows of 3 zeros and ones"):
            as_conditions({"attributes": wrong}, 1, Faces())
    for caption in ("", " ", 3):
        with pytest.raises(InputError, match=r"a caption in the latent is empty; write a caption|captions that are no texts"):
            as_conditions({"captions": [caption]}, 1, Captioned())


def test_short_numbers_give_the_same_floats_again() -> None:
    z = torch.randn(100, 100) * torch.logspace(-30, 30, 100)
    assert torch.equal(torch.tensor(json.loads(json.dumps(shortest(z)))), z)
    assert shortest(torch.tensor([[0.1]])) == [[0.1]]
