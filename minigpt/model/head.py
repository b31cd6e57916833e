"""Heads: from the last hidden states to answers.

language: a score for every token of the vocabulary, at every position (GPT; BART).
masked: the same after one more layer, BERT's "transform" (Devlin et al. 2018, arXiv:1810.04805, section 3.1).
pretraining: `masked`, and whether the second sentence follows the first: two heads at once, BERT's.
sequence: a class for the whole text, from one of its tokens. token: a class for every token.
span: at which token the answer begins and at which it ends (BERT, section 4.2). none: the hidden states themselves.
"""

from typing import Any, NamedTuple

import numpy as np

from minigpt.model.parts import (
    Shapes,
    apply_dropout,
    apply_linear,
    apply_norm,
    back_linear,
    back_norm,
    linear_shapes,
    norm_shapes,
    sum_over_ranks,
)
from minigpt.model.stack import TOKENS
from minigpt.ops import activation, dropout_backward, linear_backward, linear_forward, tanh_backward, tanh_forward


class MaskedCache(NamedTuple):
    dense: Any
    activation: Any
    norm: Any
    linear: Any


class PooledCache(NamedTuple):
    rows: np.ndarray  # (B,)  which token stands for each sequence
    shape: tuple[int, ...]  # of x
    dense: Any
    tanh: Any
    dropout: Any
    classifier: Any


class TokenCache(NamedTuple):
    dropout: Any
    classifier: Any


def head_shapes(config) -> Shapes:
    """The arrays of the head. A tied one has no matrix of its own."""
    shapes: Shapes = {}
    if config.head in ("masked", "pretraining"):
        shapes.update(linear_shapes("masked_head.dense", config.width, config.width, True))
        shapes.update(norm_shapes("masked_head.norm", config))
    if config.head in ("language", "masked", "pretraining"):
        if not config.tied:
            shapes["head.weight"] = (config.width, config.vocabulary_size)
        if config.has_head_bias:
            shapes["head.bias"] = (config.vocabulary_size,)
    if config.head in ("sequence", "pretraining") and config.pooler:
        shapes.update(linear_shapes("pooler", config.width, config.width, True))
    classes = {"sequence": config.labels, "token": config.labels, "span": 2, "pretraining": 2}
    if config.head in classes:
        shapes.update(linear_shapes("classifier", config.width, classes[config.head], config.has_head_bias))
    return shapes


def head_forward(params, config, x, present, call):
    """x: (B, T, C); present: (B, T) booleans or None. Returns the head's output and the cache.

    language, masked: (B, T, V). sequence: (B, labels). token: (B, T, labels). span: (B, T, 2). none: x.
    pretraining: a pair, that of `masked` and (B, 2).
    """
    return HEADS[config.head][0](params, config, x, present, call)


def head_backward(grads, config, doutput, cache, call):
    """Gradient of x: (B, T, C). Writes those of the head's arrays; that of a tied table is overwritten."""
    dx = HEADS[config.head][1](grads, config, doutput, cache)
    return sum_over_ranks(dx, call)  # a tensor-parallel rank has some of the vocabulary


def language_logits(params, config, x):
    """Hidden states (..., C) to scores (..., V), through the token embedding when it is tied."""
    weight = params[TOKENS].T if config.tied else params["head.weight"]  # (C, V)
    return linear_forward(x, weight, params.get("head.bias"))


def _language_forward(params, config, x, _present, _run):
    return language_logits(params, config, x)


def _language_backward(grads, config, dlogits, cache):
    dweight = grads[TOKENS].T if config.tied else grads["head.weight"]
    return linear_backward(dlogits, cache, out=(dweight, grads.get("head.bias")))[0]


def _masked_forward(params, config, x, _present, _run):
    h, dense_cache = apply_linear(params, "masked_head.dense", x)
    h, activation_cache = activation(config.activation)[0](h)
    h, norm_cache = apply_norm(params, "masked_head.norm", config, h)
    logits, linear_cache = language_logits(params, config, h)
    return logits, MaskedCache(dense_cache, activation_cache, norm_cache, linear_cache)


def _masked_backward(grads, config, dlogits, cache):
    dh = _language_backward(grads, config, dlogits, cache.linear)
    dh = back_norm(grads, "masked_head.norm", config, dh, cache.norm)
    dh = activation(config.activation)[1](dh, cache.activation)
    return back_linear(grads, "masked_head.dense", dh, cache.dense)


def _sequence_forward(params, config, x, present, call):
    rows = np.zeros(len(x), int) if config.pooled == "first" else _last(x, present)
    pooled = x[np.arange(len(x)), rows]  # (B, C)
    dense_cache = tanh_cache = None
    if config.pooler:
        pooled, dense_cache = apply_linear(params, "pooler", pooled)
        pooled, tanh_cache = tanh_forward(pooled)
    pooled, dropout_cache = apply_dropout(config, pooled, call)
    y, classifier_cache = apply_linear(params, "classifier", pooled)
    return y, PooledCache(rows, x.shape, dense_cache, tanh_cache, dropout_cache, classifier_cache)


def _sequence_backward(grads, config, dy, cache):
    dpooled = dropout_backward(back_linear(grads, "classifier", dy, cache.classifier), cache.dropout)
    if config.pooler:
        dpooled = back_linear(grads, "pooler", tanh_backward(dpooled, cache.tanh), cache.dense)
    dx = np.zeros(cache.shape, dy.dtype)
    dx[np.arange(len(dx)), cache.rows] = dpooled
    return dx


def _token_forward(params, config, x, _present, call):
    x, dropout_cache = apply_dropout(config, x, call)
    y, classifier_cache = apply_linear(params, "classifier", x)
    return y, TokenCache(dropout_cache, classifier_cache)


def _token_backward(grads, _config, dy, cache):
    return dropout_backward(back_linear(grads, "classifier", dy, cache.classifier), cache.dropout)


def _pretraining_forward(params, config, x, present, call):
    logits, masked_cache = _masked_forward(params, config, x, present, call)
    follows, pooled_cache = _sequence_forward(params, config, x, present, call)
    return (logits, follows), (masked_cache, pooled_cache)


def _pretraining_backward(grads, config, doutput, cache):
    (dlogits, dfollows), (masked_cache, pooled_cache) = doutput, cache
    dx = _masked_backward(grads, config, dlogits, masked_cache)
    dx += _sequence_backward(grads, config, dfollows, pooled_cache)
    return dx


def _none_forward(_params, _config, x, _present, _run):
    return x, None


def _none_backward(_grads, _config, dx, _cache):
    return dx


def _last(x, present):
    """The last token that is not padding, of every sequence: (B,)."""
    length = x.shape[1]
    if present is None:
        return np.full(len(x), length - 1)
    return length - 1 - np.argmax(present[:, ::-1], axis=1)


HEADS = {
    "language": (_language_forward, _language_backward),
    "masked": (_masked_forward, _masked_backward),
    "pretraining": (_pretraining_forward, _pretraining_backward),
    "sequence": (_sequence_forward, _sequence_backward),
    "token": (_token_forward, _token_backward),
    "span": (_token_forward, _token_backward),
    "none": (_none_forward, _none_backward),
}
