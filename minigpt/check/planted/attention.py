"""Mistakes in the backward of attention, beside attention as a textbook writes it: all queries at once."""

import math
from typing import NamedTuple

import numpy as np

from minigpt.check.planted.bug import planted
from minigpt.ops import softmax_forward


class TextbookCache(NamedTuple):
    query: np.ndarray  # (B, H, T, D)
    key: np.ndarray  # (B, H, S, D)  repeated for every query head of its group
    value: np.ndarray  # (B, H, S, D)
    weights: np.ndarray  # (B, H, T, S)  before dropout
    factor: np.ndarray  # (B, H, T, S)  of dropout: 0 or 1 / (1 - rate)
    scale: float
    groups: int


def textbook_forward(query, key, value, *, mask=None, bias=None, scale=None, dropout_mask=None, rate=0.0):
    """What `attention_forward` computes, in the fewest lines."""
    groups, shared = key.shape[1], query.shape[1] // key.shape[1]
    key, value = (np.repeat(array, shared, axis=1) for array in (key, value))  # (B, H, S, D)
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = query @ transpose(key) * scale  # (B, H, T, S)
    if bias is not None:
        scores = scores + bias
    if mask is not None:
        scores = np.where(mask, scores, scores.dtype.type(-1e30))
    weights, _ = softmax_forward(scores)
    if mask is not None:
        weights = weights * mask  # where every key is masked
    factor = np.ones_like(weights) if dropout_mask is None else dropout_mask.astype(weights.dtype) * (1 / (1 - rate))
    return (weights * factor) @ value, TextbookCache(query, key, value, weights, factor, scale, groups)


def textbook_backward(dy, cache):
    """The right gradients of query, key and value; every function below differs from it in one place."""
    return dquery(scores(dy, cache), cache), dkey(scores(dy, cache), cache), dvalue(dy, cache)


def transpose(x):
    return x.swapaxes(-1, -2)


def scores(dy, cache):
    """The gradient of the scores: (B, H, T, S)."""
    dweights = dy @ transpose(cache.value) * cache.factor
    return cache.weights * (dweights - (dweights * cache.weights).sum(axis=-1, keepdims=True))


def dquery(dscores, cache):
    return dscores @ cache.key * cache.scale


def dkey(dscores, cache):
    return per_group(transpose(dscores) @ cache.query * cache.scale, cache)


def dvalue(dy, cache):
    return per_group(transpose(cache.weights * cache.factor) @ dy, cache)


def per_group(gradient, cache):
    """(B, H, S, D) -> (B, G, S, D): the sum over the query heads of each group."""
    return _split(gradient, cache).sum(axis=2)


def _split(gradient, cache):
    batch, _, keys, width = gradient.shape
    return gradient.reshape(batch, cache.groups, -1, keys, width)


def dkey_not_transposed(dy, cache):
    """This is the gradient you get when the scores' gradient is not transposed for dkey (or only reshaped): key s
    collects from every query t."""
    ds = scores(dy, cache)
    return dquery(ds, cache), per_group(_reshaped(ds) @ cache.query * cache.scale, cache), dvalue(dy, cache)


def dvalue_not_transposed(dy, cache):
    """This is the gradient you get when the weights are not transposed for dvalue (or only reshaped): value s collects
    from every query t."""
    ds = scores(dy, cache)
    return dquery(ds, cache), dkey(ds, cache), per_group(_reshaped(cache.weights * cache.factor) @ dy, cache)


def _reshaped(x):
    """What a transpose is not: the same shape (the same array when T = S), but other numbers in it."""
    return x.reshape(*x.shape[:2], x.shape[3], x.shape[2])


def dquery_unscaled(dy, cache):
    """This is the gradient you get when 1/sqrt(D) is left out of dquery."""
    ds = scores(dy, cache)
    return ds @ cache.key, dkey(ds, cache), dvalue(dy, cache)


def dkey_unscaled(dy, cache):
    """This is the gradient you get when 1/sqrt(D) is left out of dkey."""
    ds = scores(dy, cache)
    return dquery(ds, cache), per_group(transpose(ds) @ cache.query, cache), dvalue(dy, cache)


def unscaled(dy, cache):
    """This is the gradient you get when 1/sqrt(D) is left out of dquery and dkey: the scores were multiplied by
    it."""
    ds = scores(dy, cache)
    return ds @ cache.key, per_group(transpose(ds) @ cache.query, cache), dvalue(dy, cache)


def scaled_by_the_width(dy, cache):
    """This is the gradient you get when dquery and dkey are divided by D: it is its square root."""
    right = textbook_backward(dy, cache)
    return right[0] * cache.scale, right[1] * cache.scale, right[2]


def dvalue_before_dropout(dy, cache):
    """This is the gradient you get when dvalue is computed with the weights before dropout: the values were averaged
    with those after it."""
    ds = scores(dy, cache)
    return dquery(ds, cache), dkey(ds, cache), per_group(transpose(cache.weights) @ dy, cache)


def dropout_not_applied(dy, cache):
    """This is the gradient you get when the dropout mask is forgotten on the way from y to the weights."""
    ds = scores(dy, cache._replace(factor=np.ones_like(cache.factor)))
    return dquery(ds, cache), dkey(ds, cache), dvalue(dy, cache)


def dropout_scale_forgotten(dy, cache):
    """This is the gradient you get when the mask is applied on the way back but 1 / (1 - rate) is not."""
    ds = scores(dy, cache._replace(factor=(cache.factor > 0).astype(cache.factor.dtype)))
    return dquery(ds, cache), dkey(ds, cache), dvalue(dy, cache)


def diagonal_softmax(dy, cache):
    """This is the gradient you get from p * (1 - p) inside attention: that is only the diagonal of softmax's
    Jacobian."""
    ds = dy @ transpose(cache.value) * cache.factor * cache.weights * (1 - cache.weights)
    return dquery(ds, cache), dkey(ds, cache), dvalue(dy, cache)


def softmax_skipped(dy, cache):
    """This is the gradient you get when softmax's backward is left out: the gradient of the weights is not that of
    the scores."""
    ds = dy @ transpose(cache.value) * cache.factor
    return dquery(ds, cache), dkey(ds, cache), dvalue(dy, cache)


def softmax_over_the_queries(dy, cache):
    """This is the gradient you get when softmax's backward sums over the queries: the weights sum to one over the
    keys, the last axis."""
    dweights = dy @ transpose(cache.value) * cache.factor
    ds = cache.weights * (dweights - (dweights * cache.weights).sum(axis=-2, keepdims=True))
    return dquery(ds, cache), dkey(ds, cache), dvalue(dy, cache)


def group_averaged(dy, cache):
    """This is the gradient you get when a shared key or value averages the gradients of its query heads: it gets
    their sum."""
    right, shared = textbook_backward(dy, cache), cache.query.shape[1] // cache.groups
    return right[0], right[1] / shared, right[2] / shared


def first_head_of_the_group(dy, cache):
    """This is the gradient you get when a shared key or value takes the gradient of the first query head of its
    group: it gets the sum over all of them."""
    ds = scores(dy, cache)
    each = (transpose(ds) @ cache.query * cache.scale, transpose(cache.weights * cache.factor) @ dy)
    return dquery(ds, cache), *(_split(gradient, cache)[:, :, 0] for gradient in each)


def groups_interleaved(dy, cache):
    """This is the gradient you get when head h is sent to group h mod G: neighbouring heads share a group."""
    ds = scores(dy, cache)
    each = (transpose(ds) @ cache.query * cache.scale, transpose(cache.weights * cache.factor) @ dy)
    batch, _, keys, width = each[0].shape
    interleaved = (gradient.reshape(batch, -1, cache.groups, keys, width).sum(axis=1) for gradient in each)
    return dquery(ds, cache), *interleaved


BUGS = planted(
    "backward",
    "attention",
    "attention, all at once",
    dkey_not_transposed,
    dvalue_not_transposed,
    dquery_unscaled,
    dkey_unscaled,
    unscaled,
    scaled_by_the_width,
    dvalue_before_dropout,
    dropout_not_applied,
    dropout_scale_forgotten,
    diagonal_softmax,
    softmax_skipped,
    softmax_over_the_queries,
    group_averaged,
    first_head_of_the_group,
    groups_interleaved,
    forward=textbook_forward,
)
