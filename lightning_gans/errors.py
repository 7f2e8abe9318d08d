"""Errors that are one sentence for the user: what is wrong and what to do."""


class InputError(ValueError):
    """A setting, a file or a combination of them cannot work. The command exits with status 2."""


class NonFiniteError(RuntimeError):
    """A loss or a parameter became NaN or infinite. The command exits with status 1."""
