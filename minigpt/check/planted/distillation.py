"""Mistakes in the losses of a model that learns from another one."""

import numpy as np

from minigpt.check.planted.bug import planted
from minigpt.ops import soft_targets_backward, softmax_forward, squared_error_backward


def square_forgotten(dloss, cache):
    """This is the gradient you get without the temperature squared in the loss: it then shrinks as the temperature
    rises."""
    return soft_targets_backward(dloss, cache) / cache.temperature**2


def temperature_not_divided(dloss, cache):
    """This is the gradient you get when the division by the temperature is forgotten on the way back: the loss has its
    square, the softmax takes one away."""
    return soft_targets_backward(dloss, cache) * cache.temperature


def teacher_not_subtracted(dloss, cache):
    """This is the gradient you get from the sign of the difference turned round: it drives the model away from its
    teacher."""
    return -soft_targets_backward(dloss, cache)


def soft_upstream_ignored(dloss, cache):
    """This is the gradient you get when the upstream gradient is taken to be 1: multiply by dloss."""
    return soft_targets_backward(1.0, cache)


def soft_rows_all_counted(dloss, cache):
    """This is the gradient you get when rows that do not count are given a gradient."""
    return soft_targets_backward(dloss, cache._replace(weights=np.full_like(cache.weights, cache.weights.max())))


def forward_without_the_square(logits, *, teacher, temperature, counted=None):
    """Your loss lacks the temperature squared."""
    p, q = softmax_forward(logits / temperature)[0], softmax_forward(teacher / temperature)[0]
    rows = (q * np.log(q / p)).sum(axis=-1)
    return rows.mean() if counted is None else rows[counted].mean(), None


def forward_the_other_way_round(logits, *, teacher, temperature, counted=None):
    """Your divergence is that of the teacher from the model: the logarithms are weighed by what the teacher says."""
    p, q = softmax_forward(logits / temperature)[0], softmax_forward(teacher / temperature)[0]
    rows = temperature**2 * (p * np.log(p / q)).sum(axis=-1)
    return rows.mean() if counted is None else rows[counted].mean(), None


def two_forgotten(dloss, cache):
    """This is the gradient you get when the exponent 2 does not come down."""
    return squared_error_backward(dloss, cache) / 2


def width_not_divided(dloss, cache):
    """This is the gradient you get when the squares of a row are summed: the loss takes their mean."""
    return squared_error_backward(dloss, cache) * cache.shape[-1]


def error_rows_all_counted(dloss, cache):
    """This is the gradient you get when rows that do not count are given a gradient."""
    return squared_error_backward(dloss, cache._replace(weights=np.full_like(cache.weights, cache.weights.max())))


def forward_sum_of_squares(x, *, wanted, counted=None):
    """Your loss sums the squares of a row; it is their mean."""
    rows = np.square(x - wanted).sum(axis=-1)
    return rows.mean() if counted is None else rows[counted].mean(), None


SOFT, ERROR = "soft_targets, some rows", "squared_error, some rows"
BUGS = (
    *planted("backward", "soft_targets", SOFT, square_forgotten, temperature_not_divided, teacher_not_subtracted),
    *planted("backward", "soft_targets", SOFT, soft_upstream_ignored, soft_rows_all_counted),
    *planted("backward", "squared_error", ERROR, two_forgotten, width_not_divided, error_rows_all_counted),
    *planted("forward", "soft_targets", SOFT, forward_without_the_square, forward_the_other_way_round),
    *planted("forward", "squared_error", ERROR, forward_sum_of_squares),
)
