"""Values that others wrote: JSON, headers, CSV. Each is asked for by a kind, with bounds; what does not fit is refused.

A refusal names the key, the value and what was expected, and, inside of `about`, the file. Every reader asks here.
"""

import json
import math
import reprlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from minigpt.errors import UserError

MOST_WHOLE = (1 << 63) - 1  # what an array can count
LONGEST_NAME = 255  # bytes, of a file
REQUIRED: Any = object()  # the default of a value that must be there


class Kind(NamedTuple):
    """What a value must be."""

    wanted: str  # for a message: "it must be ..."
    fits: Callable[[Any], bool]
    each: "Kind | None" = None  # of what is in a list or table

    def or_none(self) -> "Kind":
        """The same, or nothing at all."""
        return self._replace(wanted=f"{self.wanted} or None", fits=lambda value: value is None or self.fits(value))


FLAG = Kind("True or False", lambda value: isinstance(value, bool))
TEXT = Kind("a string", lambda value: isinstance(value, str))
FILLED = Kind("a text that is not empty", lambda value: isinstance(value, str) and bool(value.strip()))
TABLE = Kind("a table", lambda value: isinstance(value, dict))
LIST = Kind("a list", lambda value: isinstance(value, list))
ANYTHING = Kind("anything", lambda value: True)


def whole(least: int, most: int = MOST_WHOLE) -> Kind:
    """A whole number, no flag."""
    above = "" if most == MOST_WHOLE else f" and at most {most:,}"
    return Kind(
        f"a whole number of at least {least}{above}", lambda value: type(value) is int and least <= value <= most
    )


def number(least: float = -math.inf, below: float = math.inf) -> Kind:
    """A finite number, no flag."""
    wanted = "a finite number" if least == -math.inf else f"a number of at least {least:g}"
    return Kind(
        wanted + ("" if below == math.inf else f" and less than {below:g}"),
        lambda value: is_finite(value) and least <= value < below,
    )


def is_finite(value: Any) -> bool:
    """Whether a value is a number that a float can hold, and no flag."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and -sys.float_info.max <= value <= sys.float_info.max


def choice(*names: str) -> Kind:
    """One of these strings."""
    return Kind(f"one of {', '.join(names)}", lambda value: isinstance(value, str) and value in names)


def list_of(kind: Kind) -> Kind:
    """A list, everything in it of this kind."""
    return Kind("a list", lambda value: isinstance(value, list) and all(map(kind.fits, value)), kind)


def table_of(kind: Kind) -> Kind:
    """A table, everything in it of this kind."""
    return Kind("a table", lambda value: isinstance(value, dict) and all(map(kind.fits, value.values())), kind)


def _is_file_name(value: Any) -> bool:
    """Whether a value names a file that is beside the one it is from, on any system."""
    if not isinstance(value, str) or not value.isprintable() or value.startswith(".") or {"/", "\\", ":"} & {*value}:
        return False
    return 0 < len(value.encode()) <= LONGEST_NAME


FILE_NAME = Kind("the name of a file in this folder", _is_file_name)


def shown(value: Any) -> str:
    """A value for a message: never long, however large it is."""
    short = reprlib.Repr()
    short.maxlevel, short.maxdict, short.maxlist, short.maxstring, short.maxother = 2, 3, 3, 60, 60
    return short.repr(value)


def check(name: str, value: Any, kind: Kind) -> None:
    """`UserError` unless the value, which is called so, is of the kind."""
    if kind.fits(value):
        return
    if kind.each is not None and isinstance(value, (list, dict)):
        for place, part in value.items() if isinstance(value, dict) else enumerate(value):
            check(f"{name}[{shown(place)}]", part, kind.each)
    beyond = (
        " and below 2^63" if type(value) is int and value > MOST_WHOLE and kind.wanted.startswith("a whole") else ""
    )
    raise UserError(f"{name} is {shown(value)}, but it must be {kind.wanted}{beyond}")


def read(table: Any, key: str, kind: Kind, default: Any = REQUIRED) -> Any:
    """The value of `key`. `UserError` if it is not of the kind, or is not there and has no default."""
    if not isinstance(table, Mapping):
        raise UserError(f"{shown(table)} stands where a table with {key} must be")
    if key not in table:
        if default is REQUIRED:
            raise UserError(f"{key} must be {kind.wanted}, but it is not there")
        return default
    check(key, table[key], kind)
    return table[key]


def parse_json(text: str) -> Any:
    """The JSON value of a text. `UserError` if a table has a name twice, so that one of the values would be lost.

    If it is no JSON, ValueError, also for a number of 5,000 digits, or RecursionError, for tables too deep.
    """
    return json.loads(text, object_pairs_hook=_table)


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"{shown(twice)} is there twice in one table; leave one of the two")
    return table


@contextmanager
def about(path: str | Path, remedy: str = "") -> Iterator[None]:
    """Name the file in every `UserError` of the block that does not name it already, and what to do."""
    try:
        yield
    except UserError as error:
        if str(path) in str(error):
            raise
        raise type(error)(f"{path}: {error}" + (f"; {remedy}" if remedy else "")) from None
