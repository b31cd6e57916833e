"""The activations by name."""

from typing import NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.ops.gelu import gelu_backward, gelu_forward, gelu_tanh_backward, gelu_tanh_forward
from minigpt.ops.operation import Operation
from minigpt.ops.relu import relu_backward, relu_forward
from minigpt.ops.silu import silu_backward, silu_forward


class Activation(NamedTuple):
    """An activation, and what others need to know of it."""

    operation: Operation
    kept: int  # numbers that stay in memory for each hidden unit until the backward: the cache's and y
    published: tuple[str, ...]  # its names in the files of Hugging Face models; the first is the one to write
    keeps_input: bool = True  # whether x is among the kept


def identity_forward(x: np.ndarray) -> tuple[np.ndarray, None]:
    """y = x, no activation at all: two linear layers are then one. x: (...). Returns y: (...) and an empty cache."""
    return x, None


def identity_backward(dy: np.ndarray, _cache: None) -> np.ndarray:
    """Gradient of x: (...)."""
    return dy


ACTIVATIONS = {
    "relu": Activation(Operation(relu_forward, relu_backward), 1, ("relu",), keeps_input=False),
    "gelu": Activation(Operation(gelu_forward, gelu_backward), 3, ("gelu",)),
    "gelu_tanh": Activation(Operation(gelu_tanh_forward, gelu_tanh_backward), 3, ("gelu_new", "gelu_pytorch_tanh")),
    "silu": Activation(Operation(silu_forward, silu_backward), 3, ("silu", "swish")),
    "identity": Activation(Operation(identity_forward, identity_backward), 1, ("linear",)),
}


def activation(name: str) -> Operation:
    """The pair (forward, backward) of the activation called `name`; `UserError` if there is none."""
    if name not in ACTIVATIONS:
        raise UserError(f"there is no activation {name!r}; choose one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name].operation
