"""A file of bytes mapped into memory, read from front to back. It is not trusted: nothing beyond its end is read."""

import mmap
import struct
from pathlib import Path
from typing import Any

from minigpt.errors import UserError


class Damaged(Exception):
    """What is wrong with the file."""


class Cursor:
    """A place in the file; reading beyond its end is refused."""

    def __init__(self, data: mmap.mmap):
        self.data, self.place = data, 0

    def take(self, size: int) -> bytes:
        """The next bytes."""
        self.demand(size)
        self.place += size
        return self.data[self.place - size : self.place]

    def skip(self, size: int) -> int:
        """Where the next bytes begin, which stay in the file."""
        self.demand(size)
        self.place += size
        return self.place - size

    def demand(self, size: int) -> None:
        """Refuse what cannot be there."""
        if size > len(self.data) - self.place:
            raise Damaged(f"it ends at byte {len(self.data)}, in the middle of something")

    def number(self, code: str) -> Any:
        """The next number."""
        return struct.unpack("<" + code, self.take(struct.calcsize(code)))[0]

    def string(self, code: str) -> str:
        """The next string: its length, a number of this kind, and UTF-8."""
        return self.take(self.number(code)).decode("utf-8")


def map_file(path: str | Path) -> mmap.mmap:
    """The file's bytes. `UserError` if there are none, or it is no file."""
    if Path(path).exists() and not Path(path).is_file():
        raise UserError(f"{path} is no file; check the path")
    try:
        with open(path, "rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise UserError(f"there is no file {path}; check the path") from None
    except (OSError, ValueError) as error:  # ValueError: an empty file
        raise UserError(f"{path} could not be opened ({error}); check the file") from error
