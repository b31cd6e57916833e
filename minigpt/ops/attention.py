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


class AttentionCache(NamedTuple):
    query: np.ndarray  # (B, G, H/G, T, D)  scaled
    key: np.ndarray  # (B, G, 1, S, D)
    value: np.ndarray  # (B, G, 1, S, D)
    softmax: SoftmaxCache  # (B, G, H/G, T, S)  the weights before dropout
    dropped: np.ndarray  # (B, G, H/G, T, S)  the weights after dropout
    dropout: DropoutCache
    scale: float


def attention_forward(query, key, value, *, mask=None, scale=None, keep=None, rate=0.0, tap=None):
    """y = dropout(softmax(scale * query @ key^T, where mask)) @ value, for every head.

    query: (B, H, T, D); key, value: (B, G, S, D), where G divides H: each group of H/G query heads shares one of the
    G key-value heads. mask: booleans that broadcast to (B, H, T, S), True = may attend; a query that may attend to
    nothing gives zeros. scale: default 1/sqrt(D), which keeps the scores' variance near one whatever D is.
    keep, rate: dropout of the weights, with booleans (B, H, T, S) from `dropout_mask`.
    tap: called as tap("weights", w), w: (B, H, T, S); what it returns is used in w's place, and the backward treats
    the difference as a constant. Returns y: (B, H, T, D) and the cache for `attention_backward`.
    `UserError` if the shapes do not fit.
    """
    _check_shapes(query, key, value)
    batch, heads, length, width = query.shape
    groups, keys = key.shape[1:3]
    scale = 1 / math.sqrt(width) if scale is None else scale
    query = query.reshape(batch, groups, heads // groups, length, width) * scale  # cheaper than scaling the scores
    key, value = key[:, :, None], value[:, :, None]  # (B, G, 1, S, D)

    scores = query @ key.swapaxes(-1, -2)  # (B, G, H/G, T, S)
    weights, softmax_cache = _masked_softmax(scores, (batch, heads, length, keys), mask)
    if tap is not None:
        weights = tap("weights", weights.reshape(batch, heads, length, keys)).reshape(scores.shape)
    keep = None if keep is None else keep.reshape(scores.shape)
    dropped, dropout_cache = dropout_forward(weights, keep=keep, rate=rate)
    y = dropped @ value  # (B, G, H/G, T, D)
    cache = AttentionCache(query, key, value, softmax_cache, dropped, dropout_cache, scale)
    return y.reshape(batch, heads, length, width), cache


def attention_backward(dy, cache):
    """Gradients of query, key and value: (B, H, T, D), (B, G, S, D), (B, G, S, D).

    The forward lines in reverse order. For each head, with s the scores and w the weights:
    dw = dy @ value^T,  ds = softmax_backward(dw),  dquery = scale * ds @ key,  dkey = scale * ds^T @ query,
    dvalue = w^T @ dy. A shared key or value collects the gradients of all the query heads in its group.
    """
    query, key, value, softmax_cache, dropped, dropout_cache, scale = cache
    dy = dy.reshape(query.shape)  # (B, G, H/G, T, D)
    dvalue = dropped.swapaxes(-1, -2) @ dy  # y = dropped @ value
    dweights = dropout_backward(dy @ value.swapaxes(-1, -2), dropout_cache)
    dscores = softmax_backward(dweights, softmax_cache)  # 0 where masked, since the weight is 0 there
    dquery = dscores @ key  # scores = query @ key^T, of the scaled query
    dquery *= scale
    dkey = dscores.swapaxes(-1, -2) @ query  # the cached query has the scale in it already
    batch, _, _, length, width = dy.shape
    return dquery.reshape(batch, -1, length, width), dkey.sum(axis=2), dvalue.sum(axis=2)


def _masked_softmax(scores, shape, mask):
    """Softmax of scores (B, G, H/G, T, S) over the allowed keys; mask broadcasts to `shape`, (B, H, T, S)."""
    if mask is None:
        return softmax_forward(scores)
    grouped, scores = scores.shape, scores.reshape(shape)
    scores += np.where(mask, scores.dtype.type(0), scores.dtype.type(MASKED))
    weights, _ = softmax_forward(scores)
    attends = mask.any(axis=-1, keepdims=True)
    if not attends.all():
        weights *= attends  # where every key is masked, softmax is uniform, but the answer is "nothing"
    weights = weights.reshape(grouped)
    return weights, SoftmaxCache(weights)


def _check_shapes(query, key, value):
    if key.shape != value.shape:
        raise UserError(f"key has shape {key.shape} but value {value.shape}; they must be equal")
    if query.shape[0] != key.shape[0] or query.shape[-1] != key.shape[-1]:
        raise UserError(f"query {query.shape} and key {key.shape} must have the same batch (first) and width (last)")
    if query.shape[1] % key.shape[1]:
        raise UserError(f"{key.shape[1]} key-value heads must divide the {query.shape[1]} query heads")
