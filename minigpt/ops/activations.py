"""The activations by name."""

from minigpt.errors import UserError
from minigpt.ops.gelu import gelu_backward, gelu_forward, gelu_tanh_backward, gelu_tanh_forward
from minigpt.ops.relu import relu_backward, relu_forward
from minigpt.ops.silu import silu_backward, silu_forward


def identity_forward(x):
    """y = x, no activation at all: two linear layers are then one. x: (...). Returns y: (...) and an empty cache."""
    return x, None


def identity_backward(dy, _cache):
    """Gradient of x: (...)."""
    return dy


ACTIVATIONS = {
    "relu": (relu_forward, relu_backward),
    "gelu": (gelu_forward, gelu_backward),
    "gelu_tanh": (gelu_tanh_forward, gelu_tanh_backward),
    "silu": (silu_forward, silu_backward),
    "identity": (identity_forward, identity_backward),
}


def activation(name):
    """The pair (forward, backward) of the activation called `name`; `UserError` if there is none."""
    if name not in ACTIVATIONS:
        raise UserError(f"there is no activation {name!r}; choose one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]
