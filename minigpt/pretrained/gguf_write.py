"""Writing GGUF, version 3, little-endian: the other way round of `gguf.py`."""

import math
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.files import replacing
from minigpt.pretrained.gguf import ARRAY, MAGIC, NUMBERS, STRING
from minigpt.pretrained.quantized import NUMBERS as KIND_NUMBERS
from minigpt.pretrained.quantized import Kind, decode_blocks

VERSION, ALIGNMENT = 3, 32
CODES = {bool: 7, int: 4, float: 6}  # of single numbers: a flag, 32 bits unsigned, 32 bits with a fraction
LISTED = {int: 5, float: 6}  # of those in a list: 32 bits with a sign


class Entry(NamedTuple):
    """One array of the file."""

    name: str
    shape: tuple[int, ...]
    kind: Kind

    @property
    def size(self) -> int:
        """In bytes."""
        return math.prod(self.shape) // self.kind.block * self.kind.size


def write_gguf(
    path: str | Path, metadata: Mapping[str, Any], entries: Sequence[Entry], array: Callable[[str], np.ndarray]
) -> None:
    """Replace the file in one step. array: gives the numbers of a name, one array at a time, float32.

    metadata: flags, whole numbers, fractions, strings, and lists of one kind of these. `UserError` if a number does not
    fit its format.
    """
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(MAGIC + struct.pack("<IQQ", VERSION, len(entries), len(metadata)))
        for name, value in metadata.items():
            file.write(_string(name) + _value(value))
        offset = 0
        for entry in entries:
            axes = struct.pack(f"<I{len(entry.shape)}Q", len(entry.shape), *entry.shape[::-1])
            file.write(_string(entry.name) + axes + struct.pack("<IQ", KIND_NUMBERS[entry.kind.name], offset))
            offset += _padded(entry.size)
        for entry in entries:
            _pad(file)
            _write_array(file, entry, array(entry.name))
        _pad(file)


def _write_array(file: BinaryIO, entry: Entry, numbers: np.ndarray) -> None:
    assert numbers.shape == entry.shape and entry.kind.encode is not None
    blocks = np.ascontiguousarray(numbers, np.float32).reshape(-1, entry.kind.block)
    with np.errstate(over="ignore", invalid="ignore"):
        raw = entry.kind.encode(blocks)
    if not np.isfinite(decode_blocks(entry.kind, raw)).all():
        raise UserError(f"{entry.name} has numbers that {entry.kind.name} cannot hold; choose F32, or check the model")
    file.write(raw.tobytes())


def _string(text: str) -> bytes:
    data = text.encode("utf-8")
    return struct.pack("<Q", len(data)) + data


def _value(value: Any) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", STRING) + _string(value)
    if isinstance(value, list):
        return struct.pack("<I", ARRAY) + _list(value)
    kind = CODES[type(value)]
    return struct.pack(f"<I{NUMBERS[kind]}", kind, value)


def _list(values: Iterable[Any]) -> bytes:
    values = list(values)
    if not values or isinstance(values[0], str):
        return struct.pack("<IQ", STRING, len(values)) + b"".join(map(_string, values))
    kind = LISTED[type(values[0])]
    return struct.pack(f"<IQ{len(values)}{NUMBERS[kind]}", kind, len(values), *values)


def _padded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _pad(file: BinaryIO) -> None:
    file.write(b"\0" * (_padded(file.tell()) - file.tell()))
