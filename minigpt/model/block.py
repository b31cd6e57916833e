"""One transformer block: attention and feed-forward, each added to the residual stream.

Post-norm is norm(x + f(x)), Vaswani et al. (2017), section 3.1. Pre-norm is x + f(norm(x)), Radford et al. (2019),
section 2.3; Xiong et al. (2020), arXiv:2002.04745, show why it trains without warm-up: nothing stands between the loss
and the residual stream.
"""

from typing import Any, NamedTuple

import numpy as np

from minigpt.model.arrays import Arrays
from minigpt.model.attention import attention_arrays, attention_block_backward, attention_block_forward
from minigpt.model.call import Call
from minigpt.model.config import TransformerConfig
from minigpt.model.experts import experts_arrays, experts_backward, experts_forward
from minigpt.model.feed_forward import feed_forward_arrays, feed_forward_backward, feed_forward_forward
from minigpt.model.masks import Sight
from minigpt.model.params import Gradients, Weights
from minigpt.model.parts import apply_dropout, apply_norm, back_norm, norm_arrays, sum_over_ranks
from minigpt.ops import dropout_backward


class SublayerCache(NamedTuple):
    """Of attention, cross-attention or the feed-forward network, with the norm and the dropout around it."""

    norm: Any
    inner: Any
    dropout: Any


class BlockCache(NamedTuple):
    attention: SublayerCache
    cross_attention: SublayerCache | None
    feed_forward: SublayerCache


def block_arrays(name: str, config: TransformerConfig, *, cross: bool = False) -> Arrays:
    """The arrays of one block. cross: with cross-attention to a memory."""
    arrays = {
        **norm_arrays(f"{name}.attention_norm", config),
        **attention_arrays(f"{name}.attention", config),
    }
    if cross:
        arrays |= norm_arrays(f"{name}.cross_attention_norm", config)
        arrays |= attention_arrays(f"{name}.cross_attention", config, cross=True)
    arrays |= norm_arrays(f"{name}.feed_forward_norm", config)
    arrays |= (experts_arrays if config.experts else feed_forward_arrays)(f"{name}.feed_forward", config)
    return {array: record._replace(block=name) for array, record in arrays.items()}


def block_forward(
    params: Weights, name: str, config: TransformerConfig, x: np.ndarray, *, sight: Sight, call: Call
) -> tuple[np.ndarray, BlockCache]:
    """x: (B, T, C). Returns the residual stream after the block, (B, T, C), and the cache."""
    pre = config.norm_place == "pre"
    inner_cache: Any

    normed, norm_cache = _norm_if(pre, params, f"{name}.attention_norm", config, x)
    y, inner_cache = attention_block_forward(
        params,
        f"{name}.attention",
        config,
        normed,
        normed,
        mask=sight.mask,
        bias=sight.bias,
        rotary=sight.rotary,
        call=call,
    )
    y, dropout_cache = apply_dropout(config, y, call)
    x, late_cache = _norm_if(not pre, params, f"{name}.attention_norm", config, x + y)
    attention_cache = SublayerCache(norm_cache or late_cache, inner_cache, dropout_cache)

    cross_cache = None
    if sight.memory is not None:
        x = call.hook(f"{name}.residual_cross", x)
        normed, norm_cache = _norm_if(pre, params, f"{name}.cross_attention_norm", config, x)
        y, inner_cache = attention_block_forward(
            params,
            f"{name}.cross_attention",
            config,
            normed,
            sight.memory,
            mask=sight.memory_mask,
            bias=None,
            rotary=None,
            call=call,
        )
        y, dropout_cache = apply_dropout(config, y, call)
        x, late_cache = _norm_if(not pre, params, f"{name}.cross_attention_norm", config, x + y)
        cross_cache = SublayerCache(norm_cache or late_cache, inner_cache, dropout_cache)

    x = call.hook(f"{name}.residual_mid", x)
    normed, norm_cache = _norm_if(pre, params, f"{name}.feed_forward_norm", config, x)
    network = experts_forward if config.experts else feed_forward_forward
    y, inner_cache = network(params, f"{name}.feed_forward", config, normed, call=call)
    y, dropout_cache = apply_dropout(config, y, call)
    x, late_cache = _norm_if(not pre, params, f"{name}.feed_forward_norm", config, x + y)
    feed_forward_cache = SublayerCache(norm_cache or late_cache, inner_cache, dropout_cache)
    return call.hook(f"{name}.residual_post", x), BlockCache(attention_cache, cross_cache, feed_forward_cache)


def block_backward(
    grads: Gradients,
    name: str,
    config: TransformerConfig,
    dx: np.ndarray,
    cache: BlockCache,
    *,
    call: Call,
    dmemory: Any = None,
) -> np.ndarray:
    """Gradient of the block's x: (B, T, C). dmemory: where to add that of the memory, (B, M, C), if there is one.

    The forward's lines, last first. x + y has two paths: dx flows straight through the sum, and through what made y.
    """
    pre = config.norm_place == "pre"

    dx = call.hook(f"{name}.dresidual_post", dx)
    dx = _back_norm_if(not pre, grads, f"{name}.feed_forward_norm", config, dx, cache.feed_forward.norm)
    dy = dropout_backward(dx, cache.feed_forward.dropout)
    network = experts_backward if config.experts else feed_forward_backward
    dy = network(grads, f"{name}.feed_forward", config, dy, cache.feed_forward.inner, call=call)
    dx = dx + _back_norm_if(pre, grads, f"{name}.feed_forward_norm", config, dy, cache.feed_forward.norm)
    dx = call.hook(f"{name}.dresidual_mid", dx)

    if cache.cross_attention is not None:
        norm = f"{name}.cross_attention_norm"
        dx = _back_norm_if(not pre, grads, norm, config, dx, cache.cross_attention.norm)
        dy = dropout_backward(dx, cache.cross_attention.dropout)
        dy, dsource = attention_block_backward(
            grads, f"{name}.cross_attention", config, dy, cache.cross_attention.inner, call=call
        )
        dmemory[...] += sum_over_ranks(dsource, call)  # every block looks at the same memory
        dx = dx + _back_norm_if(pre, grads, norm, config, sum_over_ranks(dy, call), cache.cross_attention.norm)
        dx = call.hook(f"{name}.dresidual_cross", dx)

    dx = _back_norm_if(not pre, grads, f"{name}.attention_norm", config, dx, cache.attention.norm)
    dy = dropout_backward(dx, cache.attention.dropout)
    dy = attention_block_backward(grads, f"{name}.attention", config, dy, cache.attention.inner, call=call)
    dy = sum_over_ranks(dy, call)  # a tensor-parallel rank has some of the heads
    return dx + _back_norm_if(pre, grads, f"{name}.attention_norm", config, dy, cache.attention.norm)


def _norm_if(
    here: bool, params: Weights, name: str, config: TransformerConfig, x: np.ndarray
) -> tuple[np.ndarray, Any]:
    """The norm, where its place is here; otherwise x itself, and no cache."""
    return apply_norm(params, name, config, x) if here else (x, None)


def _back_norm_if(
    here: bool, grads: Gradients, name: str, config: TransformerConfig, dy: np.ndarray, cache: Any
) -> np.ndarray:
    return back_norm(grads, name, config, dy, cache) if here else dy
