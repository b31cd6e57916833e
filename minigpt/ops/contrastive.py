"""Contrastive loss: of N pictures and their N texts, which belong together?

CLIP: Radford et al. (2021), "Learning Transferable Visual Models From Natural Language Supervision", arXiv:2103.00020,
figure 3. Every picture chooses among all texts and every text among all pictures, by the cosine of their vectors times
a factor that is learned; the others of the batch are the wrong answers.
"""

from typing import NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.ops.cross_entropy import cross_entropy_backward, cross_entropy_forward


class ContrastiveCache(NamedTuple):
    first: np.ndarray  # (N, D)  of length 1
    second: np.ndarray  # (N, D)
    lengths: tuple[np.ndarray, np.ndarray]  # (N, 1) each, before they were 1
    logits: np.ndarray  # (N, N)  a row for each of the first
    errors: np.ndarray  # (N, N)  the gradient of the logits for a dloss of 1
    scale: np.ndarray  # (1,)


def contrastive_forward(
    first: np.ndarray, second: np.ndarray, log_scale: np.ndarray
) -> tuple[np.floating, ContrastiveCache]:
    """loss = the mean of two cross-entropies, in nats, of  logits_ij = exp(log_scale) cos(first_i, second_j):

    of its rows, in which first_i chooses among all of the second, and of its columns; i = j is right.
    first, second: (N, D), row by row what belongs together; log_scale: (1,), the logarithm of the inverse temperature.
    Returns the loss, a scalar, and the cache for `contrastive_backward`. `UserError` if the shapes differ, or a vector
    is zero, which has no direction.
    """
    if first.shape != second.shape or first.ndim != 2 or log_scale.shape != (1,):
        raise UserError(
            f"contrastive takes first and second (N, D) and log_scale (1,), but they have the shapes {first.shape}, "
            f"{second.shape} and {log_scale.shape}"
        )
    lengths = tuple(np.sqrt((x * x).sum(axis=1, keepdims=True)) for x in (first, second))
    if not all(length.all() for length in lengths):
        raise UserError("a vector of zeros has no direction to compare; begin with other parameters")
    u, v = first / lengths[0], second / lengths[1]
    scale = np.exp(log_scale)
    logits = scale * (u @ v.T)  # (N, N)
    right = np.arange(len(first))
    (rows, of_rows), (columns, of_columns) = (cross_entropy_forward(some, right) for some in (logits, logits.T))
    errors = (cross_entropy_backward(0.5, of_rows) + cross_entropy_backward(0.5, of_columns).T).astype(logits.dtype)
    return (rows + columns) / 2, ContrastiveCache(u, v, (lengths[0], lengths[1]), logits, errors, scale)


def contrastive_backward(
    dloss: float | np.floating, cache: ContrastiveCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of first, second and log_scale: (N, D), (N, D), (1,).

    dlogits = errors * dloss;  with s = exp(log_scale):  du = s dlogits @ v,  dv = s dlogits^T @ u,  and the length of a
    vector changes nothing:  dfirst = (du - u (u . du)) / |first|.  dlog_scale = sum of dlogits * logits.
    """
    u, v, lengths, logits, errors, scale = cache
    dlogits = errors * errors.dtype.type(dloss)
    du, dv = scale * (dlogits @ v), scale * (dlogits.T @ u)
    dfirst, dsecond = (
        (dx - x * (x * dx).sum(axis=1, keepdims=True)) / length
        for x, dx, length in ((u, du, lengths[0]), (v, dv, lengths[1]))
    )
    return dfirst, dsecond, (dlogits * logits).sum().reshape(1)
