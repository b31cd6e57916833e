"""Would chance do as well? Tests that relabel what is measured, and count how often a relabelling reaches as much.

Fisher (1935), "The Design of Experiments"; Phipson & Smyth (2010), "Permutation P-values Should Never Be Zero",
Statistical Applications in Genetics and Molecular Biology 9: what was observed is counted among the drawn relabellings.
"""

import math
from collections.abc import Mapping
from itertools import combinations, islice

import numpy as np

DRAWS = 10_000
MOST_EXACT = 20_000  # partitions that are all looked at
PART = 1000  # draws at a time, for memory
SEED = 1935  # the same values give the same p
CLOSE = 1e-12  # sums of the same numbers in another order
LEAST_P = 1e-4  # below it no more is said


def said_p(p: float) -> str:
    """`0.034`, or that it is below what is worth a digit."""
    return f"below {LEAST_P:g}" if p <= LEAST_P else f"{p:.4f}" if p < 0.01 else f"{p:.3f}"


def sign_test(wins: int, decided: int) -> float:
    """The exact p, two-sided, of so many wins where either side of a pair wins with probability one half."""
    fewer = min(wins, decided - wins)
    tail = sum(math.comb(decided, count) for count in range(fewer + 1))
    return min(1.0, 2 * tail / 2**decided)


def flipped_signs(values: np.ndarray, groups: np.ndarray | None = None, *, draws: int = DRAWS) -> float:
    """The p, two-sided, of the sum of (N,) values whose signs would be arbitrary.

    groups: (N,), to which each belongs, where those of one group are alike: then signs are flipped by whole groups.
    """
    if groups is not None:
        values = np.bincount(np.unique(groups, return_inverse=True)[1], values)
    rng, observed, hits = np.random.default_rng(SEED), abs(float(values.sum())), 1
    for first in range(0, draws, PART):
        signs = rng.integers(0, 2, (min(PART, draws - first), len(values)), dtype=np.int8) * 2.0 - 1
        hits += int(np.count_nonzero(np.abs(signs @ values) >= observed * (1 - CLOSE)))
    return hits / (draws + 1)


def exchanged_sides(first: np.ndarray, second: np.ndarray, *, draws: int = DRAWS) -> float:
    """The p, two-sided, of the mean of one side less that of the other if in each group it is arbitrary which is which.

    first, second: (G, 2), of each of G groups the sum of a side's values and how many there are. Draws in which a side
    has no value are left out.
    """
    rng, sides = np.random.default_rng(SEED), np.stack([first, second]).astype(float)  # (2, G, 2)

    def apart(turned: np.ndarray) -> np.ndarray:
        """(D,) of (D, G) booleans: where the sides are exchanged."""
        one, other = (turned @ sides[1 - side] + (1.0 - turned) @ sides[side] for side in (0, 1))  # (D, 2)
        with np.errstate(invalid="ignore", divide="ignore"):
            return one[:, 0] / one[:, 1] - other[:, 0] / other[:, 1]

    observed, hits, counted = abs(float(apart(np.zeros((1, len(first))))[0])), 1, 1
    for done in range(0, draws, PART):
        found = apart(rng.integers(0, 2, (min(PART, draws - done), len(first))).astype(float))
        found = found[np.isfinite(found)]
        hits += int(np.count_nonzero(np.abs(found) >= observed - CLOSE))
        counted += len(found)
    return hits / counted


def repartitioned(values: np.ndarray, first: int, *, draws: int = DRAWS) -> float:
    """The p, one-sided, of mean(values[:first]) - mean(values[first:]) if the values were parted at random.

    Exact where there are at most `MOST_EXACT` ways to part them.
    """
    total = len(values)
    observed = float(values[:first].sum())
    observed -= CLOSE * max(1.0, abs(observed))
    if math.comb(total, first) <= MOST_EXACT:
        ways, reached, count = combinations(range(total), first), 0, 0
        while some := list(islice(ways, PART)):
            reached += int(np.count_nonzero(values[np.array(some)].sum(axis=1) >= observed))
            count += len(some)
        return reached / count
    rng, hits = np.random.default_rng(SEED), 1
    for done in range(0, draws, PART):
        order = rng.random((min(PART, draws - done), total)).argsort(axis=1)[:, :first]
        hits += int(np.count_nonzero(values[order].sum(axis=1) >= observed))
    return hits / (draws + 1)


def holm(found: Mapping[str, float]) -> dict[str, float]:
    """Each p, raised for having looked so often: Holm (1979), Scandinavian Journal of Statistics 6.

    Below 0.05 in one of them, though nothing is there, comes about in no more than 5% of such tables.
    """
    order = sorted(found, key=lambda name: found[name])
    raised: dict[str, float] = {}
    least = 0.0
    for place, name in enumerate(order):
        least = max(least, min(1.0, (len(order) - place) * found[name]))
        raised[name] = least
    return {name: raised[name] for name in found}
