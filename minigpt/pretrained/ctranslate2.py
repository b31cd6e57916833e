"""CTranslate2's model.bin: every array of a model one after another, in the order of their names.

The format: github.com/OpenNMT/CTranslate2, python/ctranslate2/specs/model_spec.py, binary version 6. Little-endian: the
version; the name of the model's kind and its revision; how many arrays; for each its name, how many axes, their sizes,
a number for its format, how many bytes, and these; then aliases, second names of arrays. The file is not trusted: every
length is compared with what is left of it before anything of that length is made.
"""

import math
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.pretrained.mapped import Cursor, Damaged, map_file

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
        return _read(path, Cursor(map_file(path)))
    except (Damaged, UnicodeDecodeError, struct.error) as error:
        raise UserError(f"{path} is damaged or no model of CTranslate2's ({error}); fetch it again") from None


def _read(path: Path, cursor: Cursor) -> CTranslate2:
    version = cursor.number("I")
    if version != VERSION:
        raise UserError(f"{path} is of CTranslate2's binary version {version}; {VERSION} is read; convert it again")
    kind, revision = _name(cursor), cursor.number("I")
    tensors: dict[str, np.ndarray] = {}
    for _ in range(cursor.number("I")):
        name, array = _name(cursor), _array(path, cursor)
        if tensors.setdefault(name, array) is not array:
            raise Damaged(f"it has {name!r} twice")
    aliases = {_name(cursor): _name(cursor) for _ in range(cursor.number("I"))}
    if cursor.place != len(cursor.data):
        raise Damaged(f"{len(cursor.data) - cursor.place} bytes follow its end")
    return CTranslate2(kind, revision, tensors, aliases)


def _array(path: Path, cursor: Cursor) -> np.ndarray:
    axes = cursor.number("B")
    if axes > MOST_AXES:
        raise Damaged(f"it has an array of {axes} axes")
    shape = tuple(cursor.number("I") for _ in range(axes))
    if not all(shape):
        raise Damaged(f"it has an array of shape {shape}")
    number, size = cursor.number("B"), cursor.number("I")
    if number not in FORMATS:
        raise UserError(f"{path} holds numbers of the format {number}; {', '.join(FORMATS.values())} are read")
    kind: Any = np.dtype(FORMATS[number])
    if math.prod(shape) * kind.itemsize != size:
        raise Damaged(f"an array of shape {shape} does not have {size} bytes")
    place = cursor.skip(size)
    return np.frombuffer(cursor.data, kind, math.prod(shape), offset=place).reshape(shape)


def _name(cursor: Cursor) -> str:
    return cursor.string("H").removesuffix("\0")
