"""Rotary positions: each pair of a head's entries is turned by an angle that grows with the position.

Su et al. (2021), "RoFormer", arXiv:2104.09864, section 3.4.2. A score then depends on how far apart query and key are,
not on where they stand. Pairs are (entry i, entry i + D/2), as in GPT-NeoX and Llama.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from minigpt.errors import UserError

SIGNS = np.array([[-1], [1]], np.int8)  # of the sine, for a and for b


class RotaryCache(NamedTuple):
    cos: np.ndarray  # (T, D/2)
    sin: np.ndarray  # (T, D/2)


def rotary_angles(
    positions: np.ndarray,
    width: int,
    *,
    theta: float = 10000.0,
    frequencies: np.ndarray | None = None,
    factor: float = 1.0,
    dtype: DTypeLike = np.float32,
) -> tuple[np.ndarray, np.ndarray]:
    """cos and sin of the angle positions[t] / theta^(2i/D): (T, D/2) each.

    positions: (T,) integers; width: D, even; theta: the base. frequencies: (D/2,) numbers in place of theta^(-2i/D);
    factor: what cos and sin are multiplied by (see `minigpt.model.scaling`). The angles are computed in float64: in
    float32 a position of a million would be off by 0.03 radians.
    """
    if width % 2:
        raise UserError(f"rotary positions need an even head width, not {width}; change width or heads")
    if frequencies is None:
        frequencies = theta ** (-np.arange(0, width, 2) / width)  # (D/2,)
    angles = np.asarray(positions)[:, None] * frequencies  # (T, D/2)
    return (factor * np.cos(angles)).astype(dtype), (factor * np.sin(angles)).astype(dtype)


def rotary_forward(x: np.ndarray, *, cos: np.ndarray, sin: np.ndarray) -> tuple[np.ndarray, RotaryCache]:
    """Turn each pair (a, b) of x: y = (a cos - b sin, b cos + a sin).

    x: (..., T, D); cos, sin: (T, D/2) from `rotary_angles`. Returns y: (..., T, D) and the cache for `rotary_backward`.
    """
    return _rotate(x, cos, sin), RotaryCache(cos, sin)


def rotary_backward(dy: np.ndarray, cache: RotaryCache) -> np.ndarray:
    """Gradient of x: (..., T, D). A rotation's transpose is the rotation by the opposite angle; a factor stays."""
    return _rotate(dy, cache.cos, -cache.sin)


def _rotate(x: np.ndarray, cos: np.ndarray, sin: np.ndarray) -> np.ndarray:
    pairs = x.reshape(*x.shape[:-1], 2, -1)  # (..., T, 2, D/2): all a, then all b
    y = pairs * cos[:, None]
    y += pairs[..., ::-1, :] * (SIGNS * sin[:, None])  # (a cos, b cos) + (b, a) (-sin, sin)
    return y.reshape(x.shape)
