"""Feed-forward network: each position on its own through a wider layer and back.

Vaswani et al. (2017), arXiv:1706.03762, section 3.3; the gated form: Shazeer (2020), arXiv:2002.05202.
"""

from typing import Any, NamedTuple

import numpy as np

from minigpt.model.arrays import ROWS, Arrays, linear_arrays, linears_arrays
from minigpt.model.call import Call
from minigpt.model.config import TransformerConfig
from minigpt.model.params import Gradients, Weights
from minigpt.model.parts import (
    apply_linear,
    apply_linears,
    apply_row_linear,
    back_linear,
    back_linears,
    sum_over_ranks,
)
from minigpt.ops import activation, gated_backward, gated_forward

GATE_UP = ("gate", "up")


class FeedForwardCache(NamedTuple):
    up: Any  # of the first layer, or of gate and up together
    activation: Any
    down: Any


def feed_forward_arrays(name: str, config: TransformerConfig) -> Arrays:
    """The arrays of one feed-forward network. Gate and up multiply the same input, so they lie side by side."""
    width, inner, std = config.width, config.feed_forward_width, config.init_std
    bias = config.bias if config.feed_forward_bias is None else config.feed_forward_bias
    first = GATE_UP if config.gated else ("up",)
    arrays = linears_arrays(name, width, dict.fromkeys(first, inner), bias=bias, std=std)
    return arrays | linear_arrays(f"{name}.down", inner, width, bias=bias, std=config.residual_std, cut=ROWS)


def feed_forward_forward(
    params: Weights, name: str, config: TransformerConfig, x: np.ndarray, *, call: Call
) -> tuple[np.ndarray, FeedForwardCache]:
    """y = down(activation(up(x))), or down(activation(gate(x)) * up(x)) when gated.

    x: (B, T, C). Returns y: (B, T, C) and the cache.
    """
    if config.gated:
        (gate, up), up_cache = apply_linears(params, name, GATE_UP, x, call)  # (B, T, F) each
        hidden, activation_cache = gated_forward(gate, up, name=config.activation)
    else:
        up, up_cache = apply_linear(params, f"{name}.up", x, call)
        hidden, activation_cache = activation(config.activation)[0](up)
    hidden = call.hook(f"{name}.hidden", hidden)
    y, down_cache = apply_row_linear(params, f"{name}.down", hidden, call)
    return call.hook(f"{name}.output", y), FeedForwardCache(up_cache, activation_cache, down_cache)


def feed_forward_backward(
    grads: Gradients, name: str, config: TransformerConfig, dy: np.ndarray, cache: Any, *, call: Call
) -> np.ndarray:
    """Gradient of x: (B, T, C)."""
    dy = call.hook(f"{name}.doutput", dy)
    dhidden = call.hook(f"{name}.dhidden", back_linear(grads, f"{name}.down", dy, cache.down))
    if config.gated:
        dx = back_linears(grads, name, GATE_UP, list(gated_backward(dhidden, cache.activation)), cache.up)
    else:
        dx = back_linear(grads, f"{name}.up", activation(config.activation)[1](dhidden, cache.activation), cache.up)
    return sum_over_ranks(dx, call)  # each rank has some of the hidden units
