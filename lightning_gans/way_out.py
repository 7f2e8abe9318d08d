"""The one way out of a command: a sentence and a status, whatever happened, and never a traceback."""

from __future__ import annotations

import os
import site
import sys
import sysconfig
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from lightning_gans import messages
from lightning_gans.errors import InputError, NonFiniteError

DEBUG = "--debug"
"""Prints the full trace, too."""

_open = False
_IN_ENVIRONMENT = "LIGHTNING_GANS_DEBUG"  # so that processes of other ranks know
_PACKAGE = Path(__file__).parent
# Where Python and what is installed lie; what is elsewhere is the user's own
_LIBRARIES = tuple({sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), *site.getsitepackages(), "<frozen"})
# What nobody's settings should lead to
_DEFECTS = (AttributeError, LookupError, NameError, TypeError, AssertionError, NotImplementedError, RecursionError)
# Every error of a library comes through these
_PASSED_THROUGH = tuple(_PACKAGE / f"{name}.py" for name in ("__main__", "cli", "command_line", "way_out"))
_NO_MEMORY = ("can't allocate memory", "out of memory", "not enough memory", "Unable to allocate")


def without_debug(args: Sequence[str]) -> list[str]:
    """The arguments without ``--debug``, which is noted for this process and those that it starts."""
    if DEBUG in args:
        os.environ[_IN_ENVIRONMENT] = "1"
    return [arg for arg in args if arg != DEBUG]


def note(error: BaseException, doing: str) -> None:
    """Remember what was being done when an error came; the first to say so knows best."""
    if not hasattr(error, "_doing"):
        error._doing = doing  # type: ignore[attr-defined]


@contextmanager
def while_doing(what: str) -> Iterator[None]:
    """Errors in the block are noted to have come while doing ``what``."""
    try:
        yield
    except Exception as error:
        note(error, what)
        raise


@contextmanager
def one_way_out() -> Iterator[None]:
    """Whatever is raised in the block ends the process with a sentence: status 2 for what the user can mend, else 1."""
    global _open
    _open = True
    try:
        yield
    except Exception as error:
        if os.environ.get(_IN_ENVIRONMENT):
            traceback.print_exception(error)
        _fail(error)
    finally:
        _open = False


def is_open() -> bool:
    """Whether this process is a command, which says at its end what happened."""
    return _open


def _fail(error: Exception) -> NoReturn:
    """Say what is wrong, once for all ranks, and end."""
    ranks = sys.modules.get("lightning_gans.ranks")  # without it there are no others
    if os.environ.get("LOCAL_RANK", "0") != "0":
        status, sentence = describe(error)
        if ranks is not None:
            ranks.leave_word(sentence)
        sys.exit(status)
    elsewhere = None if ranks is None or isinstance(error, InputError | NonFiniteError) else ranks.failure_elsewhere()
    status, sentence = (1, elsewhere) if elsewhere else describe(error)
    if ranks is not None:
        ranks.end_others()
    print(f"lightning: error: {sentence}", file=sys.stderr, flush=True)
    sys.exit(status)


def describe(error: Exception) -> tuple[int, str]:
    """The status and the sentence for an error."""
    if (refusal := _refusal_behind(error)) is not None:
        return 2 if isinstance(refusal, InputError) else 1, str(refusal)
    if type(error).__name__ == "MisconfigurationException":  # Lightning's; importing it takes seconds
        return 2, messages.first_sentence(error)
    where = f" while {doing}" if (doing := getattr(error, "_doing", "")) else ""
    if isinstance(error, OSError) and error.strerror:
        return 2, f"{error.strerror}{f': {error.filename}' if error.filename else ''}{where}"
    if isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY):
        return 1, f"the memory is too small{where}; lower data.batch_size, the sizes of networks or the number of samples"
    if isinstance(error, ImportError) and not _whose(error):
        return 2, f"{messages.first_sentence(error)}{where}; install what is missing, or leave out what needs it"
    return 1, f"{_blame(error, where)}; {_trace(error)}"


def _refusal_behind(error: BaseException) -> BaseException | None:
    """A sentence of ours that others have wrapped: the parser tries several ways to read a setting, one of them ours."""
    return next((each for each in messages.causes(error) if isinstance(each, InputError | NonFiniteError)), None)


def _blame(error: Exception, where: str) -> str:
    """What was raised, and by whose code: the innermost that is not a library's."""
    said = f"{type(error).__name__}{f': {line}' if (line := messages.first_sentence(error)) else ''}"
    if any(Path(frame.filename).name == "checkpoint_connector.py" for frame in traceback.extract_tb(error.__traceback__)):
        return f"the checkpoint cannot be taken up{where} ({said}); it is of another version, or was changed"
    if not (whose := _whose(error)):
        return f"{said}{where}"
    last = whose[-1]
    place = f"line {last.lineno} of {_shown(last.filename)} ({last.name})"
    if not _is_ours(last.filename):
        return f"{place} raised {said}{where}"
    if isinstance(error, _DEFECTS):
        return f"this is a defect of lightning-gans, please report it: {said} in {place}{where}"
    return f"{said} in {place}{where}"


def maker_of(error: BaseException) -> str:
    """The class of ours or a library's in whose constructor an error came; nothing where the user's own code raised it."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    of_parser = [number for number, frame in enumerate(frames) if "jsonargparse" in frame.f_code.co_filename]
    made = frames[of_parser[-1] + 1 :] if of_parser else []
    if not made or not all(_is_library(frame.f_code.co_filename) or _is_ours(frame.f_code.co_filename) for frame in made):
        return ""
    return type(made[0].f_locals["self"]).__name__ if "self" in made[0].f_locals else made[0].f_code.co_name


def _whose(error: Exception) -> list[traceback.FrameSummary]:
    """The frames that are not a library's, nor those that every library's error comes through."""
    frames = traceback.extract_tb(error.__traceback__)
    return [each for each in frames if not _is_library(each.filename) and Path(each.filename) not in _PASSED_THROUGH]


def _is_ours(file: str) -> bool:
    return _PACKAGE in Path(file).parents


def _is_library(file: str) -> bool:
    return not _is_ours(file) and file.startswith(_LIBRARIES)


def _shown(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(_PACKAGE.parent)) if _is_ours(file) else path.name


def _trace(error: Exception) -> str:
    """Where the full trace is, after writing it there."""
    text = "".join(traceback.format_exception(error))
    with suppress(OSError):
        descriptor, file = tempfile.mkstemp(prefix="lightning-gans-", suffix=".txt")
        with open(descriptor, "w") as written:
            written.write(text)
        return f"the full trace is in {file}, and {DEBUG} prints it"
    return f"{DEBUG} prints the full trace"
