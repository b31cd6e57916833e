"""Is my backward right? Write one by hand and let numerical derivatives judge it.

Run: python examples/check_my_backward.py
"""

import numpy as np

from minigpt.check import check_gradient


def softplus_forward(x):
    """y = log(1 + exp(x)): a smooth ReLU."""
    return np.logaddexp(0, x), x


def softplus_backward(dy, x):
    """dy/dx = sigmoid(x)."""
    return dy / (1 + np.exp(-x))


def careless_backward(dy, x):
    """The same, with the sign of x forgotten."""
    return dy / (1 + np.exp(x))


x = np.random.default_rng(0).standard_normal((3, 5))

print("The right one:")
print(check_gradient(softplus_forward, softplus_backward, x))

print("\nThe careless one:")
print(check_gradient(softplus_forward, careless_backward, x))
