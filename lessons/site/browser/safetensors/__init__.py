"""safetensors in plain Python and NumPy, for a browser that has no compiled one: what minigpt asks of it, checked.

A file is the length of a header (8 bytes, little-endian), the header as JSON, and the arrays' bytes, one after another
without gaps (https://github.com/huggingface/safetensors, "Format").
"""

import json
import math
from pathlib import Path

import numpy as np

MOST_HEADER = 100_000_000  # bytes; the compiled one has the same limit
BYTES = {
    "BOOL": 1,
    "U8": 1,
    "I8": 1,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
    "I16": 2,
    "U16": 2,
    "F16": 2,
    "BF16": 2,
    "I32": 4,
}
BYTES |= {"U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8}
TYPES = {
    "BOOL": "?",
    "U8": "u1",
    "I8": "i1",
    "I16": "<i2",
    "U16": "<u2",
    "F16": "<f2",
    "I32": "<i4",
    "U32": "<u4",
}
TYPES |= {"F32": "<f4", "I64": "<i8", "U64": "<u8", "F64": "<f8"}


class SafetensorError(Exception):
    """The file is not what it should be."""


def parse_header(length: int, text: bytes, rest: int) -> tuple[dict, dict]:
    """(arrays by name, metadata) of a header; `rest` bytes follow it. `SafetensorError` for anything else."""
    if length != len(text):
        raise SafetensorError("the header is longer than the file")
    try:
        header = json.loads(text)
        metadata = header.pop("__metadata__", {})
        end = 0
        for info in sorted(header.values(), key=lambda one: one["data_offsets"]):
            start, stop = info["data_offsets"]
            if start != end or stop - start != BYTES[info["dtype"]] * math.prod(info["shape"]):
                raise SafetensorError("an array does not lie where its header says")
            end = stop
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SafetensorError(f"the header is not one of safetensors ({error})") from None
    if end != rest:
        raise SafetensorError("the arrays do not fill the file")
    return header, metadata


class safe_open:
    """An open file, as the compiled class of this name: `with safe_open(path, framework="np") as file`."""

    def __init__(self, path: str | Path, framework: str = "np", device: str = "cpu"):
        size = Path(path).stat().st_size
        self._file = open(path, "rb")  # noqa: SIM115  # closed by __exit__
        try:
            length = int.from_bytes(self._file.read(8), "little")
            if size < 8 or length > min(MOST_HEADER, size - 8):
                raise SafetensorError("the header is longer than the file")
            self._start = 8 + length
            self._arrays, self._metadata = parse_header(
                length, self._file.read(length), size - self._start
            )
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "safe_open":
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def keys(self) -> list[str]:
        """The names of the arrays, in alphabetical order."""
        return sorted(self._arrays)

    def metadata(self) -> dict[str, str] | None:
        """What the file says of itself."""
        return self._metadata or None

    def get_tensor(self, name: str) -> np.ndarray:
        """One array."""
        info = self._info(name)
        if info["dtype"] not in TYPES:
            raise SafetensorError(f"{name} holds {info['dtype']}, which NumPy does not have")
        start, stop = info["data_offsets"]
        self._file.seek(self._start + start)
        data = bytearray(self._file.read(stop - start))
        return np.frombuffer(data, TYPES[info["dtype"]]).reshape(info["shape"])

    def get_slice(self, name: str) -> "Slice":
        """What is known of one array before it is read."""
        return Slice(self._info(name))

    def _info(self, name: str) -> dict:
        if name not in self._arrays:
            raise SafetensorError(f"there is no array {name}")
        return self._arrays[name]


class Slice:
    """The type and the shape of an array."""

    def __init__(self, info: dict):
        self._info = info

    def get_dtype(self) -> str:
        """In the file's words, such as `F32`."""
        return self._info["dtype"]

    def get_shape(self) -> list[int]:
        """Its lengths."""
        return list(self._info["shape"])
