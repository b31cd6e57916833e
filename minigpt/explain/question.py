"""What is explained: one number that a model says of one input, and how it follows from the vectors that go in.

An input begins as vectors, one for each of its positions: tokens with their places, patches, sound. They are what all
methods share. A position that is "absent" has another vector in its place, that of a baseline.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from minigpt.errors import UserError, described
from minigpt.explain.watch import dtype_of
from minigpt.model import Batch, Call, Transformer, Weights
from minigpt.model.inputs import INPUTS
from minigpt.model.stack import begin_forward
from minigpt.model.transformer import as_batch

EMBEDDING, SOURCE = "embedding", "encoder.embedding"  # what hooks call the vectors that go into a stack
SPREAD = 64  # tokens whose mean stands for nothing in particular
NUMBERS = 1 << 24  # of one activation (N, T, C) or (N, H, T, S), at most, where many inputs are asked at once

Vectors = Mapping[str, np.ndarray]  # place -> (T, C), or (N, T, C) of N inputs


class Frozen:
    """Gradients of no parameter, and yet of every activation: a backward that only hooks read.

    It says that something is trained in the first block, so that the backward goes all the way, and has no array.
    """

    blocks = frozenset({"blocks.0", "encoder.blocks.0"})

    def __getitem__(self, name: str) -> np.ndarray:
        raise KeyError(name)

    def __setitem__(self, name: str, value: np.ndarray) -> None:
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return False

    def get(self, _name: str) -> None:
        """None: no array has a gradient."""

    def together(self, _beside: str) -> None:
        """None: no array has a gradient."""


@dataclass(frozen=True)
class Question:
    """A number: the sum of a model's answer to one input, times weights. `ask` makes the usual ones.

    Parameters
    ----------
    model, params
        Who is asked.
    batch : Batch
        Of one row.
    weights : array, or tuple of arrays
        In the shape of what `model.forward` returns for the batch: 1 at the token that is asked for, -1 at the one that
        it is compared with, 0 elsewhere.
    """

    model: Transformer
    params: Weights
    batch: Batch
    weights: Any

    def value(self, call: Call = Call()) -> float:
        """The number. call: hooks, to see or change what happens on the way."""
        output, _ = self.model.forward(self.params, self.batch, call.forward_only())
        return float(self.read(output)[0])

    def read(self, output: Any) -> np.ndarray:
        """The number of each row of a model's answer: (N,), float64."""
        pairs = zip(_answers(output), _answers(self.weights), strict=True)
        return np.sum([np.sum(answer * one, axis=tuple(range(1, one.ndim))) for answer, one in pairs], axis=0)

    def other(self, batch: Batch | np.ndarray) -> "Question":
        """The same question of another input of the same length. `UserError` if its length differs."""
        batch = as_batch(batch)
        for one, two in ((self.batch.tokens, batch.tokens), (self.batch.source, batch.source)):
            mine, theirs = (None if each is None else each.shape for each in (one, two))
            if mine != theirs:
                raise UserError(
                    f"the inputs have the shapes {mine} and {theirs}, but are compared position by position; give two "
                    "of the same length"
                )
        return replace(self, batch=batch)

    def lengths(self) -> dict[str, int]:
        """How many positions there are in each place."""
        config, batch = self.model.config, self.batch
        found = {EMBEDDING: INPUTS[config.input].length(config, batch.tokens)}
        if config.encoder is not None:
            found[SOURCE] = INPUTS[config.encoder.input].length(config.encoder, batch.source)
        return found

    def vectors(self) -> dict[str, np.ndarray]:
        """The vectors of the input: place -> (T, C)."""
        return {place: self._begun(place, self._inputs(place)) for place in self.lengths()}

    def blank(self) -> dict[str, np.ndarray]:
        """The vectors of nothing in particular: place -> (T, C).

        At every position the mean of 64 tokens, spread evenly over the vocabulary, or of all if there are fewer; of an
        image or a sound, all of it the mean of its patches or frames. Positions stay what they are. Tokens of the text
        itself would tell what it says, and a zero vector is no input at all: a norm makes a full-sized one of however
        little there is of it.
        """
        return {place: self._blank(place) for place in self.lengths()}

    def _inputs(self, place: str) -> Any:
        return self.batch.source if place == SOURCE else self.batch.tokens

    def _begun(self, place: str, inputs: np.ndarray) -> np.ndarray:
        """(T, C) of such inputs, (1, ...), as the hook of that place sees them."""
        config = self.model.config
        if place == SOURCE:
            return begin_forward(self.params, "encoder.", config.encoder, inputs, call=Call())[0][0]
        ahead = self.lengths()[SOURCE] if config.encoder_ahead else 0
        ahead = ahead if config.encoder_areas is None else config.vectors_ahead
        segments = self.batch.segments
        return begin_forward(self.params, "", config, inputs, start=ahead, segments=segments, call=Call())[0][0]

    def _blank(self, place: str) -> np.ndarray:
        inputs = self._inputs(place)
        config = self.model.config.encoder if place == SOURCE else self.model.config
        if config.input == "tokens":
            size = self.model.config.vocabulary_size
            spread = np.unique(np.linspace(0, size - 1, min(size, SPREAD)).astype(inputs.dtype))
            alike = [self._begun(place, np.full_like(inputs, token)) for token in spread if token != config.padding]
            return np.mean(alike, axis=0, dtype=np.float64).astype(dtype_of(self.params))
        axes = (2, 3) if config.input == "images" else 1
        return self._begun(place, np.broadcast_to(inputs.mean(axis=axes, keepdims=True), inputs.shape).copy())

    def values_of(self, vectors: Vectors) -> np.ndarray:
        """The number for each of N inputs: (N,). vectors: place -> (N, T, C), put where the input's own would be."""
        return np.concatenate([self.read(self._forward(some)[0]) for some in self._in_parts(vectors)])

    def gradients_of(self, vectors: Vectors) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The number for each of N inputs, (N,), and its gradient for their vectors: place -> (N, T, C)."""
        values, gradients = [], []
        for some in self._in_parts(vectors):
            output, cache = self._forward(some)
            values.append(self.read(output))
            gradients.append(self.back(cache, len(values[-1])))
        return np.concatenate(values), {
            place: np.concatenate([one[place][:, -array.shape[1] :] for one in gradients])
            for place, array in vectors.items()
        }

    def back(self, cache: Any, rows: int = 1) -> dict[str, np.ndarray]:
        """The gradient of every activation, as hooks call it without its d. cache: of a forward of so many rows."""
        seen: dict[str, np.ndarray] = {}

        def look(name: str, x: np.ndarray) -> np.ndarray:
            head, dot, last = name.rpartition(".")
            seen[f"{head}{dot}{last.removeprefix('d')}"] = x
            return x

        weights = tuple(
            np.repeat(one, rows, axis=0).astype(dtype_of(self.params), copy=False) for one in _answers(self.weights)
        )
        doutput = weights if isinstance(self.weights, tuple) else weights[0]
        self.model.back(self.params, Frozen(), cache, doutput, Call(hook=look, share=0.0))
        return seen

    def _forward(self, vectors: Vectors) -> tuple[Any, Any]:
        rows = len(next(iter(vectors.values())))
        call = Call(hook=lambda name, x: x if name not in vectors else put_last(x, vectors[name]))
        return self.model.forward(self.params, repeated(self.batch, rows), call)

    def _in_parts(self, vectors: Vectors) -> list[dict[str, np.ndarray]]:
        """As many inputs at a time as fit into memory."""
        config, lengths = self.model.config, self.lengths()
        longest = max(lengths.values())
        size = longest * max(config.feed_forward_width, config.heads * longest, config.vocabulary_size)
        rows, count = max(1, NUMBERS // size), len(next(iter(vectors.values())))
        starts = range(0, count, rows)
        return [{place: array[start : start + rows] for place, array in vectors.items()} for start in starts]


def ask(
    model: Transformer,
    params: Weights,
    batch: Batch | np.ndarray,
    target: int | np.ndarray,
    *,
    against: int | None = None,
    position: int | str = -1,
) -> Question:
    """What speaks for `target`, rather than `against`, in this input?

    Parameters
    ----------
    model, params
        Any of ours: decoder, encoder or both, of text, images or sound.
    batch : Batch or (1, T) integers
        One input.
    target : int, or (C,) floats
        The token, the class or the end of a span whose score is explained; of a model without a head a direction, of
        which the hidden state's part is explained.
    against : int, optional
        Another one, whose score is taken off: what makes the difference between the two.
    position : int, or "mean"
        Where it is said; of a model without a head also the mean of all. A head for the whole sequence has no choice.

    Returns
    -------
    Question

    Raises
    ------
    UserError
        For more than one row, and for a target or a position that there is not.
    """
    batch = as_batch(batch)
    if len(batch.tokens) != 1:
        raise UserError(f"one input is explained at a time, but the batch has {len(batch.tokens)} rows; give one")
    output, _ = model.forward(params, batch, Call().forward_only())
    answers = _answers(output)
    weights = [np.zeros(answer.shape) for answer in answers]
    row = weights[0][0]
    if row.ndim == 2:
        row = _at(row, position, batch.present)
    share = 1 / len(row) if row.ndim == 2 else 1.0  # of a mean
    if isinstance(target, np.ndarray):
        if against is not None or target.shape != row.shape[-1:]:
            raise UserError(
                f"a direction of shape {target.shape} cannot be asked of answers of {row.shape[-1]} numbers; give that "
                "many, and nothing to compare with"
            )
        row += target * share
    else:
        for sign, index in ((share, target), (-share, against)):
            if index is not None:
                _check_among(index, row.shape[-1])
                row[..., index] += sign
    return Question(model, params, batch, tuple(weights) if isinstance(output, tuple) else weights[0])


def put_last(x: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """x: (N, M + T, C) with these vectors, (N, T, C), in its last T positions; what stands ahead of a text stays."""
    ahead = x.shape[1] - vectors.shape[1]
    vectors = vectors.astype(x.dtype, copy=False)
    return vectors if ahead == 0 else np.concatenate([x[:, :ahead], vectors], axis=1)


def repeated(batch: Batch, rows: int) -> Batch:
    """The same input so many times."""
    fields: list[Any] = [np.repeat(one, rows, axis=0) if isinstance(one, np.ndarray) else one for one in batch]
    return Batch(*fields)


def _answers(output: Any) -> tuple[np.ndarray, ...]:
    return output if isinstance(output, tuple) else (output,)


def _at(rows: np.ndarray, position: int | str, present: np.ndarray | None) -> np.ndarray:
    """The row, or for "mean" the rows that are no padding, as a view of (T, K)."""
    if position == "mean":
        if present is not None and not present[0].all():
            raise UserError("the mean of all positions is asked of a text without padding; leave it out")
        return rows
    if isinstance(position, bool) or not isinstance(position, int | np.integer):
        raise UserError(f"position must be a whole number or 'mean', not {described(position)}")
    if not -len(rows) <= position < len(rows):
        raise UserError(
            f"position {position} is not among the {len(rows)} of this answer; give one of 0 to {len(rows) - 1}"
        )
    return rows[int(position)]


def _check_among(index: Any, count: int) -> None:
    if isinstance(index, bool) or not isinstance(index, int | np.integer) or not 0 <= index < count:
        raise UserError(
            f"{described(index)} is not among the {count:,} answers; give a whole number from 0 to {count - 1:,}"
        )
