"""Attention masks: booleans, True = this query may attend to that key. They combine with `&`."""

import numpy as np


def causal_mask(queries: int, keys: int | None = None) -> np.ndarray:
    """Each query sees itself and what came before: (T, S) booleans.

    queries: T; keys: S, default T. When there are more keys than queries, the queries are the last T of S positions
    (as when decoding with cached keys), so query t stands at position S - T + t.
    """
    keys = queries if keys is None else keys
    return np.tri(queries, keys, keys - queries, dtype=bool)


def padding_mask(present: np.ndarray) -> np.ndarray:
    """Padding is never attended to. present: (B, S) booleans, True = a real token. Returns (B, 1, 1, S)."""
    return present[:, None, None, :]
