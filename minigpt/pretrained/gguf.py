"""GGUF, llama.cpp's file for a model: metadata and tensors in one file, mapped into memory and decoded when asked for.

The format: github.com/ggml-org/ggml, docs/gguf.md, versions 2 and 3, little-endian. The file is not trusted: every
length is compared with what is left of the file before anything of that length is made.
"""

import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.pretrained.mapped import Cursor, Damaged, map_file
from minigpt.pretrained.quantized import KINDS, Kind, decode_blocks

NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
MAGIC = b"GGUF"
MOST_AXES, MOST_DEPTH = 8, 4


@dataclass(frozen=True)
class Tensor:
    """One array in the file."""

    name: str
    shape: tuple[int, ...]  # as NumPy has it: the last axis changes fastest
    format: Kind
    start: int  # its first byte, in that part of the file that holds tensors
    raw: np.ndarray  # (bytes,)

    @property
    def kind(self) -> str:
        """The name of its format."""
        return self.format.name

    def decode(self) -> np.ndarray:
        """All numbers, float32, of `shape`. A damaged scale gives numbers that are not finite, and no warning."""
        return decode_blocks(self.format, self.raw.reshape(-1, self.format.size)).reshape(self.shape)


@dataclass(frozen=True)
class GGUF:
    """What is in the file."""

    metadata: dict[str, Any]
    tensors: dict[str, Tensor]


def is_gguf(path: str | Path) -> bool:
    """Whether there is a file that begins as a GGUF file does, whatever it is called."""
    try:
        with open(path, "rb") as file:
            return Path(path).is_file() and file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def open_gguf(path: str | Path) -> GGUF:
    """Map the file and read its table of contents. `UserError` if it is not a GGUF file, damaged or of another kind."""
    data = map_file(path)
    try:
        return _read(_Cursor(data))
    except (Damaged, UnicodeDecodeError, struct.error) as error:
        raise UserError(f"{path} is damaged or not a GGUF file ({error}); fetch it again") from None


class _Cursor(Cursor):
    """That knows GGUF's values."""

    def value(self, kind: int, depth: int = 0) -> Any:
        """The next value of a kind."""
        if kind in NUMBERS:
            return self.number(NUMBERS[kind])
        if kind == STRING:
            return self.string("Q")
        if kind != ARRAY or depth == MOST_DEPTH:
            raise Damaged(f"it holds a value of the unknown kind {kind}")
        inner, count = self.number("I"), self.number("Q")
        if inner in NUMBERS:
            code = NUMBERS[inner]
            self.demand(count * struct.calcsize(code))
            return list(struct.unpack(f"<{count}{code}", self.take(count * struct.calcsize(code))))
        self.demand(count * 8)  # every string or array has at least its length
        return [self.value(inner, depth + 1) for _ in range(count)]


def _read(cursor: _Cursor) -> GGUF:
    if cursor.take(len(MAGIC)) != MAGIC:
        raise Damaged("its first four bytes are not GGUF")
    version = cursor.number("I")
    if version and version % (1 << 16) == 0:
        raise UserError("the GGUF file is big-endian, for another kind of machine; convert it, or fetch another one")
    if version not in (2, 3):
        raise Damaged(f"its version is {version}; 2 and 3 can be read")
    tensors, pairs = cursor.number("Q"), cursor.number("Q")
    cursor.demand(tensors * 24 + pairs * 12)
    metadata = {}
    for _ in range(pairs):
        key = cursor.string("Q")
        if key in metadata:
            raise Damaged(f"it says {key!r} twice")
        metadata[key] = cursor.value(cursor.number("I"))
    entries = [_entry(cursor) for _ in range(tensors)]
    alignment = metadata.get("general.alignment", 32)
    if type(alignment) is not int or not 0 < alignment <= 1 << 16 or alignment & (alignment - 1):
        raise Damaged(f"its alignment is {alignment!r}")
    start = -(-cursor.place // alignment) * alignment
    data = np.frombuffer(cursor.data, np.uint8)
    found = {entry[0]: _tensor(data[start:], alignment, *entry) for entry in entries}
    if len(found) != tensors:
        raise Damaged("two of its tensors have the same name")
    _check_apart(found.values())
    return GGUF(metadata, found)


def _check_apart(tensors: Iterable[Tensor]) -> None:
    """Tensors that lie on one another would ask for far more memory than the file has."""
    in_order = sorted(tensors, key=lambda tensor: tensor.start)
    for before, after in pairwise(in_order):
        if before.start + before.raw.size > after.start:
            raise Damaged(f"the tensors {before.name!r} and {after.name!r} overlap")


def _entry(cursor: _Cursor) -> tuple[str, tuple[int, ...], int, int]:
    name, axes = cursor.string("Q"), cursor.number("I")
    if axes > MOST_AXES:
        raise Damaged(f"the tensor {name!r} has {axes} axes")
    shape = tuple(cursor.number("Q") for _ in range(axes))[::-1]
    return name, shape, cursor.number("I"), cursor.number("Q")


def _tensor(data: np.ndarray, alignment: int, name: str, shape: tuple[int, ...], kind: int, offset: int) -> Tensor:
    if kind not in KINDS:
        known = ", ".join(k.name for k in KINDS.values())
        raise UserError(f"the tensor {name!r} is stored in the format number {kind}; {known} can be read")
    stored = KINDS[kind]
    count = math.prod(shape)
    if not all(shape) or (shape[-1] if shape else 1) % stored.block:
        raise Damaged(f"the rows of the tensor {name!r}, {shape}, are no whole blocks of {stored.block}")
    size = count // stored.block * stored.size
    if offset % alignment:
        raise Damaged(f"the tensor {name!r} begins at {offset}, which is no multiple of the alignment, {alignment}")
    if offset + size > len(data):
        raise Damaged(f"the tensor {name!r} lies beyond its end")
    return Tensor(name, shape, stored, offset, data[offset : offset + size])
