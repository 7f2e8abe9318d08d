"""What other libraries say, made short: the one place that knows their prose. A test pins the words of each pattern."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterable, Iterator

from lightning_gans.errors import InputError
from lightning_gans.suggestions import class_names, near

_HELP = "(see lightning fit --help)"

# jsonargparse raises plain TypeErrors and ValueErrors from one another, innermost last, with all that they know in the text.
# The setting's name; a nested setting has one such error for every part of it
_KEY = re.compile(r'Parser key "([^"]+)"(?: element \d+)?:?\s*')
# What each of the types says that a value may have; the chain goes on from the first of them alone
_MEMBER = re.compile(r"^  - (.*)", re.MULTILINE)
_NO_MEMBER = "Expected a <class 'NoneType'>"
# Types as Python prints them
_CLASS = re.compile(r"(?:a )?<class '(?:\w+\.)*(\w+)'>")
_LITERAL = re.compile(r"(?:a )?typing\.Literal\[([^\]]*)\]")
# The value, after what was expected of it
_VALUE = ". Got value: "
# What a class cannot do without
_LACKING = "the following arguments are required:"
# What Python says of a text or a number where the parser looked for settings
_NOT_BY_NAME = re.compile(r"'(\w+)' object has no attribute 'keys'|argument of type '(\w+)' is not iterable")
# Advice on how a class may be written, a paragraph
_ADVICE, _SUBCLASSES = " or a dict ", " Subclass types expect"
# A class that is neither one of ours nor written with its module
_NO_CLASS = re.compile(r"Expected a dot import path string: |Unexpected import path format: ")
# A number beside which some other type would do as well
_NUMBER = re.compile(r"Expected a <class '(?:int|float)'>")
_NOT_IN_MODULE = re.compile(r"module '[\w.]+' has no attribute '(\w+)'$")
# An option that there is not
_NO_OPTION = re.compile(r"unrecognized arguments: --([\w.]+)|ption '([\w.]+)' is not accepted$|ot accept option '([\w.]+)'$")

# Settings whose class nobody has named are taken for those of its base
_OF_BASE, _GIVEN = re.compile(r"Option '(\w+)' is not accepted$"), "Given value: "

# Others in the chain, such as KeyError, say nothing to a reader
_REASONS = (InputError, TypeError, ValueError, AttributeError, ImportError)

# Lightning's refusals are paragraphs of advice without any other structure, and only their first sentence says what is wrong.
_SENTENCE_END = re.compile(r"(?<=[a-z)`'])\. (?=[A-Z])")

# Python picks warnings by their text, and so does Lightning's documentation; categories and modules would hide others, too.
WARNINGS = (
    # torch on how Lightning itself takes batches apart
    r".*LeafSpec",
    # validation is the callback's, so that there is no loader for it
    "Total length of `list` across ranks is zero",
    # the model's takes the batch over from the data module's loader, as it should
    "You have overridden `on_after_batch_transfer`",
    # what is saved is the state after the step, as it should be
    "Using ModelCheckpoint with manual optimization",
    # a resumed run has a folder of its own
    "The dirpath has changed",
    # how Lightning itself gathers over ranks
    r"torch\.distributed\.nn\.functional\.\w+ is deprecated",
)
# Lightning has no switch for what it advertises
_ADVERTISER = "lightning.pytorch.utilities.rank_zero"
_ADVERTISED = "litlogger"


def quiet() -> None:
    """Leave out warnings that do not apply to this package, and what nobody asked for."""
    for pattern in WARNINGS:
        warnings.filterwarnings("ignore", pattern)
    logging.getLogger(_ADVERTISER).addFilter(_no_advertisement)


def first_sentence(error: BaseException) -> str:
    """What is wrong, without advice, on one line and without a full stop."""
    return _SENTENCE_END.split(" ".join(str(error).split()))[0].rstrip(".")


def first_line(error: BaseException) -> str:
    """What an error says in its first line, without a full stop; nothing where it says nothing."""
    return (str(error).splitlines() or [""])[0].rstrip(".")


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, what it was raised from, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def of_parser(error: InputError) -> str:
    """A parser's refusal as one sentence: the path of the setting, what is wrong with it, where to look."""
    chain = [*causes(error)]
    keys = [match[1] for link in chain if (match := _KEY.match(str(link)))]
    reasons = [link for link in chain if isinstance(link, _REASONS)]
    above = str(reasons[-2]) if len(reasons) > 1 else ""
    said = _KEY.sub("", str(reasons[-1]), count=1)
    reason = _of_no_class(said, above) or _reason(said, _MEMBER.findall(above))
    return f"{'.'.join(dict.fromkeys(keys))}: {reason} {_HELP}".removeprefix(": ")


def with_near_option(said: str, options: Iterable[str]) -> str:
    """What a parser says of an option that there is not, with the one that may be meant."""
    unknown = _NO_OPTION.search(said)
    if unknown is None:
        return said
    hint = near(next(filter(None, unknown.groups())), options)
    return f"{said}{hint.replace('mean ', 'mean --') if unknown[1] else hint}"


def of_members(error: Exception) -> str:
    """What is wrong with a value by the type that it was meant to have: the one that says more than what it expected."""
    said = [line for line in _MEMBER.findall(str(error)) if not line.startswith(("Expected", "Not a valid"))]
    return said[-1].rstrip(".") if said else first_sentence(error)


def _of_no_class(said: str, above: str) -> str | None:
    """What to write where settings are those of a class that is not named, such as ``{lr: 0.1}`` for an optimiser."""
    option, (types, _, value) = _OF_BASE.search(said), above.partition(_GIVEN)
    if option is None or "class_path" in value or not ("Callable[" in types or f"'{option[1]}':" in value):
        return None
    written = f"{{class_path: module.Class, init_args: {{{option[1]}: ...}}}}"
    return f"{said} where no class_path names a class that takes it; write {written}"


def _reason(said: str, others: list[str]) -> str:
    """What is wrong with a value, after what other types that it may have say of it."""
    said = " ".join(said.split())
    classes = [match for text in (said, *others) if (match := _NO_CLASS.match(text))]
    if classes and not _NUMBER.match(said):
        named = classes[0].string[classes[0].end() :]
        return f"there is no class {named}{near(named, class_names())}; name a paper or give module.Class"
    if (missing := _NOT_IN_MODULE.search(said)) is not None:
        return f"{said}{near(missing[1], class_names())}"
    if (lacking := next((text for text in (said, *others) if _LACKING in text), None)) is not None:
        return lacking[lacking.index(_LACKING) :].rstrip(".")
    if (kind := _NOT_BY_NAME.search(said)) is not None:
        return f"settings by name, with class_path and init_args, are needed, not a {kind[1] or kind[2]}"
    said, got, value = said.partition(_VALUE)
    said, value = said.partition(_ADVICE)[0], value.partition(_SUBCLASSES)[0]
    others = [other.partition(_ADVICE)[0] for other in others if not _NO_CLASS.match(other)]
    expected = [said, *(other.removeprefix("Expected ") for other in others[1:] if other != _NO_MEMBER)] if got else [said]
    shown = _LITERAL.sub(r"one of \1", _CLASS.sub(r"\1", " or ".join(expected))).rstrip(".")
    return f"{shown}, not {value.rstrip('.')}" if got else shown


def _no_advertisement(record: logging.LogRecord) -> bool:
    return _ADVERTISED not in record.getMessage()
