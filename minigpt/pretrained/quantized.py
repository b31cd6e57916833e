"""Weights in few bits: the formats of GGUF files, each with its decoder and, where it is written here, its encoder."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from minigpt.pretrained import small_blocks as small
from minigpt.pretrained import super_blocks as large

BLOCK, SUPER_BLOCK = small.BLOCK, large.SUPER_BLOCK


class Kind(NamedTuple):
    """A way to store numbers."""

    name: str
    block: int  # numbers in a block
    size: int  # bytes of a block
    decode: Callable[[np.ndarray], np.ndarray]  # (blocks, size) bytes to (blocks, block) float32
    encode: Callable[[np.ndarray], np.ndarray] | None = None  # the other way round; None: this is only read


KINDS = {  # the numbers that GGUF gives them
    0: Kind("F32", 1, 4, small.decode_f32, small.encode_f32),
    1: Kind("F16", 1, 2, small.decode_f16, small.encode_f16),
    2: Kind("Q4_0", BLOCK, 18, small.decode_q4_0, small.encode_q4_0),
    3: Kind("Q4_1", BLOCK, 20, small.decode_q4_1, small.encode_q4_1),
    6: Kind("Q5_0", BLOCK, 22, small.decode_q5_0),
    7: Kind("Q5_1", BLOCK, 24, small.decode_q5_1),
    8: Kind("Q8_0", BLOCK, 34, small.decode_q8_0, small.encode_q8_0),
    10: Kind("Q2_K", SUPER_BLOCK, 84, large.decode_q2_k),
    11: Kind("Q3_K", SUPER_BLOCK, 110, large.decode_q3_k),
    12: Kind("Q4_K", SUPER_BLOCK, 144, large.decode_q4_k),
    13: Kind("Q5_K", SUPER_BLOCK, 176, large.decode_q5_k),
    14: Kind("Q6_K", SUPER_BLOCK, 210, large.decode_q6_k),
}
NUMBERS = {kind.name: number for number, kind in KINDS.items()}
WRITTEN = tuple(kind.name for kind in KINDS.values() if kind.encode)


def decode_blocks(kind: Kind, raw: np.ndarray) -> np.ndarray:
    """Blocks as they are stored: (..., bytes of a block), to their numbers: (..., numbers of a block) float32.

    A damaged scale gives numbers that are not finite, and no warning.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        numbers = kind.decode(np.ascontiguousarray(raw).reshape(-1, kind.size))
    return numbers.reshape(*raw.shape[:-1], kind.block)
