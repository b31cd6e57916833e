"""Lesson 16: a low-rank adapter, replay, and the rank of a change."""

import numpy as np


def low_rank_forward(x, down, up, *, scale):
    """y = scale * (x @ down) @ up: what an adapter of rank r adds to x @ W.

    x: (..., C); down: (C, r); up: (r, F); scale: a number.

    Returns y, (..., F), and a cache of your choice.
    """
    # answer
    narrow = scale * (x @ down)  # (..., r)
    return narrow @ up, (x, narrow, down, up, scale)
    # end of answer


def low_rank_backward(dy, cache):
    """The gradients of x, down and up. The scale is a setting and gets none.

    dy: (..., F), the upstream gradient; cache: what your `low_rank_forward` returned.

    Returns dx (..., C), ddown (C, r), dup (r, F): the last two summed over all rows of x.
    """
    # answer
    x, narrow, down, up, scale = cache
    rows = dy.reshape(-1, dy.shape[-1])
    dnarrow = scale * rows @ up.T
    ddown = x.reshape(-1, x.shape[-1]).T @ dnarrow
    dup = narrow.reshape(-1, narrow.shape[-1]).T @ rows
    return (dnarrow @ down.T).reshape(x.shape), ddown, dup
    # end of answer


def with_replay(new: np.ndarray, old: np.ndarray, share: float) -> np.ndarray:
    """A batch in which some rows of the new text make room for rows of the old one.

    new, old: (B, T) integers, windows of both texts. share: of the batch that shall be old, 0 to 1; it is rounded to
    whole rows as Python's `round` does.

    Returns (B, T): first the first rows of `new`, then as many of the first rows of `old` as the share says.
    """
    # answer
    replayed = round(share * len(new))
    return np.concatenate([new[: len(new) - replayed], old[:replayed]])
    # end of answer


def rank_needed(change: np.ndarray, share: float) -> int:
    """The smallest rank with which an adapter can make a given share of a change of a matrix.

    change: (C, F), the matrix after training less the matrix before. share: 0 to 1, of the sum of its squared entries.
    The best matrix of rank r keeps the r largest singular values (Eckart & Young, 1936), and the sum of the squared
    entries is the sum of the squared singular values.

    Returns the smallest r whose best matrix holds at least that share.
    """
    # answer
    squares = np.linalg.svd(change, compute_uv=False) ** 2
    held = np.cumsum(squares) / squares.sum()
    return int(np.argmax(held >= share)) + 1
    # end of answer
