"""Heads: from the last hidden states to answers. A head is a record: arrays, forward, backward, what it is asked for.

language: a score for every token of the vocabulary, at every position, (B, T, V) (GPT; BART).
masked: the same after one more layer, BERT's "transform" (Devlin et al. 2018, arXiv:1810.04805, section 3.1).
pretraining: that of `masked`, and (B, 2), whether the second sentence follows the first: two heads at once, BERT's.
sequence: a class for the whole text, from one of its tokens or the mean of all, (B, labels).
token: a class for every token, (B, T, labels).
span: at which token the answer begins and at which it ends, (B, T, 2) (BERT, section 4.2).
none: the hidden states themselves, (B, T, C).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minigpt.model.arrays import BIAS, COLUMNS, MATRIX, ArrayRecord, Arrays, linear_arrays
from minigpt.model.call import Call
from minigpt.model.inputs import TOKENS
from minigpt.model.params import Gradients, Weights
from minigpt.model.parts import (
    apply_dropout,
    apply_linear,
    apply_norm,
    back_linear,
    back_norm,
    norm_arrays,
    sum_over_ranks,
)
from minigpt.ops import activation, dropout_backward, linear_backward, linear_forward, tanh_backward, tanh_forward

if TYPE_CHECKING:
    from minigpt.model.config import TransformerConfig


class MaskedCache(NamedTuple):
    dense: Any
    activation: Any
    norm: Any
    linear: Any


class PooledCache(NamedTuple):
    shares: np.ndarray  # (B, T)  how much of each token stands for its sequence
    dense: Any
    tanh: Any
    dropout: Any
    classifier: Any


class TokenCache(NamedTuple):
    dropout: Any
    classifier: Any


class Head(NamedTuple):
    """What a model says at its end.

    arrays(config); forward(params, config, x, present, call) -> output, cache, with x: (B, T, C) and present: (B, T)
    booleans or None; backward(grads, config, doutput, cache, call) -> dx, which writes the gradients of its arrays.
    """

    arrays: Callable[[Any], Arrays]
    forward: Callable[..., tuple[Any, Any]]
    backward: Callable[..., np.ndarray]
    asked: tuple[str, ...]  # what scores each of its answers: targets | labels | spans (the two ends, in labels)
    scores_tokens: bool = False  # (B, T, V), through the token embedding when it is tied
    answers: tuple[str, ...] = ("logits",)  # what a hook calls them: one array, or a tuple of several
    fields: tuple[str, ...] = ("head_bias",)  # which of the configuration's fields it reads, of `HEAD_FIELDS`


HEAD_FIELDS = ("labels", "pooled", "pooler", "head_bias", "tied")


def head_arrays(config: TransformerConfig) -> Arrays:
    """The arrays of the configuration's head."""
    return HEADS[config.head].arrays(config)


def head_forward(
    params: Weights, config: TransformerConfig, x: np.ndarray, present: np.ndarray | None, call: Call
) -> tuple[Any, Any]:
    """x: (B, T, C); present: (B, T) booleans or None. Returns the head's output, of the shape above, and the cache."""
    return HEADS[config.head].forward(params, config, x, present, call)


def head_backward(grads: Gradients, config: TransformerConfig, doutput: Any, cache: Any, call: Call) -> np.ndarray:
    """Gradient of x: (B, T, C). Writes those of the head's arrays; that of a tied table is overwritten."""
    return HEADS[config.head].backward(grads, config, doutput, cache, call)


def hook_answers(config: TransformerConfig, output: Any, call: Call, d: str = "") -> Any:
    """The head's output as the call's hook leaves it. d: "d" for its gradient."""
    names = HEADS[config.head].answers
    if len(names) > 1:
        return tuple(call.hook(f"{d}{name}", answer) for name, answer in zip(names, output, strict=True))
    return call.hook(f"{d}{names[0]}", output) if names else output


def ties_tokens(config: TransformerConfig) -> bool:
    """Whether the head uses the token table, and so writes its gradient first."""
    return config.tied and HEADS[config.head].scores_tokens


def language_logits(params: Weights, config: TransformerConfig, x: np.ndarray) -> tuple[np.ndarray, Any]:
    """Hidden states (..., C) to scores (..., V), through the token embedding when it is tied."""
    weight = params[TOKENS].T if config.tied else params["head.weight"]  # (C, V)
    return linear_forward(x, weight, params.get("head.bias"))


def _language_arrays(config: TransformerConfig) -> Arrays:
    """A tied head has no matrix of its own."""
    arrays: Arrays = {}
    if not config.tied:
        shape = (config.width, config.vocabulary_size)
        arrays["head.weight"] = ArrayRecord(shape, MATRIX, std=config.init_std, cut=COLUMNS)
    if config.has_head_bias:
        arrays["head.bias"] = ArrayRecord((config.vocabulary_size,), BIAS, cut=COLUMNS)
    return arrays


def _language_forward(
    params: Weights, config: TransformerConfig, x: np.ndarray, _present: np.ndarray | None, _call: Call
) -> tuple[Any, Any]:
    return language_logits(params, config, x)


def _language_backward(
    grads: Gradients, config: TransformerConfig, dlogits: np.ndarray, cache: Any, call: Call
) -> np.ndarray:
    table, bias = grads.get(TOKENS if config.tied else "head.weight"), grads.get("head.bias")
    weight = table.T if config.tied and table is not None else table
    dx = linear_backward(dlogits, cache, out=(weight, bias), trained=(weight is not None, bias is not None))[0]
    return sum_over_ranks(dx, call)  # a tensor-parallel rank has some of the vocabulary


def _masked_arrays(config: TransformerConfig) -> Arrays:
    return {
        **linear_arrays("masked_head.dense", config.width, config.width, bias=True, std=config.init_std),
        **norm_arrays("masked_head.norm", config),
        **_language_arrays(config),
    }


def _masked_forward(
    params: Weights, config: TransformerConfig, x: np.ndarray, _present: np.ndarray | None, call: Call
) -> tuple[Any, Any]:
    h, dense_cache = apply_linear(params, "masked_head.dense", x, call)
    h, activation_cache = activation(config.activation)[0](h)
    h, norm_cache = apply_norm(params, "masked_head.norm", config, h)
    logits, linear_cache = language_logits(params, config, h)
    return logits, MaskedCache(dense_cache, activation_cache, norm_cache, linear_cache)


def _masked_backward(
    grads: Gradients, config: TransformerConfig, dlogits: np.ndarray, cache: Any, call: Call
) -> np.ndarray:
    dh = _language_backward(grads, config, dlogits, cache.linear, call)
    dh = back_norm(grads, "masked_head.norm", config, dh, cache.norm)
    dh = activation(config.activation)[1](dh, cache.activation)
    return back_linear(grads, "masked_head.dense", dh, cache.dense)


def _classifier(classes: Callable[[Any], int], *, pooled: bool) -> Callable[[Any], Arrays]:
    """The arrays of a classifier; pooled: after a pooler, where the configuration has one."""

    def arrays(config: TransformerConfig) -> Arrays:
        width, std = config.width, config.init_std
        pooler = linear_arrays("pooler", width, width, bias=True, std=std) if pooled and config.pooler else {}
        return pooler | linear_arrays("classifier", width, classes(config), bias=config.has_head_bias, std=std)

    return arrays


def _sequence_forward(
    params: Weights, config: TransformerConfig, x: np.ndarray, present: np.ndarray | None, call: Call
) -> tuple[Any, Any]:
    pooled, shares = _pool(x, config.pooled, present)
    dense_cache = tanh_cache = None
    if config.pooler:
        pooled, dense_cache = apply_linear(params, "pooler", pooled, call)
        pooled, tanh_cache = tanh_forward(pooled)
    pooled, dropout_cache = apply_dropout(config, pooled, call)
    y, classifier_cache = apply_linear(params, "classifier", pooled, call)
    return y, PooledCache(shares, dense_cache, tanh_cache, dropout_cache, classifier_cache)


def _sequence_backward(
    grads: Gradients, config: TransformerConfig, dy: np.ndarray, cache: Any, _call: Call
) -> np.ndarray:
    dpooled = dropout_backward(back_linear(grads, "classifier", dy, cache.classifier), cache.dropout)
    if config.pooler:
        dpooled = back_linear(grads, "pooler", tanh_backward(dpooled, cache.tanh), cache.dense)
    return cache.shares[:, :, None] * dpooled[:, None]


def _token_forward(
    params: Weights, config: TransformerConfig, x: np.ndarray, _present: np.ndarray | None, call: Call
) -> tuple[Any, Any]:
    x, dropout_cache = apply_dropout(config, x, call)
    y, classifier_cache = apply_linear(params, "classifier", x, call)
    return y, TokenCache(dropout_cache, classifier_cache)


def _token_backward(
    grads: Gradients, _config: TransformerConfig, dy: np.ndarray, cache: Any, _call: Call
) -> np.ndarray:
    return dropout_backward(back_linear(grads, "classifier", dy, cache.classifier), cache.dropout)


def _pretraining_arrays(config: TransformerConfig) -> Arrays:
    return _masked_arrays(config) | _two_classes_pooled(config)


def _pretraining_forward(
    params: Weights, config: TransformerConfig, x: np.ndarray, present: np.ndarray | None, call: Call
) -> tuple[Any, Any]:
    logits, masked_cache = _masked_forward(params, config, x, present, call)
    follows, pooled_cache = _sequence_forward(params, config, x, present, call)
    return (logits, follows), (masked_cache, pooled_cache)


def _pretraining_backward(
    grads: Gradients, config: TransformerConfig, doutput: Any, cache: Any, call: Call
) -> np.ndarray:
    (dlogits, dfollows), (masked_cache, pooled_cache) = doutput, cache
    dx = _masked_backward(grads, config, dlogits, masked_cache, call)
    dx += _sequence_backward(grads, config, dfollows, pooled_cache, call)
    return dx


def _no_arrays(_config: TransformerConfig) -> Arrays:
    return {}


def _none_forward(
    _params: Weights, _config: TransformerConfig, x: np.ndarray, _present: np.ndarray | None, _call: Call
) -> tuple[Any, Any]:
    return x, None


def _none_backward(
    _grads: Gradients, _config: TransformerConfig, dx: np.ndarray, _cache: Any, _call: Call
) -> np.ndarray:
    return dx


def _pool(x: np.ndarray, how: str, present: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """What stands for each sequence, (B, C): its first token, its last that is no padding, or the mean of all that are
    none; and how much of each token that is, (B, T)."""
    real = np.ones(x.shape[:2], bool) if present is None else present
    if how == "mean":  # a row of nothing but padding has a mean of zero
        shares = (real / np.maximum(1, real.sum(axis=1, keepdims=True))).astype(x.dtype)
        return (shares[:, None] @ x)[:, 0], shares
    rows = np.zeros(len(x), int) if how == "first" else x.shape[1] - 1 - np.argmax(real[:, ::-1], axis=1)
    shares = np.zeros(x.shape[:2], x.dtype)
    shares[np.arange(len(x)), rows] = 1
    return x[np.arange(len(x)), rows], shares


_labels, _two = (lambda config: config.labels), (lambda config: 2)
_two_classes_pooled = _classifier(_two, pooled=True)

HEADS = {
    "language": Head(
        _language_arrays,
        _language_forward,
        _language_backward,
        ("targets",),
        scores_tokens=True,
        fields=("head_bias", "tied"),
    ),
    "masked": Head(
        _masked_arrays,
        _masked_forward,
        _masked_backward,
        ("targets",),
        scores_tokens=True,
        fields=("head_bias", "tied"),
    ),
    "pretraining": Head(
        _pretraining_arrays,
        _pretraining_forward,
        _pretraining_backward,
        ("targets", "labels"),
        scores_tokens=True,
        answers=("logits", "order_logits"),
        fields=("pooled", "pooler", "head_bias", "tied"),
    ),
    "sequence": Head(
        _classifier(_labels, pooled=True),
        _sequence_forward,
        _sequence_backward,
        ("labels",),
        fields=("labels", "pooled", "pooler", "head_bias"),
    ),
    "token": Head(
        _classifier(_labels, pooled=False),
        _token_forward,
        _token_backward,
        ("targets",),
        fields=("labels", "head_bias"),
    ),
    "span": Head(_classifier(_two, pooled=False), _token_forward, _token_backward, ("spans",)),
    "none": Head(_no_arrays, _none_forward, _none_backward, (), answers=(), fields=()),
}
