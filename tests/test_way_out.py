"""Whatever happens, a command ends with one sentence and a status."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

import pytest

from lightning_gans import InputError, way_out
from lightning_gans.errors import NonFiniteError
from lightning_gans.randomness import keyed_generator


def ended(error: BaseException, capsys: pytest.CaptureFixture[str], doing: str = "") -> tuple[int, str, str]:
    """The status, the sentence and all of stderr where a command raises."""
    if doing:
        way_out.note(error, doing)
    with pytest.raises(SystemExit) as stopped, way_out.one_way_out():
        raise error
    said = capsys.readouterr().err
    (sentence,) = re.findall(r"^lightning: error: (.*)$", said, re.MULTILINE)
    return int(str(stopped.value.code)), sentence, said


def raised(source: str, file: str) -> BaseException:
    """What the code of a file raises."""
    try:
        exec(compile(source, file, "exec"), {"call": keyed_generator})
    except Exception as error:
        return error
    raise AssertionError


def test_what_the_user_can_mend_has_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(InputError("set x"), capsys)[:2] == (2, "set x")
    assert ended(NonFiniteError("it is not finite"), capsys)[:2] == (1, "it is not finite")
    assert ended(FileNotFoundError(2, "No such file", "x"), capsys, "packing")[:2] == (2, "No such file: x while packing")


def test_a_refusal_that_others_wrapped_is_heard(capsys: pytest.CaptureFixture[str]) -> None:
    wrapped = ValueError("prose")
    wrapped.__cause__ = InputError("set x")
    assert ended(wrapped, capsys)[:2] == (2, "set x")


def test_ones_own_code_is_told_by_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    error = raised("def loss():\n    {}['lost']\nloss()", "/home/me/my_paper.py")
    status, sentence, _ = ended(error, capsys, "training Mine at step 3")
    assert status == 1
    assert sentence.startswith("line 2 of my_paper.py (loss) raised KeyError: 'lost' while training Mine at step 3; ")


def test_a_defect_of_ours_is_called_one(capsys: pytest.CaptureFixture[str]) -> None:
    error = raised("call(device=[])", "/home/me/script.py")
    _, sentence, said = ended(error, capsys)
    assert "this is a defect of lightning-gans, please report it: TypeError" in sentence
    assert "lightning_gans/randomness.py (keyed_generator)" in sentence
    assert "Traceback" not in said


def test_memory_that_is_too_small_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    for error in (MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes")):
        assert "the memory is too small while packing; lower" in ended(error, capsys, "packing")[1]


def test_the_trace_is_kept_and_shown_on_demand(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    error = raised("1 / 0", "/home/me/script.py")
    sentence = ended(error, capsys)[1]
    file = Path(sentence.partition("the full trace is in ")[2].partition(",")[0])
    assert file.read_text() == "".join(traceback.format_exception(error))
    file.unlink()
    monkeypatch.setenv("LIGHTNING_GANS_DEBUG", "")
    assert way_out.without_debug(["fit", "--debug", "--x=1"]) == ["fit", "--x=1"]
    assert "ZeroDivisionError: division by zero\n" in ended(error, capsys)[2]


def test_other_ranks_leave_it_to_the_first(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    with pytest.raises(SystemExit), way_out.one_way_out():
        raise InputError("set x")
    assert capsys.readouterr().err == ""
