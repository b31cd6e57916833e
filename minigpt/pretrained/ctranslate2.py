"""CTranslate2's model.bin: every array of a model one after another, in the order of their names.

The format: github.com/OpenNMT/CTranslate2, python/ctranslate2/specs/model_spec.py, binary version 6. Little-endian: the
version; the name of the model's kind and its revision; how many arrays; for each its name, how many axes, their sizes,
a number for its format, how many bytes, and these; then aliases, second names of arrays. The file is not trusted: every
length is compared with what is left of it before anything of that length is made.
"""

import math
import mmap
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError

FILE = "model.bin"
VERSION = 6
FORMATS = {0: "<f4", 1: "i1", 2: "<i2", 3: "<i4", 4: "<f2"}
MOST_AXES = 4


class CTranslate2(NamedTuple):
    """What is in the file."""

    kind: str  # such as WhisperSpec
    revision: int  # of that kind
    tensors: dict[str, np.ndarray]  # views of the mapped file
    aliases: dict[str, str]  # second name -> name


def is_ctranslate2(folder: Path) -> bool:
    """Whether the folder holds a model of CTranslate2's, and nothing that would be read before it."""
    try:
        with open(folder / FILE, "rb") as file:
            return struct.unpack("<I", file.read(4))[0] <= VERSION
    except (OSError, struct.error):
        return False


def open_ctranslate2(path: Path) -> CTranslate2:
    """Map the file and find its arrays. `UserError` if it is damaged, or of a version that is not read."""
    try:
        with open(path, "rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:  # ValueError: an empty file
        raise UserError(f"{path} could not be opened ({error}); check the file") from error
    try:
        return _read(path, _Cursor(data))
    except (_Damaged, UnicodeDecodeError, struct.error) as error:
        raise UserError(f"{path} is damaged or no model of CTranslate2's ({error}); fetch it again") from None


class _Damaged(Exception):
    pass


class _Cursor:
    """A place in the file; reading beyond its end is refused."""

    def __init__(self, data: mmap.mmap):
        self.data, self.place = data, 0

    def take(self, size: int) -> memoryview:
        """The next bytes."""
        if size > len(self.data) - self.place:
            raise _Damaged(f"it ends at byte {len(self.data)}, in the middle of something")
        self.place += size
        return memoryview(self.data)[self.place - size : self.place]

    def number(self, code: str) -> int:
        """The next number."""
        return struct.unpack(f"<{code}", self.take(struct.calcsize(code)))[0]

    def string(self) -> str:
        """The next string: a length, UTF-8, and a zero."""
        return bytes(self.take(self.number("H"))).decode().removesuffix("\0")


def _read(path: Path, cursor: _Cursor) -> CTranslate2:
    version = cursor.number("I")
    if version != VERSION:
        raise UserError(f"{path} is of CTranslate2's binary version {version}; {VERSION} is read; convert it again")
    kind, revision = cursor.string(), cursor.number("I")
    tensors: dict[str, np.ndarray] = {}
    for _ in range(cursor.number("I")):
        name, array = cursor.string(), _array(path, cursor)
        if tensors.setdefault(name, array) is not array:
            raise _Damaged(f"it has {name!r} twice")
    aliases = {cursor.string(): cursor.string() for _ in range(cursor.number("I"))}
    if cursor.place != len(cursor.data):
        raise _Damaged(f"{len(cursor.data) - cursor.place} bytes follow its end")
    return CTranslate2(kind, revision, tensors, aliases)


def _array(path: Path, cursor: _Cursor) -> np.ndarray:
    axes = cursor.number("B")
    if axes > MOST_AXES:
        raise _Damaged(f"it has an array of {axes} axes")
    shape = tuple(cursor.number("I") for _ in range(axes))
    number, size = cursor.number("B"), cursor.number("I")
    if number not in FORMATS:
        raise UserError(f"{path} holds numbers of the format {number}; {', '.join(FORMATS.values())} are read")
    kind: Any = np.dtype(FORMATS[number])
    if math.prod(shape) * kind.itemsize != size:
        raise _Damaged(f"an array of shape {shape} does not have {size} bytes")
    return np.frombuffer(cursor.take(size), kind).reshape(shape)
