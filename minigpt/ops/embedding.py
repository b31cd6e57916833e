"""Embedding: token ids pick rows of a table."""

from typing import NamedTuple

import numpy as np

from minigpt.errors import UserError


class EmbeddingCache(NamedTuple):
    tokens: np.ndarray  # (...) integers
    weight: np.ndarray  # (V, C)


def embedding_forward(tokens: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, EmbeddingCache]:
    """y = weight[tokens].

    tokens: (...) integers in 0..V-1; weight: (V, C). Returns y: (..., C) and the cache for `embedding_backward`.
    `UserError` if an id is outside the table (a negative id would silently pick a row from the end).
    """
    if tokens.size and not (tokens.min() >= 0 and tokens.max() < len(weight)):
        wrong = tokens[(tokens < 0) | (tokens >= len(weight))].flat[0]
        raise UserError(f"token id {wrong} is outside the vocabulary of {len(weight)}; use the model's own tokenizer")
    return weight[tokens], EmbeddingCache(tokens, weight)


def embedding_backward(dy: np.ndarray, cache: EmbeddingCache, *, add_to: np.ndarray | None = None) -> np.ndarray:
    """Gradient of weight: (V, C). Token ids are not differentiable.

    y_n = sum_v [tokens_n = v] weight_v, so  dweight_v = sum of dy_n over the rows where token v stood.
    A token that occurs twice gets both gradients; one that does not occur gets exactly zero.
    add_to: an array of weight's shape to add into (a tied head has put its gradient there before); None starts at zero.
    """
    tokens, weight = cache
    dweight = np.zeros_like(weight) if add_to is None else add_to
    ids = tokens.reshape(-1)
    order = np.argsort(ids, kind="stable")
    present, first = np.unique(ids[order], return_index=True)
    if ids.size:  # sum each run of equal ids: much faster than np.add.at, and in a fixed order
        dweight[present] += np.add.reduceat(dy.reshape(-1, weight.shape[1])[order], first, axis=0)
    return dweight
