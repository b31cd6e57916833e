"""Sums as matrix products, which BLAS makes two to three times as fast as a reduction of NumPy's."""

from typing import Any

import numpy as np

FEW = 4096  # numbers of which NumPy's reduction is as fast as a product


def sum_of_rows(x: np.ndarray, *, out: np.ndarray | None = None) -> Any:
    """All rows added up: (C,). x: (N, C). out: where to write it."""
    return np.matmul(np.ones(len(x), x.dtype), x, out=out)


def sum_in_rows(x: np.ndarray) -> np.ndarray:
    """Every row's numbers added up: (..., 1). x: (..., C), contiguous."""
    if x.size <= FEW:  # one token's worth: the product and what it needs take four calls, 8 µs against 3
        return np.add.reduce(x, axis=-1, keepdims=True)
    width = x.shape[-1]
    return (x.reshape(-1, width) @ np.ones(width, x.dtype)).reshape(*x.shape[:-1], 1)
