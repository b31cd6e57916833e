"""How much each position of an input counts in a number that the model says of it.

gradient: how fast the number changes there (Simonyan, Vedaldi & Zisserman 2013, arXiv:1312.6034).
gradient_times_input: the same along the input's own vector (Shrikumar et al. 2016, arXiv:1605.01713).
integrated_gradients: the mean gradient on the way from a baseline, times the way (Sundararajan, Taly & Yan 2017,
arXiv:1703.01365). They sum to the difference; as the way is walked in steps, it is walked more finely until they do.
smooth_gradient: the mean gradient of inputs with noise (Smilkov et al. 2017, arXiv:1706.03825).
occlusion: what is lost when a position is absent (Zeiler & Fergus 2013, arXiv:1311.2901).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.explain.question import NUMBERS, Question, Vectors
from minigpt.values import check, number, whole

FIRST_PIECES, POINTS = 8, 3  # of the way to integrate along; where the gradient is asked on each
BY_PIECE = 10  # times as much may be missing on the pieces, one by one, as in their sum: errors of both signs cancel

Pieces = Mapping[str, Sequence[np.ndarray]]  # place -> positions that are taken together


@dataclass(frozen=True)
class Attribution:
    """What a method says of one question.

    Parameters
    ----------
    method : str
    scores : dict of str to (T,) floats
        Place -> how much each position counts. Signed, unless it is a length of gradients.
    difference : float, optional
        What the scores should sum to: the number of the input less that of the baseline. None if nobody promises it.
    steps : int
        Forwards that it took (of the gradient methods, with a backward each).
    errors : dict, optional
        Standard errors of sampled scores, in their shapes.
    """

    method: str
    scores: dict[str, np.ndarray]
    difference: float | None = None
    steps: int = 1
    errors: dict[str, np.ndarray] | None = None

    @property
    def total(self) -> float:
        """What the scores sum to."""
        return float(sum(array.sum() for array in self.scores.values()))

    @property
    def error(self) -> float | None:
        """The share of the difference that the sum misses; None where nothing was promised."""
        if self.difference is None:
            return None
        return _missed(self.total, self.difference)

    def flat(self) -> np.ndarray:
        """All scores in a row, the source's last."""
        return np.concatenate(list(self.scores.values()))


def gradient(question: Question, *, places: Sequence[str] | None = None) -> Attribution:
    """The length of the number's gradient at each position."""
    _, gradients = question.gradients_of(_rows(_own(question, places)))
    return Attribution("gradient", {place: np.linalg.norm(one[0], axis=-1) for place, one in gradients.items()})


def gradient_times_input(question: Question, *, places: Sequence[str] | None = None) -> Attribution:
    """The gradient times the vector that stands at each position, summed over its numbers."""
    own = _own(question, places)
    _, gradients = question.gradients_of(_rows(own))
    return Attribution("gradient x input", {place: (own[place] * gradients[place][0]).sum(axis=-1) for place in own})


def integrated_gradients(
    question: Question,
    *,
    baseline: Vectors | None = None,
    places: Sequence[str] | None = None,
    tolerance: float = 0.005,
    most_steps: int = 1024,
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

    Raises
    ------
    UserError
        If they still miss more: the answer would be no attribution of the difference.
    """
    check("tolerance", tolerance, number(1e-12))
    check("most_steps", most_steps, whole(1))
    own, absent = own_and_absent(question, baseline, places)
    way = _Way(question, own, absent)
    edges = np.linspace(0.0, 1.0, FIRST_PIECES + 1)
    values = way.values(edges)
    pieces = way.walk(edges[:-1], edges[1:], np.diff(values))
    while True:
        difference, rough = float(values[-1] - values[0]), sum(piece.missed for piece in pieces)
        answer = Attribution("integrated gradients", _sum(pieces), difference, way.steps)
        allowed = tolerance * abs(difference)
        if abs(answer.total - difference) <= allowed and rough <= BY_PIECE * allowed:
            return answer
        worst = sorted(pieces, key=lambda piece: -piece.missed)[: max(1, len(pieces) // 2)]
        worst = [piece for piece in worst if piece.missed > allowed / (2 * len(pieces))] or worst[:1]
        if way.steps + 2 * (POINTS + 2) * len(worst) > most_steps:
            raise UserError(
                f"after {way.steps:,} steps integrated gradients sum to {answer.total:.6g}, but the difference from "
                f"the baseline is {difference:.6g}; on pieces of the way they miss {rough:.3g}, and {tolerance:.1%} "
                f"may be missing; {_remedy(question)}"
            )
        split = {id(piece) for piece in worst}
        pieces = [piece for piece in pieces if id(piece) not in split] + way.halved(worst)


def smooth_gradient(
    question: Question,
    rng: np.random.Generator,
    *,
    samples: int = 32,
    noise: float = 0.1,
    places: Sequence[str] | None = None,
) -> Attribution:
    """The length of the mean gradient of inputs with normal noise.

    noise: its standard deviation, as a share of that of all the numbers of the input's vectors.
    """
    check("samples", samples, whole(1))
    check("noise", noise, number(0.0))
    own = _own(question, places)
    noisy = {}
    for place, vectors in own.items():
        drawn = rng.standard_normal((samples, *vectors.shape)).astype(vectors.dtype)
        noisy[place] = vectors + drawn * vectors.dtype.type(noise * vectors.std())
    _, gradients = question.gradients_of(noisy)
    scores = {place: np.linalg.norm(one.mean(axis=0), axis=-1) for place, one in gradients.items()}
    return Attribution("smooth gradient", scores, steps=samples)


def occlusion(
    question: Question,
    *,
    baseline: Vectors | None = None,
    places: Sequence[str] | None = None,
    pieces: Pieces | None = None,
) -> Attribution:
    """What the number loses when a position, or a piece, has the baseline's vectors; shared out evenly in a piece."""
    own, absent = own_and_absent(question, baseline, places)
    parts = pieces_of(own, pieces)
    present = ~np.eye(len(parts), dtype=bool)
    present = np.concatenate([np.ones((1, len(parts)), bool), present])
    values = values_where(question, own, absent, parts, present)
    return Attribution("occlusion", spread(own, parts, values[0] - values[1:]), steps=len(values))


Parts = list[tuple[str, np.ndarray]]  # of each part, its place and its positions


def pieces_of(own: Vectors, pieces: Pieces | None) -> Parts:
    """The parts that are taken away one by one: those that are given, or every position. `UserError` if one is in none,
    or in two."""
    if pieces is None:
        return [(place, np.array([t])) for place, vectors in own.items() for t in range(len(vectors))]
    parts = [(place, np.asarray(positions)) for place in own for positions in pieces.get(place, ())]
    for place, vectors in own.items():
        here = [positions for name, positions in parts if name == place]
        found = np.sort(np.concatenate(here)) if here else np.array([], int)
        if not np.array_equal(found, np.arange(len(vectors))):
            raise UserError(f"the pieces of {place} must hold each of its {len(vectors)} positions once; mend them")
    return parts


def values_where(question: Question, own: Vectors, absent: Vectors, parts: Parts, present: np.ndarray) -> np.ndarray:
    """The number of N inputs: (N,). present: (N, parts) booleans; the other parts have the baseline's vectors."""
    size = sum(vectors.size for vectors in own.values())
    rows = max(1, NUMBERS // size)
    some = (present[start : start + rows] for start in range(0, len(present), rows))
    return np.concatenate([question.values_of(_mixed(own, absent, parts, one)) for one in some])


def _mixed(own: Vectors, absent: Vectors, parts: Parts, present: np.ndarray) -> dict[str, np.ndarray]:
    """These inputs: place -> (N, T, C)."""
    inputs = {}
    for place, vectors in own.items():
        here = np.zeros((len(present), len(vectors)), bool)
        for column, (name, positions) in enumerate(parts):
            if name == place:
                here[:, positions] = present[:, column, None]
        inputs[place] = np.where(here[:, :, None], vectors, absent[place])
    return inputs


def spread(own: Vectors, parts: Parts, values: np.ndarray) -> dict[str, np.ndarray]:
    """The values of the parts, (parts,), as place -> (T,): every position has an equal share of its part's."""
    scores = {place: np.zeros(len(vectors)) for place, vectors in own.items()}
    for (place, positions), value in zip(parts, values, strict=True):
        scores[place][positions] = value / len(positions)
    return scores


def _own(question: Question, places: Sequence[str] | None) -> dict[str, np.ndarray]:
    vectors = question.vectors()
    for place in places or ():
        if place not in vectors:
            raise UserError(f"this input has no place {place!r}; it has {', '.join(vectors)}")
    return {place: one for place, one in vectors.items() if places is None or place in places}


def own_and_absent(
    question: Question, baseline: Vectors | None, places: Sequence[str] | None
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The input's vectors and the baseline's, in the places that are asked for. `UserError` if their shapes differ."""
    own = _own(question, places)
    baseline = question.blank() if baseline is None else baseline
    for place, vectors in own.items():
        shape = np.shape(baseline[place]) if place in baseline else ()
        if shape != vectors.shape:
            raise UserError(
                f"the baseline of {place} has shape {shape}, but the input {vectors.shape}; give one of the same length"
            )
    return own, {place: baseline[place] for place in own}


def _rows(vectors: Vectors) -> dict[str, np.ndarray]:
    return {place: one[None] for place, one in vectors.items()}


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

    def __init__(self, question: Question, own: Vectors, absent: Vectors) -> None:
        self.question, self.own, self.absent, self.steps = question, own, absent, 0

    def points(self, shares: np.ndarray) -> dict[str, np.ndarray]:
        """The inputs at (N,) shares of the way: place -> (N, T, C)."""
        self.steps += len(shares)
        shares = shares[:, None, None]
        mixed = {place: self.absent[place] + shares * (self.own[place] - self.absent[place]) for place in self.own}
        return {place: one.astype(self.own[place].dtype) for place, one in mixed.items()}

    def values(self, shares: np.ndarray) -> np.ndarray:
        """The number there: (N,)."""
        return self.question.values_of(self.points(shares))

    def walk(self, starts: np.ndarray, stops: np.ndarray, differences: np.ndarray) -> list[_Piece]:
        """Pieces of the way: their mean gradient by Gauss and Legendre's rule, times the way."""
        nodes, weights = np.polynomial.legendre.leggauss(POINTS)
        pieces = []
        for start, stop, difference in zip(starts, stops, differences, strict=True):
            shares = start + (stop - start) * (nodes + 1) / 2
            _, gradients = self.question.gradients_of(self.points(shares))
            scores = {}
            for place, each in gradients.items():
                mean = np.tensordot(weights / 2, each.astype(np.float64), 1)  # (T, C)
                way = (stop - start) * (self.own[place] - self.absent[place])
                scores[place] = (mean * way).sum(axis=-1)
            pieces.append(_Piece(float(start), float(stop), scores, float(difference)))
        return pieces

    def halved(self, pieces: Sequence[_Piece]) -> list[_Piece]:
        """Each of them as two."""
        starts, stops = (np.array([getattr(piece, end) for piece in pieces]) for end in ("start", "stop"))
        middles = (starts + stops) / 2
        edges = self.values(np.concatenate([starts, middles, stops])).reshape(3, -1)
        return self.walk(starts, middles, edges[1] - edges[0]) + self.walk(middles, stops, edges[2] - edges[1])


def _sum(pieces: Sequence[_Piece]) -> dict[str, np.ndarray]:
    return {place: np.sum([piece.scores[place] for piece in pieces], axis=0) for place in pieces[0].scores}


def _remedy(question: Question) -> str:
    if question.model.config.experts:
        return "a mixture of experts jumps where other experts are chosen, which no gradient sees: use Shapley values"
    return "allow more steps, or take a baseline from which the answer differs more"


def _missed(total: float, difference: float) -> float:
    return 0.0 if total == difference else abs(total - difference) / max(abs(difference), 1e-300)
