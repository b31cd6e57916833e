"""Mistakes in layer normalization and RMS normalization."""

import numpy as np

from minigpt.check.planted.bug import planted
from minigpt.ops import layer_norm_backward, rms_norm_backward


def _mean(x):
    return x.mean(axis=-1, keepdims=True)


def without_the_variance_path(dy, cache):
    """This is the gradient you get when the variance is treated as a constant: the third term, n * mean(g * n), is
    missing."""
    _, dgain, *dbias = layer_norm_backward(dy, cache)
    g = dy * cache.gain
    return (g - _mean(g)) * cache.inverse_std, dgain, *dbias


def without_the_mean_path(dy, cache):
    """This is the gradient you get when the mean is treated as a constant: the second term, mean(g), is missing, so
    dx does not sum to zero over a row."""
    _, dgain, *dbias = layer_norm_backward(dy, cache)
    g, n = dy * cache.gain, cache.normalized
    return (g - n * _mean(g * n)) * cache.inverse_std, dgain, *dbias


def statistics_as_constants(dy, cache):
    """This is the gradient you get when mean and variance are both treated as constants: each of them moves with
    every x of its row, which gives the second and the third term."""
    _, dgain, *dbias = layer_norm_backward(dy, cache)
    return dy * cache.gain * cache.inverse_std, dgain, *dbias


def inverse_std_missing(dy, cache):
    """This is the gradient you get when the division by the standard deviation is forgotten on the way back."""
    dx, dgain, *dbias = layer_norm_backward(dy, cache)
    return dx / cache.inverse_std, dgain, *dbias


def variance_divided_by_one_less(dy, cache):
    """This is the gradient you get when the sum in the third term is divided by C - 1: the forward divides the
    variance by C."""
    _, dgain, *dbias = layer_norm_backward(dy, cache)
    g, n = dy * cache.gain, cache.normalized
    spread = (g * n).sum(axis=-1, keepdims=True) / (n.shape[-1] - 1)
    return (g - _mean(g) - n * spread) * cache.inverse_std, dgain, *dbias


def gain_missing(dy, cache):
    """This is the gradient you get when dx is computed from dy itself: the gain multiplies on the way back too, which
    a gain of 1 hides."""
    ones = cache._replace(gain=np.ones_like(cache.gain))
    return layer_norm_backward(dy, ones)[0], *layer_norm_backward(dy, cache)[1:]


def gain_from_x(dy, cache):
    """This is the gradient you get when dgain multiplies dy by the centred x: the gain multiplied x after it was
    normalized."""
    dx, dgain, *dbias = layer_norm_backward(dy, cache)
    centred = cache.normalized / cache.inverse_std
    return dx, (dy * centred).reshape(-1, len(dgain)).sum(axis=0), *dbias


def gain_and_bias_averaged(dy, cache):
    """This is the gradient you get when dgain and dbias are averaged over the rows: every row adds to them."""
    dx, dgain, dbias = layer_norm_backward(dy, cache)
    rows = dy.size // dy.shape[-1]
    return dx, dgain / rows, dbias / rows


def rms_without_the_second_term(dy, cache):
    """This is the gradient you get when the root mean square is treated as a constant: the term n * mean(g * n) is
    missing."""
    return dy * cache.gain * cache.inverse_rms, rms_norm_backward(dy, cache)[1]


def rms_gain_missing(dy, cache):
    """This is the gradient you get when dx is computed from dy itself: the gain multiplies on the way back too, which
    a gain of 1 hides."""
    ones = cache._replace(gain=np.ones_like(cache.gain))
    return rms_norm_backward(dy, ones)[0], rms_norm_backward(dy, cache)[1]


def inverse_rms_missing(dy, cache):
    """This is the gradient you get when the division by the root mean square is forgotten on the way back."""
    dx, dgain = rms_norm_backward(dy, cache)
    return dx / cache.inverse_rms, dgain


def rms_centred(dy, cache):
    """This is the gradient you get from layer norm's formula: RMS norm subtracts no mean, so mean(g) is not
    subtracted on the way back."""
    dx, dgain = rms_norm_backward(dy, cache)
    return dx - _mean(dy * cache.gain) * cache.inverse_rms, dgain


def forward_variance_by_one_less(x, gain, bias=0.0, *, epsilon=1e-5):
    """Your variance divides by C - 1, as for a sample; layer normalization divides by C."""
    return gain * (x - _mean(x)) / np.sqrt(x.var(axis=-1, ddof=1, keepdims=True) + epsilon) + bias, None


def forward_epsilon_outside(x, gain, bias=0.0, *, epsilon=1e-5):
    """Your epsilon is added to the standard deviation; it belongs under the square root, beside the variance."""
    return gain * (x - _mean(x)) / (x.std(axis=-1, keepdims=True) + epsilon) + bias, None


def forward_over_the_wrong_axis(x, gain, bias=0.0, *, epsilon=1e-5):
    """Your mean and variance are taken over the positions; each position is normalized on its own, over the width."""
    variance = x.var(axis=-2, keepdims=True)
    return gain * (x - x.mean(axis=-2, keepdims=True)) / np.sqrt(variance + epsilon) + bias, None


def forward_sum_of_squares(x, gain, *, epsilon=1e-5):
    """Your rows are divided by the root of the sum of squares; the root of their mean is meant."""
    return gain * x / np.sqrt((x * x).sum(axis=-1, keepdims=True) + epsilon), None


def forward_rms_epsilon_outside(x, gain, *, epsilon=1e-5):
    """Your epsilon is added to the root mean square; it belongs under the square root, beside the mean."""
    return gain * x / (np.sqrt(_mean(x * x)) + epsilon), None


BUGS = (
    *planted("backward", "layer_norm", "layer_norm", without_the_variance_path, without_the_mean_path),
    *planted("backward", "layer_norm", "layer_norm", statistics_as_constants, inverse_std_missing),
    *planted("backward", "layer_norm", "layer_norm", variance_divided_by_one_less, gain_missing),
    *planted("backward", "layer_norm", "layer_norm", gain_from_x, gain_and_bias_averaged),
    *planted("backward", "rms_norm", "rms_norm", rms_without_the_second_term, rms_gain_missing),
    *planted("backward", "rms_norm", "rms_norm", inverse_rms_missing, rms_centred),
    *planted("forward", "layer_norm", "layer_norm", forward_variance_by_one_less, forward_epsilon_outside),
    *planted("forward", "layer_norm", "layer_norm", forward_over_the_wrong_axis),
    *planted("forward", "rms_norm", "rms_norm", forward_sum_of_squares, forward_rms_epsilon_outside),
)
