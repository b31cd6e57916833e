"""Shapley values by sampling: what a position adds, on average over the orders in which positions could arrive.

Castro, Gómez & Tejada (2009), "Polynomial calculation of the Shapley value based on sampling"; Lundberg & Lee (2017),
arXiv:1705.07874, for models. Every order adds up to the whole difference, so their mean does.
"""

from collections.abc import Sequence

import numpy as np

from minigpt.explain.attribution import Attribution, Pieces, own_and_absent, pieces_of, spread, values_where
from minigpt.explain.question import Question, Vectors
from minigpt.values import check, whole


def shapley(
    question: Question,
    rng: np.random.Generator,
    *,
    permutations: int = 32,
    baseline: Vectors | None = None,
    places: Sequence[str] | None = None,
    pieces: Pieces | None = None,
) -> Attribution:
    """Shapley values of the positions, or of pieces of them, with their standard errors.

    Parameters
    ----------
    question : Question
    rng : numpy.random.Generator
        Draws the orders.
    permutations : int
        How many. Each takes as many forwards as there are pieces.
    baseline, places
        As in `integrated_gradients`.
    pieces : dict of str to sequences of positions, optional
        Place -> positions that arrive together, and share what they add. None: each alone.

    Returns
    -------
    Attribution
        It sums to the difference, but for rounding.
    """
    check("permutations", permutations, whole(1))
    own, absent = own_and_absent(question, baseline, places)
    parts = pieces_of(own, pieces)
    added = np.empty((permutations, len(parts)))
    for row in added:
        order = rng.permutation(len(parts))
        arrived = np.argsort(order)[None] < np.arange(len(parts) + 1)[:, None]  # (parts + 1, parts)
        values = values_where(question, own, absent, parts, arrived)
        row[order] = np.diff(values)
    errors = None
    if permutations > 1:
        errors = spread(own, parts, added.std(axis=0, ddof=1) / np.sqrt(permutations))
    difference = float(values[-1] - values[0])
    scores = spread(own, parts, added.mean(axis=0))
    return Attribution("Shapley values", scores, difference, permutations * (len(parts) + 1), errors)
