"""Mistakes in the contrastive loss of pictures and texts."""

import numpy as np

from minigpt.check.planted.bug import planted
from minigpt.ops import contrastive_backward, contrastive_forward


def length_not_taken_out(dloss, cache):
    """This is the gradient you get when the part along the vector is not taken out: only its direction counts, so a
    longer vector gives the same loss, and the gradient must stand upright on it."""
    u, v, lengths, _, errors, scale = cache
    _, _, dlog_scale = contrastive_backward(dloss, cache)
    return scale * dloss * (errors @ v) / lengths[0], scale * dloss * (errors.T @ u) / lengths[1], dlog_scale


def length_not_divided(dloss, cache):
    """This is the gradient you get when it is not divided by the vector's length: a long vector turns less."""
    dfirst, dsecond, dlog_scale = contrastive_backward(dloss, cache)
    return dfirst * cache.lengths[0], dsecond * cache.lengths[1], dlog_scale


def columns_forgotten(dloss, cache):
    """This is the gradient you get when only the pictures choose: every text also chooses among the pictures, and the
    loss is the mean of both."""
    count = len(cache.first)
    shares = np.exp(cache.logits - cache.logits.max(axis=1, keepdims=True))
    errors = (shares / shares.sum(axis=1, keepdims=True) - np.eye(count, dtype=shares.dtype)) / count
    return contrastive_backward(dloss, cache._replace(errors=errors))


def second_not_transposed(dloss, cache):
    """This is the gradient you get when the errors are not transposed for the second: its row j is wrong by what column
    j of the logits is wrong by."""
    dfirst, _, dlog_scale = contrastive_backward(dloss, cache)
    _, dsecond, _ = contrastive_backward(dloss, cache._replace(errors=cache.errors.T))
    return dfirst, dsecond, dlog_scale


def scale_forgotten(dloss, cache):
    """This is the gradient you get when the vectors' gradient lacks the factor exp(log_scale), which every cosine was
    multiplied with."""
    dfirst, dsecond, dlog_scale = contrastive_backward(dloss, cache)
    return dfirst / cache.scale, dsecond / cache.scale, dlog_scale


def scale_without_its_exponential(dloss, cache):
    """This is the gradient you get when the factor itself is taken for what is learned: its logarithm is, so the
    gradient is larger by the factor."""
    dfirst, dsecond, dlog_scale = contrastive_backward(dloss, cache)
    return dfirst, dsecond, dlog_scale / cache.scale


def forward_not_normalized(first, second, log_scale):
    """This is the loss you get when the vectors are not brought to length 1: then whoever is longer is chosen."""
    logits = np.exp(log_scale) * (first @ second.T)
    _, cache = contrastive_forward(first, second, log_scale)
    rows, columns = (_nats(some) for some in (logits, logits.T))
    return (rows + columns) / 2, cache


def forward_of_one_direction(first, second, log_scale):
    """This is the loss you get when only the first choose among the second."""
    _, cache = contrastive_forward(first, second, log_scale)
    return _nats(cache.logits), cache


def _nats(logits):
    largest = logits.max(axis=1, keepdims=True)
    totals = largest[:, 0] + np.log(np.exp(logits - largest).sum(axis=1))
    return (totals - np.diag(logits)).mean()


BUGS = (
    *planted("backward", "contrastive", "contrastive", length_not_taken_out, length_not_divided, columns_forgotten),
    *planted("backward", "contrastive", "contrastive", second_not_transposed, scale_forgotten),
    *planted("backward", "contrastive", "contrastive", scale_without_its_exponential),
    *planted("forward", "contrastive", "contrastive", forward_not_normalized, forward_of_one_direction),
)
