"""The library's operations as a textbook writes them: what stands in for a piece that a student has not written.

`minigpt.ops` computes the same faster. These need nothing but NumPy, so they can be sent into the sandbox; tests hold
them equal to the library's.
"""

import math

import numpy as np


def linear_forward(x, weight, bias):
    """y = x @ weight + bias. x: (..., C); weight: (C, F); bias: (F,)."""
    return x @ weight + bias, (x, weight)


def linear_backward(dy, cache):
    """Gradients of x, weight and bias."""
    x, weight = cache
    rows = dy.reshape(-1, weight.shape[1])  # (N, F)
    return dy @ weight.T, x.reshape(-1, weight.shape[0]).T @ rows, rows.sum(axis=0)


def layer_norm_forward(x, gain, bias, *, epsilon=1e-5):
    """y = gain * (x - mean) / std + bias over the last axis. x: (..., C); gain, bias: (C,)."""
    centred = x - x.mean(axis=-1, keepdims=True)
    std = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + epsilon)
    normalized = centred / std
    return gain * normalized + bias, (normalized, std, gain)


def layer_norm_backward(dy, cache):
    """Gradients of x, gain and bias."""
    normalized, std, gain = cache
    dn = dy * gain
    dx = dn - dn.mean(axis=-1, keepdims=True) - normalized * (dn * normalized).mean(axis=-1, keepdims=True)
    rows = tuple(range(dy.ndim - 1))
    return dx / std, (dy * normalized).sum(axis=rows), dy.sum(axis=rows)


def gelu_tanh_forward(x):
    """GPT-2's GELU, entry by entry."""
    t = np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x))
    return 0.5 * x * (1 + t), (x, t)


def gelu_tanh_backward(dy, cache):
    """Gradient of x."""
    x, t = cache
    du = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x * x)
    return dy * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * du)


def attention_forward(query, key, value, *, mask=None):
    """Every query takes a weighted mean of the values. query: (B, H, T, D); key, value: (B, H, S, D)."""
    scores = query @ key.swapaxes(-1, -2) / math.sqrt(query.shape[-1])  # (B, H, T, S)
    if mask is not None:
        scores = np.where(mask, scores, scores.dtype.type(-1e30))
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    if mask is not None:
        weights = weights * mask  # where every key is masked
    return weights @ value, (query, key, value, weights)


def attention_backward(dy, cache):
    """Gradients of query, key and value."""
    query, key, value, weights = cache
    dweights = dy @ value.swapaxes(-1, -2)
    dscores = weights * (dweights - (dweights * weights).sum(axis=-1, keepdims=True)) / math.sqrt(query.shape[-1])
    return dscores @ key, dscores.swapaxes(-1, -2) @ query, weights.swapaxes(-1, -2) @ dy


def embedding_forward(tokens, weight):
    """y = weight[tokens]. tokens: (...) integers; weight: (V, C)."""
    return weight[tokens], (tokens, weight)


def embedding_backward(dy, cache):
    """Gradient of weight: a token that stands in two places gets both gradients."""
    tokens, weight = cache
    dweight = np.zeros_like(weight)
    np.add.at(dweight, tokens, dy)
    return dweight


def cross_entropy_forward(logits, targets):
    """The mean of -log softmax(logits)[target] where one is asked for, in nats. targets: (...) integers, -1: none."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    logp = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    labels, weights = np.maximum(targets, 0)[..., None], (targets >= 0)[..., None].astype(logp.dtype)
    weights /= weights.sum()
    return -(np.take_along_axis(logp, labels, axis=-1) * weights).sum(), (logp, labels, weights)


def cross_entropy_backward(dloss, cache):
    """Gradient of logits: what the model said minus what it should have said."""
    logp, labels, weights = cache
    dlogits = np.exp(logp)
    np.put_along_axis(dlogits, labels, np.take_along_axis(dlogits, labels, axis=-1) - 1, axis=-1)
    return dlogits * weights * logp.dtype.type(dloss)


def block_forward(x, norm1, attention, norm2, network):
    """Pre-norm: x + attention(norm1(x)), then the same with norm2 and the network. Four layers, see `gpt.py`."""
    y, cache1 = norm1.forward(x)
    y, cache2 = attention.forward(y)
    x = x + y
    y, cache3 = norm2.forward(x)
    y, cache4 = network.forward(y)
    return x + y, (cache1, cache2, cache3, cache4)


def block_backward(dy, cache, norm1, attention, norm2, network):
    """Gradient of x: from each sum the gradient flows down both ways."""
    cache1, cache2, cache3, cache4 = cache
    dy = dy + norm2.backward(network.backward(dy, cache4), cache3)
    return dy + norm1.backward(attention.backward(dy, cache2), cache1)
