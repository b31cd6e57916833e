"""Intervals by drawing the examples again: how much a measure would differ on other examples of the same kind.

Efron & Tibshirani (1993), "An Introduction to the Bootstrap", chapter 13: percentile intervals. And could
the test have seen it: the smallest difference that so many examples show. A benchmark of 200 questions cannot tell 80%
from 83%, and most comparisons are published without that number (Card et al. 2020, arXiv:2010.06595).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

DRAWS = 1000
SEED = 1979  # the same examples give the same interval
Z_LEVEL, Z_POWER = 1.959964, 0.841621  # of a two-sided test at 5%, or an interval of 95%; of a power of 80%


class Interval(NamedTuple):
    """A measure with its 95% interval."""

    value: float
    low: float
    high: float


def bootstrap(measure: Callable[[np.ndarray], float], count: int, *, draws: int = DRAWS) -> Interval:
    """measure(rows) of all `count` examples, and the middle 95% of what it is when examples are drawn with replacement.

    rows: (count,) integers, which examples. Draws in which the measure is not a number are left out.
    """
    rng = np.random.default_rng(SEED)
    found = np.array([measure(rng.integers(0, count, count)) for _ in range(draws)])
    return interval_of(float(measure(np.arange(count))), found)


def interval_of(value: float, drawn: np.ndarray) -> Interval:
    """The measure, and the middle 95% of what it is in the draws, (D,), without those in which it is not a number."""
    known = drawn[np.isfinite(drawn)]
    low, high = np.quantile(known, [0.025, 0.975]) if known.size else (value, value)
    return Interval(value, float(low), float(high))


def bootstrapped_mean(values: np.ndarray, groups: np.ndarray | None = None) -> Interval:
    """The mean of (N,) values, with its interval.

    groups: (N,), to which each belongs, where those of one group are alike: then whole groups are drawn (Davison &
    Hinkley 1997, "Bootstrap Methods and their Application", section 3.8). Of booleans that are all alike the interval
    is that of `share`: drawn again they would show no spread, however few they are.
    """
    if groups is None and values.dtype == bool and (values.all() or not values.any()):
        return share(int(values.sum()), len(values))
    if groups is None:
        return bootstrap(lambda rows: float(values[rows].mean()), len(values))
    _, numbers = np.unique(groups, return_inverse=True)
    sums, sizes = np.bincount(numbers, values), np.bincount(numbers)
    return bootstrap(lambda rows: float(sums[rows].sum() / sizes[rows].sum()), len(sizes))


def paired_difference(first: np.ndarray, second: np.ndarray) -> Interval:
    """The mean of first - second, (N,) each, of the same examples, which are drawn together; with its interval."""
    return bootstrapped_mean(np.asarray(first, float) - np.asarray(second, float))


def share(count: int, total: int) -> Interval:
    """count / total with the score interval of Wilson (1927), which also tells how much none, or all, may mean."""
    z = Z_LEVEL
    rate = count / total
    middle = (rate + z * z / (2 * total)) / (1 + z * z / total)
    half = z * np.sqrt(rate * (1 - rate) / total + (z / (2 * total)) ** 2) / (1 + z * z / total)
    return Interval(rate, max(0.0, float(middle - half)), min(1.0, float(middle + half)))


def smallest_difference(differences: np.ndarray, groups: np.ndarray | None = None) -> float | None:
    """Of (N,) paired differences: the mean difference that a two-sided test at 5% would find 80 times of 100.

    (z_0.975 + z_0.8) s / sqrt(N), for means of so many that they are about normal; s is the spread that was seen.
    groups: (N,), as `bootstrapped_mean` takes them; what those of one group have in common is then no further evidence.
    None where it cannot be told: of fewer than two examples or groups, or of differences that are all alike.
    """
    differences = np.asarray(differences, float)
    kinds = np.arange(len(differences)) if groups is None else np.unique(groups, return_inverse=True)[1]
    count = len(np.unique(kinds))
    if count < 2 or np.ptp(differences) == 0:
        return None
    apart = np.bincount(kinds, differences - differences.mean())  # of whole groups; s^2 N where each stands alone
    error = math.sqrt(count / (count - 1) * float(np.square(apart).sum())) / len(differences)
    return (Z_LEVEL + Z_POWER) * error


def smallest_gain(accuracy: float, examples: int) -> float | None:
    """The smallest difference between two *other* sets of so many examples each, at about this accuracy.

    What a score that somebody published, without its answers, can be told apart by: (z_0.975 + z_0.8) sqrt(2 p (1 - p)
    / N). None where the accuracy is 0 or 1.
    """
    if not 0 < accuracy < 1 or examples < 1:
        return None
    return (Z_LEVEL + Z_POWER) * math.sqrt(2 * accuracy * (1 - accuracy) / examples)
