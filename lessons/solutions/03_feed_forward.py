"""Lesson 03: three activations, forward and back."""

import math

import numpy as np


def relu_forward(x):
    """max(x, 0), entry by entry.

    x: (...). Returns (y, cache): y is (...); cache is what relu_backward needs, whatever you choose.
    """
    # answer
    return np.maximum(x, 0), x
    # end of answer


def relu_backward(dy, cache):
    """Gradient of x.

    dy: (...), the gradient of the loss by y; cache: from relu_forward.

    Returns dx: (...). Do not change dy.
    """
    # answer
    return dy * (cache > 0)
    # end of answer


def gelu_tanh_forward(x):
    """GPT-2's GELU: y = x * (1 + tanh(u)) / 2 with u = sqrt(2 / pi) * (x + 0.044715 x^3). Returns y and the cache."""
    u = math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)
    t = np.tanh(u)
    return 0.5 * x * (1 + t), (x, t)


def gelu_tanh_backward(dy, cache):
    """Gradient of x.

    dy: (...); cache: (x, t) with t = tanh(u), see gelu_tanh_forward.

    Returns dx: (...). The product rule gives two terms; the second needs the derivative of u.
    """
    # answer
    x, t = cache
    du = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x * x)
    return dy * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * du)
    # end of answer


def gated_forward(gate, up):
    """SwiGLU: silu(gate) * up, where silu(x) = x / (1 + exp(-x)).

    gate, up: (...). Returns (y, cache): y is (...).
    """
    # answer
    sigmoid = 1 / (1 + np.exp(-gate))
    return gate * sigmoid * up, (gate, up, sigmoid)
    # end of answer


def gated_backward(dy, cache):
    """Gradients of gate and up.

    dy: (...); cache: from gated_forward.

    Returns dgate: (...), dup: (...). The derivative of silu is s + x s (1 - s) with s the sigmoid of x.
    """
    # answer
    gate, up, sigmoid = cache
    slope = sigmoid + gate * sigmoid * (1 - sigmoid)
    return dy * up * slope, dy * gate * sigmoid
    # end of answer
