"""The simple rivals of a model that names images: the most frequent class, a linear model, the nearest neighbour."""

from typing import NamedTuple

import numpy as np

from minigpt.measure.rivals import LogisticRegression, chosen_strength

ROWS = 256  # images whose distances to all others are computed together


class Dense(NamedTuple):
    """A matrix of numbers, as `LogisticRegression` takes one."""

    values: np.ndarray  # (N, width)

    @property
    def width(self) -> int:
        """Numbers in a row."""
        return self.values.shape[1]

    def times(self, weight: np.ndarray) -> np.ndarray:
        """self @ weight: (N, K)."""
        return self.values @ weight

    def transposed_times(self, rows: np.ndarray) -> np.ndarray:
        """self.T @ rows: (width, K)."""
        return self.values.T @ rows

    def take(self, rows: np.ndarray) -> "Dense":
        """Some rows, (n,), in their order."""
        return Dense(self.values[rows])


def image_rivals(images: np.ndarray, targets: np.ndarray, asked: np.ndarray, classes: int) -> dict[str, np.ndarray]:
    """Name of each rival -> the classes that it says, (M,), after it has seen `images`, (N, ...), and their targets.

    The strength of the linear model is chosen on a fifth of them (`minigpt.measure.rivals.chosen_strength`).
    """
    learnt, questions = (some.reshape(len(some), -1).astype(np.float64) for some in (images, asked))
    middle, scale = learnt.mean(axis=0), np.abs(learnt).max() or 1.0
    learnt, questions = (learnt - middle) / scale, (questions - middle) / scale
    x = Dense(learnt)
    linear = LogisticRegression(x, targets, classes, strength=chosen_strength(x, targets, classes))
    return {
        "most frequent class": np.full(len(asked), np.bincount(targets, minlength=classes).argmax()),
        "linear model": linear.probabilities(Dense(questions)).argmax(axis=1),
        "nearest neighbour": nearest(learnt, targets, questions),
    }


def nearest(learnt: np.ndarray, targets: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """(M,) the class of the image, (N, P), that is nearest to each of those asked about, (M, P).

    |a - b|^2 = |a|^2 - 2 a.b + |b|^2, and |a| is the same for all b.
    """
    squares = (learnt * learnt).sum(axis=1)
    parts = [asked[first : first + ROWS] for first in range(0, len(asked), ROWS)]
    return np.concatenate([targets[(squares - 2 * part @ learnt.T).argmin(axis=1)] for part in parts])
