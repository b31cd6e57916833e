"""Lesson 22: attention rollout, the sum of integrated gradients, and Shapley values."""

import math

import numpy as np


def attention_rollout(weights: np.ndarray) -> np.ndarray:
    """How much of every input each position holds after all layers, if attention is all that counts.

    weights: (L, H, T, T), of L layers, from the first on, with H heads; each row sums to 1. In a layer, half of a
    position is what it was, and half is what it takes from others: the mean over heads. Layer after layer.

    Returns (T, T): row t says how much of inputs 0 to T - 1 is in position t. Rows sum to 1.
    """
    raise NotImplementedError("write attention_rollout")


def sum_of_the_way(gradients: np.ndarray, x: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    """Integrated gradients, of gradients that were taken at N points of the way, in the middle of N equal parts.

    gradients: (N, T, C), of the number that is explained. x, baseline: (T, C), the vectors of the input and those
    where the way begins.

    Returns (T,): a score for each position. With many points their sum is the number's difference between both ends.
    """
    raise NotImplementedError("write sum_of_the_way")


def shapley_values(values: np.ndarray) -> np.ndarray:
    """What each of n players adds, on average over all n! orders in which they could come.

    values: (2^n,), what every group reaches. Bit i of an index, the lowest being bit 0, says whether player i is in the
    group: values[0] is that of nobody, values[5] that of players 0 and 2. n is at least 2. A player that comes to a
    group of k others meets it in k! (n - k - 1)! of the n! orders.

    Returns (n,): they sum to what all reach beyond nobody.
    """
    raise NotImplementedError("write shapley_values")
