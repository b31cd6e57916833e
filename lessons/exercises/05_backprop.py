"""Lesson 05: four backwards. The forwards are given; the cache is what they leave behind."""

import math

import numpy as np


def linear_forward(x, weight, bias):
    """y = x @ weight + bias. x: (..., C); weight: (C, F); bias: (F,). Returns y: (..., F) and the cache."""
    return x @ weight + bias, (x, weight)


def linear_backward(dy, cache):
    """Gradients of x, weight and bias.

    dy: (..., F), the gradient of the loss by y; cache: (x, weight), x: (..., C), weight: (C, F).

    Returns dx: (..., C), dweight: (C, F), dbias: (F,). The leading axes of x may be any number: flatten them for the
    gradients of weight and bias.
    """
    raise NotImplementedError("write linear_backward")


def softmax_forward(x):
    """Softmax over the last axis. x: (..., V). Returns y: (..., V) and the cache."""
    y = np.exp(x - x.max(axis=-1, keepdims=True))
    y = y / y.sum(axis=-1, keepdims=True)
    return y, y


def softmax_backward(dy, cache):
    """Gradient of x.

    dy: (..., V); cache: y, the output of the forward, (..., V).

    Returns dx: (..., V). Every x moves every y of its row; a row of dx sums to zero.
    """
    raise NotImplementedError("write softmax_backward")


def layer_norm_forward(x, gain, bias, *, epsilon=1e-5):
    """y = gain * normalized + bias. x: (..., C); gain, bias: (C,). Returns y: (..., C) and the cache."""
    centred = x - x.mean(axis=-1, keepdims=True)
    std = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + epsilon)
    normalized = centred / std
    return gain * normalized + bias, (normalized, std, gain)


def layer_norm_backward(dy, cache):
    """Gradients of x, gain and bias.

    dy: (..., C); cache: (normalized, std, gain), (..., C), (..., 1), (C,).

    Returns dx: (..., C), dgain: (C,), dbias: (C,). Each x moves its own entry, its row's mean and its row's standard
    deviation: three terms.
    """
    raise NotImplementedError("write layer_norm_backward")


def attention_forward(query, key, value, *, mask=None):
    """Attention. query: (B, H, T, D); key, value: (B, H, S, D). Returns y: (B, H, T, D) and the cache."""
    scores = query @ key.swapaxes(-1, -2) / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = np.where(mask, scores, -1e30)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = weights / weights.sum(axis=-1, keepdims=True)
    if mask is not None:
        weights = weights * np.any(mask, axis=-1, keepdims=True)
    return weights @ value, (query, key, value, weights)


def attention_backward(dy, cache):
    """Gradients of query, key and value.

    dy: (B, H, T, D); cache: (query, key, value, weights), where weights: (B, H, T, S) are those after softmax and mask,
    0 where the mask forbids.

    Returns dquery: (B, H, T, D), dkey: (B, H, S, D), dvalue: (B, H, S, D). Go through the forward from its end.
    """
    raise NotImplementedError("write attention_backward")
