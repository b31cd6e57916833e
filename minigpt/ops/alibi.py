"""Attention with linear biases: a score loses in proportion to how far its key is from its query, in each head at its
own rate. Nothing else says where a token stands, so a longer text asks for nothing new.

Press, Smith, Lewis (2021), "Train Short, Test Long", arXiv:2108.12409, section 3.
"""

from typing import NamedTuple

import numpy as np


class AlibiBias(NamedTuple):
    """The biases of all heads, as a rule: (H, T, S) numbers, of which a part is made when it is needed."""

    slopes: np.ndarray  # (H,)
    queries: np.ndarray  # (T,) integers, where each query stands
    keys: np.ndarray  # (S,) integers

    def tile(self, _sequence: int, heads: slice, rows: slice, columns: slice) -> np.ndarray:
        """-slope * distance, of these heads, queries and keys: (h, t, s)."""
        distances = np.abs(self.queries[rows, None] - self.keys[columns])
        return distances.astype(self.slopes.dtype) * -self.slopes[heads, None, None]

    def array(self) -> np.ndarray:
        """All of it: (H, T, S)."""
        return self.tile(0, slice(None), slice(None), slice(None))


def alibi_slopes(heads: int) -> np.ndarray:
    """How fast each head's scores fall: (H,) numbers of float64.

    For H a power of two the geometric sequence from 2^(-8/H) to 2^-8; otherwise that of the next smaller power of two,
    then every other number of the next larger one's, as in the paper's code (`get_slopes`).
    """
    power = 1 << (heads.bit_length() - 1)
    slopes = _geometric(power)
    return np.concatenate([slopes, _geometric(2 * power)[::2][: heads - power]])


def _geometric(heads: int) -> np.ndarray:
    return 2.0 ** (-8 * np.arange(1, heads + 1) / heads)
