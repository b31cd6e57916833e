"""Is an optimizer right? It takes steps beside the textbook's formula, one number at a time."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minigpt.check.report import GradientError
from minigpt.optim import Optimizer

Memory = dict[str, float]  # what one number's optimizer remembers

STEPS, SIZE, DECAYED = 25, 12, 7  # all different; only the first 7 entries decay


def check_optimizer(make: Callable[..., Optimizer], reference: str, **settings: Any) -> None:
    """Compare the optimizer `make(**settings, decayed=7)` with the textbook's `reference` in float64.

    reference: sgd, adam or adamw. Both take 25 steps with random gradients and a changing learning rate.
    `GradientError` names the first entry that differs, after which step, yours and the textbook's.
    """
    rng = np.random.default_rng(0)
    yours = rng.standard_normal(SIZE)
    right = yours.tolist()
    optimizer = make(**settings, decayed=DECAYED)
    state, memory = optimizer.init(yours), [{"m": 0.0, "v": 0.0} for _ in range(SIZE)]
    for step in range(1, STEPS + 1):
        gradient = rng.standard_normal(SIZE) * 10.0 ** rng.uniform(-4, 1, SIZE)
        before, rate = gradient.copy(), 0.01 * (1 + step % 3)
        optimizer.update(yours, gradient, state, learning_rate=rate)
        if not np.array_equal(before, gradient):
            raise GradientError(f"{reference} changed the gradient in step {step}; an update may only read it")
        for i in range(SIZE):
            used = settings if i < DECAYED else {**settings, "weight_decay": 0.0}
            right[i] = TEXTBOOK[reference](right[i], float(gradient[i]), memory[i], step, rate, **used)
            if not math.isclose(yours[i], right[i], rel_tol=1e-9, abs_tol=1e-12):
                raise GradientError(
                    f"{reference} is wrong from step {step} on: entry {i} is {yours[i]:.9g}, "
                    f"but the textbook has {right[i]:.9g}"
                )


def check_clip(clip: Callable[[np.ndarray, float], float]) -> None:
    """`clip(gradient, maximum)` must shorten one vector as a whole and return its length. `GradientError` if not."""
    rng = np.random.default_rng(0)
    for maximum in (0.5, 1e6):
        gradient = rng.standard_normal(SIZE) * np.linspace(0.1, 3, SIZE)
        before = gradient.copy()
        length = math.sqrt(sum(value**2 for value in before.tolist()))
        returned = clip(gradient, maximum)
        expected = before * min(1.0, maximum / length)
        if not np.allclose(gradient, expected, rtol=1e-5, atol=0):
            raise GradientError(
                f"clipping to {maximum} gave {gradient}, but one factor for all entries gives {expected}"
            )
        if not math.isclose(returned, length, rel_tol=1e-9):
            raise GradientError(f"clipping returned {returned}, but the length before was {length}")


def _sgd(
    p: float,
    g: float,
    memory: Memory,
    step: int,
    rate: float,
    *,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> float:
    """Robbins & Monro (1951); Sutskever et al. (2013)."""
    g = g + weight_decay * p
    memory["m"] = momentum * memory["m"] + g
    return p - rate * (g + momentum * memory["m"] if nesterov else memory["m"])


def _adam(
    p: float,
    g: float,
    memory: Memory,
    step: int,
    rate: float,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> float:
    """Kingma & Ba (2015), algorithm 1."""
    g = g + weight_decay * p
    memory["m"] = beta1 * memory["m"] + (1 - beta1) * g
    memory["v"] = beta2 * memory["v"] + (1 - beta2) * g * g
    mean, square = memory["m"] / (1 - beta1**step), memory["v"] / (1 - beta2**step)
    return p - rate * mean / (math.sqrt(square) + epsilon)


def _adamw(
    p: float, g: float, memory: Memory, step: int, rate: float, *, weight_decay: float = 0.01, **settings: Any
) -> float:
    """Loshchilov & Hutter (2019), algorithm 2."""
    return _adam(p, g, memory, step, rate, **settings) - rate * weight_decay * p


TEXTBOOK: dict[str, Callable[..., float]] = {"sgd": _sgd, "adam": _adam, "adamw": _adamw}
