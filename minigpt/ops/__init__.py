"""The mathematics: one file per operation, forward beside backward.

Every pair is `y, cache = NAME_forward(...)` and `gradients = NAME_backward(dy, cache)`. The cache is returned, never
stored, so an operation may run in many threads at once.

Letters: B batch, T query length, S key length, C model width, H heads, G key-value heads, D head width, F hidden
width, V vocabulary, N rows (all leading axes together).
"""

from minigpt.ops.activations import ACTIVATIONS, activation
from minigpt.ops.attention import attention_backward, attention_forward
from minigpt.ops.convolution import (
    convolution_1d_backward,
    convolution_1d_forward,
    convolution_2d_backward,
    convolution_2d_forward,
)
from minigpt.ops.cross_entropy import IGNORED, cross_entropy_backward, cross_entropy_forward
from minigpt.ops.dropout import draw_dropout_mask, dropout_backward, dropout_forward
from minigpt.ops.embedding import embedding_backward, embedding_forward
from minigpt.ops.experts import load_balancing_backward, load_balancing_forward, router_backward, router_forward
from minigpt.ops.gated import gated_backward, gated_forward
from minigpt.ops.gelu import gelu_backward, gelu_forward, gelu_tanh_backward, gelu_tanh_forward
from minigpt.ops.layer_norm import layer_norm_backward, layer_norm_forward
from minigpt.ops.linear import linear_backward, linear_forward, weight_gradient
from minigpt.ops.low_rank import low_rank_backward, low_rank_forward
from minigpt.ops.masks import causal_mask, padding_mask
from minigpt.ops.relu import relu_backward, relu_forward
from minigpt.ops.rms_norm import rms_norm_backward, rms_norm_forward
from minigpt.ops.rotary import rotary_angles, rotary_backward, rotary_forward
from minigpt.ops.silu import silu_backward, silu_forward
from minigpt.ops.sinusoidal import sinusoidal_positions
from minigpt.ops.softmax import softmax_backward, softmax_forward
from minigpt.ops.tanh import tanh_backward, tanh_forward

__all__ = [
    "ACTIVATIONS",
    "IGNORED",
    "activation",
    "attention_backward",
    "attention_forward",
    "causal_mask",
    "convolution_1d_backward",
    "convolution_1d_forward",
    "convolution_2d_backward",
    "convolution_2d_forward",
    "cross_entropy_backward",
    "cross_entropy_forward",
    "draw_dropout_mask",
    "dropout_backward",
    "dropout_forward",
    "embedding_backward",
    "embedding_forward",
    "gated_backward",
    "gated_forward",
    "gelu_backward",
    "gelu_forward",
    "gelu_tanh_backward",
    "gelu_tanh_forward",
    "layer_norm_backward",
    "layer_norm_forward",
    "linear_backward",
    "linear_forward",
    "load_balancing_backward",
    "load_balancing_forward",
    "low_rank_backward",
    "low_rank_forward",
    "padding_mask",
    "relu_backward",
    "relu_forward",
    "rms_norm_backward",
    "rms_norm_forward",
    "rotary_angles",
    "rotary_backward",
    "rotary_forward",
    "router_backward",
    "router_forward",
    "silu_backward",
    "silu_forward",
    "sinusoidal_positions",
    "softmax_backward",
    "softmax_forward",
    "tanh_backward",
    "tanh_forward",
    "weight_gradient",
]
