"""ReLU: what is negative becomes zero.

Nair & Hinton (2010), "Rectified Linear Units Improve Restricted Boltzmann Machines", ICML.
The activation of the 2017 transformer (Vaswani et al., arXiv:1706.03762, eq. 2).
"""

from typing import NamedTuple

import numpy as np


class ReLUCache(NamedTuple):
    y: np.ndarray  # (...)


def relu_forward(x: np.ndarray) -> tuple[np.ndarray, ReLUCache]:
    """y = max(x, 0). x: (...). Returns y: (...) and the cache for `relu_backward`."""
    y = np.maximum(x, 0)
    return y, ReLUCache(y)


def relu_backward(dy: np.ndarray, cache: ReLUCache) -> np.ndarray:
    """Gradient of x: (...). The slope is 1 where x > 0 and 0 elsewhere (at 0 itself by convention)."""
    return dy * (cache.y > 0)
