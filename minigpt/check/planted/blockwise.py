"""Mistakes in blockwise attention, beside it as a textbook writes it: all queries at once, the keys tile by tile."""

import math
from typing import NamedTuple

import numpy as np

from minigpt.check.planted.bug import planted
from minigpt.ops import AlibiBias, MaskRule


class TiledCache(NamedTuple):
    query: np.ndarray  # (B, H, T, D)
    key: np.ndarray  # (B, H, S, D)  repeated for every query head of its group
    value: np.ndarray  # (B, H, S, D)
    y: np.ndarray  # (B, H, T, D)
    log_sum: np.ndarray | None  # (B, H, T, 1)
    top: np.ndarray | None  # (B, H, T, 1)  the largest score
    mask: np.ndarray  # (B, H, T, S)
    bias: np.ndarray
    factor: np.ndarray  # of dropout
    scale: float
    columns: int
    groups: int


def tiled_forward(
    query,
    key,
    value,
    *,
    mask=True,
    bias=0.0,
    scale=None,
    dropout_mask=True,
    rate=0.0,
    columns=256,
    rows=None,
    merge=lambda before, now, shrink: (before[0] * shrink + now[0], before[1] * shrink + now[1]),
):
    """What `blockwise_attention_forward` computes. merge: of total and sum so far and those of a tile."""
    groups, shared = key.shape[1], query.shape[1] // key.shape[1]
    key, value = (np.repeat(array, shared, axis=1) for array in (key, value))
    shape = (*query.shape[:3], key.shape[2])
    mask, bias = (rule.array() if isinstance(rule, MaskRule | AlibiBias) else rule for rule in (mask, bias))
    mask, kept = (np.broadcast_to(array, shape) for array in (mask, dropout_mask))
    bias = np.broadcast_to(np.asarray(bias, query.dtype), shape)
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    factor = kept * query.dtype.type(1 / (1 - rate))
    cache = TiledCache(query, key, value, query, None, None, mask, bias, factor, scale, columns, groups)
    top, so_far = np.full((*shape[:3], 1), -1e30, query.dtype), (0.0, 0.0)
    for tile in tiles(cache):
        scores = tile_scores(tile, cache)
        higher = np.maximum(top, scores.max(axis=-1, keepdims=True))
        weights = np.exp(scores - higher)
        now = weights.sum(axis=-1, keepdims=True), (weights * factor[..., tile]) @ value[:, :, tile]
        so_far, top = merge(so_far, now, np.exp(top - higher)), higher
    total, summed = so_far
    attends = mask.any(axis=-1, keepdims=True)
    y = summed / total * attends
    return y, cache._replace(y=y, log_sum=(top + np.log(total)) * attends, top=top)


def tiles(cache):
    """Slices of the keys."""
    keys = cache.key.shape[2]
    return [slice(start, min(keys, start + cache.columns)) for start in range(0, keys, cache.columns)]


def tile_scores(tile, cache):
    scores = cache.query @ cache.key[:, :, tile].swapaxes(-1, -2) * cache.scale + cache.bias[..., tile]
    return np.where(cache.mask[..., tile], scores, scores.dtype.type(-1e30))


def tiled_backward(dy, cache, *, log_sum=None, delta=None, factor=None, before=None):
    """The right gradients; the options put something else in the place of what each tile needs.

    delta: called with a tile's weights and their gradient; before: whether dvalue takes the weights before dropout.
    """
    dquery, dkey, dvalue = (np.zeros_like(array) for array in (cache.query, cache.key, cache.value))
    log_sum = cache.log_sum if log_sum is None else log_sum
    factor = cache.factor if factor is None else factor
    for tile in tiles(cache):
        weights = np.exp(tile_scores(tile, cache) - log_sum)
        met = weights if before else weights * cache.factor[..., tile]
        dvalue[:, :, tile] = met.swapaxes(-1, -2) @ dy
        dweights = dy @ cache.value[:, :, tile].swapaxes(-1, -2) * factor[..., tile]
        whole = (dy * cache.y).sum(axis=-1, keepdims=True)
        dscores = weights * (dweights - (whole if delta is None else delta(weights, dweights)))
        dquery += dscores @ cache.key[:, :, tile] * cache.scale
        dkey[:, :, tile] = dscores.swapaxes(-1, -2) @ cache.query * cache.scale
    return dquery, per_group(dkey, cache), per_group(dvalue, cache)


def per_group(gradient, cache):
    """(B, H, S, D) -> (B, G, S, D)."""
    batch, _, keys, width = gradient.shape
    return gradient.reshape(batch, cache.groups, -1, keys, width).sum(axis=2)


def largest_score_for_the_log_sum(dy, cache):
    """This is the gradient you get when only each row's largest score is kept for the backward: weights are
    exp(score - log-sum-exp), and without the logarithm of the sum a row of them does not sum to one."""
    return tiled_backward(dy, cache, log_sum=cache.top)


def delta_of_each_tile(dy, cache):
    """This is the gradient you get when softmax's sum runs over one tile: it runs over the whole row, which is
    sum(dy * y)."""
    return tiled_backward(dy, cache, delta=lambda weights, dweights: (weights * dweights).sum(axis=-1, keepdims=True))


def delta_left_out(dy, cache):
    """This is the gradient you get when softmax's sum is left out of the tiles: every score of a row moves all of its
    weights."""
    return tiled_backward(dy, cache, delta=lambda weights, dweights: 0.0)


def dvalue_before_dropout(dy, cache):
    """This is the gradient you get when a tile's dvalue is computed with the weights before dropout: draw the same mask
    again and apply it."""
    return tiled_backward(dy, cache, before=True)


def dropout_mask_of_another_tile(dy, cache):
    """This is the gradient you get when the backward draws another dropout mask than the forward: each tile's must be
    the same again."""
    return tiled_backward(dy, cache, factor=np.roll(cache.factor, 1, axis=-1))


def only_the_last_tile_of_dquery(dy, cache):
    """This is the gradient you get when every tile overwrites dquery: a query meets all tiles of the keys, so they must
    be added up."""
    _, dkey, dvalue = tiled_backward(dy, cache)
    weights = np.exp(tile_scores(tiles(cache)[-1], cache) - cache.log_sum)
    last = tiles(cache)[-1]
    dweights = dy @ cache.value[:, :, last].swapaxes(-1, -2) * cache.factor[..., last]
    dscores = weights * (dweights - (dy * cache.y).sum(axis=-1, keepdims=True))
    return dscores @ cache.key[:, :, last] * cache.scale, dkey, dvalue


def forward_nothing_shrinks(query, key, value, **options):
    """Your sums do not shrink when a later tile has a larger score: what was summed before must be multiplied by
    exp(old maximum - new maximum)."""
    merge = lambda before, now, shrink: (before[0] + now[0], before[1] + now[1])  # noqa: E731
    return tiled_forward(query, key, value, merge=merge, **options)


def forward_only_the_total_shrinks(query, key, value, **options):
    """Your sum of values does not shrink with the sum of weights when a later tile has a larger score: both were made
    with the old maximum."""
    merge = lambda before, now, shrink: (before[0] * shrink + now[0], before[1] + now[1])  # noqa: E731
    return tiled_forward(query, key, value, merge=merge, **options)


def forward_shrunk_the_wrong_way(query, key, value, **options):
    """Your sums grow by exp(new maximum - old maximum): they must shrink, by exp(old maximum - new maximum)."""

    def merge(before, now, shrink):
        grown = 1 / np.where(shrink == 0, 1, shrink)  # before the first tile there is nothing to grow
        return before[0] * grown + now[0], before[1] * grown + now[1]

    return tiled_forward(query, key, value, merge=merge, **options)


def forward_mean_of_the_tiles(query, key, value, **options):
    """Your answer is the mean of each tile's own softmax: the tiles of a row share one sum, by which you divide at the
    end."""
    parts, columns = [], options.pop("columns", 256)
    for start in range(0, key.shape[2], columns):
        tile = slice(start, start + columns)
        parts.append(tiled_forward(query, key[:, :, tile], value[:, :, tile], columns=columns, **options)[0])
    return np.mean(parts, axis=0), None


def forward_bias_scaled(query, key, value, *, bias, **options):
    """Your bias is added before the scores are divided by sqrt(D): it comes after."""
    return tiled_forward(query, key, value, bias=bias / math.sqrt(query.shape[-1]), **options)


ALL, PLAIN, BIAS = (f"blockwise_attention, {variant}" for variant in ("all at once", "small tiles", "bias"))
BUGS = (
    *planted(
        "backward",
        "blockwise_attention",
        ALL,
        largest_score_for_the_log_sum,
        delta_of_each_tile,
        delta_left_out,
        dvalue_before_dropout,
        dropout_mask_of_another_tile,
        only_the_last_tile_of_dquery,
        forward=tiled_forward,
    ),
    *planted("forward", "blockwise_attention", PLAIN, forward_nothing_shrinks, forward_only_the_total_shrinks),
    *planted("forward", "blockwise_attention", PLAIN, forward_shrunk_the_wrong_way, forward_mean_of_the_tiles),
    *planted("forward", "blockwise_attention", BIAS, forward_bias_scaled),
)
