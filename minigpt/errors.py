"""The one kind of error that is the user's to mend."""

from typing import Any


class UserError(ValueError):
    """Bad input: one sentence that names the value, what was expected and the remedy.

    The command line prints it without a traceback and exits with code 2.

    Examples
    --------
    >>> try:
    ...     minigpt.preset("gpt-3")
    ... except minigpt.UserError as error:
    ...     print(str(error)[:42])
    there is no preset 'gpt-3'; choose one of
    """


def described(value: Any) -> str:
    """What a value is that should have been another array: its type and shape, for a message."""
    if hasattr(value, "dtype"):
        return f"{value.dtype} of shape {value.shape}"
    return f"a {type(value).__name__}"
