"""Mistakes in the forward of attention.

Most of these forwards have a right backward of their own, so no gradient check can tell.
"""

import math

import numpy as np

from minigpt.check.planted.attention import textbook_forward, transpose
from minigpt.check.planted.bug import planted
from minigpt.ops import causal_mask, softmax_forward


def future_not_masked(query, key, value, *, mask):
    """Your attention ignores the mask: every position sees those after it, and the model learns to copy the
    answer."""
    return textbook_forward(query, key, value)


def mask_read_the_other_way(query, key, value, *, mask):
    """Your attention takes True for blocked (as some libraries do); here True means may attend."""
    return textbook_forward(query, key, value, mask=~mask)


def masked_scores_set_to_zero(query, key, value, *, mask):
    """Your masked scores are 0, but exp(0) is 1: they must be far below every other score."""
    scores = query @ transpose(np.repeat(key, query.shape[1] // key.shape[1], axis=1)) / math.sqrt(query.shape[-1])
    return softmax_forward(scores * mask)[0] @ np.repeat(value, query.shape[1] // value.shape[1], axis=1), None


def mask_after_softmax(query, key, value, *, mask):
    """Your weights are masked after softmax, so they no longer sum to one, and what is hidden still moves the rest:
    mask the scores before."""
    _, cache = textbook_forward(query, key, value)
    return (cache.weights * mask) @ cache.value, None


def mask_one_step_late(query, key, value, *, mask):
    """Your causal mask also lets each position see the next one: the diagonal is the last that is allowed."""
    return textbook_forward(query, key, value, mask=causal_mask(mask.shape[0], mask.shape[1] + 1)[:, :-1])


def scale_missing(query, key, value, *, mask=None):
    """Your scores are not divided by sqrt(D): the wider the head, the sharper the softmax."""
    return textbook_forward(query, key, value, mask=mask, scale=1.0)


def scale_by_the_width(query, key, value, *, mask=None):
    """Your scores are divided by D; they are divided by its square root."""
    return textbook_forward(query, key, value, mask=mask, scale=1 / query.shape[-1])


def bias_before_the_scale(query, key, value, *, bias):
    """Your bias is added before the scores are divided by sqrt(D): it comes after."""
    return textbook_forward(query, key, value, bias=bias / math.sqrt(query.shape[-1]))


def bias_after_softmax(query, key, value, *, bias):
    """Your bias is added to the weights, after softmax: it belongs to the scores."""
    _, cache = textbook_forward(query, key, value)
    return (cache.weights + bias) @ cache.value, None


def softmax_over_queries(query, key, value):
    """Your softmax runs over the queries; for each query the weights of the keys sum to one, so it runs over the last
    axis."""
    _, cache = textbook_forward(query, key, value)
    scores = cache.query @ transpose(cache.key) * cache.scale
    return transpose(softmax_forward(transpose(scores))[0]) @ cache.value, None


def heads_of_a_group_interleaved(query, key, value):
    """Your head h uses the key-value head h mod G; neighbouring heads share one."""
    shared = query.shape[1] // key.shape[1]
    return textbook_forward(query, np.tile(key, (1, shared, 1, 1)), np.tile(value, (1, shared, 1, 1)))


def uniform_where_all_is_masked(query, key, value, *, mask):
    """Your query that may attend to nothing takes the mean of all values; it should give zeros."""
    scores = np.where(mask, textbook_scores(query, key), -1e30)
    return softmax_forward(scores)[0] @ np.repeat(value, query.shape[1] // value.shape[1], axis=1), None


def minus_infinity_where_all_is_masked(query, key, value, *, mask):
    """Your masked scores are -inf: in a row in which every key is masked, softmax then takes -inf from -inf, which is
    NaN: take a large negative number such as -1e30, and give such a row zeros."""
    scores = np.where(mask, textbook_scores(query, key), -np.inf)
    with np.errstate(invalid="ignore"):
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = weights / weights.sum(axis=-1, keepdims=True)
    return weights @ np.repeat(value, query.shape[1] // value.shape[1], axis=1), None


def textbook_scores(query, key):
    return query @ transpose(np.repeat(key, query.shape[1] // key.shape[1], axis=1)) / math.sqrt(query.shape[-1])


CAUSAL, EMPTY = "attention, T = S, causal", "attention, nothing to attend to"
BUGS = (
    *planted("forward", "attention", CAUSAL, future_not_masked, mask_read_the_other_way, masked_scores_set_to_zero),
    *planted("forward", "attention", CAUSAL, mask_after_softmax, mask_one_step_late),
    *planted("forward", "attention", "attention", scale_missing, scale_by_the_width, softmax_over_queries),
    *planted("forward", "attention", "attention", heads_of_a_group_interleaved),
    *planted("forward", "attention", "attention, bias", bias_before_the_scale, bias_after_softmax),
    *planted("forward", "attention", EMPTY, uniform_where_all_is_masked, minus_infinity_where_all_is_masked),
)
