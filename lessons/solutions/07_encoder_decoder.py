"""Lesson 07: who may look where, what a decoder sees while it learns, and looking at another text."""

import numpy as np


def prefix_mask(length: int, prefix: int) -> np.ndarray:
    """Who may look where in a prefix LM.

    The first `prefix` of `length` tokens see each other, in both directions. Every later token sees the prefix, itself
    and whatever stands before it.

    Returns (length, length) booleans: entry (i, j) is True if position i may look at position j.
    """
    # answer
    positions = np.arange(length)
    return (positions <= positions[:, None]) | (positions < prefix)
    # end of answer


def shift_right(targets: np.ndarray, start: int) -> np.ndarray:
    """What the decoder sees while it learns to write `targets`.

    targets: (B, T) integers. At place t the decoder is asked for targets[:, t] and has seen the targets before it, and
    first of all the token `start`.

    Returns (B, T) integers; `targets` itself stays as it is.
    """
    # answer
    seen = np.roll(targets, 1, axis=1)
    seen[:, 0] = start
    return seen
    # end of answer


def cross_attention(
    x: np.ndarray,
    memory: np.ndarray,
    present: np.ndarray,
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
) -> np.ndarray:
    """One head of cross-attention: the text being written looks at the text that was read.

    x: (T, C), the text being written; memory: (S, C), what the encoder made of the text that was read.
    present: (S,) booleans; where it is False there is only padding, which must get no weight at all.
    query, key, value: (C, D), the three matrices that multiply x or the memory (without biases).

    Returns (T, D): for each written position the mean of the values, weighted by a softmax over the read positions of
    the products of queries and keys, divided by sqrt(D).
    """
    # answer
    scores = (x @ query) @ (memory @ key).T / np.sqrt(query.shape[1])  # (T, S)
    scores[:, ~present] = -np.inf
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    return weights @ (memory @ value)
    # end of answer
