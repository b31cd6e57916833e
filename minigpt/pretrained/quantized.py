"""Weights in few bits: blocks of 32 numbers with a scale of their own, as llama.cpp stores them.

Each decoder takes the raw bytes of whole blocks, (blocks, bytes of a block), and gives (blocks, 32) float32.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

BLOCK = 32  # numbers


class Kind(NamedTuple):
    """A way to store numbers."""

    name: str
    block: int  # numbers in a block
    size: int  # bytes of a block
    decode: Callable[[np.ndarray], np.ndarray]


def decode_f32(raw: np.ndarray) -> np.ndarray:
    """Four bytes each."""
    return raw.view("<f4")


def decode_f16(raw: np.ndarray) -> np.ndarray:
    """Two bytes each."""
    return raw.view("<f2").astype(np.float32)


def decode_q8_0(raw: np.ndarray) -> np.ndarray:
    """x = d * q: a 16-bit scale d, then 32 signed bytes q."""
    return _half(raw, 0) * raw[:, 2:].view(np.int8)


def decode_q4_0(raw: np.ndarray) -> np.ndarray:
    """x = d * (q - 8): a 16-bit scale d, then 32 numbers of four bits."""
    return _half(raw, 0) * (_nibbles(raw[:, 2:]).astype(np.float32) - 8)


def decode_q4_1(raw: np.ndarray) -> np.ndarray:
    """x = d * q + m: a 16-bit scale d and minimum m, then 32 numbers of four bits."""
    return _half(raw, 0) * _nibbles(raw[:, 4:]) + _half(raw, 2)


KINDS = {  # the numbers that GGUF gives them
    0: Kind("F32", 1, 4, decode_f32),
    1: Kind("F16", 1, 2, decode_f16),
    2: Kind("Q4_0", BLOCK, 18, decode_q4_0),
    3: Kind("Q4_1", BLOCK, 20, decode_q4_1),
    8: Kind("Q8_0", BLOCK, 34, decode_q8_0),
}


def decode_blocks(kind: Kind, raw: np.ndarray) -> np.ndarray:
    """Blocks as they are stored: (..., bytes of a block), to their numbers: (..., numbers of a block) float32.

    A damaged scale gives numbers that are not finite, and no warning.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        numbers = kind.decode(np.ascontiguousarray(raw).reshape(-1, kind.size))
    return numbers.reshape(*raw.shape[:-1], kind.block)


def _half(raw: np.ndarray, start: int) -> np.ndarray:
    """The 16-bit number at byte `start` of every block: (blocks, 1) float32."""
    return np.ascontiguousarray(raw[:, start : start + 2]).view("<f2").astype(np.float32)


def _nibbles(packed: np.ndarray) -> np.ndarray:
    """(blocks, 16) bytes to (blocks, 32): the low halves of all bytes, then the high ones."""
    return np.concatenate([packed & 15, packed >> 4], axis=1)
