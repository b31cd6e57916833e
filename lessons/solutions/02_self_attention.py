"""Lesson 02: the mask, the heads, and attention itself."""

import math

import numpy as np


def causal_mask(length: int) -> np.ndarray:
    """Who may attend to whom in a causal model.

    length: T, the number of positions. Each of them is a query (a row) and a key (a column).

    Returns (T, T) booleans: True where the query may attend to the key, that is, to itself and to what came before.
    """
    # answer
    positions = np.arange(length)
    return positions[:, None] >= positions
    # end of answer


def split_heads(x: np.ndarray, heads: int) -> np.ndarray:
    """Cut the width into heads.

    x: (B, T, H * D). Head h of a token is its entries h * D to (h + 1) * D.

    Returns (B, H, T, D).
    """
    # answer
    batch, length, width = x.shape
    return x.reshape(batch, length, heads, width // heads).swapaxes(1, 2)
    # end of answer


def attention_forward(query, key, value, *, mask=None):
    """Scaled dot-product attention, for every head of every sequence.

    query: (B, H, T, D); key, value: (B, H, S, D). mask: booleans that broadcast to (B, H, T, S), True = may attend, or
    None. A query that may attend to nothing gives zeros.

    Returns (y, cache): y is (B, H, T, D), each row the average of the values with weights
    softmax(query . key / sqrt(D)); cache is None here.
    """
    # answer
    scores = query @ key.swapaxes(-1, -2) / math.sqrt(query.shape[-1])  # (B, H, T, S)
    if mask is not None:
        scores = np.where(mask, scores, -1e30)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    if mask is not None:
        weights = weights * np.any(mask, axis=-1, keepdims=True)
    return weights @ value, None
    # end of answer
