"""Lesson 24: association in vectors, a permutation test, and equalized odds."""

import numpy as np


def association(first: np.ndarray, second: np.ndarray, one: np.ndarray, other: np.ndarray) -> float:
    """The effect size of WEAT: how much nearer the first targets are to one attribute than the second are.

    first, second: (N, D) and (M, D), the vectors of two lists of target words. one, other: (A, D) and (B, D), those of
    two lists of attributes. A target's s is the mean of its cosines with `one` less the mean of those with `other`.

    Returns the mean s of the first less the mean s of the second, over the standard deviation of s of all N + M
    targets, with N + M - 1 below the root.
    """
    # answer
    one, other = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (one, other))
    both = np.concatenate([first, second])
    both = both / np.linalg.norm(both, axis=1, keepdims=True)
    s = (both @ one.T).mean(axis=1) - (both @ other.T).mean(axis=1)
    return float((s[: len(first)].mean() - s[len(first) :].mean()) / s.std(ddof=1))
    # end of answer


def flipped_p(values: np.ndarray, signs: np.ndarray) -> float:
    """How often chance does as well: the p, two-sided, of a permutation test of pairs.

    values: (N,), for each pair of sentences how much more the model likes the first. signs: (W, N) of 1 and -1, ways to
    exchange the sentences of some pairs.

    Returns the share, of the W ways and the one that was observed, (W + 1) in all, in which the sum of the values lies
    at least as far from zero as observed. The observed way does, so the p is never zero.
    """
    # answer
    reached = np.abs(signs @ values) >= abs(values.sum()) - 1e-9
    return float((reached.sum() + 1) / (len(signs) + 1))
    # end of answer


def equalized_odds(said: np.ndarray, true: np.ndarray, group: np.ndarray) -> float:
    """How far a classifier is from equalized odds between two groups.

    said, true: (N,) booleans, whether an example is said to be positive, and whether it is. group: (N,) of 0 and 1.
    Each group has examples of both kinds.

    Returns the larger of two gaps between the groups, without sign: that of the true positive rate (the share of the
    positive that are said to be) and that of the false positive rate (the share of the negative that are said to be
    positive).
    """
    # answer
    gaps = []
    for kind in (true, ~true):
        rates = [said[kind & (group == number)].mean() for number in (0, 1)]
        gaps.append(abs(rates[0] - rates[1]))
    return float(max(gaps))
    # end of answer
