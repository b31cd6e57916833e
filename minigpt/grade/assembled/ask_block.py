"""Asks a student's block: runs in the sandbox, with their `block_forward` and `block_backward` in `PIECES`.

The four layers are stand-ins, tanh(x @ matrix), so nothing in here helps with any other exercise.
"""

import numpy as np

PIECES: dict = {}


class StandIn:
    """A layer: y = tanh(x @ matrix)."""

    def __init__(self, matrix):
        self.matrix = matrix

    def forward(self, x):
        y = np.tanh(x @ self.matrix)
        return y, y

    def backward(self, dy, cache):
        return (dy * (1 - cache * cache)) @ self.matrix.T


def block(x, dy, norm1, attention, norm2, network):
    """y and the gradient of x. x, dy: (B, T, C); the others: (C, C), the matrices of the stand-ins."""
    layers = [StandIn(matrix) for matrix in (norm1, attention, norm2, network)]
    y, cache = PIECES["block_forward"](x, *layers)
    return y, PIECES["block_backward"](dy, cache, *layers)
