"""Softmax: scores become positive weights that sum to one.

Bridle (1990), "Probabilistic Interpretation of Feedforward Classification Network Outputs".
"""

from typing import NamedTuple

import numpy as np

from minigpt.ops.sums import sum_in_rows


class SoftmaxCache(NamedTuple):
    y: np.ndarray  # (..., S)


def softmax_forward(x: np.ndarray) -> tuple[np.ndarray, SoftmaxCache]:
    """y = exp(x) / sum(exp(x)), over the last axis.

    x: (..., S). Returns y: (..., S) and the cache for `softmax_backward`.
    The row's maximum is subtracted first: it changes nothing in y, and exp then cannot overflow.
    """
    y = x - x.max(axis=-1, keepdims=True)
    np.exp(y, out=y)
    y /= sum_in_rows(y)
    return y, SoftmaxCache(y)


def softmax_backward(dy: np.ndarray, cache: SoftmaxCache) -> np.ndarray:
    """Gradient of x: (..., S).

    dy_i/dx_j = y_i ([i = j] - y_j), so  dx = y * (dy - sum(dy * y)).
    The sum is there because every x of a row moves every y of it. A row of dx sums to zero:
    adding a constant to x changes nothing.
    """
    y = cache.y
    dx = dy - np.vecdot(dy, y)[..., None]
    dx *= y
    return dx
