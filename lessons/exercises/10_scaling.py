"""Lesson 10: what a model costs, and how a loss falls with its size."""

import numpy as np


def training_days(parameters: float, tokens: float, gpus: int, speed: float) -> float:
    """How many days it takes to train a model (Narayanan et al. 2021, equation 4).

    parameters: how many; tokens: seen in training; gpus: how many share the work evenly; speed: operations a second
    that each of them reaches. Every parameter takes part in one multiplication and one addition for each token in the
    forward, twice as many in the backward, and once more in the forward that recomputes activations.

    Returns days of 24 hours.
    """
    raise NotImplementedError("write training_days")


def fit_power_law(sizes: np.ndarray, losses: np.ndarray) -> tuple[float, float]:
    """The law loss = scale * size ** -exponent, by least squares between the logarithms of the losses.

    sizes, losses: (n,), positive; at least two different sizes.

    Returns (scale, exponent).
    """
    raise NotImplementedError("write fit_power_law")


def compute_optimal(
    flops: float, a: float, alpha: float, b: float, beta: float
) -> tuple[float, float]:
    """The parameters N and tokens D that make floor + a / N ** alpha + b / D ** beta smallest, with 6 N D = flops.

    a, alpha, b, beta: positive. Put D = flops / (6 N) into the law, and set the derivative by N to zero: at the best N
    the two terms, each times its exponent, are equal.

    Returns (N, D).
    """
    raise NotImplementedError("write compute_optimal")


def router_forward(x: np.ndarray, *, top: int):
    """Softmax over the `top` largest scores of each row, and exactly 0 for the others.

    x: (..., E), a score for each expert; of equal scores take the first ones.

    Returns y: (..., E), the weights of the experts, and whatever your `router_backward` needs.
    """
    raise NotImplementedError("write router_forward")


def router_backward(dy: np.ndarray, cache) -> np.ndarray:
    """Gradient of x: (..., E), from that of y and what `router_forward` kept."""
    raise NotImplementedError("write router_backward")
