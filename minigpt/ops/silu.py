"""SiLU, also called swish: x times its own sigmoid.

Elfwing, Uchibe & Doya (2017), arXiv:1702.03118; Ramachandran, Zoph & Le (2017), arXiv:1710.05941.
"""

from typing import NamedTuple

import numpy as np


class SiLUCache(NamedTuple):
    x: np.ndarray  # (...)
    sigmoid: np.ndarray  # (...)


def silu_forward(x):
    """y = x * sigmoid(x). x: (...). Returns y: (...) and the cache for `silu_backward`."""
    sigmoid = np.tanh(0.5 * x)  # sigmoid(x) = (1 + tanh(x / 2)) / 2, which never overflows
    sigmoid += 1
    sigmoid *= 0.5
    return x * sigmoid, SiLUCache(x, sigmoid)


def silu_backward(dy, cache):
    """Gradient of x: (...).  dy/dx = s + x s (1 - s) = s (1 + x (1 - s)), where s = sigmoid(x)."""
    x, sigmoid = cache
    slope = 1 - sigmoid
    slope *= x
    slope += 1
    slope *= sigmoid
    slope *= dy
    return slope
