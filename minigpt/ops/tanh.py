"""Hyperbolic tangent: squeezes every number into -1 to 1. BERT's pooler ends with it (Devlin et al. 2018)."""

from typing import NamedTuple

import numpy as np


class TanhCache(NamedTuple):
    y: np.ndarray  # (...)


def tanh_forward(x: np.ndarray) -> tuple[np.ndarray, TanhCache]:
    """y = tanh(x). x: (...). Returns y: (...) and the cache for `tanh_backward`."""
    y = np.tanh(x)
    return y, TanhCache(y)


def tanh_backward(dy: np.ndarray, cache: TanhCache) -> np.ndarray:
    """Gradient of x: (...).  dtanh(x)/dx = 1 - tanh(x)^2."""
    return dy * (1 - cache.y * cache.y)
