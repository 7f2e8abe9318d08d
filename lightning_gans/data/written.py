"""Captions as people write them."""

from __future__ import annotations

from lightning_gans.errors import InputError

_BRIEF = 60


def tidy(caption: str) -> str:
    """A caption on one line, without bytes that its authors' tools could not read."""
    return " ".join(caption.replace("\ufffd", " ").split())


def is_blank(caption: str) -> bool:
    """Whether nothing of it can be seen."""
    return not any(sign.isprintable() and not sign.isspace() for sign in caption)


def typed(caption: str, name: str) -> str:
    """A caption that somebody typed, tidy.

    Args:
        caption: as it was given.
        name: of it, for the refusal.

    Raises:
        InputError: nothing of it can be seen, or it holds what is in no text.
    """
    if is_blank(caption):
        raise InputError(f"{name} is empty; write a caption")
    if "\0" in caption or any("\ud800" <= sign <= "\udfff" for sign in caption):  # the latter are bytes that are not UTF-8
        raise InputError(f"{name} is {brief(caption)}, which is no text in UTF-8; write it anew")
    return tidy(caption)


def brief(caption: str) -> str:
    """A caption within a sentence: quoted, and of a long one the beginning."""
    return repr(caption if len(caption) <= _BRIEF else f"{caption[:_BRIEF]} ...")
