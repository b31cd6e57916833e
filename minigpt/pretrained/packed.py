"""Numbers of 3, 4, 6 or 8 bits in groups, each with a scale of their own, packed without gaps.

A row of codes is cut into eight segments. A code of 3 bits is one of 2 bits and one of 1, a code of 6 bits one of 4 and
one of 2: planes of a width that divides a byte. The plane of width w has w runs of bytes, each as long as a segment; in
run h, the bits that are p from the lowest hold segment p w + h. So unpacking is a shift and a mask of long runs, with
nothing to gather.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from minigpt.errors import UserError
from minigpt.pretrained.quantized import Kind
from minigpt.values import Kind as ValueKind

PLANES = {8: (8,), 6: (4, 2), 4: (4,), 3: (2, 1)}  # bits of a code -> widths of its planes, the lowest bits first
BITS = ValueKind(f"one of {', '.join(map(str, PLANES))}", lambda value: type(value) is int and value in PLANES)


def packed_size(count: int, bits: int) -> int:
    """The bytes of so many codes; the last segment may be shorter than the others."""
    return bits * -(-count // 8)


def pack(codes: np.ndarray, bits: int) -> np.ndarray:
    """codes: (n, count) uint8, less than 2^bits each. Returns (n, `packed_size`) uint8."""
    run = packed_size(codes.shape[1], 1)
    whole = np.zeros((len(codes), 8 * run), np.uint8)
    whole[:, : codes.shape[1]] = codes
    segments = whole.reshape(len(codes), 8, run)
    packed = np.zeros((len(codes), bits, run), np.uint8)
    for first, width in _planes(bits):
        for part in range(8 // width):
            mine = segments[:, part * width : (part + 1) * width] >> first & (1 << width) - 1
            packed[:, first : first + width] |= mine << part * width
    return packed.reshape(len(codes), -1)


def unpack(packed: np.ndarray, bits: int) -> np.ndarray:
    """The codes that were packed, segment by segment: (8, n, length of a segment) uint8."""
    runs = np.ascontiguousarray(packed.reshape(len(packed), bits, -1).swapaxes(0, 1))  # (bits, n, run)
    codes = np.zeros((8, *runs.shape[1:]), np.uint8)
    for first, width in _planes(bits):
        for part in range(8 // width):
            mine = runs[first : first + width] >> part * width
            mine &= (1 << width) - 1
            mine <<= first
            codes[part * width : (part + 1) * width] |= mine
    return codes


def _planes(bits: int) -> Iterator[tuple[int, int]]:
    """Of each plane the first bit and the width."""
    first = 0
    for width in PLANES[bits]:
        yield first, width
        first += width


def row_kind(columns: int, bits: int, group: int, *, symmetric: bool) -> Kind:
    """The format of whole rows, x = d q + m with 16-bit d and m for each group, or x = d (q - 2^(bits - 1)).

    A row has all its d, then all its m, then all its codes: NumPy is fast along long runs, and a group alone is short.
    `UserError` if the groups do not divide the columns.
    """
    if columns % group:
        raise UserError(f"groups of {group} do not divide rows of {columns} numbers; choose other groups")
    size = (2 if symmetric else 4) * (columns // group) + packed_size(columns, bits)
    name = f"{bits} bits in groups of {group}, {'symmetric' if symmetric else 'asymmetric'}"
    return Kind(name, columns, size, partial(_decode, columns, bits, group, symmetric))


def join_rows(codes: np.ndarray, scale: np.ndarray, least: np.ndarray | None, bits: int) -> np.ndarray:
    """Rows as they are stored: codes (n, columns), scale and least (n, groups), or None if symmetric, to (n, bytes)."""
    halves = [part.astype("<f2").view(np.uint8) for part in (scale, least) if part is not None]
    return np.concatenate([*halves, pack(codes, bits)], axis=1)


def _decode(columns: int, bits: int, group: int, symmetric: bool, raw: np.ndarray) -> np.ndarray:
    halves = 2 * (columns // group)  # bytes of all d, or all m
    scale = _halves(raw[:, :halves])
    codes = unpack(raw[:, halves if symmetric else 2 * halves :], bits)
    numbers = codes.swapaxes(0, 1).astype(np.float32, order="C").reshape(len(raw), -1)[:, :columns]
    if symmetric:
        numbers -= 1 << bits - 1
    groups = numbers.reshape(len(raw), -1, group)
    groups *= scale
    if not symmetric:
        groups += _halves(raw[:, halves : 2 * halves])
    return groups.reshape(len(raw), columns)


def _halves(raw: np.ndarray) -> np.ndarray:
    """(n, 2 groups) bytes to 16-bit numbers: (n, groups, 1) float32."""
    return np.ascontiguousarray(raw).view("<f2").astype(np.float32)[..., None]
