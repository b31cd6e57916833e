"""The one kind of error that is the user's to mend, and how text of others is shown in a message."""

import unicodedata
from typing import Any

TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # turn the direction of writing


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


def visible(text: str) -> str:
    """`text` for a terminal: characters that would steer it, rather than be shown, are spelled out."""
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")  # half of a pair cannot be printed at all
    return "".join(repr(c)[1:-1] if _steers(c) else c for c in text)


def visible_line(text: str) -> str:
    """`visible`, and on one line, so that nothing can be taken for the next one."""
    return " ".join(visible(text).split("\n")).replace("\t", " ")


def _steers(character: str) -> bool:
    return (unicodedata.category(character) in ("Cc", "Zl", "Zp") and character not in "\n\t") or character in TURNING
