"""SiLU, also called swish: x times its own sigmoid.

Elfwing, Uchibe & Doya (2017), arXiv:1702.03118; Ramachandran, Zoph & Le (2017), arXiv:1710.05941.
"""

from typing import NamedTuple

import numpy as np

from minigpt.ops.blocks import blocks
from minigpt.ops.sigmoid import write_falling_sigmoid


class SiLUCache(NamedTuple):
    x: np.ndarray  # (...)
    sigmoid: np.ndarray  # (...)


def silu_forward(x: np.ndarray) -> tuple[np.ndarray, SiLUCache]:
    """y = x * sigmoid(x). x: (...). Returns y: (...) and the cache for `silu_backward`."""
    y, sigmoid = np.empty(x.shape, x.dtype), np.empty(x.shape, x.dtype)
    for x_, y_, s in blocks(x, y, sigmoid):
        write_falling_sigmoid(np.negative(x_, out=s), out=s)
        np.multiply(x_, s, out=y_)
    return y, SiLUCache(x, sigmoid)


def silu_backward(dy: np.ndarray, cache: SiLUCache) -> np.ndarray:
    """Gradient of x: (...).  dy/dx = s + x s (1 - s) = s (1 + x (1 - s)), where s = sigmoid(x)."""
    dy = np.ascontiguousarray(dy)
    dx = np.empty_like(dy)
    for dy_, x, s, slope in blocks(dy, cache.x, cache.sigmoid, dx):
        np.subtract(1, s, out=slope)
        slope *= x
        slope += 1
        slope *= s
        slope *= dy_
    return dx
