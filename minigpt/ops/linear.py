"""Linear layer: every row of x times one matrix, plus a bias."""

from typing import NamedTuple

import numpy as np

from minigpt.errors import UserError


class LinearCache(NamedTuple):
    x: np.ndarray  # (..., C)
    weight: np.ndarray  # (C, F)
    has_bias: bool


def linear_forward(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None) -> tuple[np.ndarray, LinearCache]:
    """y = x @ weight + bias.

    x: (..., C); weight: (C, F), rows are inputs and columns are outputs; bias: (F,) or None.
    Returns y: (..., F) and the cache for `linear_backward`. `UserError` if the widths differ.
    """
    if x.shape[-1] != weight.shape[0]:
        raise UserError(f"x has width {x.shape[-1]} but weight has {weight.shape[0]} rows; they must be equal")
    # One large product is faster than a stack of small ones.
    y = x.reshape(-1, weight.shape[0]) @ weight  # (N, F), N rows in all
    if bias is not None:
        y += bias
    return y.reshape(*x.shape[:-1], weight.shape[1]), LinearCache(x, weight, bias is not None)


def linear_backward(
    dy: np.ndarray, cache: LinearCache, *, out: tuple[np.ndarray | None, np.ndarray | None] = (None, None)
) -> tuple[np.ndarray, ...]:
    """Gradients of x, weight and (if there was one) bias: (..., C), (C, F), (F,).

    With y_nf = sum_c x_nc w_cf + b_f:  dx = dy @ weight^T,  dweight = x^T @ dy,  dbias = sum_n dy_n.
    The bias is added to every row, so its gradient is the sum over all rows.
    out: arrays to write dweight and dbias into; None allocates new ones.
    """
    x, weight, has_bias = cache
    rows = dy.reshape(-1, weight.shape[1])  # (N, F)
    dx = (rows @ weight.T).reshape(x.shape)
    dweight = np.matmul(x.reshape(-1, weight.shape[0]).T, rows, out=out[0])  # (C, N) @ (N, F)
    if not has_bias:
        return dx, dweight
    return dx, dweight, rows.sum(axis=0, out=out[1])
