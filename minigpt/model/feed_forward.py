"""Feed-forward network: each position on its own through a wider layer and back.

Vaswani et al. (2017), arXiv:1706.03762, section 3.3; the gated form: Shazeer (2020), arXiv:2002.05202.
"""

from typing import Any, NamedTuple

from minigpt.model.parts import Shapes, apply_linear, apply_row_linear, back_linear, linear_shapes, sum_over_ranks
from minigpt.ops import activation, gated_backward, gated_forward


class FeedForwardCache(NamedTuple):
    gate: Any
    up: Any
    activation: Any
    down: Any


def feed_forward_shapes(name: str, config) -> Shapes:
    """The arrays of one feed-forward network."""
    width, hidden = config.width, config.feed_forward_width
    bias = config.bias if config.feed_forward_bias is None else config.feed_forward_bias
    gate = linear_shapes(f"{name}.gate", width, hidden, bias) if config.gated else {}
    return {
        **gate,
        **linear_shapes(f"{name}.up", width, hidden, bias),
        **linear_shapes(f"{name}.down", hidden, width, bias),
    }


def feed_forward_forward(params, name: str, config, x, *, call):
    """y = down(activation(up(x))), or down(activation(gate(x)) * up(x)) when gated.

    x: (B, T, C). Returns y: (B, T, C) and the cache.
    """
    up, up_cache = apply_linear(params, f"{name}.up", x)  # (B, T, F)
    gate_cache = None
    if config.gated:
        gate, gate_cache = apply_linear(params, f"{name}.gate", x)
        hidden, activation_cache = gated_forward(gate, up, name=config.activation)
    else:
        hidden, activation_cache = activation(config.activation)[0](up)
    hidden = call.hook(f"{name}.hidden", hidden)
    y, down_cache = apply_row_linear(params, f"{name}.down", hidden, call)
    return call.hook(f"{name}.output", y), FeedForwardCache(gate_cache, up_cache, activation_cache, down_cache)


def feed_forward_backward(grads, name: str, config, dy, cache, *, call):
    """Gradient of x: (B, T, C)."""
    dhidden = back_linear(grads, f"{name}.down", dy, cache.down)
    if not config.gated:
        dup = activation(config.activation)[1](dhidden, cache.activation)
        return sum_over_ranks(back_linear(grads, f"{name}.up", dup, cache.up), call)
    dgate, dup = gated_backward(dhidden, cache.activation)
    dx = back_linear(grads, f"{name}.up", dup, cache.up)
    dx += back_linear(grads, f"{name}.gate", dgate, cache.gate)
    return sum_over_ranks(dx, call)  # each rank has some of the hidden units
