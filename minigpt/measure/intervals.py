"""Intervals by drawing the examples again: how much a measure would differ on other examples of the same kind.

Efron & Tibshirani (1993), "An Introduction to the Bootstrap", chapter 13: percentile intervals. And could
the test have seen it: the smallest difference that so many examples show. A benchmark of 200 questions cannot tell 80%
from 83%, and most comparisons are published without that number (Card et al. 2020, arXiv:2010.06595).
"""

import math
from collections.abc import Callable, Mapping
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

    rows: (count,) integers, which examples. Draws in which the measure is not a number are left out. One example alone
    tells nothing of others: then low and high are not numbers.
    """
    if count < 2:
        return Interval(float(measure(np.arange(count))), math.nan, math.nan)
    rng = np.random.default_rng(SEED)
    found = np.array([measure(rng.integers(0, count, count)) for _ in range(draws)])
    return interval_of(float(measure(np.arange(count))), found)


def interval_of(value: float, drawn: np.ndarray) -> Interval:
    """The measure, and the middle 95% of what it is in the draws, (D,), without those in which it is not a number.

    Where none is left, low and high are none either.
    """
    known = drawn[np.isfinite(drawn)]
    low, high = np.quantile(known, [0.025, 0.975]) if known.size else (math.nan, math.nan)
    return Interval(value, float(low), float(high))


def bootstrapped_mean(values: np.ndarray, groups: np.ndarray | None = None) -> Interval:
    """The mean of (N,) values, with its interval.

    groups: (N,), to which each belongs, where those of one group are alike: then whole groups are drawn (Davison &
    Hinkley 1997, "Bootstrap Methods and their Application", section 3.8). Of booleans that are all alike the interval
    is that of `share`, of groups where there are any: drawn again they would show no spread, however few they are.
    """
    if values.dtype == bool and len(values) and np.ptp(values.astype(int)) == 0:
        count = len(values) if groups is None else len(np.unique(groups))
        return share(count * int(values[0]), count)
    if groups is None:
        return bootstrap(lambda rows: float(values[rows].mean()), len(values))
    _, numbers = np.unique(groups, return_inverse=True)
    sums, sizes = np.bincount(numbers, values), np.bincount(numbers)
    return bootstrap(lambda rows: float(sums[rows].sum() / sizes[rows].sum()), len(sizes))


def paired_difference(first: np.ndarray, second: np.ndarray, groups: np.ndarray | None = None) -> Interval:
    """The mean of first - second, (N,) each, of the same examples, which are drawn together; with its interval.

    groups: as `bootstrapped_mean` takes them. Of booleans whose differences are all alike, drawing again would show no
    spread: then the interval reaches as far as it does if other examples are otherwise as often as `share` cannot
    exclude.
    """
    first, second = np.asarray(first), np.asarray(second)
    difference = first.astype(float) - second.astype(float)
    if not (first.dtype == second.dtype == bool and len(difference) and np.ptp(difference) == 0):
        return bootstrapped_mean(difference, groups)
    value = float(difference[0])
    reach = share(0, len(difference) if groups is None else len(np.unique(groups))).high * (1 + abs(value))
    return Interval(value, max(-1.0, value - reach), min(1.0, value + reach))


def share(count: int, total: int) -> Interval:
    """count / total with the score interval of Wilson (1927), which also tells how much none, or all, may mean."""
    z = Z_LEVEL
    rate = count / total
    middle = (rate + z * z / (2 * total)) / (1 + z * z / total)
    half = z * np.sqrt(rate * (1 - rate) / total + (z / (2 * total)) ** 2) / (1 + z * z / total)
    return Interval(rate, max(0.0, float(middle - half)), min(1.0, float(middle + half)))


def spread(found: Mapping[str, float], digits: int = 3, *, factor: float = 1.0, sign: str = "") -> str:
    """An interval for people, `0.120 to 0.340`, or that there is none. sign: `+` shows that of numbers above 0, too."""
    low, high = factor * found["low"], factor * found["high"]
    if math.isnan(low):
        return "no interval of so few"
    return f"{low:{sign}.{digits}f} to {high:{sign}.{digits}f}"


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
