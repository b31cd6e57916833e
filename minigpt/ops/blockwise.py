"""Attention that never has a row of weights in one piece: queries and keys meet in tiles, and memory is linear in T.

Dao et al. (2022), "FlashAttention", arXiv:2205.14135, section 3.1 and appendix B. Milakov and Gimelshein (2018),
"Online normalizer calculation for softmax", arXiv:1805.02867. It is what `attention_forward` computes, in less memory,
and of long texts sooner; but nobody can look at the weights.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np

from minigpt.ops.attention import MASKED, check_attention_shapes
from minigpt.ops.sums import sum_in_rows

ROWS, COLUMNS = 256, 256  # queries, of all heads that share a key, and keys of a tile: it fits the processor's cache


class Tiles(Protocol):
    """(B, H, T, S) numbers or booleans by a rule: `MaskRule`, `AlibiBias`, `DropoutRule`."""

    def tile(self, sequence: int, heads: slice, rows: slice, columns: slice) -> np.ndarray | None:
        """What broadcasts to (h, t, s), of one sequence; None for nothing."""
        ...


class BlockwiseAttentionCache(NamedTuple):
    query: np.ndarray  # (B, H, T, D)  scaled
    key: np.ndarray  # (B, G, S, D)
    value: np.ndarray  # (B, G, S, D)
    y: np.ndarray  # (B, H, T, D)
    log_sum: np.ndarray  # (B, H, T)  log(sum(exp(scores))) of each query: with it, its weights are made again
    meeting: "Meeting"
    scale: float


class Meeting(NamedTuple):
    """What happens where queries and keys meet, and in how large tiles they do."""

    mask: Any  # Tiles, an array or None
    bias: Any
    dropout_mask: Any
    rate: float
    rows: int
    columns: int


class Tile(NamedTuple):
    """Some queries and some keys of one sequence and one key-value head, whose h query heads lie one after another."""

    rows: slice  # t of the queries
    columns: slice  # s of the keys
    mask: np.ndarray | None  # broadcasts to (h, t, s)
    bias: np.ndarray | None
    factor: np.ndarray | None  # of dropout: 0 or 1 / (1 - rate)


def blockwise_attention_forward(
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    *,
    mask: np.ndarray | Tiles | None = None,
    bias: np.ndarray | Tiles | None = None,
    scale: float | None = None,
    dropout_mask: np.ndarray | Tiles | None = None,
    rate: float = 0.0,
    rows: int = ROWS,
    columns: int = COLUMNS,
) -> tuple[np.ndarray, BlockwiseAttentionCache]:
    """y = dropout(softmax(scale * query @ key^T + bias, where mask)) @ value, for every head; all as in `attention`.

    query: (B, H, T, D); key, value: (B, G, S, D). mask, bias, dropout_mask: arrays that broadcast to (B, H, T, S), or
    rules of which no such array is ever made. rows, columns: the size of a tile. A row's largest score m, its sum l of
    exp(score - m) and its sum of values are kept while the keys go by; where a tile has a larger score, what was summed
    before shrinks by exp(m_before - m). Returns y: (B, H, T, D) and the cache for `blockwise_attention_backward`.
    `UserError` if the shapes do not fit.
    """
    check_attention_shapes(query, key, value)
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    shared = query.shape[1] // key.shape[1]
    query, key, value = np.multiply(query, scale, order="C"), *map(np.ascontiguousarray, (key, value))
    y, log_sum = np.empty_like(query), np.empty(query.shape[:3], query.dtype)
    meeting = Meeting(mask, bias, dropout_mask, rate, max(1, rows // shared), columns)
    for sequence, group, heads in _heads(key.shape, shared):
        forward_in_tiles(
            query[sequence, heads],
            key[sequence, group],
            value[sequence, group],
            _tiles(meeting, sequence, heads, query.shape[2], key.shape[2], query.dtype),
            y[sequence, heads],
            log_sum[sequence, heads],
        )
    return y, BlockwiseAttentionCache(query, key, value, y, log_sum, meeting, scale)


def blockwise_attention_backward(
    dy: np.ndarray, cache: BlockwiseAttentionCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of query, key and value: (B, H, T, D), (B, G, S, D), (B, G, S, D).

    Each tile's weights w are made again, exp(scores - log_sum). Then dvalue = w^T @ dy, dw = dy @ value^T,
    ds = w * (dw - delta), dquery = scale * ds @ key and dkey = scale * ds^T @ query, added up over the tiles.
    delta = sum(dw * w) is softmax's sum over a whole row; it equals sum(dy * y), which needs no row of weights.
    """
    query, key, value = cache.query, cache.key, cache.value
    dy = np.ascontiguousarray(dy)
    dquery, dkey, dvalue = np.zeros_like(query), np.zeros_like(key), np.zeros_like(value)
    delta = np.vecdot(dy, cache.y)  # (B, H, T)
    for sequence, group, heads in _heads(key.shape, query.shape[1] // key.shape[1]):
        backward_in_tiles(
            dy[sequence, heads],
            (query[sequence, heads], key[sequence, group], value[sequence, group]),
            (cache.log_sum[sequence, heads], delta[sequence, heads]),
            _tiles(cache.meeting, sequence, heads, query.shape[2], key.shape[2], query.dtype),
            (dquery[sequence, heads], dkey[sequence, group], dvalue[sequence, group]),
        )
    dquery *= cache.scale
    return dquery, dkey, dvalue


def forward_in_tiles(
    query: np.ndarray, key: np.ndarray, value: np.ndarray, tiles: Any, y: np.ndarray, log_sum: np.ndarray
) -> None:
    """One sequence, and the h query heads of one key-value head. query, y: (h, T, D); key, value: (S, D).

    y and log_sum, (h, T), are written.
    """
    for rows, met in tiles:
        some = _stacked(query[:, rows])  # (h * t, D)
        total, top = np.zeros((2, len(some), 1), query.dtype)
        top += MASKED
        summed = np.zeros_like(some)
        for tile in met:
            weights = _scores(some, key, tile)  # (h * t, s)
            higher = np.maximum(top, weights.max(axis=-1, keepdims=True))
            weights -= higher
            np.exp(weights, out=weights)
            shrink = np.exp(top - higher)
            total = total * shrink + sum_in_rows(weights)
            summed *= shrink
            summed += _dropped(weights, tile) @ value[tile.columns]
            top = higher
        nothing = top == MASKED  # of a query that may attend to nothing the answer is zeros
        total[nothing], summed[nothing[:, 0]] = 1, 0
        summed /= total
        y[:, rows] = summed.reshape(y[:, rows].shape)
        log_sum[:, rows] = np.where(nothing, 0, top + np.log(total)).reshape(log_sum[:, rows].shape)


def backward_in_tiles(dy: np.ndarray, arrays: Any, of_rows: Any, tiles: Any, gradients: Any) -> None:
    """One sequence and one key-value head: dy (h, T, D), arrays as before, log_sum and delta, (h, T) each.

    The gradients of query, key and value are added to.
    """
    query, key, value = arrays
    dquery, dkey, dvalue = gradients
    for rows, met in tiles:
        some, dy_rows = _stacked(query[:, rows]), _stacked(dy[:, rows])  # (h * t, D)
        log_sum, delta = (array[:, rows].reshape(-1, 1) for array in of_rows)
        for tile in met:
            columns = tile.columns
            weights = _scores(some, key, tile)  # (h * t, s)
            weights -= log_sum
            np.exp(weights, out=weights)  # 0 where masked
            dvalue[columns] += _dropped(weights, tile).T @ dy_rows
            dscores = _dropped(dy_rows @ value[columns].T, tile)  # of the weights before dropout
            dscores -= delta
            dscores *= weights
            dquery[:, rows] += (dscores @ key[columns]).reshape(dquery[:, rows].shape)
            dkey[columns] += dscores.T @ some  # has the scale in it already


def _heads(shape: tuple[int, ...], shared: int) -> Iterator[tuple[int, int, slice]]:
    """Every sequence and key-value head of keys (B, G, S, D), and the query heads that share it."""
    for sequence, group in np.ndindex(*shape[:2]):
        yield sequence, group, slice(group * shared, (group + 1) * shared)


def _tiles(
    meeting: Meeting, sequence: int, heads: slice, queries: int, keys: int, dtype: Any
) -> Iterator[tuple[slice, Iterator[Tile]]]:
    """Some queries after others, and for each some keys after others; where nobody may attend there is no tile."""

    def met(rows: slice) -> Iterator[Tile]:
        for start in range(0, keys, meeting.columns):
            place = sequence, heads, rows, slice(start, min(keys, start + meeting.columns))
            mask = _part(meeting.mask, *place)
            if mask is not None and mask.all():
                mask = None
            if mask is None or mask.any():
                dropout_mask = _part(meeting.dropout_mask, *place)
                factor = None if dropout_mask is None else dropout_mask * dtype.type(1 / (1 - meeting.rate))
                yield Tile(rows, place[-1], mask, _part(meeting.bias, *place), factor)

    for start in range(0, queries, meeting.rows):
        rows = slice(start, min(queries, start + meeting.rows))
        yield rows, met(rows)


def _part(of: np.ndarray | Tiles | None, sequence: int, heads: slice, rows: slice, columns: slice) -> Any:
    """What broadcasts to (h, t, s), of a rule or of an array that broadcasts to (B, H, T, S)."""
    if not isinstance(of, np.ndarray):
        return None if of is None else of.tile(sequence, heads, rows, columns)
    of = of.reshape((1,) * (4 - of.ndim) + of.shape)
    places = slice(sequence, sequence + 1), heads, rows, columns
    return of[tuple(slice(None) if size == 1 else place for size, place in zip(of.shape, places, strict=True))][0]


def _scores(query: np.ndarray, key: np.ndarray, tile: Tile) -> np.ndarray:
    """(h * t, s) of scaled queries, (h * t, D); masked ones far below all others."""
    scores = query @ key[tile.columns].T
    by_head = scores.reshape(-1, tile.rows.stop - tile.rows.start, scores.shape[-1])  # (h, t, s), a view
    if tile.bias is not None:
        by_head += tile.bias
    if tile.mask is not None:
        np.copyto(by_head, MASKED, where=~tile.mask)
    return scores


def _dropped(weights: np.ndarray, tile: Tile) -> np.ndarray:
    """(h * t, s) numbers after dropout, in both directions."""
    if tile.factor is None:
        return weights
    factor = np.broadcast_to(tile.factor, (len(weights) // tile.factor.shape[-2], *tile.factor.shape[-2:]))
    return weights * factor.reshape(weights.shape)


def _stacked(x: np.ndarray) -> np.ndarray:
    """(h, t, D) -> (h * t, D): heads that share a key meet it in one product."""
    return x.reshape(-1, x.shape[-1])
