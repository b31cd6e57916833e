"""Sinusoidal positions: a fixed table of sines and cosines of many wavelengths, added to the embeddings.

Vaswani et al. (2017), arXiv:1706.03762, section 3.5. Nothing is learnt, so there is no backward. On a grid half of the
numbers say the row and half the column, as masked autoencoders of images have it (He et al. 2021, arXiv:2111.06377).
"""

import numpy as np
from numpy.typing import DTypeLike

from minigpt.errors import UserError


def sinusoidal_positions(positions: np.ndarray, width: int, *, dtype: DTypeLike = np.float32) -> np.ndarray:
    """table[t, 2i] = sin(t / 10000^(2i/C)), table[t, 2i + 1] = cos of the same.

    positions: (T,) integers; width: C, even. Returns (T, C).
    """
    if width % 2:
        raise UserError(f"sinusoidal positions need an even width, not {width}")
    angles = np.asarray(positions)[:, None] * 10000.0 ** (-np.arange(0, width, 2) / width)  # (T, C/2)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(len(angles), width).astype(dtype)


def sinusoidal_grid(rows: int, columns: int, width: int, *, dtype: DTypeLike = np.float32) -> np.ndarray:
    """table[r * columns + c] = the sinusoidal position of r and, behind it, that of c, C/2 numbers each.

    width: C, a multiple of 4. Returns (rows * columns, C), row after row as one reads. `UserError` for another C.
    """
    if width % 4:
        raise UserError(f"sinusoidal positions on a grid need a width that 4 divides, not {width}")
    row, column = np.divmod(np.arange(rows * columns), columns)
    halves = [sinusoidal_positions(places, width // 2, dtype=dtype) for places in (row, column)]
    return np.concatenate(halves, axis=-1)
