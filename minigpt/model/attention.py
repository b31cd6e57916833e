"""Multi-head attention: project to queries, keys and values, attend in every head, project back.

Vaswani et al. (2017), arXiv:1706.03762, section 3.2.2. Self-attention and cross-attention are the same code: they
differ in where keys and values come from, and in the mask.
"""

from typing import Any, NamedTuple

import numpy as np

from minigpt.model.parts import Shapes, apply_linear, back_linear, linear_shapes
from minigpt.ops import attention_backward, attention_forward, dropout_mask, rotary_backward, rotary_forward


class AttentionBlockCache(NamedTuple):
    query: Any
    key: Any
    value: Any
    rotary: tuple[Any, Any] | None
    attention: Any
    output: Any


def attention_shapes(name: str, config) -> Shapes:
    """The arrays of one multi-head attention."""
    width, shared = config.width, config.groups * config.head_width
    return {
        **linear_shapes(f"{name}.query", width, width, config.bias),
        **linear_shapes(f"{name}.key", width, shared, config.bias),
        **linear_shapes(f"{name}.value", width, shared, config.bias),
        **linear_shapes(f"{name}.output", width, width, config.bias),
    }


def attention_block_forward(params, name: str, config, x, source, *, mask, rotary, run):
    """Every position of x attends to the positions of `source` that the mask allows.

    x: (B, T, C); source: (B, S, C), x itself for self-attention. mask: booleans that broadcast to (B, H, T, S), or
    None. rotary: (cos, sin) for the positions of x, or None. Returns y: (B, T, C) and the cache.
    """
    query, query_cache = apply_linear(params, f"{name}.query", x)
    key, key_cache = apply_linear(params, f"{name}.key", source)
    value, value_cache = apply_linear(params, f"{name}.value", source)
    query, key, value = (_split_heads(array, config.head_width) for array in (query, key, value))
    rotary_cache = None
    if rotary is not None:
        cos, sin = rotary
        query, query_rotary = rotary_forward(query, cos=cos, sin=sin)
        key, key_rotary = rotary_forward(key, cos=cos, sin=sin)
        rotary_cache = (query_rotary, key_rotary)
    if run.past is not None:
        key, value = run.past.extend(name, key, value)

    keep = dropout_mask(run.rng, (*query.shape[:3], key.shape[2]), config.dropout)
    tap = (lambda last, weights: run.tap(f"{name}.{last}", weights)) if run.watched else None
    heads, attention_cache = attention_forward(query, key, value, mask=mask, keep=keep, rate=config.dropout, tap=tap)
    y, output_cache = apply_linear(params, f"{name}.output", _merge_heads(heads))
    cache = AttentionBlockCache(query_cache, key_cache, value_cache, rotary_cache, attention_cache, output_cache)
    return run.tap(f"{name}.output", y), cache


def attention_block_backward(grads, name: str, config, dy, cache):
    """Gradients of x and source: (B, T, C), (B, S, C). For self-attention the caller adds the two."""
    dheads = back_linear(grads, f"{name}.output", dy, cache.output)
    dquery, dkey, dvalue = attention_backward(_split_heads(dheads, config.head_width), cache.attention)
    if cache.rotary is not None:
        query_rotary, key_rotary = cache.rotary
        dquery, dkey = rotary_backward(dquery, query_rotary), rotary_backward(dkey, key_rotary)
    dx = back_linear(grads, f"{name}.query", _merge_heads(dquery), cache.query)
    dsource = back_linear(grads, f"{name}.key", _merge_heads(dkey), cache.key)
    dsource += back_linear(grads, f"{name}.value", _merge_heads(dvalue), cache.value)
    return dx, dsource


def _split_heads(x: np.ndarray, head_width: int) -> np.ndarray:
    """(B, T, H * D) -> (B, H, T, D): cut the width into heads, then swap axes. A reshape alone would mix tokens."""
    return x.reshape(*x.shape[:2], -1, head_width).swapaxes(1, 2)


def _merge_heads(x: np.ndarray) -> np.ndarray:
    """(B, H, T, D) -> (B, T, H * D), the inverse of `_split_heads`."""
    batch, heads, length, width = x.shape
    return x.swapaxes(1, 2).reshape(batch, length, heads * width)
