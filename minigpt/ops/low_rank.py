"""Low-rank product: x passes through a narrow middle of r numbers. What an adapter adds beside a large, frozen matrix.

Hu et al. (2021), "LoRA: Low-Rank Adaptation of Large Language Models", arXiv:2106.09685, section 4.1. There
W + scale * down @ up takes the place of W, with scale = alpha / r; r (C + F) numbers are trained instead of C F.
"""

from typing import NamedTuple

import numpy as np

from minigpt.errors import UserError


class LowRankCache(NamedTuple):
    x: np.ndarray  # (..., C)
    narrow: np.ndarray  # (N, r)  scale * x @ down
    down: np.ndarray  # (C, r)
    up: np.ndarray  # (r, F)
    scale: float


def low_rank_forward(
    x: np.ndarray, down: np.ndarray, up: np.ndarray, *, scale: float
) -> tuple[np.ndarray, LowRankCache]:
    """y = scale * (x @ down) @ up.

    x: (..., C); down: (C, r); up: (r, F); scale: a factor. The product down @ up, (C, F), is never made.
    Returns y: (..., F) and the cache for `low_rank_backward`. `UserError` if the widths differ.
    """
    if x.shape[-1] != down.shape[0]:
        raise UserError(f"x has width {x.shape[-1]} but down has {down.shape[0]} rows; they must be equal")
    if down.shape[1] != up.shape[0]:
        raise UserError(f"down has {down.shape[1]} columns but up has {up.shape[0]} rows; both are the rank")
    narrow = x.reshape(-1, down.shape[0]) @ down  # (N, r), N rows in all
    narrow *= scale  # cheapest here, where the array is smallest
    y = narrow @ up
    return y.reshape(*x.shape[:-1], up.shape[1]), LowRankCache(x, narrow, down, up, scale)


def low_rank_backward(dy: np.ndarray, cache: LowRankCache) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of x, down and up: (..., C), (C, r), (r, F).

    Two linear layers in a row: with h = scale * x @ down and y = h @ up,  dup = h^T @ dy,  dh = dy @ up^T,
    ddown = scale * x^T @ dh,  dx = scale * dh @ down^T.
    """
    x, narrow, down, up, scale = cache
    rows = dy.reshape(-1, up.shape[1])  # (N, F)
    dup = narrow.T @ rows
    dnarrow = rows @ up.T  # (N, r)
    dnarrow *= scale
    ddown = x.reshape(-1, down.shape[0]).T @ dnarrow
    return (dnarrow @ down.T).reshape(x.shape), ddown, dup
