"""The exercises of lesson 10, scaling."""

import numpy as np

from minigpt.grade.exercise import Exercise, Question
from minigpt.measure import Chinchilla, fit_power_law


def draw_days(rng: np.random.Generator) -> Question:
    return [float(rng.integers(1, 99)) * 1e9, float(rng.integers(1, 99)) * 1e9, int(rng.integers(2, 99)), 1.4e14], {}


def training_days(parameters, tokens, gpus, speed):
    return 8 * parameters * tokens / (gpus * speed) / 86_400


def without_recomputation(parameters, tokens, gpus, speed):
    """You counted 6 operations for each parameter and token; with recomputation there is one more forward, 8."""
    return training_days(parameters, tokens, gpus, speed) * 6 / 8


def forward_only(parameters, tokens, gpus, speed):
    """You counted the forward alone, 2 operations for each parameter and token."""
    return training_days(parameters, tokens, gpus, speed) / 4


def on_one_gpu(parameters, tokens, gpus, speed):
    """You let one GPU do all the work; it is shared among `gpus`."""
    return training_days(parameters, tokens, gpus, speed) * gpus


def in_hours(parameters, tokens, gpus, speed):
    """You returned hours; a day has 24 of them."""
    return training_days(parameters, tokens, gpus, speed) * 24


def in_seconds(parameters, tokens, gpus, speed):
    """You returned seconds; a day has 86,400 of them."""
    return training_days(parameters, tokens, gpus, speed) * 86_400


def draw_losses(rng: np.random.Generator) -> Question:
    sizes = np.sort(rng.choice(np.arange(1, 60), 5, replace=False)) * 1000.0
    return [sizes, 5.0 * sizes**-0.1 * np.exp(0.02 * rng.standard_normal(5))], {}


def line_without_logarithms(sizes, losses):
    """You fitted a line to the losses themselves; a power law is a line between the *logarithms*."""
    slope, height = np.polyfit(sizes, losses, 1)
    return float(height), float(-slope)


def only_sizes_in_logarithms(sizes, losses):
    """You took the logarithm of the sizes alone; the losses need it too."""
    slope, height = np.polyfit(np.log(sizes), losses, 1)
    return float(height), float(-slope)


def sign_of_the_slope(sizes, losses):
    """You returned the slope, which is negative; the exponent is minus the slope."""
    scale, exponent = fit_power_law(sizes, losses)
    return scale, -exponent


def scale_in_logarithms(sizes, losses):
    """You returned the logarithm of the scale; take exp of the line's height at 0."""
    scale, exponent = fit_power_law(sizes, losses)
    return float(np.log(scale)), exponent


def draw_law(rng: np.random.Generator) -> Question:
    return [10 ** float(rng.uniform(9, 20)), *(float(value) for value in rng.uniform(0.2, 3.0, 4))], {}


def compute_optimal(flops, a, alpha, b, beta):
    return Chinchilla(0.0, a, alpha, b, beta).best(flops)


def six_forgotten(flops, a, alpha, b, beta):
    """You took N D for the operations; training costs 6 N D."""
    return compute_optimal(6 * flops, a, alpha, b, beta)


def exponents_exchanged(flops, a, alpha, b, beta):
    """You exchanged the exponents of N D: that of N is beta / (alpha + beta), that of D alpha / (alpha + beta)."""
    n = (alpha * a / (beta * b)) ** (1 / (alpha + beta)) * (flops / 6) ** (alpha / (alpha + beta))
    return n, flops / 6 / n


def exponents_not_multiplied(flops, a, alpha, b, beta):
    """You made the two terms equal; at the best place each *times its exponent* is, as the derivative says."""
    n = (a / b) ** (1 / (alpha + beta)) * (flops / 6) ** (beta / (alpha + beta))
    return n, flops / 6 / n


def results_exchanged(flops, a, alpha, b, beta):
    """You returned the tokens before the parameters."""
    return compute_optimal(flops, a, alpha, b, beta)[::-1]


def equal_shares(flops, a, alpha, b, beta):
    """You took as many parameters as tokens; the two constants and exponents say how to share."""
    return (flops / 6) ** 0.5, (flops / 6) ** 0.5


EXERCISES = (
    Exercise.of(
        training_days,
        points=2,
        draw=draw_days,
        mistakes=(without_recomputation, forward_only, on_one_gpu, in_hours, in_seconds),
    ),
    Exercise.of(
        fit_power_law,
        points=3,
        draw=draw_losses,
        mistakes=(line_without_logarithms, only_sizes_in_logarithms, sign_of_the_slope, scale_in_logarithms),
    ),
    Exercise.of(
        compute_optimal,
        points=4,
        draw=draw_law,
        mistakes=(six_forgotten, exponents_exchanged, exponents_not_multiplied, results_exchanged, equal_shares),
    ),
    Exercise("router", 3, needs=("router_forward", "router_backward"), like=lambda x, *, top: None),
)
