"""How much each position of an input counts in a number that the model says of it.

gradient: how fast the number changes there (Simonyan, Vedaldi & Zisserman 2013, arXiv:1312.6034).
gradient_times_input: the same along the input's own vector (Shrikumar et al. 2016, arXiv:1605.01713).
smooth_gradient: the mean gradient of inputs with noise (Smilkov et al. 2017, arXiv:1706.03825).
occlusion: what is lost when a position is absent (Zeiler & Fergus 2013, arXiv:1311.2901).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from minigpt.errors import UserError
from minigpt.explain.question import NUMBERS, Question, Vectors
from minigpt.values import check, number, whole

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


def _missed(total: float, difference: float) -> float:
    return 0.0 if total == difference else abs(total - difference) / max(abs(difference), 1e-300)
