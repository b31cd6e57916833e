"""Lesson 23: what a score is worth."""

import math

import numpy as np


def questions_needed(accuracy: float, gain: float) -> int:
    """How many questions each of two tests needs, so that a difference of `gain` is found 80 times of 100.

    accuracy: about what both models have. A comparison of two scores of n questions each finds a difference of
    (1.96 + 0.8416) sqrt(2 p (1 - p) / n) so often. Solve for n.

    Returns the smallest whole number of questions that is enough.
    """
    # answer
    return math.ceil(2 * accuracy * (1 - accuracy) * ((1.96 + 0.8416) / gain) ** 2)
    # end of answer


def paired_interval(
    first: np.ndarray, second: np.ndarray, draws: np.ndarray
) -> tuple[float, float]:
    """The 95% interval of the difference of two models that answered the same questions.

    first, second: (N,) booleans, which questions each has right. draws: (D, N) integers: D drawings, with replacement,
    of the numbers of N questions. In each drawing both models are scored on the *same* drawn questions.

    Returns (low, high): the 2.5th and 97.5th percentile, as `np.quantile` has them, of the D differences, first less
    second.
    """
    # answer
    apart = first.astype(float) - second.astype(float)
    low, high = np.quantile(apart[draws].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)
    # end of answer


def majority(votes: list[str]) -> str:
    """The commonest of some answers. Of several that are equally common, the one that was given first."""
    # answer
    return max(votes, key=lambda vote: (votes.count(vote), -votes.index(vote)))
    # end of answer


def claims_ratio(error: float, claims: int, error_factor: float, answer_factor: float) -> float:
    """How many times as many claims an answer makes, if both of these hold.

    Before, a claim was wrong with the chance `error`, and an answer made `claims` of them. Now a claim is wrong with
    error_factor * error, and the share of answers with at least one error is answer_factor times what it was. Errors
    are independent, so an answer of c claims has one with the chance 1 - (1 - error)^c.
    """
    # answer
    before = 1 - (1 - error) ** claims
    now = math.log(1 - answer_factor * before) / math.log(1 - error_factor * error)
    return now / claims
    # end of answer
