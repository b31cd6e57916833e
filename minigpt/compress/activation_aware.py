"""Rounding that minds which inputs are large.

Lin et al. (2023), "AWQ: Activation-aware Weight Quantization", arXiv:2306.00978, "Protecting salient weights by
activation-aware scaling": the rows W are rounded as W s, s a factor for each input, and x is divided by s; so what
meets large inputs is rounded finer. s = (mean |x|)^a, and a is searched in [0, 1] for the least error of the layer's
output. There 1 / s is folded into the layer before; here it stays beside the matrix, which is exact in every
architecture and costs one product of a vector for each call.
"""

import numpy as np

from minigpt.compress.rounding import LARGEST, Grid, Rounded, nearest

STEPS = 10  # of the search
SMALLEST = 1e-4  # of the largest mean |x|: inputs that are hardly ever used


def activation_aware(rows: np.ndarray, grid: Grid, products: np.ndarray, sizes: np.ndarray) -> Rounded:
    """rows: (outputs, inputs); products: X^T X, (inputs, inputs); sizes: mean |x|, (inputs,), of the calibration."""
    best, least = nearest(rows, grid), np.inf
    for number in range(STEPS):
        factors = input_factors(sizes, number / STEPS).astype(rows.dtype)
        if np.abs(rows * factors).max() > LARGEST:
            continue
        found = nearest(rows * factors, grid)._replace(factors=1 / factors)
        error = output_error(rows - found.values(), products)
        if error < least:
            best, least = found, error
    return best


def input_factors(sizes: np.ndarray, power: float) -> np.ndarray:
    """s = sizes^power, scaled so that the largest and the smallest are each other's inverse; 1 where all are alike."""
    if not sizes.any():
        return np.ones_like(sizes)
    factors = np.maximum(sizes, SMALLEST * sizes.max()) ** power
    return factors / np.sqrt(factors.max() * factors.min())


def output_error(wrong: np.ndarray, products: np.ndarray) -> float:
    """The sum of squares of X @ wrong^T: (outputs, inputs) and X^T X."""
    return float(np.vdot(wrong @ products, wrong))
