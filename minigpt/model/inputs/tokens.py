"""Tokens: integers (B, T) that pick rows of the token table."""

import math
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError, described
from minigpt.model.arrays import ROWS, Arrays, embedding_array
from minigpt.model.parts import sum_over_ranks
from minigpt.ops import embedding_backward, embedding_forward

TOKENS = "token_embedding.weight"  # one table, for every stack that reads tokens and for a tied head


class TokensCache(NamedTuple):
    rows: Any
    learn: np.ndarray | None  # (B, T)  whose rows learn from this: not padding, and on this rank; None: all


def arrays(_prefix: str, config) -> Arrays:
    """The table, (V, C)."""
    return {TOKENS: embedding_array(config.vocabulary_size, config.width, std=config.init_std, cut=ROWS)}


def forward(params, _prefix: str, config, tokens, call):
    """tokens: (B, T) integers in 0..V-1. Returns their vectors, (B, T, C), and the cache."""
    if not isinstance(tokens, np.ndarray) or tokens.dtype.kind not in "iu" or tokens.ndim != 2:
        raise UserError(f"tokens must be an array of whole numbers of shape (B, T), not {described(tokens)}")
    x, cache, learn = _look_up(tokens, params[TOKENS], call)
    if config.padding is not None:
        real = tokens != config.padding
        learn = real if learn is None else learn & real
    if config.scale_embedding:
        x = x * math.sqrt(config.width)
    return x, TokensCache(cache, learn)


def backward(grads, _prefix: str, config, dx, cache: TokensCache) -> None:
    """Add to the table's gradient: a tied or shared table has more uses."""
    if TOKENS not in grads:
        return
    if config.scale_embedding:
        dx = dx * math.sqrt(config.width)
    if cache.learn is not None:
        dx = dx * cache.learn[..., None]
    embedding_backward(dx, cache.rows, add_to=grads[TOKENS])


def length(_config, tokens) -> int:
    """A vector for each token."""
    return tokens.shape[1]


def _look_up(tokens, table, call):
    """Rows of the table; of one that is shared among ranks, each looks up what it has, and the sum is complete."""
    if call.comm is None:
        x, cache = embedding_forward(tokens, table)
        return x, cache, None
    local = tokens - call.vocabulary_offset
    inside = (local >= 0) & (local < len(table))
    x, cache = embedding_forward(local * inside, table)
    return sum_over_ranks(x * inside[..., None], call), cache, inside
