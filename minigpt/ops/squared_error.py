"""Squared error: how far vectors are from those that they should be.

A hidden state as a hint for a smaller model: Romero et al. (2015), "FitNets", arXiv:1412.6550, section 2.2; for every
layer of a transformer: Jiao et al. (2020), "TinyBERT", arXiv:1909.10351, section 3.1.
"""

from typing import NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.ops.soft_targets import shares


class SquaredErrorCache(NamedTuple):
    difference: np.ndarray  # (N, C)
    weights: np.ndarray  # (N, 1)  how much each row counts
    shape: tuple[int, ...]  # of x


def squared_error_forward(
    x: np.ndarray, *, wanted: np.ndarray, counted: np.ndarray | None = None, count: float | None = None
) -> tuple[np.floating, SquaredErrorCache]:
    """loss = mean over counted rows, and over the entries of a row, of (x - wanted)^2.

    x, wanted: (..., C); what is wanted is a constant. counted, count: as in `soft_targets_forward`. Returns the loss, a
    scalar, and the cache for `squared_error_backward`. `UserError` if the shapes differ.
    """
    if wanted.shape != x.shape:
        raise UserError(f"x has shape {x.shape}, but what is wanted {wanted.shape}; they must be equal")
    weights = shares(x.shape[:-1], counted, count, x.dtype)
    difference = (x - wanted).reshape(-1, x.shape[-1])
    loss = (np.square(difference).mean(axis=-1, keepdims=True) * weights).sum()
    return loss, SquaredErrorCache(difference, weights, x.shape)


def squared_error_backward(dloss: float | np.floating, cache: SquaredErrorCache) -> np.ndarray:
    """Gradient of x: (..., C).

    d loss / d x = 2 (x - wanted) / (C * number of counted rows).
    """
    difference, weights, shape = cache
    return (difference * (weights * weights.dtype.type(2 * dloss / shape[-1]))).reshape(shape)
