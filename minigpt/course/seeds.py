"""Numbers that differ from seed to seed: their spread, and whether two of them differ by more than that."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from minigpt.course.lesson import Shown, table

# The 97.5% point of Student's t for 1, 2, ... degrees of freedom.
STUDENT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131]


class Difference(NamedTuple):
    """A difference of two means with its 95% interval from `low` to `high`, in the unit of the values."""

    mean: float
    low: float
    high: float

    @property
    def is_one(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0

    def within(self, margin: float) -> bool:
        """Whether the whole interval lies within `margin` of zero: alike, and not only too uncertain to tell apart."""
        return -margin < self.low and self.high < margin

    def __str__(self) -> str:
        return f"{self.mean:+.3f} (95% interval {self.low:+.3f} to {self.high:+.3f})"


def difference(first: Sequence[float], second: Sequence[float], *, paired: bool = False) -> Difference:
    """The mean of `first` less that of `second`, each holding a value a seed.

    The interval is Student's (1908), with the variance of both pooled: it takes seeds for independent, the spread of
    both arms for equal and the values for normally distributed. paired: the values of a seed share what makes seeds
    differ, such as their batches; they are subtracted one by one, and the interval is that of these differences.
    `ValueError` without two values in each, or pairs that do not fit.
    """
    if paired:
        return paired_difference(first, second)
    a, b = np.asarray(first, float), np.asarray(second, float)
    if min(len(a), len(b)) < 2:
        raise ValueError(
            f"{len(a)} and {len(b)} values have no spread to compare with; give one a seed, of two or more"
        )
    free = len(a) + len(b) - 2
    variance = (((a - a.mean()) ** 2).sum() + ((b - b.mean()) ** 2).sum()) / free
    error = math.sqrt(variance * (1 / len(a) + 1 / len(b)))
    return _interval(float(a.mean() - b.mean()), error, free)


def paired_difference(first: Sequence[float], second: Sequence[float]) -> Difference:
    """The mean of `first` less `second`, seed by seed: for arms that share what a seed decides, the start and the text.

    What makes one seed better than another is then in both arms and falls out. The interval is Student's (1908) for the
    differences, which it takes for independent and normally distributed. `ValueError` without two pairs.
    """
    if len(first) != len(second) or len(first) < 2:
        raise ValueError(f"{len(first)} and {len(second)} values make no pairs; give one a seed to each, two or more")
    apart = np.asarray(first, float) - np.asarray(second, float)
    return _interval(float(apart.mean()), float(apart.std(ddof=1)) / math.sqrt(len(apart)), len(apart) - 1)


def _interval(mean: float, error: float, free: int) -> Difference:
    """The mean with Student's 95% interval, from its standard error with so many degrees of freedom."""
    half = STUDENT[min(free, len(STUDENT)) - 1] * error
    return Difference(mean, mean - half, mean + half)


def spread_table(arms: Mapping[str, Sequence[float]], *, name: str = "", digits: int = 3) -> Shown:
    """A row for each arm of an experiment: the mean of its values, one a seed, and the lowest and highest of them.

    name: the heading of the arms.
    """
    rows = [(arm, float(np.mean(values)), float(min(values)), float(max(values))) for arm, values in arms.items()]
    seeds = sorted({len(values) for values in arms.values()})
    return table([name, f"mean of {' or '.join(map(str, seeds))} seeds", "lowest", "highest"], rows, digits=digits)
