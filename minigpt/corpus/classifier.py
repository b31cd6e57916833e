"""A classifier of quality: good texts against bad ones, by their words.

As Brown et al. 2020 (arXiv:2005.14165, appendix A) filtered their pages: hashed words (Weinberger et al. 2009,
arXiv:0902.2206) and logistic regression (`minigpt.measure.rivals`).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from minigpt.corpus.shingles import word_hashes
from minigpt.errors import UserError
from minigpt.measure.rivals import LogisticRegression, Sparse

BITS = 18  # of a feature's number
DECAY = 3e-4  # of half the squared weights
HELD_OUT = 0.2
FEWEST = 20  # texts of a kind
WORDS = 20_000  # of a text that are looked at


class Quality(NamedTuple):
    """What was learnt, and how it did on texts that it was not trained on."""

    weights: np.ndarray  # (features + 1,) float64, the bias last
    accuracy: float  # good and bad counted alike
    area: float  # that a good text is put above a bad one (AUC)
    held_out: int

    @classmethod
    def train(cls, good: Sequence[str], bad: Sequence[str], rng: np.random.Generator) -> "Quality":
        """Trained on four fifths of the texts, measured on the fifth that was drawn. `UserError` for too few."""
        for name, texts in (("good", good), ("bad", bad)):
            if len(texts) < FEWEST:
                raise UserError(f"there are {len(texts)} {name} texts; a classifier needs {FEWEST} of each kind")
        if set(good) == set(bad):
            raise UserError("the good and the bad texts are the same, so nothing tells them apart; give others")
        rows = features([*good, *bad])
        is_good = np.arange(len(good) + len(bad)) < len(good)
        held = np.concatenate([rng.permutation(len(some)) < HELD_OUT * len(some) for some in (good, bad)])
        weight = np.where(is_good, 0.5 / (is_good & ~held).sum(), 0.5 / (~is_good & ~held).sum()) * ~held
        weights = _fitted(rows, is_good, weight)
        scores = rows.times(weights[:-1, None])[:, 0] + weights[-1]
        above, below = scores[is_good & held], scores[~is_good & held]
        accuracy = ((above > 0).mean() + (below <= 0).mean()) / 2
        return cls(weights, float(accuracy), _area(above, below), int(held.sum()))

    def score(self, text: str) -> float:
        """The probability that a text is good, if good and bad were equally frequent."""
        score = features([text]).times(self.weights[:-1, None])[0, 0] + self.weights[-1]
        return float(0.5 * (1 + np.tanh(score / 2)))


def features(texts: Sequence[str]) -> Sparse:
    """Which words and pairs of words a text has, hashed; each row has length 1."""
    lists = []
    for text in texts:
        text = " ".join(text.split(maxsplit=WORDS)[:WORDS])
        hashes = np.concatenate([word_hashes(text, 1), word_hashes(text, 2)])
        lists.append(np.unique(hashes >> np.uint64(64 - BITS)).astype(np.int64))
    lengths = np.array([len(one) for one in lists], np.intp)
    values = np.repeat(1 / np.sqrt(np.maximum(1, lengths)), lengths)
    return Sparse(np.cumsum([0, *lengths]), np.concatenate(lists), values, 1 << BITS)


def _fitted(rows: Sparse, is_good: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weights of the features that there are, less for bad texts than for good ones; all others stay 0."""
    there, columns = np.unique(rows.columns, return_inverse=True)
    some = replace(rows, columns=columns, width=len(there))
    # Two columns of weights that are each other's negative have half the squares of their difference.
    model = LogisticRegression(some, is_good.astype(int), 2, strength=1 / (2 * DECAY), counts=weight)
    weights = np.zeros(rows.width + 1)
    weights[there] = model.weight[:, 1] - model.weight[:, 0]
    weights[-1] = model.bias[1] - model.bias[0]
    return weights


def _area(above: np.ndarray, below: np.ndarray) -> float:
    """The share of pairs in which the good text has the higher score, ties half (Mann and Whitney 1947)."""
    if not len(above) or not len(below):
        return float("nan")
    ordered = np.sort(below)
    lower, upper = np.searchsorted(ordered, above, "left"), np.searchsorted(ordered, above, "right")
    return float((lower + upper).mean() / 2 / len(below))
