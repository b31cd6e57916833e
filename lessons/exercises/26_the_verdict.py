"""Lesson 26: how far an audit can be trusted."""

import math


def standing(grades: list[tuple[str, ...]], kept: set[str]) -> int:
    """How many claims still have a grade of evidence, when only some grades count.

    grades: for each claim its grades, such as ("P", "M"); none for a claim without a document. kept: the grades that
    count.
    """
    raise NotImplementedError("write standing")


def cohens_kappa(first: list[str], second: list[str]) -> float:
    """Agreement of two readers beyond chance: (observed - expected) / (1 - expected).

    first, second: the verdict of each reader on every claim, in the same order. *Observed* is the share of claims on
    which they agree. *Expected* is the share on which two readers would agree who draw their verdicts at random, each
    as often as this reader gave it: the sum over verdicts of the product of the two readers' shares.

    Returns 1.0 where both readers give one and the same verdict throughout.
    """
    raise NotImplementedError("write cohens_kappa")


def smallest_share(failures: int, trials: int) -> float:
    """The lower end of Wilson's 95% interval for the share of predictions that fail.

    With p = failures / trials, n = trials and z = 1.96 it is

        (p + z^2 / 2n - z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)

    and never below 0.
    """
    raise NotImplementedError("write smallest_share")
