"""One transformer block: attention and feed-forward, each added to the residual stream.

Post-norm is norm(x + f(x)), Vaswani et al. (2017), section 3.1. Pre-norm is x + f(norm(x)), Radford et al. (2019),
section 2.3; Xiong et al. (2020), arXiv:2002.04745, show why it trains without warm-up: nothing stands between the loss
and the residual stream.
"""

from typing import Any, NamedTuple

import numpy as np

from minigpt.model.attention import attention_block_backward, attention_block_forward, attention_shapes
from minigpt.model.experts import experts_backward, experts_forward, experts_shapes
from minigpt.model.feed_forward import feed_forward_backward, feed_forward_forward, feed_forward_shapes
from minigpt.model.parts import Shapes, apply_dropout, apply_norm, back_norm, norm_shapes, sum_over_ranks
from minigpt.ops import dropout_backward


class Sight(NamedTuple):
    """What the positions of a stack may see. All that tells an encoder from a decoder is in here."""

    mask: np.ndarray | None  # booleans that broadcast to (B, H, T, S), of the text itself; None: everything
    rotary: tuple[np.ndarray, np.ndarray] | None = None  # (cos, sin) of its positions
    memory: np.ndarray | None = None  # (B, M, C), what an encoder made of another text
    memory_mask: np.ndarray | None = None  # booleans that broadcast to (B, H, T, M)


class ResidualCache(NamedTuple):
    norm: Any
    inner: Any
    dropout: Any


class BlockCache(NamedTuple):
    attention: ResidualCache
    cross_attention: ResidualCache | None
    feed_forward: ResidualCache


def block_shapes(name: str, config, *, cross: bool = False) -> Shapes:
    """The arrays of one block. cross: with cross-attention to a memory."""
    crossing: Shapes = {}
    if cross:
        crossing = {
            **norm_shapes(f"{name}.cross_attention_norm", config),
            **attention_shapes(f"{name}.cross_attention", config),
        }
    return {
        **norm_shapes(f"{name}.attention_norm", config),
        **attention_shapes(f"{name}.attention", config),
        **crossing,
        **norm_shapes(f"{name}.feed_forward_norm", config),
        **(experts_shapes if config.experts else feed_forward_shapes)(f"{name}.feed_forward", config),
    }


def block_forward(params, name: str, config, x, *, sight: Sight, call):
    """x: (B, T, C). Returns the residual stream after the block, (B, T, C), and the cache."""

    def attend(x):
        return attention_block_forward(
            params, f"{name}.attention", config, x, x, mask=sight.mask, rotary=sight.rotary, call=call
        )

    def attend_to_memory(x):
        return attention_block_forward(
            params, f"{name}.cross_attention", config, x, sight.memory, mask=sight.memory_mask, rotary=None, call=call
        )

    def feed_forward(x):
        network = experts_forward if config.experts else feed_forward_forward
        return network(params, f"{name}.feed_forward", config, x, call=call)

    x, attention_cache = _residual_forward(params, f"{name}.attention_norm", config, x, attend, call)
    cross_cache = None
    if sight.memory is not None:
        x = call.hook(f"{name}.residual_cross", x)
        x, cross_cache = _residual_forward(params, f"{name}.cross_attention_norm", config, x, attend_to_memory, call)
    x = call.hook(f"{name}.residual_mid", x)
    x, feed_forward_cache = _residual_forward(params, f"{name}.feed_forward_norm", config, x, feed_forward, call)
    return call.hook(f"{name}.residual_post", x), BlockCache(attention_cache, cross_cache, feed_forward_cache)


def block_backward(grads, name: str, config, dx, cache: BlockCache, *, call, dmemory=None):
    """Gradient of the block's x: (B, T, C). dmemory: where to add that of the memory, (B, M, C), if there is one."""

    def back_attend(dy, cache):
        dx, dsource = attention_block_backward(grads, f"{name}.attention", config, dy, cache)
        # x was both the queries' and the keys' source; a tensor-parallel rank has some of the heads.
        return sum_over_ranks(dx + dsource, call)

    def back_attend_to_memory(dy, cache):
        dx, dsource = attention_block_backward(grads, f"{name}.cross_attention", config, dy, cache)
        dmemory[...] += sum_over_ranks(dsource, call)  # every block looks at the same memory
        return sum_over_ranks(dx, call)

    def back_feed_forward(dy, cache):
        network = experts_backward if config.experts else feed_forward_backward
        return network(grads, f"{name}.feed_forward", config, dy, cache, call=call)

    dx = call.hook(f"{name}.dresidual_post", dx)
    dx = _residual_backward(grads, f"{name}.feed_forward_norm", config, dx, cache.feed_forward, back_feed_forward)
    dx = call.hook(f"{name}.dresidual_mid", dx)
    if cache.cross_attention is not None:
        norm = f"{name}.cross_attention_norm"
        dx = _residual_backward(grads, norm, config, dx, cache.cross_attention, back_attend_to_memory)
        dx = call.hook(f"{name}.dresidual_cross", dx)
    return _residual_backward(grads, f"{name}.attention_norm", config, dx, cache.attention, back_attend)


def _residual_forward(params, norm: str, config, x, inner, call):
    """x + inner(norm(x)), or norm(x + inner(x)); `inner` returns (y, cache)."""
    if config.norm_place == "pre":
        normed, norm_cache = apply_norm(params, norm, config, x)
        y, inner_cache = inner(normed)
        y, dropout_cache = apply_dropout(config, y, call)
        return x + y, ResidualCache(norm_cache, inner_cache, dropout_cache)
    y, inner_cache = inner(x)
    y, dropout_cache = apply_dropout(config, y, call)
    y, norm_cache = apply_norm(params, norm, config, x + y)
    return y, ResidualCache(norm_cache, inner_cache, dropout_cache)


def _residual_backward(grads, norm: str, config, dy, cache, back_inner):
    """Gradient of x. It flows down both paths: straight through the sum, and through `inner`."""
    if config.norm_place == "pre":
        dinner = back_inner(dropout_backward(dy, cache.dropout), cache.inner)
        return dy + back_norm(grads, norm, config, dinner, cache.norm)
    dsum = back_norm(grads, norm, config, dy, cache.norm)
    return dsum + back_inner(dropout_backward(dsum, cache.dropout), cache.inner)
