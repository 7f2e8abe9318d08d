"""Errors that are one sentence for the user: what is wrong and what to do."""


class InputError(Exception):
    """A setting, a file or a combination of them cannot work. The command exits with status 2.

    Not a ValueError, which the parser would take for one of several ways to read a setting that did not fit.
    """


class NonFiniteError(RuntimeError):
    """A loss or a parameter became NaN or infinite. The command exits with status 1."""
