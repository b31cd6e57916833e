"""Sinusoidal positions: a fixed table of sines and cosines of many wavelengths, added to the embeddings.

Vaswani et al. (2017), arXiv:1706.03762, section 3.5. Nothing is learnt, so there is no backward.
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
