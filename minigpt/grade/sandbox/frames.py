"""Frames: how a value passes between the grader and the process that runs a student's code.

A frame is eight bytes with the length of the rest, four with that of a tree in JSON, the tree, and the bytes of the
arrays in the order in which the tree names them, little-endian. Nothing is unpickled and nothing unpacks to more than
was sent. `unpack` believes nothing: sizes, depth, types and shapes are looked at before anything is made of them.
"""

import json
from collections import namedtuple
from collections.abc import Sized
from typing import Any

import numpy as np

FRAME_BYTES = 4 << 20  # no exercise has an answer of more
TREE_BYTES = 1 << 20
DEPTH = 24
DTYPES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64",
)  # fmt: skip
Tree = dict[str, Any]


class Malformed(Exception):
    """What was received is no frame, or a value cannot be made into one."""


class Kept:
    """A value that stays with the student's code, such as a cache; outside it is a number."""

    def __init__(self, number: int):
        self.number = number


class Unknown:
    """Stands for a value of a type that cannot be sent."""

    def __init__(self, kind: str):
        self.kind = kind


def pack(value: Any, *, asks: bool = False, limit: int = FRAME_BYTES) -> bytes:
    """A value as a frame. asks: it is the grader's own question, where named tuples and slices keep their kind.

    `Malformed` if the value is deeper than `DEPTH` or longer than `limit` bytes.
    """
    arrays: list[bytes] = []
    tree = json.dumps(_to_tree(value, arrays, asks, DEPTH)).encode()
    length = 4 + len(tree) + sum(map(len, arrays))
    if length > limit or len(tree) > TREE_BYTES:
        raise Malformed(f"the value has {length / 1e6:.1f} MB; that is more than any exercise asks for")
    return length.to_bytes(8, "big") + len(tree).to_bytes(4, "big") + tree + b"".join(arrays)


def _to_tree(value: Any, arrays: list[bytes], asks: bool, depth: int) -> Tree:
    if not depth:
        raise Malformed(f"the value is nested more than {DEPTH} deep")
    if isinstance(value, np.generic) and value.dtype.name in DTYPES:
        value = value.item()
    if type(value) is np.ndarray and value.dtype.name in DTYPES:  # no subclass: a mask, say, would be lost
        if max(value.nbytes, *value.shape, 0) > FRAME_BYTES:
            raise Malformed(f"an array has the shape {value.shape}; that is more than any exercise asks for")
        arrays.append(np.ascontiguousarray(value, value.dtype.newbyteorder("<")).tobytes())
        return {"array": [value.dtype.name, list(value.shape)]}

    kind, content = _kind_of(value, asks)
    if isinstance(content, Sized) and len(content) > (TREE_BYTES if isinstance(content, str) else TREE_BYTES // 12):
        raise Malformed(f"a {kind} has {len(content)} entries; that is more than any exercise asks for")
    if kind == "named":
        return {"named": [*content, [_to_tree(item, arrays, asks, depth - 1) for item in value]]}
    if kind == "dict":
        return {"dict": [[_to_tree(item, arrays, asks, depth - 1) for item in pair] for pair in content]}
    if kind in ("tuple", "list", "set"):
        content = [_to_tree(item, arrays, asks, depth - 1) for item in content]
    return {kind: content}


def _kind_of(value: Any, asks: bool) -> tuple[str, Any]:
    """How the tree calls what is no array, and what it says of it."""
    if asks and hasattr(value, "_fields"):
        return "named", [type(value).__name__, list(value._fields)]
    if asks and isinstance(value, slice):
        return "slice", [value.start, value.stop]
    if isinstance(value, dict):
        return "dict", value.items()
    kind = next((kind.__name__ for kind in (tuple, list, set) if isinstance(value, kind)), None)
    if kind:
        return kind, value
    if isinstance(value, Kept):
        return "kept", value.number
    known = value is None or isinstance(value, (bool, int, float, str))
    of = f" of {value.dtype.name}" if isinstance(value, np.ndarray) else ""
    return ("plain", value) if known else ("unknown", (type(value).__name__ + of)[:100])


def unpack(data: bytes, *, asks: bool = False) -> Any:
    """The value in a frame, without its length. `Malformed` for anything that `pack` does not write."""
    if len(data) < 4 or not 0 < (size := int.from_bytes(data[:4], "big")) <= min(TREE_BYTES, len(data) - 4):
        raise Malformed("the lengths in it are wrong")
    try:
        reader = _Reader(memoryview(data)[4 + size :], asks)
        value = reader.value(json.loads(data[4 : 4 + size]), DEPTH)
    except (ValueError, RecursionError) as error:  # not JSON, not UTF-8, an integer of many thousand digits
        raise Malformed(f"it is no tree ({type(error).__name__})") from None
    if len(reader.rest):
        raise Malformed("bytes are left over")
    return value


class _Reader:
    """Makes values of trees, and takes the arrays among them from the bytes that follow."""

    def __init__(self, rest: memoryview, asks: bool):
        self.rest, self.asks = rest, asks

    def value(self, tree: Any, depth: int) -> Any:
        if not isinstance(tree, dict) or len(tree) != 1 or not depth:
            raise Malformed("a node of the tree is wrong, or it is too deep")
        ((kind, content),) = tree.items()
        if kind in ("tuple", "list", "set", "dict"):
            return self._collection(kind, content, depth)
        if kind == "array":
            return self._array(content)
        if self.asks and kind == "named":
            name, fields, items = content
            return namedtuple(name, fields)(*self._items(items, depth))
        return self._single(kind, content)

    def _single(self, kind: str, content: Any) -> Any:
        if kind == "plain" and (content is None or isinstance(content, (bool, int, float, str))):
            return content
        if kind == "kept" and type(content) is int and content >= 0:
            return Kept(content)
        if kind == "unknown" and isinstance(content, str):
            return Unknown(content[:100])
        if self.asks and kind == "slice":
            return slice(*content)
        raise Malformed(f"there is no node {kind[:20]!r} with such a content")

    def _items(self, content: Any, depth: int) -> list[Any]:
        if not isinstance(content, list):
            raise Malformed("a collection is no list")
        return [self.value(item, depth - 1) for item in content]

    def _collection(self, kind: str, content: Any, depth: int) -> Any:
        try:
            if kind != "dict":
                return {"tuple": tuple, "list": list, "set": set}[kind](self._items(content, depth))
            if not isinstance(content, list) or any(not isinstance(pair, list) or len(pair) != 2 for pair in content):
                raise Malformed("a dict is no list of pairs")
            return {self.value(key, depth - 1): self.value(item, depth - 1) for key, item in content}
        except TypeError:
            raise Malformed("a list, a dict or an array is a key, or in a set") from None

    def _array(self, content: Any) -> np.ndarray:
        if not (isinstance(content, list) and len(content) == 2 and isinstance(content[1], list)):
            raise Malformed("an array needs its dtype and its shape")
        name, shape = content
        if not isinstance(name, str) or name not in DTYPES or len(shape) > 32:
            raise Malformed("an array has a dtype or a number of axes that there is not")
        if any(type(length) is not int or not 0 <= length <= FRAME_BYTES for length in shape):
            raise Malformed("an array has a length that cannot be")
        dtype = np.dtype(name).newbyteorder("<")
        size = dtype.itemsize
        for length in shape:
            size *= length
        if size > len(self.rest):
            raise Malformed("an array is longer than what was sent")
        raw, self.rest = self.rest[:size], self.rest[size:]
        if name == "bool":
            return (np.frombuffer(raw, np.uint8) != 0).reshape(shape)  # any other byte would be neither True nor False
        return np.frombuffer(raw, dtype).astype(np.dtype(name)).reshape(shape)
