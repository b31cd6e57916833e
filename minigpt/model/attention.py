"""Multi-head attention: project to queries, keys and values, attend in every head, project back.

Vaswani et al. (2017), arXiv:1706.03762, section 3.2.2. Self-attention and cross-attention are the same code: they
differ in where keys and values come from, and in the mask.
"""

from typing import Any, NamedTuple

import numpy as np

from minigpt.model.parts import Shapes, apply_linear, apply_row_linear, back_linear, linear_shapes
from minigpt.ops import attention_backward, attention_forward, draw_dropout_mask, rotary_backward, rotary_forward


class AttentionBlockCache(NamedTuple):
    query: Any
    sources: tuple[Any, Any, Any] | None  # of key, value and the key's rotation; None when they came from the past
    rotary: Any
    attention: Any
    output: Any


def attention_shapes(name: str, config) -> Shapes:
    """The arrays of one multi-head attention."""
    width, inner, shared = config.width, config.heads * config.head_width, config.key_value_heads * config.head_width
    bias = config.bias if config.attention_bias is None else config.attention_bias
    return {
        **linear_shapes(f"{name}.query", width, inner, bias),
        **linear_shapes(f"{name}.key", width, shared, bias),
        **linear_shapes(f"{name}.value", width, shared, bias),
        **linear_shapes(f"{name}.output", inner, width, bias),
    }


def attention_block_forward(params, name: str, config, x, source, *, mask, rotary, call):
    """Every position of x attends to the positions of `source` that the mask allows.

    x: (B, T, C); source: (B, S, C), x itself for self-attention, the encoder's output for cross-attention. mask:
    booleans that broadcast to (B, H, T, S), or None. rotary: (cos, sin) for the positions of x, or None. Returns
    y: (B, T, C) and the cache.
    """
    query, query_cache = apply_linear(params, f"{name}.query", x)
    query, query_rotary = _rotate(_split_heads(query, config.head_width), rotary)
    stored = call.past.stored(name) if call.past is not None and source is not x else None
    if stored is not None:
        (key, value), sources = stored, None
    else:
        key, key_cache = apply_linear(params, f"{name}.key", source)
        value, value_cache = apply_linear(params, f"{name}.value", source)
        key, key_rotary = _rotate(_split_heads(key, config.head_width), rotary)
        value, sources = _split_heads(value, config.head_width), (key_cache, value_cache, key_rotary)
        if call.past is not None and source is x:
            key, value = call.past.extend(name, key, value)
        elif call.past is not None:
            call.past.store(name, key, value)

    dropout_mask = draw_dropout_mask(call.rng, (*query.shape[:3], key.shape[2]), config.dropout)
    hook = (lambda last, weights: call.hook(f"{name}.{last}", weights)) if call.watched else None
    heads, attention_cache = attention_forward(
        query, key, value, mask=mask, dropout_mask=dropout_mask, rate=config.dropout, hook=hook
    )
    y, output_cache = apply_row_linear(params, f"{name}.output", _merge_heads(heads), call)
    cache = AttentionBlockCache(query_cache, sources, query_rotary, attention_cache, output_cache)
    return call.hook(f"{name}.output", y), cache


def attention_block_backward(grads, name: str, config, dy, cache):
    """Gradients of x and source: (B, T, C), (B, S, C). For self-attention the caller adds the two."""
    key_cache, value_cache, key_rotary = cache.sources
    dheads = back_linear(grads, f"{name}.output", dy, cache.output)
    dquery, dkey, dvalue = attention_backward(_split_heads(dheads, config.head_width), cache.attention)
    if cache.rotary is not None:
        dquery, dkey = rotary_backward(dquery, cache.rotary), rotary_backward(dkey, key_rotary)
    dx = back_linear(grads, f"{name}.query", _merge_heads(dquery), cache.query)
    dsource = back_linear(grads, f"{name}.key", _merge_heads(dkey), key_cache)
    dsource += back_linear(grads, f"{name}.value", _merge_heads(dvalue), value_cache)
    return dx, dsource


def _rotate(x: np.ndarray, rotary) -> tuple[np.ndarray, Any]:
    """x with its positions turned into it, and the cache; x itself and None without rotary positions."""
    return (x, None) if rotary is None else rotary_forward(x, cos=rotary[0], sin=rotary[1])


def _split_heads(x: np.ndarray, head_width: int) -> np.ndarray:
    """(B, T, H * D) -> (B, H, T, D): cut the width into heads, then swap axes. A reshape alone would mix tokens."""
    return x.reshape(*x.shape[:2], -1, head_width).swapaxes(1, 2)


def _merge_heads(x: np.ndarray) -> np.ndarray:
    """(B, H, T, D) -> (B, T, H * D), the inverse of `_split_heads`."""
    batch, heads, length, width = x.shape
    return x.swapaxes(1, 2).reshape(batch, length, heads * width)
