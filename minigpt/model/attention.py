"""Multi-head attention: project to queries, keys and values, attend in every head, project back.

Vaswani et al. (2017), arXiv:1706.03762, section 3.2.2. Self-attention and cross-attention are the same code: they
differ in where keys and values come from, and in the mask.
"""

import math
from typing import Any, NamedTuple, cast

import numpy as np

from minigpt.model.arrays import ROWS, Arrays, linear_arrays, linears_arrays
from minigpt.model.call import Call, SpansPast
from minigpt.model.config import TransformerConfig
from minigpt.model.params import Gradients, Weights
from minigpt.model.parts import apply_linears, apply_row_linear, back_linear, back_linears
from minigpt.ops import (
    AlibiBias,
    DropoutRule,
    MaskRule,
    attention_backward,
    attention_forward,
    blockwise_attention_backward,
    blockwise_attention_forward,
    draw_dropout_mask,
    rotary_backward,
    rotary_forward,
)
from minigpt.ops.attention import KEPT
from minigpt.ops.blockwise import BlockwiseAttentionCache

QUERY, KEY_VALUE, QUERY_KEY_VALUE = ("query",), ("key", "value"), ("query", "key", "value")


class AttentionBlockCache(NamedTuple):
    query: Any  # of the projection; of self-attention: of query, key and value together
    source: Any  # of key and value in cross-attention; None when they came from the past
    rotary: tuple[Any, Any]  # of query and key
    attention: Any
    output: Any


def attention_arrays(name: str, config: TransformerConfig, *, cross: bool = False) -> Arrays:
    """The arrays of one multi-head attention. What multiplies the same input lies side by side.

    cross: queries come from one text, keys and values from another.
    """
    width, inner, shared = config.width, config.heads * config.head_width, config.key_value_heads * config.head_width
    bias, std = config.bias if config.attention_bias is None else config.attention_bias, config.init_std
    queries, sources = {"query": inner}, {"key": shared, "value": shared}
    projections = [queries, sources] if cross else [queries | sources]
    arrays: Arrays = {}
    for layers in projections:
        without = () if config.key_bias else ("key",)
        arrays |= linears_arrays(name, width, layers, bias=bias, std=std, without=without)
    return {
        **arrays,
        **linear_arrays(f"{name}.output", inner, width, bias=bias, std=config.residual_std, cut=ROWS),
    }


def attention_block_forward(
    params: Weights,
    name: str,
    config: TransformerConfig,
    x: np.ndarray,
    source: np.ndarray,
    *,
    mask: Any,
    bias: Any,
    rotary: tuple[np.ndarray, np.ndarray] | None,
    call: Call,
) -> tuple[np.ndarray, AttentionBlockCache]:
    """Every position of x attends to the positions of `source` that the mask allows.

    x: (B, T, C); source: (B, S, C), x itself for self-attention, the encoder's output for cross-attention. mask:
    booleans that broadcast to (B, H, T, S), a rule or None; a list of one for each span of the past. bias: numbers in
    the same way. rotary: (cos, sin) for the positions of x, or None. Returns y: (B, T, C) and the cache.
    """
    (query, key, value), query_cache, source_cache = _project(params, name, x, source, call)
    query, query_rotary = _rotate(_split_heads(query, config.head_width), rotary)
    key_rotary = None
    past: Any = call.past
    if key is None:
        key, value = past.stored(name)
    else:
        key, key_rotary = _rotate(_split_heads(key, config.head_width), rotary)
        value = _split_heads(value, config.head_width)
        if past is not None and source is not x:
            past.store(name, key, value)
        elif past is not None and past.spans is None:
            key, value = past.extend(name, key, value)
    query, key, value = (
        call.hook(f"{name}.query", query),
        call.hook(f"{name}.key", key),
        call.hook(f"{name}.value", value),
    )
    if past is not None and past.spans is not None:
        heads, attention_cache = _attend_in_spans(name, query, key, value, (mask, bias), call), None
    else:
        heads, attention_cache = _attend(name, query, key, value, (mask, bias), call, rate=config.dropout)
    heads = call.hook(f"{name}.heads", heads)  # (B, H, T, D)
    y, output_cache = apply_row_linear(params, f"{name}.output", _merge_heads(heads), call)
    cache = AttentionBlockCache(query_cache, source_cache, (query_rotary, key_rotary), attention_cache, output_cache)
    return call.hook(f"{name}.output", y), cache


def attention_block_backward(
    grads: Gradients, name: str, config: TransformerConfig, dy: np.ndarray, cache: Any, *, call: Call
) -> Any:
    """Gradient of x: (B, T, C), for self-attention; of x and of source, (B, S, C), for cross-attention."""
    dy = call.hook(f"{name}.doutput", dy)
    dheads = _split_heads(back_linear(grads, f"{name}.output", dy, cache.output), config.head_width)
    dheads = call.hook(f"{name}.dheads", dheads)
    if isinstance(cache.attention, BlockwiseAttentionCache):
        dquery, dkey, dvalue = blockwise_attention_backward(dheads, cache.attention)
    else:
        dquery, dkey, dvalue = attention_backward(dheads, cache.attention, hook=call.hook_of(name))
    dquery, dkey = call.hook(f"{name}.dquery", dquery), call.hook(f"{name}.dkey", dkey)
    dvalue = call.hook(f"{name}.dvalue", dvalue)
    if cache.rotary[0] is not None:
        dquery, dkey = rotary_backward(dquery, cache.rotary[0]), rotary_backward(dkey, cache.rotary[1])
    if cache.source is None:
        return back_linears(grads, name, QUERY_KEY_VALUE, _side_by_side(dquery, dkey, dvalue), cache.query)
    dx = back_linears(grads, name, QUERY, _side_by_side(dquery), cache.query)
    return dx, back_linears(grads, name, KEY_VALUE, _side_by_side(dkey, dvalue), cache.source)


def _project(
    params: Weights, name: str, x: np.ndarray, source: np.ndarray, call: Call
) -> tuple[tuple[Any, Any, Any], Any, Any]:
    """Query, key and value, (B, T, H * D) each, and the caches; key and value are None if the past has them."""
    if source is x:
        (query, key, value), cache = apply_linears(params, name, QUERY_KEY_VALUE, x, call)
        return (query, key, value), cache, None
    (query,), query_cache = apply_linears(params, name, QUERY, x, call)
    past: Any = call.past
    if past is not None and past.stored(name) is not None:
        return (query, None, None), query_cache, None
    (key, value), source_cache = apply_linears(params, name, KEY_VALUE, source, call)
    return (query, key, value), query_cache, source_cache


def _attend(
    name: str, query: np.ndarray, key: np.ndarray, value: np.ndarray, sight: Any, call: Call, *, rate: float = 0.0
) -> tuple[np.ndarray, Any]:
    """(B, H, T, D) and the cache. In tiles where there are too many weights to keep, unless somebody looks at them.

    sight: mask and bias, arrays, rules or None.
    """
    shape, hook = (*query.shape[:3], key.shape[2]), call.hook_of(name)
    if math.prod(shape[1:]) > KEPT and hook is None:
        mask, bias = sight
        rule = DropoutRule(int(call.rng.integers(1 << 63)), rate) if call.rng is not None and rate else None
        return blockwise_attention_forward(query, key, value, mask=mask, bias=bias, dropout_mask=rule, rate=rate)
    mask, bias = (each.array() if isinstance(each, MaskRule | AlibiBias) else each for each in sight)
    dropout_mask = draw_dropout_mask(call.rng, shape, rate)
    return attention_forward(query, key, value, mask=mask, bias=bias, dropout_mask=dropout_mask, rate=rate, hook=hook)


def _attend_in_spans(
    name: str, query: np.ndarray, key: np.ndarray, value: np.ndarray, sight: Any, call: Call
) -> np.ndarray:
    """Attention of every span of the past to its own keys and values, (1, H, T, D); it has no backward."""
    heads, past = np.empty_like(query), cast(SpansPast, call.past)
    masks, biases = sight
    biases = biases or [None] * len(masks)
    for mask, bias, (rows, keys, values) in zip(masks, biases, past.extend_spans(name, key, value), strict=True):
        heads[:, :, rows] = _attend(name, query[:, :, rows], keys, values, (mask, bias), call)[0]
    return heads


def _rotate(x: np.ndarray, rotary: tuple[np.ndarray, np.ndarray] | None) -> tuple[np.ndarray, Any]:
    """x with its positions turned into it, and the cache; x itself and None without rotary positions."""
    return (x, None) if rotary is None else rotary_forward(x, cos=rotary[0], sin=rotary[1])


def _split_heads(x: np.ndarray, head_width: int) -> np.ndarray:
    """(B, T, H * D) -> (B, H, T, D): cut the width into heads, then swap axes. A reshape alone would mix tokens."""
    return x.reshape(*x.shape[:2], -1, head_width).swapaxes(1, 2)


def _merge_heads(x: np.ndarray) -> np.ndarray:
    """(B, H, T, D) -> (B, T, H * D), the inverse of `_split_heads`."""
    batch, heads, length, width = x.shape
    return x.swapaxes(1, 2).reshape(batch, length, heads * width)


def _side_by_side(*parts: np.ndarray) -> np.ndarray:
    """`_merge_heads` of each, (B, H, T, D), in one array: (B, T, all widths)."""
    batch, _, length, width = parts[0].shape
    merged = np.empty((batch, length, sum(part.shape[1] for part in parts), width), parts[0].dtype)
    start = 0
    for part in parts:
        merged[:, :, start : start + part.shape[1]] = part.swapaxes(1, 2)
        start += part.shape[1]
    return merged.reshape(batch, length, -1)
