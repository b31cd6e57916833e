"""Integrated gradients: the mean gradient on the way from a baseline to the input, times the way.

Sundararajan, Taly & Yan (2017), "Axiomatic Attribution for Deep Networks", arXiv:1703.01365. What the positions get
sums to the difference that the way makes; as it is walked in steps, it is walked more finely until they do. On any
other way they sum to it as well, and another way may be smoother: large decoders give the first token attention that
has nowhere else to go (Xiao et al. 2023, arXiv:2309.17453), and while that token is half itself their answer leaps.
Alone it may go ahead of the others: what it gets then is the difference that it makes, which needs no gradient.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.explain.attribution import Attribution, own_and_absent
from minigpt.explain.question import EMBEDDING, Question, Vectors
from minigpt.progress import progress_bar
from minigpt.values import check, number, whole

FIRST_PIECES, POINTS = 8, 3  # of the way to integrate along; where the gradient is asked on each
BY_PIECE = 10  # times as much may be missing on the pieces, one by one, as in their sum: errors of both signs cancel
FEW, MOST = 200, 2048  # points of the way: of the straight one, where another may follow, and of the last
NAME = "integrated gradients"
AHEAD = f"{NAME}, the first token ahead"


def integrated_gradients(
    question: Question,
    *,
    baseline: Vectors | None = None,
    places: Sequence[str] | None = None,
    tolerance: float = 0.005,
    most_steps: int = 1024,
    first_ahead: bool = False,
    progress: bool = False,
) -> Attribution:
    """The mean gradient on the straight way from a baseline to the input, times the way.

    Parameters
    ----------
    question : Question
    baseline : dict of str to (T, C), optional
        Where the way begins: `question.blank()` if none is given, or `question.other(batch).vectors()`.
    places : sequence of str, optional
        What walks; the rest of the input stays as it is. None: all.
    tolerance : float
        How much of the difference the sum may miss, as a share of it.
    most_steps : int
        At how many points of the way the model may be asked. On every piece of the way the gradients should sum to the
        difference that it makes, and pieces are halved where they do not. It is done when the sum of all misses no more
        than the tolerance, and the pieces, one by one, no more than ten times that: what fits by chance does not count.
    first_ahead : bool
        The first token walks alone, and then all others together. A token that is read before it is half itself is one
        that no model was trained on; here all the others are read after a whole one.
    progress : bool
        Draw a bar of the steps; it ends before all are taken if fewer do.

    Raises
    ------
    UserError
        If they still miss more: the answer would be no attribution of the difference.
    """
    check("tolerance", tolerance, number(1e-12))
    check("most_steps", most_steps, whole(1))
    own, absent = own_and_absent(question, baseline, places)
    beginning = None
    if first_ahead:
        beginning = float(question.values_of({place: one[None] for place, one in absent.items()})[0])
        if EMBEDDING not in own:
            raise UserError(f"first_ahead is about the first token of {EMBEDDING}, which does not walk; let it")
        absent = {**absent, EMBEDDING: np.concatenate([own[EMBEDDING][:1], absent[EMBEDDING][1:]])}
    with progress_bar(total=most_steps, desc=NAME, unit=" steps", leave=False, disable=not progress) as bar:
        scores, reached, steps = _walked(_Way(question, own, absent, bar), beginning, tolerance, most_steps)
    if beginning is None:
        return Attribution(NAME, scores, reached[1] - reached[0], steps)
    scores[EMBEDDING][0] += reached[0] - beginning
    return Attribution(AHEAD, scores, reached[1] - beginning, steps)


def summing(question: Question, *, other: Question | None = None, progress: bool = False) -> Attribution:
    """Integrated gradients on a way on which they sum: from another text, if there is one, or from nothing.

    From nothing the straight way is tried with a few steps; where it is too rough, a decoder's first token goes ahead,
    and the attribution's method says so. `UserError` if neither sums.
    """
    if other is not None:
        return integrated_gradients(question, baseline=other.vectors(), most_steps=MOST, progress=progress)
    if question.model.config.architecture != "decoder" or question.model.config.experts:
        return integrated_gradients(question, progress=progress)
    try:
        return integrated_gradients(question, most_steps=FEW, progress=progress)
    except UserError:
        return integrated_gradients(question, most_steps=MOST, first_ahead=True, progress=progress)


def _walked(
    way: "_Way", beginning: float | None, tolerance: float, most_steps: int
) -> tuple[dict[str, np.ndarray], tuple[float, float], int]:
    """The scores, (T,) of each place; the numbers at both ends of the way; the steps. `UserError` if they do not sum.

    beginning: the number from which the difference counts, if not that of the way's own beginning.
    """
    edges = np.linspace(0.0, 1.0, FIRST_PIECES + 1)
    values = way.values(edges)
    pieces = way.walk(edges[:-1], edges[1:], np.diff(values))
    difference = float(values[-1] - values[0])
    allowed = tolerance * abs(difference if beginning is None else float(values[-1]) - beginning)
    while True:
        scores, rough = _sum(pieces), sum(piece.missed for piece in pieces)
        total = sum(float(one.sum()) for one in scores.values())
        if abs(total - difference) <= allowed and rough <= BY_PIECE * allowed:
            return scores, (float(values[0]), float(values[-1])), way.steps
        worst = sorted(pieces, key=lambda piece: -piece.missed)[: max(1, len(pieces) // 2)]
        worst = [piece for piece in worst if piece.missed > allowed / (2 * len(pieces))] or worst[:1]
        if way.steps + 2 * (POINTS + 2) * len(worst) > most_steps:
            raise UserError(
                f"after {way.steps:,} steps {NAME} sum to {total:.6g}, but the difference on it is "
                f"{difference:.6g}; on pieces of the way they miss {rough:.3g}, and {tolerance:.1%} may be missing; "
                f"{_remedy(way.question)}"
            )
        split = {id(piece) for piece in worst}
        pieces = [piece for piece in pieces if id(piece) not in split] + way.halved(worst)


class _Piece(NamedTuple):
    """Of the way, from one share of it to another."""

    start: float
    stop: float
    scores: dict[str, np.ndarray]  # place -> (T,)
    difference: float  # by which the number changes on it

    @property
    def missed(self) -> float:
        """How far the scores are from summing to it."""
        return abs(sum(float(array.sum()) for array in self.scores.values()) - self.difference)


class _Way:
    """The straight way from a baseline to an input, and how many points of it were looked at."""

    def __init__(self, question: Question, own: Vectors, absent: Vectors, bar: Any) -> None:
        self.question, self.own, self.absent, self.bar, self.steps = question, own, absent, bar, 0

    def points(self, shares: np.ndarray) -> dict[str, np.ndarray]:
        """The inputs at (N,) shares of the way: place -> (N, T, C)."""
        self.steps += len(shares)
        self.bar.update(len(shares))
        shares = shares[:, None, None]
        mixed = {place: self.absent[place] + shares * (self.own[place] - self.absent[place]) for place in self.own}
        return {place: one.astype(self.own[place].dtype) for place, one in mixed.items()}

    def values(self, shares: np.ndarray) -> np.ndarray:
        """The number there: (N,)."""
        return self.question.values_of(self.points(shares))

    def walk(self, starts: np.ndarray, stops: np.ndarray, differences: np.ndarray) -> list[_Piece]:
        """Pieces of the way: their mean gradient by Gauss and Legendre's rule, times the way. All are asked at once."""
        nodes, weights = np.polynomial.legendre.leggauss(POINTS)
        lengths = stops - starts
        shares = starts[:, None] + lengths[:, None] * (nodes + 1) / 2  # (pieces, POINTS)
        _, gradients = self.question.gradients_of(self.points(shares.ravel()))
        means = {}
        for place, each in gradients.items():
            rows = each.astype(np.float64).reshape(*shares.shape, *each.shape[1:])
            mean = np.tensordot(weights / 2, rows, (0, 1))  # (pieces, T, C)
            means[place] = (mean * (self.own[place] - self.absent[place])).sum(axis=-1) * lengths[:, None]
        return [
            _Piece(
                float(starts[row]),
                float(stops[row]),
                {place: one[row] for place, one in means.items()},
                float(differences[row]),
            )
            for row in range(len(starts))
        ]

    def halved(self, pieces: Sequence[_Piece]) -> list[_Piece]:
        """Each of them as two."""
        starts, stops = (np.array([getattr(piece, end) for piece in pieces]) for end in ("start", "stop"))
        middles = (starts + stops) / 2
        edges = self.values(np.concatenate([starts, middles, stops])).reshape(3, -1)
        starts, stops = np.concatenate([starts, middles]), np.concatenate([middles, stops])
        return self.walk(starts, stops, np.concatenate([edges[1] - edges[0], edges[2] - edges[1]]))


def _sum(pieces: Sequence[_Piece]) -> dict[str, np.ndarray]:
    return {place: np.sum([piece.scores[place] for piece in pieces], axis=0) for place in pieces[0].scores}


def _remedy(question: Question) -> str:
    if question.model.config.experts:
        return "a mixture of experts jumps where other experts are chosen, which no gradient sees: use Shapley values"
    return "allow more steps, or take a baseline from which the answer differs more, such as another text (--against)"
