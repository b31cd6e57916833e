"""The simple rival of every text classifier: which words and pairs of words occur, and a linear model on them.

Weights of words: Sparck Jones (1972); in the form of Manning, Raghavan & Schuetze (2008), "Introduction to Information
Retrieval", section 6.2, with 1 added to counts so that none is divided by zero.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from minigpt.ops import softmax_forward

WORD = re.compile(r"\w\w+")  # two letters at least
GRAMS = (1, 2)  # words, and pairs of them
MEMORY = 10  # steps that L-BFGS remembers
STRENGTHS = (1.0, 10.0, 100.0)  # that a linear model is tried with
HELD_OUT, FEWEST = 5, 20  # one row of so many is held out to choose; below so many rows there is nothing to choose by
MOST_CHOICES = 20_000  # rows times classes to choose by: many classes take long
STEPS, CLOSE = 200, 1e-5  # of L-BFGS at most; the gradient's largest entry at which it ends


@dataclass(frozen=True)
class Sparse:
    """A matrix of few numbers: row n has `values[start[n]:start[n + 1]]` in the columns of the same places."""

    start: np.ndarray  # (N + 1,)
    columns: np.ndarray  # (nonzero,)
    values: np.ndarray  # (nonzero,)
    width: int

    def times(self, weight: np.ndarray) -> np.ndarray:
        """self @ weight: (N, K), of weight: (width, K)."""
        of, rows = self._rows(), len(self.start) - 1
        return np.stack([np.bincount(of, self.values * one[self.columns], rows) for one in weight.T], axis=1)

    def transposed_times(self, rows: np.ndarray) -> np.ndarray:
        """self.T @ rows: (width, K), of rows: (N, K)."""
        of = self._rows()
        return np.stack([np.bincount(self.columns, self.values * one[of], self.width) for one in rows.T], axis=1)

    def take(self, rows: np.ndarray) -> "Sparse":
        """Some rows, (n,), in their order."""
        lengths = np.diff(self.start)[rows]
        start = np.concatenate([[0], np.cumsum(lengths)])
        places = np.repeat(self.start[:-1][rows] - start[:-1], lengths) + np.arange(start[-1])
        return Sparse(start, self.columns[places], self.values[places], self.width)

    def _rows(self) -> np.ndarray:
        """Of each number the row, (nonzero,)."""
        return np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))


class TfIdf:
    """Which grams occur how often in a text, each weighted by how few texts have it; rows of length 1."""

    def __init__(self, texts: Sequence[str], most: int | None = None):
        """most: so many grams at most, those that are in the most texts."""
        counts = Counter(gram for text in texts for gram in set(grams(text)))
        known = sorted(sorted(counts, key=lambda gram: (-counts[gram], gram))[:most])
        self.columns = {gram: number for number, gram in enumerate(known)}
        frequency = np.array([counts[gram] for gram in known])
        self.rarity = np.log((1 + len(texts)) / (1 + frequency)) + 1  # (width,)

    def matrix(self, texts: Sequence[str]) -> Sparse:
        """A row for each text; grams that training lacks are left out."""
        start, columns, values = [0], [], []
        for text in texts:
            found = Counter(self.columns[gram] for gram in grams(text) if gram in self.columns)
            own = np.array(sorted(found), int)
            row = np.array([found[column] for column in own]) * self.rarity[own] if len(own) else np.zeros(0)
            columns.append(own)
            values.append(row / (np.linalg.norm(row) or 1))
            start.append(start[-1] + len(own))
        return Sparse(np.array(start), np.concatenate(columns), np.concatenate(values), len(self.columns))


def grams(text: str) -> list[str]:
    """The words of a text in lower case, and every two that follow each other."""
    words = WORD.findall(text.lower())
    return words + [f"{first} {second}" for first, second in pairwise(words)]


class Matrix(Protocol):
    """What a linear model looks at: many numbers, or few."""

    @property
    def width(self) -> int: ...

    def times(self, weight: np.ndarray) -> np.ndarray: ...

    def transposed_times(self, rows: np.ndarray) -> np.ndarray: ...


class Rows(Matrix, Protocol):
    """A matrix of which some rows can be taken."""

    def take(self, rows: np.ndarray) -> Matrix: ...


class LogisticRegression:
    """A linear classifier: the classes' scores are x @ weight + bias, their probabilities the softmax of these.

    It minimizes the sum of the cross-entropies plus |weight|^2 / (2 strength), as scikit-learn does with C = strength.
    """

    def __init__(
        self,
        x: Matrix,
        targets: np.ndarray,
        classes: int,
        *,
        strength: float = 1.0,
        counts: np.ndarray | None = None,
    ):
        """x: N rows; targets: (N,) integers in 0..classes-1; counts: (N,), how much each row counts; None: one."""
        counts = np.ones(len(targets)) if counts is None else counts
        shape = x.width + 1, classes

        def function(flat: np.ndarray) -> tuple[float, np.ndarray]:
            loss, gradient = loss_and_gradient(flat.reshape(shape), x, targets, counts, strength)
            return loss, gradient.reshape(-1)

        found = l_bfgs(function, np.zeros(shape).reshape(-1)).reshape(shape)
        self.weight, self.bias = found[:-1], found[-1]

    def probabilities(self, x: Matrix) -> np.ndarray:
        """(N, classes)."""
        return softmax_forward(x.times(self.weight) + self.bias)[0]


def chosen_strength(x: Rows, targets: np.ndarray, classes: int) -> float:
    """The strength, of `STRENGTHS`, whose model is right most often in a fifth of the rows that it has not seen.

    The best one differs from task to task, and a rival at another is easy to beat. x: N rows; targets: (N,) integers.
    """
    if len(targets) < FEWEST:
        return STRENGTHS[0]
    rows = np.random.default_rng(len(targets)).permutation(len(targets))[: max(FEWEST, MOST_CHOICES // classes)]
    asked, seen = rows[: len(rows) // HELD_OUT], rows[len(rows) // HELD_OUT :]

    def right(strength: float) -> float:
        model = LogisticRegression(x.take(seen), targets[seen], classes, strength=strength)
        return float((model.probabilities(x.take(asked)).argmax(axis=1) == targets[asked]).mean())

    return max(STRENGTHS, key=right)  # the first, and so the weakest, of those that are equally good


def loss_and_gradient(
    weight: np.ndarray, x: Matrix, targets: np.ndarray, counts: np.ndarray, strength: float
) -> tuple[float, np.ndarray]:
    """What a logistic regression minimizes, and its gradient: of weight, (width + 1, K), whose last row is the bias.

    d loss / d scores = counts * (probabilities - truth).
    """
    shares = softmax_forward(x.times(weight[:-1]) + weight[-1])[0]  # (N, K)
    rows = np.arange(len(targets))
    loss = -counts @ np.log(np.maximum(shares[rows, targets], 1e-300)) + (weight[:-1] ** 2).sum() / (2 * strength)
    errors = shares * counts[:, None]
    errors[rows, targets] -= counts
    return float(loss), np.vstack([x.transposed_times(errors) + weight[:-1] / strength, errors.sum(axis=0)])


def l_bfgs(function, x: np.ndarray) -> np.ndarray:
    """Where a convex function is least: quasi-Newton steps with a memory of the last `MEMORY` (Liu & Nocedal 1989).

    function(x) -> (value, gradient). The step is halved until the value falls enough (Armijo).
    """
    value, gradient = function(x)
    pairs: list[tuple[np.ndarray, np.ndarray, float]] = []  # change of x, change of the gradient, 1 / their product
    for _ in range(STEPS):
        if np.abs(gradient).max() < CLOSE * max(1, np.abs(x).max()):
            break
        direction = -_two_loops(gradient, pairs)
        slope, step = float(gradient @ direction), 1.0 if pairs else 1 / np.linalg.norm(gradient)
        while True:
            nearer = x + step * direction
            lower, steeper = function(nearer)
            if lower <= value + 1e-4 * step * slope or step < 1e-12:
                break
            step /= 2
        change, turn = nearer - x, steeper - gradient
        if change @ turn > 1e-12:
            pairs = [*pairs[-MEMORY + 1 :], (change, turn, 1 / float(change @ turn))]
        x, value, gradient = nearer, lower, steeper
    return x


def _two_loops(gradient: np.ndarray, pairs: list[tuple[np.ndarray, np.ndarray, float]]) -> np.ndarray:
    """The inverse of the Hessian, as the pairs tell it, times the gradient (Nocedal & Wright 2006, algorithm 7.4)."""
    q, shares = gradient.copy(), []
    for change, turn, inverse in reversed(pairs):
        share = inverse * float(change @ q)
        q -= share * turn
        shares.append(share)
    if pairs:
        change, turn, _ = pairs[-1]
        q *= float(change @ turn) / float(turn @ turn)
    for (change, turn, inverse), share in zip(pairs, reversed(shares), strict=True):
        q += (share - inverse * float(turn @ q)) * change
    return q
