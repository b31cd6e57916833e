"""Linear layer: every row of x times one matrix, plus a bias."""

from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.ops.sums import sum_of_rows


class LinearCache(NamedTuple):
    x: np.ndarray  # (..., C)
    weight: Any  # (C, F)
    has_bias: bool


def linear_forward(x: np.ndarray, weight: Any, bias: np.ndarray | None = None) -> tuple[np.ndarray, LinearCache]:
    """y = x @ weight + bias.

    x: (..., C); weight: (C, F), rows are inputs and columns are outputs (an array, or what offers `x @ weight` and
    `dy @ weight.T`); bias: (F,) or None. Returns y: (..., F) and the cache for `linear_backward`. `UserError` if the
    widths differ.
    """
    if x.shape[-1] != weight.shape[0]:
        raise UserError(f"x has width {x.shape[-1]} but weight has {weight.shape[0]} rows; they must be equal")
    if x.size == x.shape[-1]:  # one row, as in writing a token: without the two calls that reshape
        y = x @ weight
    else:  # one large product is faster than a stack of small ones
        rows = x.reshape(-1, weight.shape[0])  # (N, C), N rows in all
        y = (rows @ weight).reshape(*x.shape[:-1], weight.shape[1])
    if bias is not None:
        y += bias
    return y, LinearCache(x, weight, bias is not None)


def linear_backward(
    dy: np.ndarray,
    cache: LinearCache,
    *,
    out: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
    trained: tuple[bool, bool] = (True, True),
) -> tuple[Any, ...]:
    """Gradients of x, weight and (if there was one) bias: (..., C), (C, F), (F,).

    With y_nf = sum_c x_nc w_cf + b_f:  dx = dy @ weight^T,  dweight = x^T @ dy,  dbias = sum_n dy_n.
    The bias is added to every row, so its gradient is the sum over all rows.
    out: arrays to write dweight and dbias into; None allocates new ones. trained: whether weight and bias learn; the
    gradient of what is frozen is None, and its product is not made.
    """
    x, weight, has_bias = cache
    rows = dy.reshape(-1, weight.shape[1])  # (N, F)
    dx = (rows @ weight.T).reshape(x.shape)
    dweight = weight_gradient(x, rows, out=out[0]) if trained[0] else None
    if not has_bias:
        return dx, dweight
    return dx, dweight, sum_of_rows(rows, out=out[1]) if trained[1] else None


def weight_gradient(x: np.ndarray, dy: np.ndarray, *, out: np.ndarray | None = None) -> np.ndarray:
    """x^T @ dy over all rows: (C, F). x: (..., C); dy: (..., F). out: where to write it."""
    return np.matmul(x.reshape(-1, x.shape[-1]).T, dy.reshape(-1, dy.shape[-1]), out=out)  # (C, N) @ (N, F)
