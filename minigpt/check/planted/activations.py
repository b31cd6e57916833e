"""Mistakes in the activations and in their gated form."""

import math

import numpy as np

from minigpt.check.planted.bug import planted
from minigpt.ops import activation, gated_backward

ROOT = math.sqrt(2 / math.pi)


def passes_everything(dy, cache):
    """This is the gradient you get when everything passes: max(x, 0) >= 0 is always true, so the test must be > 0."""
    return dy * (cache.y >= 0)


def tests_the_gradient(dy, cache):
    """This is the gradient you get when dy is cut off where dy is negative: what counts is the sign of x."""
    return dy * (dy > 0)


def multiplies_by_y(dy, cache):
    """This is the gradient you get when dy is multiplied by y: the slope of ReLU is 1 where x > 0, not x."""
    return dy * cache.y


def density_missing(dy, cache):
    """This is the gradient you get when dy is multiplied by cdf(x) alone: the product rule adds x * density(x)."""
    return dy * cache.cdf


def density_without_x(dy, cache):
    """This is the gradient you get when the second term of the product rule is density(x): it is x * density(x)."""
    return dy * (cache.cdf + np.exp(-0.5 * cache.x * cache.x) / math.sqrt(2 * math.pi))


def density_not_normalized(dy, cache):
    """This is the gradient you get when 1 / sqrt(2 pi) is left out of the normal density."""
    return dy * (cache.cdf + cache.x * np.exp(-0.5 * cache.x * cache.x))


def _tanh(x):
    return np.tanh(ROOT * (x + 0.044715 * x * x * x))


def inner_derivative_missing(dy, cache):
    """This is the gradient you get when the chain rule stops at the tanh: the derivative of what is inside it,
    sqrt(2/pi) * (1 + 3 * 0.044715 x^2), is missing."""
    tanh = _tanh(cache.x)
    return dy * 0.5 * (1 + tanh + cache.x * (1 - tanh * tanh))


def factor_three_missing(dy, cache):
    """This is the gradient you get when the derivative of x^3 is taken to be x^2: it is 3 x^2."""
    x, tanh = cache.x, _tanh(cache.x)
    return dy * 0.5 * (1 + tanh + x * (1 - tanh * tanh) * ROOT * (1 + 0.044715 * x * x))


def tanh_share_alone(dy, cache):
    """This is the gradient you get when dy is multiplied by (1 + tanh(u)) / 2 alone: the product rule adds x times
    the derivative of that factor."""
    return dy * 0.5 * (1 + _tanh(cache.x))


def slope_of_the_sigmoid_without_x(dy, cache):
    """This is the gradient you get when x is forgotten in the second term of the product rule: s + x s (1 - s)."""
    s = cache.sigmoid
    return dy * (s + s * (1 - s))


def sigmoid_alone(dy, cache):
    """This is the gradient you get when the sigmoid is treated as a constant factor: it moves with x as well."""
    return dy * cache.sigmoid


def first_term_missing(dy, cache):
    """This is the gradient you get when only the sigmoid is differentiated: the product rule also gives s itself."""
    s = cache.sigmoid
    return dy * cache.x * s * (1 - s)


def tanh_not_squared(dy, cache):
    """This is the gradient you get when the slope of tanh is taken as 1 - y: it is 1 - y * y."""
    return dy * (1 - cache.y)


def tanh_as_a_sigmoid(dy, cache):
    """This is the gradient you get when tanh is differentiated like a sigmoid, y * (1 - y): it is 1 - y * y."""
    return dy * cache.y * (1 - cache.y)


def factors_swapped(dy, cache):
    """This is the gradient you get when the gradients of gate and up are returned in each other's place."""
    dgate, dup = gated_backward(dy, cache)
    return dup, dgate


def up_by_the_unactivated_gate(dy, cache):
    """This is the gradient you get when dup is dy times the gate before its activation: up was multiplied by the
    activated gate."""
    return gated_backward(dy, cache)[0], dy * cache.activation_cache.x


def up_by_the_sigmoid(dy, cache):
    """This is the gradient you get when dup is dy times the sigmoid alone: up was multiplied by silu, which is the gate
    times its sigmoid."""
    return gated_backward(dy, cache)[0], dy / (1 + np.exp(-cache.activation_cache.x))


def gate_not_through_the_activation(dy, cache):
    """This is the gradient you get when dgate skips the activation's backward."""
    return dy * cache.up, gated_backward(dy, cache)[1]


def gate_without_up(dy, cache):
    """This is the gradient you get when dgate forgets the other factor of the product, up."""
    _, backward = activation(cache.name)
    return backward(dy, cache.activation_cache), gated_backward(dy, cache)[1]


def forward_gate_and_up_exchanged(gate, up, *, name="silu"):
    """Your activation is applied to up; it belongs on the gate."""
    forward, _ = activation(name)
    return gate * forward(up)[0], None


def forward_tanh_form(x):
    """Your GELU is the tanh approximation; the exact one is x times the normal cumulative distribution."""
    return 0.5 * x * (1 + _tanh(x)), None


def forward_sigmoid_form(x):
    """Your GELU is x * sigmoid(1.702 x), a coarser approximation than the one with tanh."""
    return x / (1 + np.exp(-1.702 * x)), None


BUGS = (
    *planted("backward", "relu", "relu", passes_everything, tests_the_gradient, multiplies_by_y),
    *planted("backward", "gelu", "gelu", density_missing, density_without_x, density_not_normalized),
    *planted("backward", "gelu_tanh", "gelu_tanh", inner_derivative_missing, factor_three_missing, tanh_share_alone),
    *planted("backward", "silu", "silu", slope_of_the_sigmoid_without_x, sigmoid_alone, first_term_missing),
    *planted("backward", "tanh", "tanh", tanh_not_squared, tanh_as_a_sigmoid),
    *planted("backward", "gated", "gated, silu", factors_swapped, up_by_the_unactivated_gate),
    *planted("backward", "gated", "gated, silu", up_by_the_sigmoid),
    *planted("backward", "gated", "gated, silu", gate_not_through_the_activation, gate_without_up),
    *planted("forward", "gated", "gated, silu", forward_gate_and_up_exchanged),
    *planted("forward", "gelu", "gelu", forward_tanh_form),
    *planted("forward", "gelu_tanh", "gelu_tanh", forward_sigmoid_form),
)
