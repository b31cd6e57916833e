"""Scaled dot-product attention: every query takes a weighted average of the values.

Vaswani et al. (2017), "Attention Is All You Need", arXiv:1706.03762, section 3.2.1, eq. 1.
Fewer key-value heads than query heads: Ainslie et al. (2023), "GQA", arXiv:2305.13245.
"""

import math
from typing import NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.ops.dropout import DropoutCache, dropout_backward, dropout_forward
from minigpt.ops.softmax import SoftmaxCache, softmax_backward, softmax_forward

MASKED = -1e30  # far below any score, yet finite: exp gives exactly 0, and no row can become 0/0
QUERIES = 64  # taken at a time, so that their scores stay in the processor's cache


class RowsCache(NamedTuple):
    """One piece of the queries, t of them, over the first s keys: the later ones are masked for all of the piece."""

    softmax: SoftmaxCache  # (B, G, H/G, t, s)  the weights before dropout
    dropped: np.ndarray  # (B, G, H/G, t, s)  the weights after dropout
    dropout: DropoutCache


class AttentionCache(NamedTuple):
    query: np.ndarray  # (B, G, H/G, T, D)  scaled
    key: np.ndarray  # (B, G, 1, S, D)
    value: np.ndarray  # (B, G, 1, S, D)
    pieces: list[tuple[slice, RowsCache]]  # which queries, and their weights
    scale: float


def attention_forward(query, key, value, *, mask=None, scale=None, dropout_mask=None, rate=0.0, hook=None):
    """y = dropout(softmax(scale * query @ key^T, where mask)) @ value, for every head.

    query: (B, H, T, D); key, value: (B, G, S, D), where G divides H: each group of H/G query heads shares one of the
    G key-value heads. mask: booleans that broadcast to (B, H, T, S), True = may attend; a query that may attend to
    nothing gives zeros. scale: default 1/sqrt(D), which keeps the scores' variance near one whatever D is.
    dropout_mask, rate: dropout of the weights, with booleans (B, H, T, S) from `draw_dropout_mask`.
    hook: called as hook("weights", w), w: (B, H, T, S); what it returns is used in w's place, and the backward treats
    the difference as a constant. Returns y: (B, H, T, D) and the cache for `attention_backward`.
    `UserError` if the shapes do not fit.
    """
    _check_shapes(query, key, value)
    batch, heads, length, width = query.shape
    groups, keys = key.shape[1:3]
    scale = 1 / math.sqrt(width) if scale is None else scale
    # Scaling the query is cheaper than scaling the scores.
    query = np.multiply(query, scale, order="C").reshape(batch, groups, heads // groups, length, width)
    key, value = _in_one_piece(key)[:, :, None], _in_one_piece(value)[:, :, None]  # (B, G, 1, S, D)
    if mask is not None:
        mask = np.broadcast_to(mask, (*mask.shape[:-2], length, keys))

    y = np.empty_like(query)
    pieces = []
    queries = QUERIES if hook is None else length  # a hook sees all the weights at once
    for start in range(0, length, queries):
        rows = slice(start, start + queries)
        rows_mask = None if mask is None else mask[..., rows, :]
        rows_dropout = None if dropout_mask is None else dropout_mask[..., rows, :]
        y[..., rows, :], cache = _attend(
            query[..., rows, :], key, value, mask=rows_mask, dropout_mask=rows_dropout, rate=rate, hook=hook
        )
        pieces.append((rows, cache))
    return y.reshape(batch, heads, length, width), AttentionCache(query, key, value, pieces, scale)


def attention_backward(dy, cache):
    """Gradients of query, key and value: (B, H, T, D), (B, G, S, D), (B, G, S, D).

    The forward lines in reverse order. For each head, with s the scores and w the weights:
    dw = dy @ value^T,  ds = softmax_backward(dw),  dquery = scale * ds @ key,  dkey = scale * ds^T @ query,
    dvalue = w^T @ dy. A shared key or value collects the gradients of all the query heads in its group.
    """
    query, key, value, pieces, scale = cache
    dy = np.ascontiguousarray(dy).reshape(query.shape)  # (B, G, H/G, T, D)
    dquery, dkey, dvalue = np.empty_like(query), np.zeros_like(key[:, :, 0]), np.zeros_like(value[:, :, 0])
    for rows, (softmax_cache, dropped, dropout_cache) in pieces:
        seen = slice(dropped.shape[-1])
        dy_rows = dy[..., rows, :]  # (B, G, H/G, t, D)
        dvalue[:, :, seen] += (dropped.swapaxes(-1, -2) @ dy_rows).sum(axis=2)  # y = dropped @ value
        dweights = dropout_backward(dy_rows @ value[..., seen, :].swapaxes(-1, -2), dropout_cache)
        dscores = softmax_backward(dweights, softmax_cache)  # 0 where masked, since the weight is 0 there
        dquery[..., rows, :] = dscores @ key[..., seen, :]  # scores = query @ key^T, of the scaled query
        dkey[:, :, seen] += (dscores.swapaxes(-1, -2) @ query[..., rows, :]).sum(axis=2)  # has the scale in it already
    dquery *= scale
    batch, _, _, length, width = dy.shape
    return dquery.reshape(batch, -1, length, width), dkey, dvalue


def _attend(query, key, value, *, mask, dropout_mask, rate, hook):
    """Attention of a piece of the queries, (B, G, H/G, t, D), scaled. Returns y of the same shape and a `RowsCache`."""
    batch, groups, shared, length, _ = query.shape
    seen = key.shape[-2] if mask is None else _last_seen(mask)
    shape = (batch, groups * shared, length, seen)  # as masks and hooks see it: (B, H, t, s)
    scores = (query @ key[..., :seen, :].swapaxes(-1, -2)).reshape(shape)
    weights = _masked_softmax(scores, None if mask is None else mask[..., :seen])
    used = weights if hook is None else hook("weights", weights)
    grouped = (batch, groups, shared, length, seen)
    dropout_mask = None if dropout_mask is None else dropout_mask[..., :seen].reshape(grouped)
    dropped, dropout_cache = dropout_forward(used.reshape(grouped), mask=dropout_mask, rate=rate)
    cache = RowsCache(SoftmaxCache(weights.reshape(grouped)), dropped, dropout_cache)
    return dropped @ value[..., :seen, :], cache


def _in_one_piece(x):
    """x: (..., S, D), copied unless each head's rows lie one after another: BLAS is then twice as fast."""
    return x if x.strides[-2:] == (x.shape[-1] * x.itemsize, x.itemsize) else np.ascontiguousarray(x)


def _last_seen(mask):
    """How many keys, from the first, some query of the piece may attend to; at least one."""
    seen = np.flatnonzero(mask.any(axis=tuple(range(mask.ndim - 1))))
    return int(seen[-1]) + 1 if seen.size else 1


def _masked_softmax(scores, mask):
    """Softmax over the allowed keys. scores: (B, H, t, s); mask broadcasts to it, or None."""
    if mask is None:
        return softmax_forward(scores)[0]
    scores += np.where(mask, scores.dtype.type(0), scores.dtype.type(MASKED))
    weights, _ = softmax_forward(scores)
    attends = mask.any(axis=-1, keepdims=True)
    if not attends.all():
        weights *= attends  # where every key is masked, softmax is uniform, but the answer is "nothing"
    return weights


def _check_shapes(query, key, value):
    if key.shape != value.shape:
        raise UserError(f"key has shape {key.shape} but value {value.shape}; they must be equal")
    if query.shape[0] != key.shape[0] or query.shape[-1] != key.shape[-1]:
        raise UserError(f"query {query.shape} and key {key.shape} must have the same batch (first) and width (last)")
    if query.shape[1] % key.shape[1]:
        raise UserError(f"{key.shape[1]} key-value heads must divide the {query.shape[1]} query heads")
